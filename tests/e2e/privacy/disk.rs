//! What is left on the disk: files, the columns of databases, and modes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::canary;
use crate::util::open;

/// Columns of the store that are there for content, and why. All others are
/// searched. Pages that SQLite has freed, and those of the WAL, have the rows of
/// these columns and are not told apart; they are in files of the same mode.
const STORE_COLUMNS: &[(&str, &str)] = &[
    ("body.data", "the resource"),
    ("version.id", "the id that references use"),
    (
        "version.source_id",
        "the id at the source, where it was replaced",
    ),
    ("identifier.value", "for references by identifier"),
    ("identifier_early.value", "the same while a first load runs"),
    (
        "patient_alias.patient",
        "ids that are record numbers, to be replaced",
    ),
    (
        "patient_reference.patient",
        "references that may be to such",
    ),
    (
        "patient_reference_early.patient",
        "the same while a first load runs",
    ),
    ("refused.body", "the quarantine"),
    ("dead_letter.body", "the message of a dead letter"),
    ("server_id.id", "the id that references use"),
    ("server_id.server_id", "its id on the server of the store"),
];

/// The same of the state database.
const STATE_COLUMNS: &[(&str, &str)] = &[
    (
        "fetch.value",
        "the record number of a patient to be fetched",
    ),
    ("fetch.merged", "those of patients merged into it"),
    ("adt_patient.value", "the same, for the order of events"),
    ("dead_letter.fetch", "what puts a fetch back"),
    ("job.status_url", "the export that is under way"),
    ("job.request", "the export that is under way"),
    ("job.manifest", "its files"),
];

/// Files below a folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

/// Searches a file. Of databases every column that isn't for content, by its
/// name; their journals go with them.
#[track_caller]
pub(super) fn assert_clean(path: &Path) {
    let name = path.display().to_string();
    // To look into a database may remove the journal of one whose maker was killed.
    let journals = [".db-wal", ".db-shm", ".db-journal"];
    if journals.iter().any(|end| name.ends_with(end)) {
        return;
    }
    let bytes = fs::read(path).expect("a file");
    match bytes.starts_with(b"SQLite format 3\0") {
        // To be read, what was killed in its first moments wants to be written to.
        true => assert_columns_clean(&name, &Connection::open(path).expect("a database")),
        false => canary::assert_none(&name, &bytes),
    }
}

#[track_caller]
fn assert_columns_clean(name: &str, database: &Connection) {
    let columns = columns(database);
    let is_state = columns.contains("lease.holder");
    let content = if is_state {
        STATE_COLUMNS
    } else {
        STORE_COLUMNS
    };
    // A store whose first run was killed may have no tables yet.
    assert!(columns.len() > 40 || columns.len() == 5, "{columns:?}");
    for column in &columns {
        if content.iter().all(|(own, _)| own != column) {
            let found = first_in(database, column);
            assert!(found.is_none(), "{name}, {column}: {found:?}");
        }
    }
    let schema = crate::util::query(database, "SELECT coalesce(sql, '') FROM sqlite_schema");
    canary::assert_none(name, schema.join("\n").as_bytes());
}

/// Every column of every table, those of SQLite itself too, as `table.column`.
fn columns(database: &Connection) -> BTreeSet<String> {
    let sql = "SELECT t.name || '.' || c.name \
               FROM pragma_table_list t, pragma_table_xinfo(t.name) c \
               WHERE t.schema = 'main' AND t.type <> 'view'";
    crate::util::query(database, sql).into_iter().collect()
}

fn first_in(database: &Connection, column: &str) -> Option<String> {
    let (table, name) = column.split_once('.').expect("table.column");
    let sql = format!("SELECT \"{name}\" FROM \"{table}\"");
    let mut statement = database.prepare(&sql).expect("SQL");
    let mut rows = statement.query([]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        let found = match row.get_ref(0).expect("a column") {
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => canary::find(bytes),
            ValueRef::Integer(number) => canary::find(number.to_string().as_bytes()),
            ValueRef::Null | ValueRef::Real(_) => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The columns that are for content are there, and in the given ones content is:
/// otherwise they have no place in the list.
#[track_caller]
pub(super) fn assert_content(path: &Path, used: &[&str]) {
    let database = open(path);
    for column in used {
        let lists = STORE_COLUMNS.iter().chain(STATE_COLUMNS);
        assert!(lists.clone().any(|(own, _)| own == column), "{column}");
        assert!(first_in(&database, column).is_some(), "nothing in {column}");
    }
}

/// Nobody but their owner may read files, or look into folders.
#[cfg(unix)]
#[track_caller]
pub(super) fn assert_owner_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    let metadata = fs::symlink_metadata(path).expect("a file");
    let mode = metadata.permissions().mode() & 0o7777;
    let most = if metadata.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(mode & !most, 0, "{} has {mode:04o}", path.display());
}

#[cfg(not(unix))]
pub(super) fn assert_owner_only(_: &Path) {}
