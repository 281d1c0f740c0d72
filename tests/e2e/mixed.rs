//! Files of all types, in which patients stand behind those who refer to them,
//! as `cat *.ndjson` makes them.

use crate::dump::Dump;
use crate::generate::{bundle, mrn_patient, observation, patient};
use crate::sources::gzip;
use crate::util::{Sandbox, assert_counts};

/// More than is read ahead of a compressed file.
const RECORDS: usize = 5_000;

fn observations() -> String {
    let note = format!(r#","note":[{{"text":"{}"}}]}}"#, "x".repeat(900));
    let line = |number: usize| {
        let line = observation(&format!("o{number}"), &format!("Patient/{}", number % 7));
        format!("{}{note}\n", &line[..line.len() - 1])
    };
    (0..RECORDS).map(line).collect()
}

/// Six of the seven that are referred to, one of them in a Bundle and one
/// written by hand, and what is no patient of the file.
fn patients() -> String {
    let mut lines: Vec<_> = (0..4)
        .map(|number| mrn_patient(&number.to_string()))
        .collect();
    lines.push(bundle(&[mrn_patient("4")]));
    let spaced = mrn_patient("5").replacen(':', " : ", 1);
    lines.push(spaced.replacen('{', "  { ", 1));
    let contained = mrn_patient("6").replace("\"id\":\"6\"", "\"id\":\"p\"");
    let basic = r#"{"resourceType":"Basic","id":"b","code":{"text":"Patient"},"contained":["#;
    lines.push(format!("{basic}{contained}]}}"));
    lines.push(patient("without", ""));
    let cut = mrn_patient("6");
    lines.push(cut[..cut.len() - 1].to_owned());
    lines.join("\n")
}

/// How many bodies were written once more.
fn rewritten(sandbox: &Sandbox) -> usize {
    let sql = "SELECT count(*) FROM version WHERE amended > 0";
    sandbox.query(sql)[0].parse().expect("a number")
}

#[test]
fn patients_at_the_end_are_known_from_the_beginning() {
    let (observations, patients) = (observations(), patients());
    let wanted = Sandbox::new();
    wanted.write("Patient.ndjson", &patients);
    wanted.write("rest.ndjson", &observations);
    let counts = wanted.load(&["Patient.ndjson", "rest.ndjson"]);
    assert_counts(
        &counts,
        &[("created", RECORDS as u64 + 8), ("quarantined", 1)],
    );
    let wanted = wanted.dump();
    let all = format!("{observations}{patients}\n");
    for (name, bytes, again) in [
        ("all.ndjson", all.clone().into_bytes(), false),
        ("all.ndjson.gz", gzip(&all), false),
        // By its name it has none.
        ("Observation.ndjson", all.clone().into_bytes(), true),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(name, &bytes);
        sandbox.load(&[name]);
        same(&sandbox, &wanted, name);
        let rewritten = rewritten(&sandbox);
        let as_expected = if again {
            rewritten > RECORDS / 2
        } else {
            rewritten == 0
        };
        assert!(as_expected, "{name}: {rewritten}");
        assert_counts(&sandbox.load(&[name]), &[("created", 0), ("updated", 0)]);
        same(&sandbox, &wanted, name);
    }
    let sandbox = Sandbox::new();
    let ran = sandbox.run_with_stdin(["load", "--json", "-"], all.as_bytes());
    ran.exits(0);
    same(&sandbox, &wanted, "standard input");
}

/// The file where a record was refused is another one.
#[track_caller]
fn same(sandbox: &Sandbox, wanted: &Dump, name: &str) {
    for view in ["resources", "resource_versions", "provenances"] {
        assert!(
            sandbox.dump().rows(view) == wanted.rows(view),
            "{name}: {view}"
        );
    }
}

#[test]
fn no_patients_are_known_from_a_file_that_is_damaged() {
    let all = gzip(format!("{}{}\n", observations(), patients()));
    let sandbox = Sandbox::new();
    sandbox.write("all.ndjson.gz", &all[..all.len() - 5]);
    sandbox.lines("other.ndjson", &[observation("o", "Patient/0")]);
    let counts = sandbox.load_with(&[], &["all.ndjson.gz", "other.ndjson"], 11);
    assert_counts(&counts, &[("created", 1), ("refused_files", 1)]);
    let reference = "SELECT json_extract(body, '$.subject.reference') FROM resources";
    assert_eq!(sandbox.query(reference), ["Patient/0"]);
    assert_eq!(sandbox.query("SELECT count(*) FROM patient_alias"), ["0"]);
}
