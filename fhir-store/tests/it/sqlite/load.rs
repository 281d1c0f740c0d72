//! A load of some size, and the same load again.

use std::fs;

use fhir_store::{Identifier, Put, PutOutcome, ResourceStore as _, SqliteStore};
use tempfile::TempDir;

use super::{content, context, patient, put, store_path};

const RESOURCES: usize = 20_000;

#[test]
fn a_load_again_changes_nothing() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let ids = scattered_ids();

    let mut store = SqliteStore::open(&path).expect("open");
    assert_eq!(load(&mut store, &ids, "first"), [RESOURCES, 0, 0]);
    assert_eq!(load(&mut store, &ids, "first"), [0, 0, RESOURCES]);
    drop(store);
    let before = content(&path);

    let mut store = SqliteStore::open(&path).expect("open");
    assert_eq!(load(&mut store, &ids, "first"), [0, 0, RESOURCES]);
    drop(store);
    assert!(content(&path) == before, "the content differs");

    let mut store = SqliteStore::open(&path).expect("open");
    let mut reversed = ids.clone();
    reversed.reverse();
    assert_eq!(load(&mut store, &reversed, "first"), [0, 0, RESOURCES]);
    assert_eq!(load(&mut store, &ids[5_000..5_100], "second"), [0, 100, 0]);
    assert_eq!(load(&mut store, &ids[..5_000], "first"), [0, 0, 5_000]);
    assert_eq!(load(&mut store, &ids[5_000..5_100], "second"), [0, 0, 100]);
    drop(store);

    let reader = &mut SqliteStore::open_read_only(&path).expect("open");
    let mut scanned = 0;
    let mut after = 0;
    loop {
        let page = reader.scan(None, after, 10_000).expect("scan");
        let Some(last) = page.last() else { break };
        after = last.sequence;
        scanned += page.len();
    }
    assert_eq!(scanned, RESOURCES);
    for id in ids.iter().step_by(97) {
        let found = reader.find_by_identifier("Patient", "urn:id", id, 2);
        assert_eq!(found.expect("find"), [id.as_str()]);
    }
}

#[test]
fn the_wal_does_not_grow_with_the_load() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open(&path).expect("open");
    let body = format!("\"{}\"", "x".repeat(8_000));
    for commit in 0..12 {
        let ids: Vec<_> = (0..5_000)
            .map(|number| format!("{commit}-{number}"))
            .collect();
        let batch = ids.iter().map(|id| Put {
            body: &body,
            ..patient(id, "")
        });
        let batch: Vec<_> = batch.collect();
        assert_eq!(put(&mut store, &batch).len(), 5_000);
        store.flush().expect("flush");
    }
    // Its file is as long as it ever was: 64 MiB, and the 41 of the commit that came to that.
    let wal = fs::metadata(path.with_extension("db-wal"))
        .expect("a WAL")
        .len();
    assert!(wal < 110 << 20, "{wal} bytes of WAL");
}

/// Loads in batches with a flush now and then; counts created, updated and unchanged.
fn load(store: &mut SqliteStore, ids: &[String], body: &str) -> [usize; 3] {
    let mut counts = [0; 3];
    for (number, chunk) in ids.chunks(700).enumerate() {
        let identifiers: Vec<_> = chunk
            .iter()
            .map(|id| {
                [Identifier {
                    system: "urn:id",
                    value: id,
                }]
            })
            .collect();
        let batch: Vec<Put<'_>> = chunk
            .iter()
            .zip(&identifiers)
            .map(|(id, identifiers)| Put {
                identifiers,
                ..patient(id, body)
            })
            .collect();
        let mut outcomes = Vec::new();
        store.put(&context(), &batch, &mut outcomes).expect("put");
        for outcome in outcomes {
            let index = match outcome {
                PutOutcome::Created => 0,
                PutOutcome::Updated { .. } => 1,
                PutOutcome::Unchanged => 2,
                other => panic!("{other:?}"),
            };
            counts[index] += 1;
        }
        if number % 5 == 4 {
            store.flush().expect("flush");
        }
    }
    store.flush().expect("flush");
    counts
}

/// Ids in no order, as UUIDs are.
fn scattered_ids() -> Vec<String> {
    (0..RESOURCES as u64)
        .map(|number| format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect()
}
