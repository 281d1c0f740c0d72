//! Exit codes, and failures that carry one.

use std::process::ExitCode;

use ingest_pipeline::store::{self, RunState};
use ingest_pipeline::{Error, ErrorKind, RunSummary, causes};

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Unexpected = 1,
    Usage = 2,
    /// Finished, some records quarantined; only with `--strict`.
    Quarantined = 3,
    Configuration = 4,
    Authentication = 5,
    /// The server can't be reached, or not safely.
    Network = 6,
    /// The server refuses, or the export failed.
    Server = 7,
    AlreadyRunning = 8,
    Store = 10,
    /// Some files failed.
    Partial = 11,
    /// Stopped by a signal; the next run finishes the work.
    Interrupted = 12,
}

impl Exit {
    /// How a run ended.
    pub(crate) const fn of(run: &RunSummary, strict: bool) -> Self {
        match run.state {
            RunState::Interrupted => Self::Interrupted,
            RunState::Partial => Self::Partial,
            _ if strict && is_incomplete(run) => Self::Quarantined,
            _ => Self::Ok,
        }
    }

    /// The name in JSON errors.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::Quarantined => "quarantined",
            Self::Configuration => "configuration",
            Self::Authentication => "authentication",
            Self::Network => "network",
            Self::Server => "server",
            Self::AlreadyRunning => "already-running",
            Self::Store => "store",
            Self::Partial => "partial",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Whether not all of the input is in the store.
const fn is_incomplete(run: &RunSummary) -> bool {
    run.quarantined > 0 || run.refused_late > 0 || !run.held.is_empty()
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
        let exit = match error.kind() {
            ErrorKind::Usage => Exit::Usage,
            ErrorKind::Configuration => Exit::Configuration,
            ErrorKind::Authentication => Exit::Authentication,
            ErrorKind::Network => Exit::Network,
            ErrorKind::Server => Exit::Server,
            ErrorKind::Running => Exit::AlreadyRunning,
            ErrorKind::Store => Exit::Store,
            ErrorKind::Interrupted => Exit::Interrupted,
            _ => Exit::Unexpected,
        };
        Self {
            exit,
            message: causes(&error),
            hint: error.hint(),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Error::from(error).into()
    }
}
