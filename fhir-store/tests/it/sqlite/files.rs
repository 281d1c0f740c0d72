//! What is opened, what is refused, and who may read it.

use std::fs;
use std::thread;

use fhir_store::{Error, ResourceStore as _, RunStore as _, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{has, patient, put, store_path};

#[test]
fn one_writer_and_any_number_of_readers() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut writer = SqliteStore::open(&path).expect("open");
    assert!(matches!(
        SqliteStore::open(&path),
        Err(Error::Locked { .. })
    ));

    put(&mut writer, &[patient("flushed", "1")]);
    writer.flush().expect("flush");
    put(&mut writer, &[patient("open", "2")]);

    let mut readers = [(); 2].map(|()| SqliteStore::open_read_only(&path).expect("open"));
    for reader in &mut readers {
        assert!(has(reader, "flushed"));
        assert!(!has(reader, "open"), "not flushed yet");
    }
    writer.flush().expect("flush");
    for reader in &mut readers {
        assert!(has(reader, "open"));
    }
    drop(writer);
    drop(SqliteStore::open(&path).expect("the lock is free again"));
}

#[test]
fn a_reader_of_an_empty_store_sees_what_comes() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut writer = SqliteStore::open(&path).expect("open");
    let mut reader = SqliteStore::open_read_only(&path).expect("open");
    assert!(!has(&mut reader, "p"));
    put(&mut writer, &[patient("p", "1")]);
    writer.flush().expect("flush");
    assert!(has(&mut reader, "p"));
}

#[test]
fn a_reader_writes_nothing() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut writer = SqliteStore::open(&path).expect("open");
    put(&mut writer, &[patient("p", "1")]);
    writer.flush().expect("flush");

    let mut reader = SqliteStore::open_read_only(&path).expect("open");
    let mut outcomes = Vec::new();
    let batch = [patient("q", "1")];
    let written = reader.put(&super::context(), &batch, &mut outcomes);
    assert!(matches!(written, Err(Error::ReadOnly)));
    assert!(outcomes.is_empty());
    assert!(matches!(
        reader.interrupt_stale_runs(0),
        Err(Error::ReadOnly)
    ));
    reader.flush().expect("there is nothing to flush");
    assert!(has(&mut reader, "p"));
}

#[test]
fn a_store_goes_on_where_it_was_closed() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    for number in 1..=3 {
        let mut store = SqliteStore::open(&path).expect("open");
        let id = number.to_string();
        put(&mut store, &[patient(&id, "x"), patient("same", &id)]);
        store.flush().expect("flush");
        let sequences: Vec<u64> = store
            .scan(None, 0, usize::MAX)
            .expect("scan")
            .iter()
            .map(|stored| stored.sequence)
            .collect();
        let mut expected: Vec<u64> = (1..=number).map(|number| 2 * number - 1).collect();
        expected.push(2 * number);
        assert_eq!(sequences, expected);
    }
}

#[test]
fn what_is_no_store_is_refused_untouched() {
    let folder = TempDir::new().expect("folder");
    let garbage = folder.path().join("garbage.db");
    fs::write(&garbage, "no database\n".repeat(100)).expect("write");

    let unmarked = folder.path().join("unmarked.db");
    let raw = Connection::open(&unmarked).expect("open");
    raw.execute_batch("CREATE TABLE theirs(x)").expect("create");
    let marked = folder.path().join("marked.db");
    let raw = Connection::open(&marked).expect("open");
    raw.execute_batch("PRAGMA application_id = 42; CREATE TABLE version(x)")
        .expect("create");

    for path in [garbage, unmarked, marked] {
        let before = fs::read(&path).expect("read");
        for opened in [SqliteStore::open(&path), SqliteStore::open_read_only(&path)] {
            assert!(
                matches!(opened, Err(Error::ForeignFile { .. })),
                "{}: {opened:?}",
                path.display()
            );
        }
        assert_eq!(fs::read(&path).expect("read"), before);
    }
}

#[test]
fn schemas_of_other_versions_are_told_apart() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    drop(SqliteStore::open(&path).expect("open"));
    let set_version = |version: i64| {
        let raw = Connection::open(&path).expect("open");
        raw.pragma_update(None, "user_version", version)
            .expect("pragma");
    };

    set_version(99);
    for opened in [SqliteStore::open(&path), SqliteStore::open_read_only(&path)] {
        assert!(matches!(
            opened,
            Err(Error::NewerSchema {
                found: 99,
                supported: 4
            })
        ));
    }
    set_version(0);
    assert!(matches!(
        SqliteStore::open_read_only(&path),
        Err(Error::OlderSchema {
            found: 0,
            supported: 4
        })
    ));
}

#[test]
fn nothing_there_is_no_store_to_read() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    assert!(matches!(
        SqliteStore::open_read_only(&path),
        Err(Error::NotFound { .. })
    ));
    assert!(!path.exists(), "reading creates nothing");

    fs::write(&path, "").expect("write");
    assert!(matches!(
        SqliteStore::open_read_only(&path),
        Err(Error::NotFound { .. })
    ));
    drop(SqliteStore::open(&path).expect("an empty file becomes a store"));
    drop(SqliteStore::open_read_only(&path).expect("open"));

    for ending in ["", "-wal"] {
        let _ = fs::write(folder.path().join(format!("store.db{ending}")), "");
    }
    assert!(matches!(
        SqliteStore::open(&path),
        Err(Error::Emptied { .. })
    ));
    fs::remove_file(&path).expect("a file");
    drop(SqliteStore::open(&path).expect("a store that was removed begins anew"));

    let nowhere = folder.path().join("missing").join("store.db");
    assert!(matches!(
        SqliteStore::open(nowhere),
        Err(Error::Open { .. })
    ));
}

#[test]
fn whoever_made_it_was_killed_before_it_was_one() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let half = folder.path().join("half.db");
    let raw = Connection::open(&half).expect("open");
    raw.execute_batch(
        "PRAGMA cache_size = 1; BEGIN; CREATE TABLE t (x); \
         INSERT INTO t SELECT randomblob(3000) FROM (VALUES (1), (2), (3), (4), (5), (6))",
    )
    .expect("SQL");
    // As they are on the disk while it writes.
    fs::copy(&half, &path).expect("copy");
    let journal = folder.path().join("store.db-journal");
    fs::copy(folder.path().join("half.db-journal"), journal).expect("a journal");
    assert!(matches!(
        SqliteStore::open_read_only(&path),
        Err(Error::NotFound { .. })
    ));
    drop(SqliteStore::open(&path).expect("a writer makes it"));
    drop(SqliteStore::open_read_only(&path).expect("open"));
}

#[test]
fn while_another_makes_it_there_is_none_or_a_whole_one() {
    let folder = TempDir::new().expect("folder");
    for number in 0..100 {
        let path = folder.path().join(format!("{number}.db"));
        thread::scope(|scope| {
            let maker = scope.spawn(|| SqliteStore::open(&path).expect("make"));
            loop {
                let is_made = maker.is_finished();
                match SqliteStore::open_read_only(&path) {
                    Ok(_) => break,
                    Err(Error::NotFound { .. }) if !is_made => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        });
    }
}

#[test]
fn views_that_are_damaged_are_noticed() {
    let folder = TempDir::new().expect("folder");
    let views = [
        "resources",
        "resource_versions",
        "provenances",
        "runs",
        "quarantine",
        "dead_letters",
    ];
    let damages = [
        ("sql = replace(sql, 'SELECT', 'SELEbT')", true),
        // Still a view, of something else.
        ("sql = replace(sql, 'FROM', 'fROM')", true),
        ("sql = substr(sql, 1, length(sql) - 1) || ' '", true),
        (
            "sql = CAST(CAST(substr(sql, 1, length(sql) - 1) AS BLOB) || x'FF' AS TEXT)",
            true,
        ),
        ("sql = sql", false),
    ];
    for view in views {
        for (damage, is_damaged) in damages {
            let path = folder.path().join(format!("{view}.db"));
            drop(SqliteStore::open(&path).expect("open"));
            let raw = Connection::open(&path).expect("open");
            raw.execute_batch(&format!(
                "PRAGMA writable_schema = ON; \
                 UPDATE sqlite_schema SET {damage} WHERE name = '{view}'"
            ))
            .expect("damage");
            drop(raw);
            for opened in [SqliteStore::open(&path), SqliteStore::open_read_only(&path)] {
                match opened {
                    Err(Error::Corrupt {
                        column: "sqlite_schema.sql",
                    }) => assert!(is_damaged, "{view}: {damage}"),
                    // SQLite itself sees that it is no view.
                    Err(Error::Sqlite { .. }) => assert!(is_damaged, "{view}: {damage}"),
                    Ok(_) => assert!(!is_damaged, "{view}: {damage}"),
                    Err(error) => panic!("{view}: {damage}: {error:?}"),
                }
            }
            fs::remove_file(&path).expect("remove");
        }
    }
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    let mut store = SqliteStore::open(&path).expect("open");
    put(&mut store, &[patient("p", "1")]);
    store.flush().expect("flush");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).expect("folder") {
        let entry = entry.expect("entry");
        let mode = entry.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().expect("UTF-8"));
    }
    names.sort();
    assert_eq!(
        names,
        ["store.db", "store.db-shm", "store.db-wal", "store.db.lock"]
    );
}

#[test]
fn the_file_is_set_up_as_intended() {
    let folder = TempDir::new().expect("folder");
    let path = store_path(&folder);
    drop(SqliteStore::open(&path).expect("open"));
    let raw = Connection::open(&path).expect("open");
    let pragma = |name: &str| -> i64 {
        raw.pragma_query_value(None, name, |row| row.get(0))
            .expect("pragma")
    };
    assert_eq!(pragma("page_size"), 65_536);
    assert_eq!(pragma("user_version"), 4);
    assert_ne!(pragma("application_id"), 0);
    let mode: String = raw
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .expect("pragma");
    assert_eq!(mode, "wal");
}
