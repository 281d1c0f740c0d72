use std::path::PathBuf;

/// Why a job could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed, or can't be opened.
    #[error(transparent)]
    Store(#[from] fhir_store::Error),
    /// A path that was given does not exist or can't be read.
    #[error("cannot read {}", path.display())]
    Input {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder without a single file of a known kind.
    #[error("no .ndjson, .jsonl or .json files in {}", path.display())]
    NoInput {
        /// The folder as given.
        path: PathBuf,
    },
    /// The temporary file that keeps records for the end of a run failed.
    #[error("cannot use a temporary file in {}: is the disk full?", folder.display())]
    Spool {
        /// Where the file is.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or stream that is written to failed.
    #[error("cannot write {}", path.display())]
    Output {
        /// What was written.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state database failed.
    #[cfg(feature = "sqlite")]
    #[error("the state database {} failed", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The state database is of another version of this software.
    #[cfg(feature = "sqlite")]
    #[error("{} is no state database of this version (it has version {found})", path.display())]
    StateVersion {
        /// The file.
        path: PathBuf,
        /// Its version; -1 for a file of another application.
        found: i64,
    },
    /// A file or folder that belongs to the state can't be used.
    #[cfg(feature = "sqlite")]
    #[error("cannot use {}", path.display())]
    StateFile {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process runs the connection.
    #[cfg(feature = "sqlite")]
    #[error("run {run} of connection {connection} is under way in {holder}")]
    Running {
        /// The connection.
        connection: String,
        /// The other run.
        run: String,
        /// The process that has it.
        holder: String,
        /// When it began, in milliseconds since the Unix epoch.
        since: i64,
    },
    /// The counts of a run don't add up, which is a bug: every record is one
    /// of created, updated, unchanged, deleted and quarantined.
    #[error("the counts of this run don't add up; this is a bug, please report it")]
    Accounting,
    /// The configuration file can't be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
}

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
