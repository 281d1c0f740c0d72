//! A first load that has the store for itself.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::SqliteStore;
use super::open::{BUSY_TIMEOUT, beside};
use crate::Result;

impl SqliteStore {
    /// Opens a store as [`open`](Self::open) does; an empty one is read by nobody else until its first run has ended.
    ///
    /// A first load takes an eighth less CPU time so, as it needs no WAL.
    /// Whoever opens the store for reading meanwhile gets [`Error::Busy`](crate::Error::Busy), other programs SQLite's "database is locked".
    /// What is flushed survives a loss of power too.
    ///
    /// A store that has resources, or that somebody reads just now, stays readable: see [`is_exclusive`](Self::is_exclusive).
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_exclusive(path: impl AsRef<Path>) -> Result<Self> {
        let mut store = Self::open(path)?;
        if store.writer.last_sequence() == 0 {
            store.alone = take(&store.connection)?;
        }
        Ok(store)
    }

    /// Whether nobody else can read it: not when the first run has ended.
    pub const fn is_exclusive(&self) -> bool {
        self.alone
    }
}

impl Drop for SqliteStore {
    /// One that it had for itself is as others are afterwards.
    fn drop(&mut self) {
        if !self.alone {
            return;
        }
        // Where it fails, as on a full disk, whoever opens it next does it.
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        let _ = give_back(&self.connection);
    }
}

/// Takes the store for this connection alone, and what it writes past the WAL; `false` where somebody reads it.
///
/// A page of the WAL is written, read and written again.
/// With a rollback journal it is written once, to its place: the journal has what a transaction changes of older pages, and of an empty store there are few.
/// Who reads has to wait for most of a transaction then, or makes the writer wait, so nobody is let in.
fn take(connection: &Connection) -> Result<bool> {
    connection.busy_timeout(Duration::ZERO)?;
    // The lock that leaving the WAL takes is kept, and the journal is not removed after each transaction.
    // With `FULL`, SQLite promises that a loss of power leaves the store whole without a WAL, too.
    let taken = connection.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL",
    );
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match taken {
        Ok(()) => Ok(true),
        Err(error) if is_busy(&error) => {
            // It still has its WAL.
            connection.execute_batch("PRAGMA locking_mode = NORMAL")?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Lets everybody read it again.
pub(super) fn give_back(connection: &Connection) -> Result<()> {
    connection.execute_batch("PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = DELETE")?;
    // The change to a WAL is one more transaction without it.
    match connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL") {
        // Somebody was quick, and reads it already: it has a WAL when it is opened the next time.
        Err(error) if is_busy(&error) => Ok(()),
        other => Ok(other?),
    }
}

/// Removes what is left of the journal of a process that was killed between two transactions.
///
/// Nothing in it counts; but it has pages with patient data.
pub(super) fn remove_journal(connection: &Connection, path: &Path) -> Result<()> {
    if !beside(path, "-journal").exists() {
        return Ok(());
    }
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        connection.execute_batch("PRAGMA journal_mode = PERSIST; PRAGMA journal_mode = DELETE")?;
    }
    Ok(())
}

/// Whether somebody else has it.
fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::open;
    use super::*;
    use crate::Error;

    #[test]
    fn a_reader_is_told_who_has_it() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        let store = SqliteStore::open_exclusive(&path).unwrap();
        let read = || open::read_only_within(&path, Duration::ZERO);
        assert!(matches!(read(), Err(Error::Busy { .. })));
        drop(store);
        read().unwrap();
    }

    #[test]
    fn every_commit_waits_for_the_disk_while_there_is_no_wal() {
        let folder = TempDir::new().unwrap();
        let store = SqliteStore::open_exclusive(folder.path().join("store.db")).unwrap();
        let synchronous = || -> i64 {
            let level = store
                .connection
                .pragma_query_value(None, "synchronous", |row| row.get(0));
            level.unwrap()
        };
        let (normal, full) = (1, 2);
        assert_eq!(synchronous(), full);
        give_back(&store.connection).unwrap();
        assert_eq!(synchronous(), normal);
    }

    #[test]
    fn a_reader_that_comes_when_the_run_ends_does_not_make_it_fail() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.db");
        let store = SqliteStore::open_exclusive(&path).unwrap();
        let mode = |connection: &Connection| -> String {
            let mode = connection.pragma_query_value(None, "journal_mode", |row| row.get(0));
            mode.unwrap()
        };
        // As if it were between the lock and the WAL.
        let connection = &store.connection;
        connection
            .execute_batch("PRAGMA locking_mode = NORMAL; SELECT count(*) FROM run")
            .unwrap();
        let reader = Connection::open(&path).unwrap();
        reader
            .execute_batch("BEGIN; SELECT count(*) FROM run")
            .unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        give_back(connection).unwrap();
        assert_eq!(mode(connection), "delete");
        drop((reader, store));
        assert_eq!(mode(&SqliteStore::open(&path).unwrap().connection), "wal");
    }
}
