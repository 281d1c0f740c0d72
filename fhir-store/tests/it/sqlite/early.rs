//! Runs that begin in an empty store, and build its index when they end.

use std::collections::BTreeMap;
use std::path::Path;

use fhir_store::{
    Amend, Delete, InMemoryStore, Put, Remediation, ResourceStore as _, RunStore as _, SqliteStore,
    Store, Stored,
};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    assert_conforms, content, context, finish_run, has, patient, put, start_run, store_path,
};
use crate::sqlite::with_identifier;

#[test]
fn a_store_conforms_while_its_first_run_goes_on() {
    assert_conforms(|path| {
        let mut store = SqliteStore::open(path).expect("open");
        start_run(&mut store, "first");
        store.flush().expect("flush");
        assert!(!is_indexed(path));
        // The checks count runs.
        let raw = Connection::open(path).expect("open");
        raw.execute("DELETE FROM run", []).expect("delete");
        store
    });
}

#[test]
fn the_end_of_the_run_brings_the_index() {
    let folder = TempDir::new().expect("folder");
    let (early, plain) = (
        folder.path().join("early.db"),
        folder.path().join("plain.db"),
    );
    let ids: Vec<_> = (0..500)
        .map(|number| format!("{:03}", number * 7 % 500))
        .collect();
    for path in [&early, &plain] {
        let mut store = SqliteStore::open(path).expect("open");
        if path == &plain {
            put(&mut store, &[patient("one more", "1")]);
        }
        start_run(&mut store, "first");
        if path == &early {
            put(&mut store, &[patient("one more", "1")]);
        }
        for id in &ids {
            with_identifier(id, |patient| put(&mut store, &[patient]));
        }
        store.flush().expect("flush");
        assert_eq!(is_indexed(path), path == &plain);
        let reader = &mut SqliteStore::open_read_only(path).expect("open");
        assert!(has(reader, "123"), "readers do without the index");
        let found = reader.find_by_identifier("Patient", "urn:id", "123", 2);
        assert_eq!(found.expect("find"), ["123"]);
        finish_run(&mut store, "first");
        assert!(is_indexed(path));
    }
    let without_key = |path| {
        let rows = content(path).into_iter();
        rows.filter(|row| !row.starts_with("line_key"))
            .collect::<Vec<_>>()
    };
    assert!(
        without_key(&early) == without_key(&plain),
        "the content differs"
    );
}

#[test]
fn a_run_that_was_killed_leaves_a_store_that_is_mended_when_it_is_opened() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open(&path).expect("open");
    start_run(&mut store, "killed");
    put(&mut store, &[patient("a", "1"), patient("b", "1")]);
    let mut refer = |patients: &[&str]| store.add_patient_references("urn:test:a", patients);
    refer(&["b", "a"]).expect("added");
    refer(&["b"]).expect("added");
    store.flush().expect("flush");
    put(&mut store, &[patient("lost", "1")]);
    drop(store);
    assert!(!is_indexed(&path));

    let reader = &mut SqliteStore::open_read_only(&path).expect("open");
    assert!(has(reader, "a") && !has(reader, "lost"));

    let mut store = SqliteStore::open(&path).expect("open");
    let batch = [patient("a", "1"), patient("b", "2"), patient("lost", "1")];
    let outcomes = put(&mut store, &batch);
    assert_eq!(
        format!("{outcomes:?}"),
        "[Unchanged, Updated { version: 2 }, Created]"
    );
    store.add_aliases("urn:test:a", &["b", "c"]).expect("added");
    let pending = store.pending_repoints("urn:test:a");
    assert_eq!(pending.expect("pending"), ["b"]);
    store.flush().expect("flush");
    assert!(is_indexed(&path));
}

#[test]
fn a_failed_write_takes_nothing_with_it_but_its_transaction() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open(&path).expect("open");
    start_run(&mut store, "first");
    put(&mut store, &[patient("kept", "1")]);
    store.flush().expect("flush");
    put(&mut store, &[patient("rolled back", "1")]);
    let unknown = Amend {
        resource_type: "Patient",
        id: "nobody",
        version: 1,
        content_hash: [0; 32],
        body: "",
        identifiers: &[],
        keeps_line: false,
    };
    assert!(store.amend(&[unknown]).is_err());
    let outcomes = put(
        &mut store,
        &[patient("kept", "1"), patient("rolled back", "1")],
    );
    assert_eq!(format!("{outcomes:?}"), "[Unchanged, Created]");
    finish_run(&mut store, "first");
    assert!(has(&mut store, "kept") && has(&mut store, "rolled back"));
    assert!(is_indexed(&path));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens while the index is not there yet, happens as in memory.
    #[test]
    fn no_write_or_read_is_told_from_one_in_memory(steps in prop::collection::vec(step(), 1..40)) {
        let folder = TempDir::new().expect("folder");
        let path = store_path(&folder);
        let mut store = SqliteStore::open(&path).expect("open");
        let mut model = InMemoryStore::new();
        start_run(&mut store, "first");
        start_run(&mut model, "first");
        for step in &steps {
            if matches!(step, Step::Reopen) {
                store.flush().expect("flush");
                drop(store);
                store = SqliteStore::open(&path).expect("open");
                continue;
            }
            prop_assert_eq!(take(&mut store, step), take(&mut model, step), "{:?}", step);
        }
        finish_run(&mut store, "first");
        prop_assert_eq!(everything(&mut store), everything(&mut model));
        prop_assert!(is_indexed(&path));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<(u8, u8)>),
    /// All at once; the last says whether something was mended.
    Batch(Vec<(u8, u8, bool)>),
    Delete(u8),
    Get(u8),
    Find(u8),
    Refer(u8),
    Alias(u8),
    Repoints,
    Settle,
    Flush,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..12_u8;
    let of_many = (0..MOST_IDS, 0..3_u8, prop::bool::weighted(0.1));
    prop_oneof![
        6 => prop::collection::vec((id.clone(), 0..3_u8), 1..4).prop_map(Step::Put),
        4 => prop::collection::vec(of_many, 1..60).prop_map(Step::Batch),
        1 => id.clone().prop_map(Step::Delete),
        1 => id.clone().prop_map(Step::Get),
        1 => id.clone().prop_map(Step::Find),
        1 => id.clone().prop_map(Step::Refer),
        1 => id.prop_map(Step::Alias),
        1 => Just(Step::Repoints),
        1 => Just(Step::Settle),
        2 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

/// What the step gives.
fn take(store: &mut dyn Store, step: &Step) -> String {
    let name = |id: &u8| format!("p{id}");
    match step {
        Step::Put(batch) => {
            let mut all = Vec::new();
            for (id, body) in batch {
                with_identifier(&name(id), |patient| {
                    let body = body.to_string();
                    let put = Put {
                        content_hash: [body.as_bytes()[0]; 32],
                        body: &body,
                        ..patient
                    };
                    store.put(&context(), &[put], &mut all).expect("put");
                });
            }
            format!("{all:?}")
        }
        Step::Batch(batch) => {
            let text = |(id, body, _): &(u8, u8, bool)| (name(id), body.to_string());
            let texts: Vec<_> = batch.iter().map(text).collect();
            let mended = [Remediation {
                path: "Patient.x",
                rule: "unknown-code",
            }];
            let puts = texts.iter().zip(batch).map(|((id, body), part)| Put {
                remediations: if part.2 { &mended } else { &[] },
                ..patient(id, body)
            });
            let mut all = Vec::new();
            store
                .put(&context(), &puts.collect::<Vec<_>>(), &mut all)
                .expect("put");
            format!("{all:?}")
        }
        Step::Delete(id) => {
            let (id, mut all) = (name(id), Vec::new());
            let delete = Delete {
                resource_type: "Patient",
                id: &id,
                source_id: &id,
                message: None,
            };
            store
                .delete(&context(), &[delete], &mut all)
                .expect("delete");
            format!("{all:?}")
        }
        Step::Get(id) => {
            let found = store.get("Patient", &name(id)).expect("get");
            format!("{:?}", found.map(|stored| (stored.version, stored.body)))
        }
        Step::Find(id) => {
            let found = store.find_by_identifier("Patient", "urn:id", &name(id), 9);
            format!("{:?}", found.expect("find"))
        }
        Step::Refer(id) => {
            let patients = [name(id), name(&(id / 2))];
            let patients = patients.each_ref().map(String::as_str);
            let added = store.add_patient_references("urn:test:a", &patients);
            format!("{added:?}")
        }
        Step::Alias(id) => format!("{:?}", store.add_aliases("urn:test:a", &[&name(id)])),
        Step::Repoints => format!("{:?}", store.pending_repoints("urn:test:a")),
        Step::Settle => format!("{:?}", store.settle_aliases("urn:test:a")),
        Step::Flush => {
            store.flush().expect("flush");
            String::new()
        }
        Step::Reopen => String::new(),
    }
}

/// Of each version its number, content and Provenance.
fn everything(store: &mut dyn Store) -> BTreeMap<String, Vec<String>> {
    let ids = (0..MOST_IDS).map(|id| format!("p{id}"));
    ids.map(|id| {
        let history = store.history("Patient", &id).expect("history");
        let mut version = |stored: Stored| {
            let provenance = store.provenance("Patient", &id, stored.version);
            let provenance = provenance.expect("provenance").map(String::from_utf8);
            let (version, deleted) = (stored.version, stored.deleted);
            let (hash, body) = (stored.content_hash, stored.body);
            format!("{version} {deleted} {hash:?} {body:?} {provenance:?}")
        };
        let versions = history.into_iter().map(&mut version).collect();
        (id, versions)
    })
    .collect()
}

/// More than are written by one statement.
const MOST_IDS: u8 = 80;

fn is_indexed(path: &Path) -> bool {
    let raw = Connection::open(path).expect("open");
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'version_key'";
    let found: i64 = raw.query_row(sql, [], |row| row.get(0)).expect("query");
    found == 1
}
