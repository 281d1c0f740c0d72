//! Files, folders and stores that are not what they should be.

use super::assert_rows;
use crate::generate::patient;
use crate::util::Sandbox;

/// A folder with one of each.
fn folder() -> Sandbox {
    let folder = Sandbox::new();
    folder.lines("ok.ndjson", &[patient("a", "")]);
    folder.write("image.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    folder.write("empty/notes.txt", "");
    let other = rusqlite::Connection::open(folder.path("other.db")).expect("a database");
    other.execute_batch("CREATE TABLE t (x)").expect("a table");
    folder
}

#[test]
fn inputs_that_are_not_there() {
    let what = "NDJSON files, Bundles as .json, or folders";
    assert_rows(
        &folder(),
        &[
            (&["load", "no.ndjson"], 2, &["no.ndjson", what]),
            (&["load", "empty"], 2, &["no .ndjson", "in empty", what]),
            (&["load"], 2, &["<PATH>"]),
            (
                &["load", "--id-mode", "x", "ok.ndjson"],
                2,
                &["preserve, hash"],
            ),
            (&["normalize", "no.ndjson"], 2, &["no.ndjson", what]),
            (
                &["sandbox", "--data", "no"],
                2,
                &["no can't be read", "--data"],
            ),
            (
                &["sandbox", "--data", "empty"],
                2,
                &["empty has no .ndjson"],
            ),
            (
                &["sandbox", "--listen", "0.0.0.0:1"],
                2,
                &["127.0.0.1:PORT"],
            ),
            (&["sandbox", "--fault", "x"], 2, &["`x`", "PLACE:HITS:WHAT"]),
        ],
    );
}

#[test]
fn stores_that_are_none() {
    let folder = folder();
    let (missing, none) = ("there is no store at no.db", "name the store with --db");
    let file = [
        "empty is a folder, and a store is a file",
        "empty/ingest.db",
    ];
    let readers: [&[&str]; 7] = [
        &["runs", "list"],
        &["runs", "show", "x"],
        &["quarantine", "list"],
        &["quarantine", "show", "1"],
        &["quarantine", "export"],
        &["export"],
        &["load", "ok.ndjson"],
    ];
    for command in readers {
        let with = |db| [command, &["--db", db]].concat();
        if command[0] != "load" {
            assert_rows(&folder, &[(&with("no.db"), 10, &[missing, none])]);
        }
        let other = ["other.db is not a store", "another application", "choose"];
        assert_rows(
            &folder,
            &[
                (&with("empty"), 10, &file),
                (&with("other.db"), 10, &other),
                (
                    &with("image.png"),
                    10,
                    &["image.png is not a store", "no SQLite"],
                ),
            ],
        );
    }
    assert_rows(
        &folder,
        &[
            (
                &["load", "--db", "no/x.db", "ok.ndjson"],
                10,
                &["no/x.db", "check that the folder exists and is writable"],
            ),
            (&["status", "--db", "empty"], 10, &file),
            (
                &["verify", "--db", "no.db"],
                2,
                &["no.db", "for a FHIR server"],
            ),
        ],
    );
}

#[test]
fn looking_at_messages_makes_no_files() {
    let folder = folder();
    let (what, hint) = (
        "there is no state at no.state.db",
        "name the store with --db",
    );
    let letters: [&[&str]; 4] = [
        &["list"],
        &["show", "1"],
        &["replay", "1"],
        &["replay", "--all"],
    ];
    for action in letters {
        let command = [&["adt", "--db", "no.db", "dead-letters"], action].concat();
        assert_rows(&folder, &[(&command, 10, &[what, hint])]);
    }
    let raw = ["adt", "--db", "no.db", "raw", "show", "x"];
    assert_rows(&folder, &[(&raw, 2, &["TENANT/YYYY/MM/DD/"])]);
    assert!(!folder.path("no.state.db").exists());
}

#[test]
fn what_a_store_does_not_hold() {
    let folder = folder();
    folder.load(&["ok.ndjson"]);
    let list = "ingest quarantine list";
    assert_rows(
        &folder,
        &[
            (&["runs", "show", "x"], 2, &["no run x", "ingest runs list"]),
            (&["runs", "list", "--limit", "x"], 2, &["'x'", "--limit"]),
            (&["quarantine", "show", "9"], 2, &["no record 9", list]),
            (
                &["export", "--type", "Patent"],
                2,
                &["`Patent`", "--type Patient"],
            ),
            (
                &["export", "--out", "ok.ndjson"],
                1,
                &["cannot write ok.ndjson", "a file where a folder has to be"],
            ),
        ],
    );
    assert!(!folder.path("export").exists());
}

#[test]
fn a_store_that_somebody_writes() {
    let folder = folder();
    folder.load(&["ok.ndjson"]);
    let writer = fhir_store::SqliteStore::open(folder.path("ingest.db")).expect("a store");
    let words = [
        "ingest.db is in use by another writer",
        "wait for it to end",
        "ingest runs list",
    ];
    assert_rows(&folder, &[(&["load", "ok.ndjson"], 8, &words)]);
    // Whoever reads is not in its way.
    for report in [&["runs", "list"][..], &["quarantine", "list"], &["status"]] {
        folder.run(report).exits(0);
    }
    drop(writer);
    folder.load(&["ok.ndjson"]);
}

#[test]
fn a_store_that_a_first_load_has_for_itself() {
    let folder = folder();
    let path = folder.path("ingest.db");
    let writer = fhir_store::SqliteStore::open_exclusive(path).expect("a store");
    let words = [
        "ingest.db can't be opened now",
        "a first load has it for itself",
        "try again when that has ended",
    ];
    // Each waits for some seconds.
    let told = folder.run(["runs", "list"]).exits(8).stderr;
    assert!(words.iter().all(|word| told.contains(word)), "{told}");
    // What else is known is shown.
    let status = folder.run(["status", "--json"]).exits(0).json();
    assert_eq!(status["locked"], true, "{status}");
    drop(writer);
    folder.load(&["ok.ndjson"]);
    let status = folder.run(["status", "--json"]).exits(0).json();
    assert!(status["locked"].is_null(), "{status}");
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = Sandbox::new();
    let name = OsStr::from_bytes(b"caf\xE9.ndjson");
    let ran = folder.run([OsStr::new("load"), name]).exits(2);
    assert!(ran.stderr.contains("cannot read caf"), "{}", ran.stderr);
    std::fs::write(folder.path(".").join(name), patient("a", "")).expect("a file");
    folder.run([OsStr::new("load"), name]).exits(0);
    let ran = folder.run([OsStr::new("bulk"), name]).exits(2);
    assert!(ran.stderr.contains("UTF-8"), "{}", ran.stderr);
}
