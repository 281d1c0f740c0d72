use std::io;
use std::time::Duration;

use fhir_http::{BoxError, OperationOutcome};

use crate::FileId;

/// Why an export, a download or a read failed.
///
/// No message holds a URL, a part of a file, or the server's own words.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An export request that can't be sent as it is.
    #[error("the export request is invalid: {0}")]
    Request(&'static str),
    /// A text that is no FHIR `instant`.
    #[error("not a FHIR instant, such as 2026-01-31T08:00:00.000Z: {0}")]
    Instant(&'static str),
    /// A URL that can't be used. The URL is left out: it may hold a secret.
    #[error("{what} is no URL that can be used")]
    Url {
        /// Whose URL it is.
        what: &'static str,
        /// What is wrong with it.
        source: BoxError,
    },
    /// There was no response, or none that can be used.
    #[error(transparent)]
    Http(#[from] fhir_http::Error),
    /// The server refused the kick-off request.
    #[error("the server refused to start the export with status {status}{}", codes(outcome.as_ref()))]
    Refused {
        /// Its status.
        status: u16,
        /// Why. Its texts are the server's: keep them out of logs.
        outcome: Option<OperationOutcome>,
    },
    /// The server runs an export for this client already, or limits how many
    /// it starts: 409, or 429 to the last try.
    #[error(
        "the server runs another export for this client (status {status}{}): wait for it, resume it, or delete it",
        codes(outcome.as_ref())
    )]
    AlreadyRunning {
        /// Its status.
        status: u16,
        /// Why. Its texts are the server's: keep them out of logs.
        outcome: Option<OperationOutcome>,
        /// What the server asked to wait, within the policy's limits.
        retry_after: Option<Duration>,
    },
    /// The export failed on the server.
    #[error("the export failed on the server with status {status}{}", codes(outcome.as_ref()))]
    Failed {
        /// The job's status.
        status: u16,
        /// Why. Its texts are the server's: keep them out of logs.
        outcome: Option<OperationOutcome>,
    },
    /// The server did not delete a job.
    #[error("the server refused to delete the export with status {status}")]
    NotDeleted {
        /// Its status.
        status: u16,
    },
    /// The server knows no such job, any more or at all.
    #[error("the export job is gone from the server (status {status}): start a new export")]
    JobGone {
        /// 404 or 410.
        status: u16,
    },
    /// The server kept failing while the job was polled. The job may well be
    /// alive: it can be resumed.
    #[error("no usable status of the export job after {failures} tries{}", last(*status))]
    Unreachable {
        /// How often in a row it failed.
        failures: u32,
        /// The last status, where there was a response.
        status: Option<u16>,
        /// The last failure, where there was no response.
        source: Option<Box<fhir_http::Error>>,
    },
    /// The export takes longer than the policy allows. The job goes on and can
    /// be resumed.
    #[error("the export is not finished after {}; it can be resumed", told(*waited))]
    Deadline {
        /// How long it took so far.
        waited: Duration,
    },
    /// A response that the specification does not allow and that can't be
    /// made sense of.
    #[error("the server's answer makes no sense: {0}")]
    Protocol(&'static str),
    /// A manifest that can't be used.
    #[error("the export manifest can't be used: {0}")]
    Manifest(&'static str),
    /// A page of the manifest can't be had, so that files would be missing.
    #[error(
        "page {page} of the export manifest can't be had (status {status}): files would be missing"
    )]
    IncompleteManifest {
        /// Number of the page, from 1.
        page: usize,
        /// Its status.
        status: u16,
    },
    /// What hears about the job failed, such as the database that keeps it.
    #[error("the export was stopped: its job can't be kept")]
    Event(#[source] BoxError),
    /// A file is refused.
    #[error("{file} can't be downloaded: status {status}{}", codes(outcome.as_ref()))]
    FileStatus {
        /// The file.
        file: FileId,
        /// The status.
        status: u16,
        /// Why. Its texts are the server's: keep them out of logs.
        outcome: Option<OperationOutcome>,
    },
    /// There is no response for a file.
    #[error("{file} can't be downloaded")]
    FileRequest {
        /// The file.
        file: FileId,
        /// What happened.
        source: Box<fhir_http::Error>,
    },
    /// A file broke off and could not be resumed to its end.
    #[error("{file} broke off after {bytes} bytes")]
    Truncated {
        /// The file.
        file: FileId,
        /// Bytes that came.
        bytes: u64,
        /// What happened.
        source: io::Error,
    },
    /// What came for a file is something else.
    #[error("{file} is {found} instead of NDJSON")]
    NotNdjson {
        /// The file.
        file: FileId,
        /// What it is, such as `an HTML page`.
        found: &'static str,
    },
    /// A gzipped file is damaged.
    #[error("{file} is damaged: its gzip stream can't be decoded to its end")]
    Gzip {
        /// The file.
        file: FileId,
        /// What the decoder says.
        source: io::Error,
    },
    /// A file changed on the server after a part of it was given out.
    #[error("{file} changed on the server while it was read")]
    Changed {
        /// The file.
        file: FileId,
    },
    /// A file can't be written.
    #[error("{file} can't be written: {action} failed")]
    Disk {
        /// The file.
        file: FileId,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Reading lines failed.
    #[error("reading failed after line {line}")]
    Read {
        /// The last line that was read, from 1.
        line: u64,
        /// What happened.
        source: io::Error,
    },
    /// A line is over the limit. It was skipped; the next can be read.
    #[error("line {line} (byte {offset}) is longer than {limit} bytes")]
    LineTooLong {
        /// Its number, from 1.
        line: u64,
        /// Where it starts, in bytes from 0.
        offset: u64,
        /// The limit.
        limit: usize,
    },
    /// A line of a `deleted` file can't be used. The next can be read.
    #[error("line {line} of the deleted resources can't be used: {problem}")]
    Deleted {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// Whether the same may work later without any change.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::AlreadyRunning { .. }
                | Self::Unreachable { .. }
                | Self::Deadline { .. }
                | Self::FileRequest { .. }
                | Self::Truncated { .. }
                | Self::Interrupted
        )
    }
}

fn codes(outcome: Option<&OperationOutcome>) -> String {
    let codes = outcome.map(OperationOutcome::codes).unwrap_or_default();
    if codes.is_empty() {
        return String::new();
    }
    format!(" ({})", codes.join(", "))
}

fn told(waited: Duration) -> String {
    match waited.as_secs() {
        seconds @ ..120 => format!("{seconds} seconds"),
        seconds @ ..7200 => format!("{} minutes", seconds / 60),
        seconds => format!("{} hours", seconds / 3600),
    }
}

fn last(status: Option<u16>) -> String {
    status
        .map(|status| format!(", the last with status {status}"))
        .unwrap_or_default()
}

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
