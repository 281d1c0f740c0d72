//! `ingest fetch`: one patient and what the record refers to.

use super::site::Site;
use crate::dump::Dump;

#[test]
fn one_patient_is_fetched_once() {
    let site = Site::new(3);
    let mrn = site.mrns()[1].clone();
    let first = site.folder.run(["fetch", "c", "--mrn", &mrn, "--json"]);
    let first = first.exits(0).json();
    assert_eq!(first["state"], "completed", "{first}");
    assert!(first["created"].as_u64() > Some(3), "{first}");
    let patients = "SELECT count(*) FROM resources WHERE type = 'Patient'";
    assert_eq!(site.folder.query(patients), ["1"]);

    // Also by the id at the EHR: all of it is read again, nothing is written.
    let id = "SELECT source_id FROM resources WHERE type = 'Patient'";
    let id = site.folder.query(id).remove(0);
    let before = Dump::whole(&site.folder.reader());
    let again = site
        .folder
        .run(["fetch", "c", "--patient", &id, "--full", "--json"]);
    let again = again.exits(0).json();
    assert_eq!(again["unchanged"], first["created"], "{again}");
    assert_eq!(
        (&again["created"], &again["updated"]),
        (&0.into(), &0.into())
    );
    Dump::whole(&site.folder.reader()).assert_eq(&before, "fetched again");
}

#[test]
fn a_patient_who_is_not_there_is_an_error_without_the_number() {
    let site = Site::new(1);
    let ran = site.folder.run(["fetch", "c", "--mrn", "4711-0815"]);
    assert_ne!(ran.code, Some(0));
    assert!(!ran.stderr.contains("4711"), "{}", ran.stderr);
    site.folder.run(["fetch", "c"]).exits(2);
    site.folder
        .run(["fetch", "elsewhere", "--patient", "1"])
        .exits(4);
}
