mod alone;
mod early;
mod files;
mod lines;
mod load;
mod transactions;
mod views;

use std::path::{Path, PathBuf};

use fhir_store::{
    Counts, Identifier, NewRun, Put, PutOutcome, ResourceStore as _, RunState, Sha256Ids,
    SqliteStore, Store, WriteContext, conformance,
};
use rusqlite::Connection;
use tempfile::TempDir;

#[test]
fn sqlite_conforms() {
    assert_conforms(|path| SqliteStore::open(path).expect("open"));
    let folder = TempDir::new().expect("folder");
    let mut store = SqliteStore::open(store_path(&folder)).expect("open");
    conformance::renders_provenance_at_its_limits(&mut store);
}

/// The same promises where the store isn't new, and so takes no short cut of a first load.
#[test]
fn sqlite_conforms_in_a_used_store() {
    assert_conforms(|path| {
        drop(SqliteStore::open(path).expect("open"));
        // A version of a type no check asks for, removed again: the sequence no longer starts at its beginning.
        let raw = Connection::open(path).expect("open");
        raw.execute_batch(
            "INSERT INTO version(seq, type, id, version, activity, hash, context, recorded, provenance, superseded) \
             VALUES (1, 0, '', 1, 0, x'', 0, 0, x'', 1)",
        )
        .expect("insert");
        drop(raw);
        SqliteStore::open(path).expect("open")
    });
}

/// Each check has a store of its own, which `open` makes.
fn assert_conforms(open: impl Fn(&Path) -> SqliteStore) {
    let folder = TempDir::new().expect("folder");
    let mut number = 0;
    conformance::run_all(&mut || {
        number += 1;
        Box::new(open(&folder.path().join(format!("{number}.db"))))
    });
}

fn store_path(folder: &TempDir) -> PathBuf {
    folder.path().join("store.db")
}

fn context() -> WriteContext<'static> {
    WriteContext {
        source_system: "urn:test:a",
        organization: "Test",
        run: Some("01JRUN"),
        recorded: 1_767_323_045_678,
        ids: &Sha256Ids,
    }
}

fn patient<'a>(id: &'a str, body: &'a str) -> Put<'a> {
    let mut content_hash = [0; 32];
    content_hash[..body.len()].copy_from_slice(body.as_bytes());
    Put {
        resource_type: "Patient",
        id,
        source_id: id,
        content_hash,
        body,
        identifiers: &[],
        remediations: &[],
        message: None,
        revert: false,
        line: None,
    }
}

/// Calls `body` with a patient whose id is an identifier too.
fn with_identifier<T>(id: &str, body: impl FnOnce(Put<'_>) -> T) -> T {
    let identifiers = [Identifier {
        system: "urn:id",
        value: id,
    }];
    body(Put {
        identifiers: &identifiers,
        ..patient(id, "1")
    })
}

fn put(store: &mut SqliteStore, batch: &[Put<'_>]) -> Vec<PutOutcome> {
    let mut outcomes = Vec::new();
    store.put(&context(), batch, &mut outcomes).expect("put");
    outcomes
}

/// More than the cache holds, in ids that [`filled`] gives.
fn fill(store: &mut SqliteStore) {
    let big = "x".repeat(30);
    let ids: Vec<String> = (0..40_000).map(filled).collect();
    for chunk in ids.chunks(1_000) {
        let batch: Vec<_> = chunk.iter().map(|id| patient(id, &big)).collect();
        put(store, &batch);
    }
}

fn filled(number: usize) -> String {
    format!("{number:0>60}")
}

fn start_run(store: &mut dyn Store, id: &str) {
    let run = NewRun {
        id,
        connection: None,
        kind: "load",
        source_system: "urn:test:a",
        started: 0,
    };
    store.start_run(&run).expect("start");
}

fn finish_run(store: &mut dyn Store, id: &str) {
    let counts = Counts::default();
    store
        .finish_run(id, RunState::Completed, 1, &counts, None, None)
        .expect("finish");
}

fn has(store: &mut SqliteStore, id: &str) -> bool {
    store.get("Patient", id).expect("get").is_some()
}

/// Every row of every table, as text: what "the content is identical" means.
fn content(path: &Path) -> Vec<String> {
    let raw = Connection::open(path).expect("open");
    let integrity: String = raw
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("integrity_check");
    assert_eq!(integrity, "ok");
    let mut tables = raw
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .expect("prepare");
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .expect("query")
        .collect::<Result<_, _>>()
        .expect("names");
    let mut content = Vec::new();
    for name in names.iter().filter(|name| !name.starts_with("sqlite_")) {
        let mut select = raw
            .prepare(&format!("SELECT * FROM {name}"))
            .expect("prepare");
        let columns = select.column_count();
        let mut rows = select.query([]).expect("query");
        while let Some(row) = rows.next().expect("row") {
            let values: Vec<_> = (0..columns)
                .map(|index| format!("{:?}", row.get_ref(index).expect("value")))
                .collect();
            content.push(format!("{name}: {}", values.join(" ")));
        }
    }
    content.sort();
    content
}
