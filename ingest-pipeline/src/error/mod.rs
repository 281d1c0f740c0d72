//! Why a job could not be done, what kind of fault that is, and what to do.

#[cfg(feature = "bulk")]
mod network;
#[cfg(feature = "adt")]
pub(crate) use network::http as http_kind;

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
    /// No type of FHIR R4, so no name of a file either.
    #[error("{name:?} is no FHIR R4 resource type; types are written as in FHIR, such as Patient")]
    ResourceType {
        /// What stands in its place.
        name: String,
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
    /// The state database was there, and something else has emptied it.
    #[cfg(feature = "sqlite")]
    #[error(
        "{} is empty, and was set up before: messages and exports that it knew of are gone; \
         put a copy of it back, or remove it to begin anew",
        path.display()
    )]
    StateEmptied {
        /// The file.
        path: PathBuf,
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
    /// A file that the configuration names can't be read.
    #[cfg(feature = "bulk")]
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A signing key can't be used.
    #[cfg(feature = "bulk")]
    #[error("the signing key {} can't be used", path.display())]
    SigningKey {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: smart_auth::Error,
    },
    /// A key ring can't be read, changed, published or signed with.
    #[cfg(feature = "bulk")]
    #[error(transparent)]
    KeyRing(Box<jwks_publisher::Error>),
    /// A tenant has no key ring.
    #[cfg(feature = "bulk")]
    #[error("the tenant has no key ring: its `keys` is not set")]
    NoRing,
    /// A file that opens private keys can be read by others.
    #[cfg(feature = "bulk")]
    #[error("the key file {} can be read by others (its mode is {mode:04o})", path.display())]
    KeyFileMode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Files that a connection trusts, or shows to servers, are not what they
    /// have to be.
    #[cfg(feature = "bulk")]
    #[error("{setting} can't be used")]
    Certificates {
        /// The setting and its files.
        setting: String,
        /// What is wrong with them.
        source: Box<fhir_http::Error>,
    },
    /// A configured header can't be sent.
    #[cfg(feature = "bulk")]
    #[error("the configured header {name} is not valid in HTTP")]
    Header {
        /// Its name.
        name: String,
    },
    /// There is no token.
    #[cfg(feature = "bulk")]
    #[error(transparent)]
    Auth(#[from] smart_auth::Error),
    /// A server can't be reached, or refuses.
    #[cfg(feature = "bulk")]
    #[error(transparent)]
    Http(Box<fhir_http::Error>),
    /// An export failed.
    #[cfg(feature = "bulk")]
    #[error(transparent)]
    Export(Box<fhir_bulk::Error>),
    /// There is no export that could be gone on with.
    #[cfg(feature = "bulk")]
    #[error("connection {connection} has no export to {action}")]
    NoJob {
        /// The connection.
        connection: String,
        /// What was asked for: `resume` or `cancel`.
        action: &'static str,
    },
    /// Another process has taken the connection over.
    #[cfg(feature = "bulk")]
    #[error(
        "another process has taken over connection {connection}, since this one did not answer"
    )]
    LeaseLost {
        /// The connection.
        connection: String,
    },
    /// It was asked to stop. What is done is kept.
    #[cfg(feature = "bulk")]
    #[error("interrupted; the next run goes on where this one stopped")]
    Interrupted,
    /// A patient can't be fetched.
    #[cfg(feature = "adt")]
    #[error(transparent)]
    Fetch(Box<crate::fetch::FetchError>),
    /// The folder of the archive of raw messages failed.
    #[cfg(feature = "adt")]
    #[error("cannot {action} {} in the archive of messages", path.display())]
    Archive {
        /// What was being done: `read` or `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bucket of the archive of raw messages failed.
    #[cfg(feature = "adt")]
    #[error("cannot {action} the archive's bucket {bucket}{}", in_brackets(code.as_deref()))]
    ArchiveBucket {
        /// What was being done: `read from` or `write to`.
        action: &'static str,
        /// Its name.
        bucket: String,
        /// The storage's code for the fault, such as `AccessDenied`.
        code: Option<String>,
        /// What happened to the request.
        source: Box<fhir_http::Error>,
    },
    /// A message is in the archive, but not as it was put there; or it can't
    /// be put there.
    #[cfg(feature = "adt")]
    #[error("{place} can't be used: {problem}")]
    ArchivedMessage {
        /// Where it is.
        place: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An archive can't be set up.
    #[cfg(feature = "adt")]
    #[error("the archive's {what} can't be used: {problem}")]
    ArchiveSettings {
        /// Which of the settings.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A text is no name of an archived message.
    #[cfg(feature = "adt")]
    #[error("this is no name of an archived message")]
    RawKey,
    /// The inbox can't keep a message.
    #[cfg(feature = "adt")]
    #[error("the inbox can't keep a message: {problem}")]
    Inbox {
        /// What the state database said, and the system.
        problem: String,
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

/// What kind of fault an [`Error`] is, for exit codes and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was asked for makes no sense here.
    Usage,
    /// The configuration, or what it names.
    Configuration,
    /// The server does not accept who we are.
    Authentication,
    /// A server can't be reached, or not safely.
    Network,
    /// A server refuses, or fails.
    Server,
    /// Another process is at it.
    Running,
    /// The store or the state database.
    Store,
    /// It was asked to stop.
    Interrupted,
    /// Anything else.
    Other,
}

impl Error {
    /// What kind of fault it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(fhir_store::Error::Locked { .. } | fhir_store::Error::Busy { .. }) => {
                ErrorKind::Running
            }
            Self::Store(fhir_store::Error::Interrupted) => ErrorKind::Interrupted,
            Self::Store(_) => ErrorKind::Store,
            Self::Config(_) => ErrorKind::Configuration,
            Self::Input { .. } | Self::NoInput { .. } | Self::ResourceType { .. } => {
                ErrorKind::Usage
            }
            #[cfg(feature = "sqlite")]
            Self::Running { .. } => ErrorKind::Running,
            #[cfg(feature = "sqlite")]
            Self::State { .. }
            | Self::StateVersion { .. }
            | Self::StateEmptied { .. }
            | Self::StateFile { .. } => ErrorKind::Store,
            #[cfg(feature = "adt")]
            Self::Archive { .. }
            | Self::ArchiveBucket { .. }
            | Self::ArchivedMessage { .. }
            | Self::Inbox { .. } => ErrorKind::Store,
            #[cfg(feature = "adt")]
            Self::Fetch(error) => error.kind(),
            #[cfg(feature = "adt")]
            Self::ArchiveSettings { .. } => ErrorKind::Configuration,
            #[cfg(feature = "adt")]
            Self::RawKey => ErrorKind::Usage,
            #[cfg(feature = "bulk")]
            other => network::kind(other),
            #[cfg(not(feature = "bulk"))]
            _ => ErrorKind::Other,
        }
    }

    /// What to do about it, where that can be told.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        #[cfg(feature = "bulk")]
        if let Some(hint) = network::hint(self) {
            return Some(hint);
        }
        let hint = match self {
            #[cfg(feature = "adt")]
            Self::Fetch(error) => error.hint()?,
            Self::Input { .. } | Self::NoInput { .. } => {
                "give NDJSON files, Bundles as .json, or folders of them; - is standard input"
            }
            Self::Config(error) => error.hint()?,
            Self::Output { .. } => {
                "is the disk full, the place not writable for this user, or a file where a folder has to be?"
            }
            Self::Store(fhir_store::Error::NotFound { .. }) => {
                "name the store with --db, or load something into it first"
            }
            Self::Store(fhir_store::Error::Locked { .. }) => {
                "one run at a time writes a store; look at it with: ingest runs list"
            }
            Self::Store(fhir_store::Error::Server { .. }) => "try it with: ingest test --store",
            Self::Store(fhir_store::Error::OtherServer { .. }) => {
                "set `state` in [store] to another file for another server"
            }
            #[cfg(feature = "sqlite")]
            Self::Running { .. } => "wait for it, or look at it with: ingest status",
            #[cfg(feature = "sqlite")]
            Self::StateFile { .. } => {
                "check that the folder exists and is writable, and the file this user's to read and write"
            }
            #[cfg(feature = "adt")]
            Self::Archive {
                action: "write", ..
            } => "is the disk full, or the folder not writable for this user?",
            #[cfg(feature = "adt")]
            Self::RawKey => {
                "names have the form TENANT/YYYY/MM/DD/SENDING-FACILITY/CONTROL-ID-HASH.hl7"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(feature = "adt")]
fn in_brackets(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

/// The message of an error, with that of each of its causes after a colon.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // A transparent error says what its cause says.
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}
