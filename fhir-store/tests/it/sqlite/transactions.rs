//! What commits together, and what is lost together.

use std::fs;

use fhir_store::{
    Amend, Counts, Error, NewRun, PutOutcome, ResourceStore as _, RunStore as _, SqliteStore,
};
use tempfile::TempDir;

use super::{content, fill, has, patient, put, store_path};

const RUN: NewRun<'_> = NewRun {
    id: "01A",
    connection: None,
    kind: "load",
    source_system: "urn:test:a",
    started: 0,
};

#[test]
fn what_was_not_flushed_is_lost_as_a_whole() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open(&path).expect("open");
    store.start_run(&RUN).expect("start_run");
    store.flush().expect("flush");
    let before = content(&path);

    put(&mut store, &[patient("p", "1")]);
    let counts = Counts {
        resources: 1,
        ..Counts::default()
    };
    store.update_run("01A", &counts).expect("update_run");
    drop(store);
    assert_eq!(content(&path), before);

    let mut store = SqliteStore::open(&path).expect("open");
    assert_eq!(put(&mut store, &[patient("p", "1")]), [PutOutcome::Created]);
}

/// The files as a killed process leaves them: copied while a transaction is open.
#[test]
fn a_crash_loses_only_what_was_not_flushed() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open(&path).expect("open");
    put(&mut store, &[patient("flushed", "1")]);
    store.flush().expect("flush");
    // Part of the open transaction is in the WAL.
    fill(&mut store);

    let copy = folder.path().join("copy.db");
    for suffix in ["", "-wal"] {
        let from = format!("{}{suffix}", path.display());
        let to = format!("{}{suffix}", copy.display());
        fs::copy(from, to).expect("copy");
    }
    drop(store);
    let mut copied = SqliteStore::open(&copy).expect("open");
    assert!(has(&mut copied, "flushed"));
    let stored = copied.scan(None, 0, usize::MAX).expect("scan");
    assert_eq!(stored.len(), 1);
    drop(copied);
    content(&copy);
}

#[test]
fn a_failed_write_rolls_back_to_the_last_flush() {
    let folder = TempDir::new().expect("folder");
    let mut store = SqliteStore::open(store_path(&folder)).expect("open");
    put(&mut store, &[patient("flushed", "1")]);
    store.flush().expect("flush");
    put(&mut store, &[patient("open", "1")]);
    let missing = Amend {
        resource_type: "Patient",
        id: "missing",
        version: 1,
        content_hash: [0; 32],
        body: "",
        identifiers: &[],
        keeps_line: false,
    };
    let known = Amend {
        id: "flushed",
        ..missing
    };
    assert!(matches!(
        store.amend(&[known, missing]),
        Err(Error::UnknownResource)
    ));
    assert!(!has(&mut store, "open"));
    let kept = store.get("Patient", "flushed").expect("get").expect("kept");
    assert_eq!(kept.body.as_deref(), Some("1"));

    assert_eq!(
        put(&mut store, &[patient("open", "1"), patient("flushed", "1")]),
        [PutOutcome::Created, PutOutcome::Unchanged]
    );
    let stored = store.scan(None, 0, usize::MAX).expect("scan");
    assert_eq!(stored[1].sequence, 2, "the sequence has no gap");
}

#[test]
fn an_unknown_run_costs_nothing() {
    let folder = TempDir::new().expect("folder");
    let mut store = SqliteStore::open(store_path(&folder)).expect("open");
    put(&mut store, &[patient("p", "1")]);
    let updated = store.update_run("01X", &Counts::default());
    assert!(matches!(updated, Err(Error::UnknownRun)));
    assert!(has(&mut store, "p"));
}
