//! First runs that have the store for themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fhir_store::{ResourceStore as _, SqliteStore};
use rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;

use super::{
    assert_conforms, content, fill, filled, finish_run, has, patient, put, start_run, store_path,
};

#[test]
fn a_store_conforms_while_nobody_else_can_read_it() {
    assert_conforms(|path| {
        let store = SqliteStore::open_exclusive(path).expect("open");
        assert!(store.is_exclusive());
        store
    });
}

#[test]
fn nobody_reads_it_until_the_first_run_has_ended() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open_exclusive(&path).expect("open");
    assert_shut(&path);
    start_run(&mut store, "first");
    put(&mut store, &[patient("p", "1")]);
    store.flush().expect("flush");
    assert_shut(&path);
    put(&mut store, &[patient("q", "1")]);
    finish_run(&mut store, "first");
    assert!(!store.is_exclusive());
    let reader = &mut SqliteStore::open_read_only(&path).expect("open");
    assert!(has(reader, "p") && has(reader, "q"));
    assert_usual(&path);

    start_run(&mut store, "second");
    put(&mut store, &[patient("r", "1")]);
    store.flush().expect("flush");
    assert!(has(reader, "r"), "readable while a run writes");
}

#[test]
fn the_content_is_that_of_any_other_load() {
    let folder = TempDir::new().expect("folder");
    let load = |name: &str, open: fn(&Path) -> fhir_store::Result<SqliteStore>| {
        let path = folder.path().join(name);
        let mut store = open(&path).expect("open");
        start_run(&mut store, "first");
        fill(&mut store);
        finish_run(&mut store, "first");
        drop(store);
        let mut rows = content(&path);
        rows.retain(|row| !row.starts_with("line_key"));
        rows
    };
    let alone = load("alone.db", |path| SqliteStore::open_exclusive(path));
    let usual = load("usual.db", |path| SqliteStore::open(path));
    assert!(alone == usual, "the content differs");
}

#[test]
fn one_that_is_read_or_has_resources_stays_readable() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    drop(SqliteStore::open(&path).expect("open"));
    let reader = &mut SqliteStore::open_read_only(&path).expect("open");
    assert!(!has(reader, "p"));
    let mut store = SqliteStore::open_exclusive(&path).expect("open");
    assert!(!store.is_exclusive());
    put(&mut store, &[patient("p", "1")]);
    store.flush().expect("flush");
    assert!(has(reader, "p"));
    drop(store);

    let mut store = SqliteStore::open_exclusive(&path).expect("open");
    assert!(!store.is_exclusive());
    put(&mut store, &[patient("q", "1")]);
    store.flush().expect("flush");
    assert!(has(reader, "q"));
}

#[test]
fn without_an_end_of_the_run_what_was_flushed_is_there() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open_exclusive(&path).expect("open");
    start_run(&mut store, "first");
    put(&mut store, &[patient("kept", "1")]);
    store.flush().expect("flush");
    put(&mut store, &[patient("lost", "1")]);
    drop(store);
    assert_usual(&path);
    let mut store = SqliteStore::open_exclusive(&path).expect("open");
    assert!(has(&mut store, "kept") && !has(&mut store, "lost"));
}

/// The files as a killed process leaves them: copied while a transaction is open, and between two.
#[test]
fn a_crash_loses_only_what_was_not_flushed() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open_exclusive(&path).expect("open");
    start_run(&mut store, "first");
    put(&mut store, &[patient("flushed", "1")]);
    store.flush().expect("flush");
    let between = copy(&path, "between.db");
    fill(&mut store);
    let within = copy(&path, "within.db");
    assert!(
        fs::metadata(&within).expect("a copy").len()
            > 2 * fs::metadata(&between).expect("a copy").len(),
        "much of the open transaction is in the file"
    );

    assert_private(&journal(&path));
    for copied in [&within, &between] {
        assert!(journal(copied).exists());
        // The first who reads it takes back what was half done.
        let reader = &mut SqliteStore::open_read_only(copied).expect("open");
        assert!(
            has(reader, "flushed") && !has(reader, &filled(0)),
            "{copied:?}"
        );
        let mut store = SqliteStore::open_exclusive(copied).expect("open");
        assert!(!store.is_exclusive(), "it isn't empty");
        fill(&mut store);
        store.flush().expect("flush");
        assert!(
            has(reader, "flushed") && has(reader, &filled(0)),
            "{copied:?}"
        );
        assert_usual(copied);
        drop(store);
        assert!(!content(copied).is_empty(), "integrity_check says ok");
    }
}

fn copy(path: &Path, name: &str) -> PathBuf {
    let copied = path.with_file_name(name);
    fs::copy(path, &copied).expect("copy");
    fs::copy(journal(path), journal(&copied)).expect("a journal");
    copied
}

fn journal(path: &Path) -> PathBuf {
    path.with_extension("db-journal")
}

/// Another program can't read it, and need not wait to know.
fn assert_shut(path: &Path) {
    let raw = Connection::open(path).expect("open");
    raw.busy_timeout(Duration::ZERO).expect("timeout");
    let read = raw.query_row("SELECT count(*) FROM resources", [], |row| {
        row.get::<_, i64>(0)
    });
    let code = read.expect_err("it is shut").sqlite_error_code();
    assert_eq!(code, Some(ErrorCode::DatabaseBusy));
}

/// As stores are, with no journal that is left over.
fn assert_usual(path: &Path) {
    let raw = Connection::open(path).expect("open");
    let mode = raw.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
    assert_eq!(mode.expect("a mode"), "wal");
    assert!(!journal(path).exists());
}

/// It has pages with patient data.
fn assert_private(file: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(file).expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
    #[cfg(not(unix))]
    let _ = file;
}
