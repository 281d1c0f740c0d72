//! Opening a file: who may, what it has to be, and how SQLite is set up.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::{alone, schema};
use crate::{Error, Result};

/// Locks, creates where needed, and brings up to date.
pub(super) fn read_write(path: &Path) -> Result<(Connection, File)> {
    writable(path).map_err(|error| named(path, error))
}

fn writable(path: &Path) -> Result<(Connection, File)> {
    check_library()?;
    let lock = lock(path)?;
    let mut note = Note::read(path, &lock);
    if !path.exists() {
        // One that was removed begins anew.
        note.enter(false);
    }
    // SQLite would create it with the permissions of the umask, and its WAL with those of the file.
    create_private(path).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // SQLite opens a file that can't be written all the same.
    if connection.is_readonly("main")? {
        return Err(Error::ReadOnly);
    }
    let empty = check_identity(&connection, path)?;
    if empty && note.was_made {
        return Err(Error::Emptied {
            path: path.to_owned(),
        });
    }
    if empty {
        connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    }
    set_up(&connection)?;
    alone::remove_journal(&connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    schema::migrate(&connection, schema::STEPS)?;
    schema::check_views(&connection)?;
    // What is noted has to be on the disk for good.
    if note.is_wanted() && connection.execute_batch(CHECKPOINT).is_ok() {
        note.enter(true);
    }
    Ok((connection, lock))
}

/// In the file of the lock: whether the database has had its tables. What is
/// empty afterwards was emptied.
struct Note<'a> {
    lock: &'a File,
    is_ours: bool,
    was_made: bool,
}

impl<'a> Note<'a> {
    fn read(path: &Path, lock: &'a File) -> Self {
        // What a link leads to is not ours.
        let is_ours = !lock_path(path).is_symlink();
        Self {
            lock,
            is_ours,
            was_made: is_ours && lock.metadata().is_ok_and(|file| file.len() > 0),
        }
    }

    const fn is_wanted(&self) -> bool {
        self.is_ours && !self.was_made
    }

    /// Where it fails, as on a full disk, the next one does it.
    fn enter(&mut self, is_made: bool) {
        if !self.is_ours || is_made == self.was_made {
            return;
        }
        let entered = match is_made {
            true => self.lock.write_all(b"set up\n"),
            false => self.lock.set_len(0),
        };
        if entered.is_ok() {
            self.was_made = is_made;
        }
    }
}

/// Opens what is there, and changes nothing but what a writer that was killed has left half done.
pub(super) fn read_only(path: &Path) -> Result<Connection> {
    read_only_within(path, BUSY_TIMEOUT)
}

/// Waits so long for those who lock it.
pub(super) fn read_only_within(path: &Path, patience: Duration) -> Result<Connection> {
    readable(path, patience).map_err(|error| named(path, error))
}

fn readable(path: &Path, patience: Duration) -> Result<Connection> {
    check_library()?;
    if !path.exists() {
        return Err(Error::NotFound {
            path: path.to_owned(),
        });
    }
    let open = |access| -> Result<Connection> {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(patience)?;
        Ok(connection)
    };
    let mut connection = open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let empty = match check_identity(&connection, path) {
        Err(Error::ReadOnly) if is_half_done(&connection) => {
            // The first who may write takes it back.
            look(&open(OpenFlags::SQLITE_OPEN_READ_WRITE)?)?;
            connection = open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            check_identity(&connection, path)?
        }
        empty => empty?,
    };
    if empty {
        return Err(Error::NotFound {
            path: path.to_owned(),
        });
    }
    set_up(&connection)?;
    let found = schema::user_version(&connection)?;
    let supported = schema::STEPS.len() as i64;
    match found {
        _ if found < supported => Err(Error::OlderSchema { found, supported }),
        _ if found > supported => Err(Error::NewerSchema { found, supported }),
        _ => schema::check_views(&connection).map(|()| connection),
    }
}

/// Says which file it is that this user may not open, now or ever: SQLite only has a number for it.
fn named(path: &Path, error: Error) -> Error {
    let problem = match (&error, code(&error)) {
        (Error::ReadOnly, _) => "the file or its folder is read-only",
        (_, Some(ErrorCode::DatabaseBusy)) => {
            return Error::Busy {
                path: path.to_owned(),
            };
        }
        (_, Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied)) => "SQLite can't open it",
        _ => return error,
    };
    Error::Open {
        path: path.to_owned(),
        source: io::Error::other(problem),
    }
}

fn code(error: &Error) -> Option<ErrorCode> {
    let Error::Sqlite { source } = error else {
        return None;
    };
    let error = source.downcast_ref::<rusqlite::Error>()?;
    error.sqlite_error_code()
}

/// Refuses the releases of SQLite in which a WAL reset can lose a committed page.
fn check_library() -> Result<()> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(Error::UnsafeSqlite {
            found: rusqlite::version(),
        });
    }
    Ok(())
}

fn lock_path(path: &Path) -> PathBuf {
    beside(path, ".lock")
}

/// The file whose name is that of the store and `suffix`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn lock(path: &Path) -> Result<File> {
    let lock_path = lock_path(path);
    let error = |source| Error::Open {
        path: lock_path.clone(),
        source,
    };
    let file = private(OpenOptions::new().append(true).create(true))
        .open(&lock_path)
        .map_err(error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A file created with these options can be read by its owner only: it holds patient data.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Whether the database is empty; an error where it is somebody else's.
fn check_identity(connection: &Connection, path: &Path) -> Result<bool> {
    let foreign = |what| Error::ForeignFile {
        path: path.to_owned(),
        what,
    };
    // Mark and tables are of one moment: another process may be making them.
    let moment = connection.unchecked_transaction()?;
    let mark = match look(&moment) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            return Err(foreign("it is no SQLite database"));
        }
        other => other?,
    };
    let tables: i64 =
        moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (mark, tables) {
        (schema::APPLICATION_ID, _) => Ok(false),
        (0, 0) => Ok(true),
        _ => Err(foreign("it is a database of another application")),
    }
}

/// Whether a writer was killed within a transaction, before the store had a WAL or in a first load without one.
fn is_half_done(connection: &Connection) -> bool {
    let error = look(connection).err();
    let code = error.and_then(|error| Some(error.sqlite_error()?.extended_code));
    code == Some(ffi::SQLITE_READONLY_ROLLBACK)
}

fn look(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}

/// Comes after the page size is settled: SQLite turns the cache size into pages there and then.
fn set_up(connection: &Connection) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
    // Rows of `identifier` outlive their version on purpose, and nothing else is ever removed.
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    Ok(())
}

/// 3.51.3, as SQLite writes version numbers.
const OLDEST_SQLITE: i32 = 3_051_003;
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Resources are of any length up to some 10 KB, and what doesn't fit the end of a page is left free: with 16 KiB a fifth of the space of Synthea's.
/// With 64 KiB in place of 32 a first load takes 6 % less CPU time, as it writes less often, and changes in no order 4 % more.
const PAGE_SIZE: i64 = 65_536;
/// 64 MiB: beyond it, the WAL is brought into the database.
pub(super) const WAL_PAGES: i64 = 1_024;
/// Negative: in KiB. The cache is most of the memory a run takes.
pub(super) const CACHE_SIZE: i64 = -8_000;
/// More than there are statements in this crate.
const STATEMENTS: usize = 64;
