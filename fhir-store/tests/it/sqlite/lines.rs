//! Digests of the texts that resources were made from.

use fhir_store::{Amend, Delete, Error, KnownLine, Put, ResourceStore as _, SqliteStore};
use tempfile::TempDir;

use super::{context, patient, put, store_path};

const SOURCE: &str = "urn:test:a";

fn with_line<'a>(id: &'a str, body: &'a str, line: u8) -> Put<'a> {
    Put {
        line: Some([line; 16]),
        ..patient(id, body)
    }
}

fn known(store: &mut SqliteStore, source_system: &str, from: u64, limit: usize) -> Vec<KnownLine> {
    let lines = store.known_lines(source_system).expect("lines");
    let mut lines = lines.expect("a store that keeps them");
    let mut found = Vec::new();
    lines.read(from, limit, &mut found).expect("read");
    found
}

fn names(lines: &[KnownLine]) -> Vec<(&str, u8)> {
    lines.iter().map(|own| (&*own.id, own.digest[0])).collect()
}

#[test]
fn lines_of_current_resources_are_known_in_order() {
    let folder = TempDir::new().expect("folder");
    let mut store = SqliteStore::open(store_path(&folder)).expect("open");
    put(
        &mut store,
        &[
            with_line("z", "1", 1),
            with_line("a", "2", 2),
            patient("without", "3"),
            with_line("gone", "4", 4),
            with_line("changed", "5", 5),
        ],
    );
    put(
        &mut store,
        &[with_line("changed", "6", 6), with_line("z", "1", 9)],
    );
    let deletes = [Delete {
        resource_type: "Patient",
        id: "gone",
        source_id: "gone",
        message: None,
    }];
    store
        .delete(&context(), &deletes, &mut Vec::new())
        .expect("delete");
    let all = known(&mut store, SOURCE, 0, 99);
    // What was unchanged was not written, nor its line.
    assert_eq!(names(&all), [("z", 1), ("a", 2), ("changed", 6)]);
    assert!(all.iter().all(|own| &*own.resource_type == "Patient"));
    let rest = known(&mut store, SOURCE, all[0].sequence + 1, 1);
    assert_eq!(names(&rest), [("a", 2)]);
    assert_eq!(names(&known(&mut store, "urn:test:b", 0, 99)), []);
}

#[test]
fn what_has_happened_since_is_told() {
    let folder = TempDir::new().expect("folder");
    let mut store = SqliteStore::open(store_path(&folder)).expect("open");
    put(
        &mut store,
        &[
            with_line("stays", "1", 1),
            with_line("changes", "2", 2),
            with_line("goes", "3", 3),
            with_line("amended", "4", 4),
        ],
    );
    store.flush().expect("flush");
    drop(store);
    let mut store = SqliteStore::open(store_path(&folder)).expect("open");
    let lines = known(&mut store, SOURCE, 0, 99);
    for own in &lines {
        assert!(store.still_current(own.sequence).expect("told"));
    }
    put(&mut store, &[with_line("changes", "22", 22)]);
    let deletes = [Delete {
        resource_type: "Patient",
        id: "goes",
        source_id: "goes",
        message: None,
    }];
    store
        .delete(&context(), &deletes, &mut Vec::new())
        .expect("delete");
    let amend = Amend {
        resource_type: "Patient",
        id: "amended",
        version: 1,
        content_hash: [7; 32],
        body: "{}",
        identifiers: &[],
        keeps_line: false,
    };
    store.amend(&[amend]).expect("amend");
    let still: Vec<_> = lines
        .iter()
        .map(|own| store.still_current(own.sequence).expect("told"))
        .collect();
    assert_eq!(still, [true, false, false, false]);
    // An amended version is not what its line would make, unless that is said.
    let now = known(&mut store, SOURCE, 0, 99);
    assert_eq!(names(&now), [("stays", 1), ("changes", 22)]);
    let keeps = Amend {
        id: "stays",
        keeps_line: true,
        ..amend
    };
    store.amend(&[keeps]).expect("amend");
    assert!(!store.still_current(lines[0].sequence).expect("told"));
    let now = known(&mut store, SOURCE, 0, 99);
    assert_eq!(names(&now), [("stays", 1), ("changes", 22)]);
}

#[test]
fn after_a_rollback_nothing_is_certain() {
    let folder = TempDir::new().expect("folder");
    let mut store = SqliteStore::open(store_path(&folder)).expect("open");
    put(&mut store, &[with_line("a", "1", 1)]);
    let lines = known(&mut store, SOURCE, 0, 99);
    let missing = Amend {
        resource_type: "Patient",
        id: "nobody",
        version: 1,
        content_hash: [7; 32],
        body: "{}",
        identifiers: &[],
        keeps_line: false,
    };
    assert!(matches!(
        store.amend(&[missing]),
        Err(Error::UnknownResource)
    ));
    assert!(!store.still_current(lines[0].sequence).expect("told"));
}

#[test]
fn each_store_has_a_key_of_its_own_and_keeps_it() {
    let [one, other] = [
        TempDir::new().expect("folder"),
        TempDir::new().expect("folder"),
    ];
    let key = |folder: &TempDir| {
        let mut store = SqliteStore::open(store_path(folder)).expect("open");
        store.line_key().expect("a key").expect("kept")
    };
    assert_eq!(key(&one), key(&one));
    assert_ne!(key(&one), key(&other));
}

#[test]
fn a_store_from_before_lines_were_kept_comes_up_to_date() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open(&path).expect("open");
    put(&mut store, &[with_line("a", "1", 1)]);
    store.flush().expect("flush");
    drop(store);
    let raw = rusqlite::Connection::open(&path).expect("open");
    raw.execute_batch(
        "ALTER TABLE version DROP COLUMN line; DROP TABLE line_key; DROP TABLE identifier_early; DROP TABLE patient_reference_early; PRAGMA user_version = 1",
    )
    .expect("the first schema");
    drop(raw);
    let mut store = SqliteStore::open(&path).expect("open");
    assert_eq!(names(&known(&mut store, SOURCE, 0, 99)), []);
    put(&mut store, &[with_line("a", "2", 2)]);
    assert_eq!(names(&known(&mut store, SOURCE, 0, 99)), [("a", 2)]);
}
