//! The server as the store: everything ends as it does in SQLite.

use std::path::{Path, PathBuf};

use ehr_sandbox::adt::Day;
use ehr_sandbox::{Data, Sandbox as Ehr};
use fhir_http::{Clock as _, Interrupt, SystemClock};
use fhir_store::{ServerSettings, ServerStore, conformance};

use crate::pair::{Pair, assert_provenances};
use crate::repository::Repository;
use crate::{install, or_skip};

/// Folders of NDJSON, with `:` between them, in place of the data of the benches.
const DATA: &str = "REAL_STORE_DATA";

/// How often ours is killed, and how often the server.
const KILLS: &str = "REAL_STORE_KILLS";

/// The program of helios-hfs. Where it is set, it is the store.
const HELIOS: &str = "HELIOS_HFS";

/// The server, with the folder it lives in.
fn server() -> Option<(tempfile::TempDir, Repository)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if let Ok(binary) = std::env::var(HELIOS) {
        let server = Repository::helios(Path::new(&binary), folder.path());
        return Some((folder, server));
    }
    let python = or_skip("a Python with sekmet-fhir", install::sekmet())?;
    let server = or_skip("keys", Repository::sekmet(&python, folder.path()))?;
    Some((folder, server))
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

fn data() -> Vec<PathBuf> {
    match std::env::var(DATA) {
        Ok(folders) => folders.split(':').map(PathBuf::from).collect(),
        Err(_) => {
            vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/data/synthea.ndjson")]
        }
    }
}

/// What every store promises, whatever is behind it.
#[test]
fn conforms() {
    let Some((folder, server)) = server() else {
        return;
    };
    let mut number = 0;
    conformance::run_all(&mut || {
        number += 1;
        let state = folder.path().join(format!("{number}.db"));
        let settings = ServerSettings::default();
        let store = ServerStore::open(state, server.client().clone(), settings);
        Box::new(store.expect("a store"))
    });
}

#[test]
fn loads() {
    let Some((_folder, server)) = server() else {
        return;
    };
    let pair = Pair::new(&server, "");
    pair.server.run(["test", "--store"]).exits(0);
    for path in data() {
        let path = path.to_str().expect("UTF-8");
        pair.run(&["load", "--json", path]);
        pair.hold_the_same();
        let before = server.writes();
        assert!(before > 0, "requests are counted");
        let again = pair.run(&["load", "--json", path]);
        assert_eq!(
            (&again["created"], &again["updated"]),
            (&0.into(), &0.into())
        );
        if again["quarantined"] == 0 && again.get("held").is_none() {
            assert_eq!(server.writes(), before, "a second run writes nothing");
        }
    }
    assert_provenances(&server, &pair.server.path(""));
    let found = pair.server.run(["verify", "--json"]).exits(0).json();
    for drift in ["changed", "deleted", "provenance"] {
        assert_eq!(found[drift], 0, "{found}");
    }
}

#[test]
fn bulk_exports_and_messages() {
    let Some((_folder, server)) = server() else {
        return;
    };
    let ehr = Ehr::builder().open().data(Data::synthetic(5, 20));
    let ehr = ehr.start().expect("an EHR");
    let pair = Pair::new(
        &server,
        &format!(
            "[tenants.acme]\n[connections.c]\nfhir_base = \"{}\"\n\
             source_system = \"urn:test:real\"\ntriggers = {:?}\nbulk.poll_min = \"100ms\"\n",
            ehr.base(),
            Day::default().allowed
        ),
    );
    let first = pair.run(&["bulk", "c", "--json"]);
    assert!(first["created"].as_u64() > Some(0), "{first}");
    pair.hold_the_same();
    let before = server.writes();
    pair.run(&["bulk", "c", "--json", "--since", "full"]);
    assert_eq!(server.writes(), before, "nothing has changed");

    // What changes, and a day of messages about it.
    ehr.change_data(7, 20, SystemClock.now());
    pair.run(&["bulk", "c", "--json"]);
    pair.hold_the_same();
    for (number, event) in (0..).zip(Day::default().events(11, &ehr.data())) {
        ehr.apply(&event);
        for folder in [&pair.file, &pair.server] {
            folder.write(&format!("in/{number:03}.hl7"), event.message());
        }
    }
    pair.run(&["adt", "process", "--json", "in"]);
    let worked = pair.run(&["adt", "work", "--drain", "--json"]);
    assert!(worked["created"].as_u64() > Some(0), "{worked}");
    pair.hold_the_same();
    let before = server.writes();
    pair.run(&["adt", "process", "--json", "in"]);
    pair.run(&["adt", "work", "--drain", "--json"]);
    assert_eq!(server.writes(), before, "messages that came before");
    assert_provenances(&server, &pair.server.path(""));
}

/// The folders of the environment, through an EHR that exports them.
#[test]
fn bulk_exports_of_given_data() {
    if std::env::var(DATA).is_err() {
        return;
    }
    let Some((_folder, server)) = server() else {
        return;
    };
    for folder in data() {
        let data = Data::from_ndjson_folder(&folder).expect("NDJSON");
        let ehr = Ehr::builder().open().data(data).start().expect("an EHR");
        let pair = Pair::new(
            &server,
            &format!(
                "[connections.c]\nfhir_base = \"{}\"\nsource_system = \"urn:test:{}\"\n\
                 id_mode = \"hash\"\nbulk.poll_min = \"100ms\"\n",
                ehr.base(),
                folder.file_name().unwrap_or_default().display()
            ),
        );
        let first = pair.run(&["bulk", "c", "--json", "--system"]);
        assert!(first["created"].as_u64() > Some(0), "{first}");
        pair.hold_the_same();
    }
}

/// Ours and the server's in turn. Whatever that leaves, one more run makes up for.
#[test]
fn killed_at_any_moment_one_more_run_finishes_the_work() {
    let Some((_folder, mut server)) = server() else {
        return;
    };
    let pair = Pair::new(&server, "");
    for folder in [&pair.file, &pair.server] {
        folder.lines("in/all.ndjson", &lines(0, 200));
    }
    let mut moments = 0x2026_u64;
    for round in 0..number(KILLS, 4) {
        // Any number of requests further on.
        moments = moments
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let until = server.writes() + 1 + (moments >> 33) as usize % 6;
        // Something new in each round.
        for folder in [&pair.file, &pair.server] {
            folder.lines("in/all.ndjson", &lines(round, 200));
        }
        let mut command = pair.server.command(["load", "--quiet", "in"]);
        let mut child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("the command starts");
        while server.writes() < until && child.try_wait().expect("a state").is_none() {
            let _ = Interrupt::new().sleep(&SystemClock, std::time::Duration::from_millis(2));
        }
        if round % 2 == 0 {
            child.kill().expect("it is killed");
        } else {
            server.kill();
            server.start();
        }
        child.wait().expect("it ends");
        let summary = pair.run_after_a_kill(&["load", "--json", "in"]);
        assert_eq!(summary["state"], "completed");
        assert_eq!(pair.hold_the_same(), 0);
        assert_provenances(&server, &pair.server.path(""));
    }
    let found = pair.server.run(["verify", "--json"]).exits(0).json();
    assert_eq!(
        (&found["changed"], &found["deleted"]),
        (&0.into(), &0.into())
    );
}

/// Patients and observations of them; `round` changes a third of the patients.
fn lines(round: u64, patients: u64) -> Vec<String> {
    let patient = |number: u64| {
        let changed = if number.is_multiple_of(3) { round } else { 0 };
        format!(
            r#"{{"resourceType":"Patient","id":"p{number}","name":[{{"family":"F{changed}"}}]}}"#
        )
    };
    let observation = |number: u64| {
        format!(
            r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/p{number}"}},"valueQuantity":{{"value":1.5}}}}"#
        )
    };
    let both = |number| [patient(number), observation(number)];
    (0..patients).flat_map(both).collect()
}
