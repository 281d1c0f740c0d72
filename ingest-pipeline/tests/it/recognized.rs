//! Lines that the store knows are passed over, and nobody can tell.

use ingest_pipeline::store::{InMemoryStore, ResourceStore, SqliteStore, Store};
use ingest_pipeline::{Load, RunSummary};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::support::{Folder, Stopped, content, options};

/// A line of one of a few resources that have to do with each other.
fn line() -> impl Strategy<Value = String> {
    let basic = (0..4_u8, 0..3_u8).prop_map(|(id, text)| {
        format!(r#"{{"resourceType":"Basic","id":"b{id}","code":{{"text":"{text}"}}}}"#)
    });
    // A missing code is mended.
    let mended = (0..4_u8).prop_map(|id| format!(r#"{{"resourceType":"Basic","id":"b{id}"}}"#));
    let about = (0..3_u8, 0..3_u8).prop_map(|(id, patient)| {
        format!(
            r#"{{"resourceType":"Basic","id":"o{id}","code":{{}},"subject":{{"reference":"Patient/{patient}"}}}}"#
        )
    });
    // With and without the identifier that makes the id a medical record number.
    let patient = (0..3_u8, any::<bool>()).prop_map(|(id, known)| {
        let kind = if known { "MR" } else { "XX" };
        format!(
            r#"{{"resourceType":"Patient","id":"{id}","identifier":[{{"type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"{kind}"}}]}},"value":"{id}"}}]}}"#
        )
    });
    let deleted = (0..4_u8).prop_map(|id| {
        format!(
            r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"request":{{"method":"DELETE","url":"Basic/b{id}"}}}}]}}"#
        )
    });
    let conditional = (0..3_u8).prop_map(|id| {
        format!(
            r#"{{"resourceType":"Basic","id":"c{id}","code":{{}},"author":{{"reference":"Patient?identifier=|{id}"}}}}"#
        )
    });
    let bad = Just("{\"resourceType\":\"Basic\"".to_owned());
    let spaced = (0..4_u8).prop_map(|id| {
        format!(r#"  {{"resourceType":"Basic","id":"b{id}","code":{{"text":"0"}}}}  "#)
    });
    prop_oneof![
        6 => basic, 1 => mended, 3 => about, 2 => patient, 1 => deleted, 1 => conditional,
        1 => bad, 1 => spaced
    ]
}

/// Inputs that share most of their lines.
fn inputs() -> impl Strategy<Value = Vec<Vec<String>>> {
    let lines = prop::collection::vec(line(), 1..25);
    (lines, prop::collection::vec((any::<u8>(), line()), 0..4)).prop_map(|(lines, changes)| {
        let mut inputs = vec![lines.clone(), lines];
        for (at, line) in changes {
            let mut next = inputs.last().cloned().unwrap_or_default();
            let at = usize::from(at) % next.len();
            next[at] = line;
            inputs.push(next.clone());
            next.rotate_left(at);
            inputs.push(next);
        }
        inputs
    })
}

fn load(store: &mut dyn Store, folder: &Folder, recognize: bool) -> RunSummary {
    let mut options = options(folder, 1);
    options.recognize = recognize;
    let files = folder.inputs();
    let load = Load::new(options, &files);
    load.run(store, &Stopped, &mut ()).expect("a load")
}

fn counts(summary: &RunSummary) -> String {
    format!(
        "{:?} remediated {} unresolved {} provenance {}",
        summary.by_type, summary.remediated, summary.unresolved_references, summary.provenance
    )
}

fn writes(summary: &RunSummary) -> [u64; 5] {
    [
        summary.created,
        summary.updated,
        summary.deleted,
        summary.quarantined,
        summary.provenance,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn it_makes_no_difference(inputs in inputs()) {
        let place = tempfile::tempdir().expect("a folder");
        let mut memory = InMemoryStore::new();
        let mut sqlite = SqliteStore::open(place.path().join("a.db")).expect("a store");
        for lines in inputs {
            let folder = Folder::new(&[("a.ndjson", &lines.join("\n"))]);
            let plain = load(&mut memory, &folder, true);
            let quick = load(&mut sqlite, &folder, true);
            // A correction of what is stored, for a patient renamed late, counts
            // beside the record where that came first.
            if plain.resources == quick.resources {
                prop_assert_eq!(counts(&plain), counts(&quick));
            }
            prop_assert_eq!(writes(&plain), writes(&quick));
            prop_assert_eq!(content(&mut memory), content(&mut sqlite));
        }
    }
}

const LINES: [&str; 3] = [
    r#"{"resourceType":"Basic","id":"a","code":{"text":"x"}}"#,
    r#"{"resourceType":"Basic","id":"b"}"#,
    r#"{"resourceType":"Patient","id":"p"}"#,
];

/// Only who parses a line can see that its content hash is another.
fn with_other_hashes() -> (tempfile::TempDir, Folder) {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("a.db");
    let folder = Folder::new(&[("a.ndjson", &LINES.join("\n"))]);
    load(
        &mut SqliteStore::open(&path).expect("a store"),
        &folder,
        true,
    );
    let connection = Connection::open(&path).expect("a database");
    let sql = "UPDATE version SET hash = zeroblob(32)";
    assert_eq!(connection.execute(sql, []).expect("an update"), 3);
    (place, folder)
}

#[test]
fn a_known_line_is_not_parsed() {
    let (place, folder) = with_other_hashes();
    let mut store = SqliteStore::open(place.path().join("a.db")).expect("a store");
    let summary = load(&mut store, &folder, true);
    assert_eq!((summary.unchanged, summary.updated), (3, 0));
    assert_eq!(summary.remediated, 1);
    let summary = load(&mut store, &folder, false);
    assert_eq!((summary.unchanged, summary.updated), (0, 3));
}

#[test]
fn under_other_rules_no_line_is_known() {
    let (place, folder) = with_other_hashes();
    let mut store = SqliteStore::open(place.path().join("a.db")).expect("a store");
    let mut options = options(&folder, 1);
    options
        .settings
        .bases
        .push("https://ehr.example/r4".to_owned());
    let files = folder.inputs();
    let load = Load::new(options, &files);
    let summary = load.run(&mut store, &Stopped, &mut ()).expect("a load");
    assert_eq!((summary.unchanged, summary.updated), (0, 3));
}

/// The files come in another order, and one line in ten has changed.
#[test]
fn lines_are_found_again_wherever_they_stand() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("a.db");
    let text = |file: u64, changed: u64| -> String {
        let line = |number: u64| {
            let content = u64::from(number.is_multiple_of(10)) * changed;
            // As long as lines usually are.
            format!(
                "{{\"resourceType\":\"Basic\",\"id\":\"{file}-{number}\",\"code\":{{\"text\":\"{content:0>800}\"}}}}\n"
            )
        };
        (0..10_000).map(line).collect()
    };
    let first = Folder::new(&[("a.ndjson", &text(1, 0)), ("b.ndjson", &text(2, 0))]);
    let mut store = SqliteStore::open(&path).expect("a store");
    load(&mut store, &first, true);
    drop(store);
    let connection = Connection::open(&path).expect("a database");
    connection
        .execute("UPDATE version SET hash = zeroblob(32)", [])
        .expect("an update");
    drop(connection);

    let again = Folder::new(&[("a.ndjson", &text(2, 1)), ("b.ndjson", &text(1, 1))]);
    let mut store = SqliteStore::open(&path).expect("a store");
    let summary = load(&mut store, &again, true);
    // What was parsed counts as updated, since the hashes are others.
    assert!(summary.updated >= 2_000, "{summary:?}");
    assert!(
        summary.unchanged >= 10_000,
        "most are not parsed: {summary:?}"
    );
    assert!(
        store
            .get("Basic", "1-10")
            .expect("get")
            .is_some_and(|it| it.version == 2)
    );
}
