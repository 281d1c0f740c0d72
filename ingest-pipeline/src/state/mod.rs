//! What has to outlive a process but is no resource: leases, the state of
//! runs, running exports, watermarks.

#[cfg(feature = "adt")]
pub mod inbox;
mod job;
mod lease;
mod run;
mod watermark;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::{Error, Result, private};

pub use job::{FileRecord, Job};
pub use lease::Lease;
pub use run::{BulkRun, BulkState};
pub use watermark::Watermark;

/// The state database: one SQLite file, shared by all processes that work
/// with the same store.
pub struct State {
    connection: Connection,
    path: PathBuf,
}

impl State {
    /// Opens a state database, which is created where it does not exist.
    ///
    /// # Errors
    /// A file that can't be opened, that is no state database of this version,
    /// or that something else has emptied.
    pub fn open(path: &Path) -> Result<Self> {
        // Of two connections that turn on WAL at once SQLite fails one, whatever
        // its busy timeout.
        let mut lock = SetUpLock::wait(path)?;
        if !path.exists() {
            lock.note(false);
        }
        create_private(path).map_err(|source| Error::StateFile {
            path: path.to_owned(),
            source,
        })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut state = Self {
            connection: Connection::open_with_flags(path, flags).map_err(fault(path))?,
            path: path.to_owned(),
        };
        // To begin anew here would forget messages that were acknowledged.
        if lock.was_set_up && !state.has_tables().map_err(fault(path))? {
            return Err(Error::StateEmptied {
                path: path.to_owned(),
            });
        }
        state.set_up().map_err(fault(path))?;
        lock.note(true);
        drop(lock);
        let version = state.version().map_err(fault(path))?;
        if version != VERSION {
            return Err(Error::StateVersion {
                path: path.to_owned(),
                found: version,
            });
        }
        Ok(state)
    }

    /// What is written over this connection may be lost with the power, the
    /// last of it first: for what is found out again by whoever lacks it.
    #[cfg(feature = "bulk")]
    pub(crate) fn without_syncs(&mut self) -> Result<()> {
        self.connection
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(self.fault())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder for files of exports, which hold patient data until they are
    /// in the store.
    #[must_use]
    pub fn exports(&self) -> PathBuf {
        self.beside("exports")
    }

    /// The state database that belongs to a store, where none is configured.
    #[must_use]
    pub fn path_beside(store: &Path) -> PathBuf {
        store.with_extension("state.db")
    }

    fn beside(&self, what: &str) -> PathBuf {
        beside(&self.path, what)
    }

    fn has_tables(&self) -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema)";
        self.connection.query_row(sql, [], |row| row.get(0))
    }

    fn set_up(&mut self) -> rusqlite::Result<()> {
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        self.connection.pragma_update(None, "journal_mode", "WAL")?;
        // Few and small transactions, none of which may be lost with the power.
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            transaction.execute_batch(include_str!("schema.sql"))?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", 1)?;
        }
        let number = |pragma| transaction.pragma_query_value(None, pragma, |row| row.get(0));
        // A database of another application has a version of its own.
        if (number("application_id")?, number("user_version")?) == (APPLICATION_ID, 1) {
            transaction.execute_batch(include_str!("inbox.sql"))?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()
    }

    /// Begins a transaction that keeps all others who write from the database.
    fn alone(&self) -> Result<Transaction<'_>> {
        Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .map_err(self.fault())
    }

    /// The version of the schema; -1 for a database of another application.
    fn version(&self) -> rusqlite::Result<i64> {
        let number = |pragma| {
            self.connection
                .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
        };
        if number("application_id")? != APPLICATION_ID {
            return Ok(-1);
        }
        number("user_version")
    }

    /// For `map_err`.
    fn fault(&self) -> impl Fn(rusqlite::Error) -> Error + use<> {
        fault(&self.path)
    }
}

/// Whoever holds it sets up a database, or finds it set up. The file is empty
/// until that was done once.
struct SetUpLock {
    file: fs::File,
    is_ours: bool,
    was_set_up: bool,
}

impl SetUpLock {
    /// Waits for others that open the database.
    fn wait(database: &Path) -> Result<Self> {
        let path = beside(database, "lock");
        let locked = create_private(&path)
            .and_then(|()| OpenOptions::new().append(true).open(&path))
            .and_then(|file| {
                file.lock()?;
                // What a link leads to is not ours.
                let is_ours = !path.is_symlink();
                let was_set_up = is_ours && file.metadata()?.len() > 0;
                Ok(Self {
                    file,
                    is_ours,
                    was_set_up,
                })
            });
        locked.map_err(|source| Error::StateFile { path, source })
    }

    /// Where it fails, as on a full disk, the next one does it.
    fn note(&mut self, is_set_up: bool) {
        let noted = match is_set_up {
            _ if !self.is_ours || is_set_up == self.was_set_up => return,
            true => self.file.write_all(b"set up\n"),
            false => self.file.set_len(0),
        };
        if noted.is_ok() {
            self.was_set_up = is_set_up;
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

fn fault(path: &Path) -> impl Fn(rusqlite::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| match barred(&source) {
        Some(problem) => Error::StateFile {
            path: path.clone(),
            source: io::Error::other(problem),
        },
        None => Error::State {
            path: path.clone(),
            source: Box::new(source),
        },
    }
}

/// What is wrong with a file that this user may not open: SQLite only has a
/// number for it.
fn barred(error: &rusqlite::Error) -> Option<&'static str> {
    match error.sqlite_error_code()? {
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Some("SQLite can't open it"),
        ErrorCode::ReadOnly => Some("the file or its folder is read-only"),
        _ => None,
    }
}

pub(crate) fn beside(database: &Path, what: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

/// Makes an empty file that only its owner can read, where there is none yet.
fn create_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        fs::create_dir_all(folder)?;
    }
    match private::file().write(true).create_new(true).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Makes a folder that only its owner can look into.
pub(crate) fn private_folder(folder: &Path) -> Result<()> {
    let made = private::folder().recursive(true).create(folder);
    made.map_err(|source| Error::StateFile {
        path: folder.to_owned(),
        source,
    })
}

/// "InSt", in the database's header.
const APPLICATION_ID: i64 = 0x496E_5374;
const VERSION: i64 = 2;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emptied_state_is_not_begun_anew_and_a_removed_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        // As a process leaves it that is killed before it has set it up.
        fs::write(&path, "").unwrap();
        drop(State::open(&path).unwrap());
        drop(State::open(&path).unwrap());
        fs::write(&path, "").unwrap();
        let error = State::open(&path).unwrap_err();
        assert!(matches!(error, Error::StateEmptied { .. }), "{error}");
        fs::remove_file(&path).unwrap();
        drop(State::open(&path).unwrap());
    }

    #[test]
    fn many_may_make_it_at_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state.db");
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| State::open(&path).unwrap());
                }
            });
        }
    }
}
