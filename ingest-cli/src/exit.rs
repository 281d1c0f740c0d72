//! Exit codes, and failures that carry one.

use std::error::Error as _;
use std::process::ExitCode;

use ingest_pipeline::{Error, store};

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Unexpected = 1,
    Usage = 2,
    /// Finished, some records quarantined; only with `--strict`.
    Quarantined = 3,
    Configuration = 4,
    AlreadyRunning = 8,
    Store = 10,
    /// Some files failed.
    Partial = 11,
    /// Stopped by a signal; the next run finishes the work.
    Interrupted = 12,
}

impl Exit {
    /// The name in JSON errors.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::Quarantined => "quarantined",
            Self::Configuration => "configuration",
            Self::AlreadyRunning => "already-running",
            Self::Store => "store",
            Self::Partial => "partial",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What is wrong and where, each cause after a colon.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::Store(store::Error::Locked { .. }) => Exit::AlreadyRunning,
            Error::Store(_) => Exit::Store,
            Error::Config(_) => Exit::Configuration,
            Error::Input { .. } | Error::NoInput { .. } => Exit::Usage,
            _ => Exit::Unexpected,
        };
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(": ");
            message.push_str(&error.to_string());
            cause = error.source();
        }
        let failure = Self::new(exit, message);
        match &error {
            Error::Input { .. } | Error::NoInput { .. } => failure.hint(
                "give NDJSON files, Bundles as .json, or folders of them; - is standard input",
            ),
            Error::Store(store::Error::NotFound { .. }) => {
                failure.hint("name the store with --db, or load something into it first")
            }
            Error::Store(store::Error::Locked { .. }) => {
                failure.hint("one run at a time writes a store; look at it with: ingest runs list")
            }
            _ => failure,
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Error::from(error).into()
    }
}
