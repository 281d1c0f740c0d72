mod alone;
mod changes;
mod checkpoint;
mod current;
mod dead;
mod early;
mod entry;
mod filter;
mod inserts;
mod intern;
mod keys;
mod lines;
mod open;
mod pending;
pub(crate) mod read;
mod runs;
mod schema;
mod write;

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;

use self::checkpoint::Checkpointer;
pub use self::dead::DeadLetter;
use self::write::Writer;
use crate::{
    Amend, Delete, DeleteOutcome, Error, KnownLines, Put, PutOutcome, ResourceStore, Result,
    Stored, WriteContext,
};

/// A store in one SQLite file.
///
/// There is one writer for a file, guarded by an advisory lock on `<file>.lock`; any number of readers work beside it.
/// The views `resources`, `resource_versions`, `provenances`, `runs`, `quarantine` and `dead_letters` are for everybody, with any SQLite from 3.40; the tables below them are private.
///
/// Writes collect in one transaction from the first after a [`flush`](ResourceStore::flush) to the next.
/// Where a write fails, that transaction is rolled back as a whole; the store stays usable.
/// Dropping a store without a flush drops those writes too.
///
/// A flushed write survives the end of the process, however violent.
/// To survive a loss of power as well takes a [`finish_run`](crate::RunStore::finish_run), which waits for the disk.
pub struct SqliteStore {
    /// Present where a run writes much; at rest before the connection is closed.
    checkpointer: Option<Checkpointer>,
    connection: Connection,
    writer: Writer,
    read_only: bool,
    /// Nobody else can read it.
    alone: bool,
    /// It is the state of a store on a FHIR server, which has the bodies.
    of_server: bool,
    /// Released after the connection is closed: fields drop in order.
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens a store for reading and writing, and creates it where there is none.
    ///
    /// A new file is readable by its owner only. An older schema is brought up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] while another writer has it, [`Error::ForeignFile`] for a file that is something else, [`Error::Emptied`] for a store that something else has emptied, [`Error::NewerSchema`] for a store of a later version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let store = Self::open_any(path)?;
        if store.of_server {
            return Err(Error::ForeignFile {
                path: path.to_owned(),
                what: "it is the state of a store on a FHIR server",
            });
        }
        Ok(store)
    }

    /// Opens a store, or the state of one on a FHIR server.
    fn open_any(path: &Path) -> Result<Self> {
        let (connection, lock) = open::read_write(path)?;
        let writer = Writer::new(&connection)?;
        Ok(Self {
            checkpointer: None,
            of_server: is_of_server(&connection)?,
            connection,
            writer,
            read_only: false,
            alone: false,
            _lock: Some(lock),
        })
    }

    /// Opens a store for reading, beside whoever writes it.
    ///
    /// Sees what the writer has flushed. Every write gives [`Error::ReadOnly`].
    /// Of a store on a FHIR server this is the state: everything but the bodies that the server has.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where there is no store; else as [`open`](Self::open).
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self> {
        let connection = open::read_only(path.as_ref())?;
        let mut writer = Writer::new(&connection)?;
        writer.keys.expect_others();
        Ok(Self {
            checkpointer: None,
            of_server: is_of_server(&connection)?,
            connection,
            writer,
            read_only: true,
            alone: false,
            _lock: None,
        })
    }

    /// Whether it is the state of a store on a FHIR server, which has the bodies.
    pub const fn is_of_server(&self) -> bool {
        self.of_server
    }

    /// Runs `body` in the open transaction, or in a new one; rolls it back where `body` fails.
    fn write<T>(&mut self, body: impl FnOnce(&Connection, &mut Writer) -> Result<T>) -> Result<T> {
        if self.read_only {
            return Err(Error::ReadOnly);
        }
        if self.connection.is_autocommit() {
            self.connection.prepare_cached("BEGIN")?.execute([])?;
        }
        let (connection, writer) = (&self.connection, &mut self.writer);
        let whole = match writer.keys.is_lost() {
            true => writer.keys.build_index(connection),
            false => Ok(()),
        };
        let result = whole.and_then(|()| body(connection, writer));
        // A run that is unknown or known already was found so before anything was written.
        if matches!(&result, Err(error) if !matches!(error, Error::UnknownRun | Error::DuplicateRun))
        {
            if !self.connection.is_autocommit() {
                self.connection.execute_batch("ROLLBACK")?;
            }
            self.writer = Writer::anew(&self.connection)?;
        }
        result
    }

    /// A connection on which everything written so far can be read.
    fn settled(&mut self) -> Result<&Connection> {
        if !self.writer.is_settled() && !self.read_only {
            self.write(|connection, writer| {
                writer.settle(connection)?;
                writer.keys.build_index(connection)
            })?;
        }
        Ok(&self.connection)
    }
}

/// For the store on a FHIR server, whose state is one of these.
#[cfg(feature = "server")]
impl SqliteStore {
    /// Opens the state of a store on a FHIR server, with the tables of `sql` besides its own.
    pub(crate) fn open_state(path: &Path, sql: &str) -> Result<Self> {
        let mut state = Self::open_any(path)?;
        // Else look-ups that are made for every write are planned anew for every value.
        let stable_plans = rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG;
        state.connection.set_db_config(stable_plans, true)?;
        if state.last_sequence() > 0 && !state.of_server {
            return Err(Error::ForeignFile {
                path: path.to_owned(),
                what: "it is a store of its own",
            });
        }
        state.change(|connection| Ok(connection.execute_batch(sql)?))?;
        state.flush()?;
        state.of_server = true;
        Ok(state)
    }

    /// Runs `body` over everything written so far, in the open transaction or a new one.
    pub(crate) fn change<T>(&mut self, body: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.write(|connection, writer| {
            writer.settle(connection)?;
            body(connection)
        })
    }

    /// Reads what was written so far.
    pub(crate) fn look<T>(&mut self, body: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        body(self.settled()?)
    }

    /// What a server turned out not to have any more is deleted.
    fn unless_lost(&self, mut found: Option<Stored>) -> Result<Option<Stored>> {
        if let Some(stored) = &mut found
            && self.of_server
            && crate::server::is_lost(&self.connection, stored)?
        {
            stored.deleted = true;
            stored.body = None;
        }
        Ok(found)
    }

    pub(crate) const fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The sequence number given out last.
    pub(crate) const fn last_sequence(&self) -> i64 {
        self.writer.last_sequence()
    }
}

fn is_of_server(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'outbox')";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.connection.path())
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

/// Versions in one transaction from which on another thread pays off.
const MUCH: i64 = 5_000;

impl ResourceStore for SqliteStore {
    fn put(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Put<'_>],
        outcomes: &mut Vec<PutOutcome>,
    ) -> Result<()> {
        let before = outcomes.len();
        let result =
            self.write(|connection, writer| writer.put(connection, context, batch, outcomes));
        if result.is_err() {
            outcomes.truncate(before);
        }
        result
    }

    fn delete(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Delete<'_>],
        outcomes: &mut Vec<DeleteOutcome>,
    ) -> Result<()> {
        let before = outcomes.len();
        let result =
            self.write(|connection, writer| writer.delete(connection, context, batch, outcomes));
        if result.is_err() {
            outcomes.truncate(before);
        }
        result
    }

    fn amend(&mut self, batch: &[Amend<'_>]) -> Result<()> {
        self.write(|connection, writer| writer.amend(connection, batch))
    }

    fn flush(&mut self) -> Result<()> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        let much = self.write(|connection, writer| {
            writer.settle(connection)?;
            connection.execute_batch("COMMIT")?;
            Ok(writer.take_uncommitted() >= MUCH)
        })?;
        if much && self.checkpointer.is_none() && !self.alone {
            let path = self.connection.path().map(Path::new);
            self.checkpointer = path.and_then(Checkpointer::start);
            if self.checkpointer.is_some() {
                // Should it fail, the writer does its work, but not before.
                let pages = open::WAL_PAGES * 2;
                self.connection
                    .pragma_update(None, "wal_autocheckpoint", pages)?;
            }
        }
        if let Some(checkpointer) = &self.checkpointer {
            checkpointer.committed(&self.connection);
        }
        Ok(())
    }

    fn get(&mut self, resource_type: &str, id: &str) -> Result<Option<Stored>> {
        // What isn't there needs no look at what waits to be written.
        if !self.writer.may_hold(&self.connection, resource_type, id)? {
            return Ok(None);
        }
        let found = read::get(self.settled()?, resource_type, id)?;
        #[cfg(feature = "server")]
        let found = self.unless_lost(found)?;
        Ok(found)
    }

    fn history(&mut self, resource_type: &str, id: &str) -> Result<Vec<Stored>> {
        read::history(self.settled()?, resource_type, id)
    }

    fn scan(
        &mut self,
        resource_type: Option<&str>,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<Stored>> {
        read::scan(self.settled()?, resource_type, after, max_bytes)
    }

    fn find_by_identifier(
        &mut self,
        resource_type: &str,
        system: &str,
        value: &str,
        limit: usize,
    ) -> Result<Vec<String>> {
        read::find_by_identifier(self.settled()?, resource_type, system, value, limit)
    }

    fn provenance(
        &mut self,
        resource_type: &str,
        id: &str,
        version: u64,
    ) -> Result<Option<Vec<u8>>> {
        read::provenance(self.settled()?, resource_type, id, version)
    }

    fn types(&mut self) -> Result<Vec<String>> {
        read::types(&self.connection)
    }

    fn line_key(&mut self) -> Result<Option<[u8; 16]>> {
        lines::key(&self.connection).map(Some)
    }

    fn known_lines(&mut self, source_system: &str) -> Result<Option<Box<dyn KnownLines>>> {
        if self.alone {
            // It was empty, and can't be read beside this.
            return Ok(None);
        }
        // What is to be read beside this has to be there.
        self.flush()?;
        let Some(path) = self.connection.path() else {
            return Ok(None);
        };
        let lines = lines::Lines::open(Path::new(path), source_system)?;
        Ok(Some(Box::new(lines)))
    }

    fn still_current(&mut self, sequence: u64) -> Result<bool> {
        Ok(i64::try_from(sequence).is_ok_and(|seq| self.writer.still_current(seq)))
    }

    fn next_expected(&self) -> Option<u64> {
        u64::try_from(self.writer.expected()?).ok()
    }
}
