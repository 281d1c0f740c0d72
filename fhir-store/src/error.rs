use std::path::PathBuf;

/// What can go wrong in a store.
///
/// No text of an error holds resource content, ids of resources or keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the store couldn't be opened, created or locked.
    #[error("could not open {}: check that the folder exists and is writable, and the file this user's to read and write", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process, or another value in this one, has the store open for writing.
    #[error("{} is in use by another writer: wait for it to end, or open the store read-only", path.display())]
    Locked {
        /// The store.
        path: PathBuf,
    },
    /// Somebody reads or writes the store who lets nobody in meanwhile, as a first load does that has it for itself.
    #[error("{} can't be opened now: a first load has it for itself, or another program locks it; try again when that has ended", path.display())]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// There is no store at this path.
    #[error("there is no store at {}", path.display())]
    NotFound {
        /// Where a store was expected.
        path: PathBuf,
    },
    /// The store was there, and something else has emptied its file.
    #[error("{} is empty, and was a store before: put a copy of it back, or remove it to begin anew", path.display())]
    Emptied {
        /// The store.
        path: PathBuf,
    },
    /// The file is a database of something else, or no SQLite database at all.
    #[error("{} is not a store of this toolkit: {what}; choose another path", path.display())]
    ForeignFile {
        /// The file.
        path: PathBuf,
        /// What it seems to be instead.
        what: &'static str,
    },
    /// The store was written by a newer version of this toolkit.
    #[error(
        "the store has schema version {found}, this build knows up to {supported}: upgrade the toolkit"
    )]
    NewerSchema {
        /// Schema version of the store.
        found: i64,
        /// Newest schema version this build can read.
        supported: i64,
    },
    /// The store has an older schema and was opened read-only.
    #[error(
        "the store has schema version {found} and needs {supported}: open it once for writing to bring it up to date"
    )]
    OlderSchema {
        /// Schema version of the store.
        found: i64,
        /// Schema version this build works with.
        supported: i64,
    },
    /// The SQLite this program is linked with can corrupt a database in WAL mode.
    #[error("the linked SQLite {found} can corrupt a store: 3.51.3 or later is needed")]
    UnsafeSqlite {
        /// Version of the linked library.
        found: &'static str,
    },
    /// A write was asked of a store that was opened read-only, or whose file can't be written.
    #[error("the store can't be written: it was opened read-only, or its file is")]
    ReadOnly,
    /// No run has this id.
    #[error("there is no such run in the store")]
    UnknownRun,
    /// A run with this id was started before.
    #[error("a run with this id is in the store already: start every run under a new id")]
    DuplicateRun,
    /// A version to amend is not there, or has no body.
    #[error("a version to amend is not in the store, or is a delete")]
    UnknownResource,
    /// The file system is full.
    ///
    /// What was written since the last flush is rolled back.
    #[error("the disk that holds the store is full: free some space and run again")]
    Full {
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database refused an operation.
    ///
    /// What was written since the last flush is rolled back.
    #[error("the database failed")]
    Sqlite {
        /// What the database said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The FHIR server that holds the resources can't be written or read.
    ///
    /// What it was not told yet waits in the state of the store and goes out first thing next time.
    #[error("the FHIR server of the store failed; what it lacks is sent by the next run")]
    Server {
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store was asked to stop while it talked to its server.
    ///
    /// Where that leaves a write is as with [`Server`](Self::Server).
    #[error("interrupted")]
    Interrupted,
    /// The state of the store speaks of the resources on another FHIR server.
    #[error("{} is the state of a store on another FHIR server: choose another path", path.display())]
    OtherServer {
        /// The state.
        path: PathBuf,
    },
    /// A value in the database is not what this version writes there.
    #[error(
        "column {column} of the store holds an unexpected value: restore the store from a backup"
    )]
    Corrupt {
        /// Name of the column.
        column: &'static str,
    },
}

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(feature = "sqlite")]
impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        // The texts of rusqlite name tables, columns and our own statements, never bound values.
        let source_code = source.sqlite_error_code();
        let source = Box::new(source);
        match source_code {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full { source },
            Some(rusqlite::ErrorCode::ReadOnly) => Self::ReadOnly,
            _ => Self::Sqlite { source },
        }
    }
}
