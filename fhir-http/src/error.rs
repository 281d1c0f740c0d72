use std::io;
use std::time::Duration;

use crate::{BoxError, OperationOutcome};

/// Why there is no usable response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There was no response, also not on the last retry.
    #[error("no response from {host}")]
    Transport {
        /// Host and port.
        host: String,
        /// What happened.
        source: TransportError,
    },
    /// The credentials for a request can't be had.
    #[error("no credentials for {host}")]
    Authorize {
        /// Host and port.
        host: String,
        /// What the authorization said.
        source: BoxError,
    },
    /// The server refused a request.
    #[error("{host} answered {status} to {method} {path}{}", codes(outcome.as_ref()))]
    Status {
        /// Host and port.
        host: String,
        /// Method of the request.
        method: http::Method,
        /// Path of the request, without its query.
        path: String,
        /// Status of the response.
        status: http::StatusCode,
        /// The outcome in its body, where it has one. Its texts are the
        /// server's words and may name patients: keep them out of logs.
        outcome: Option<OperationOutcome>,
        /// What the server asked to wait, already clamped.
        retry_after: Option<Duration>,
    },
    /// A body can't be read to its end.
    #[error("the response of {host} broke off")]
    Body {
        /// Host and port.
        host: String,
        /// What happened.
        source: io::Error,
    },
    /// A body is longer than what is taken.
    #[error("the response of {host} is longer than {limit} bytes")]
    TooLong {
        /// Host and port.
        host: String,
        /// The limit in decoded bytes.
        limit: u64,
    },
    /// A body is not what it has to be.
    #[error("the response of {host} is {what}")]
    Unexpected {
        /// Host and port.
        host: String,
        /// What it is instead, such as `an HTML page, not FHIR JSON`.
        what: String,
    },
    /// Too many redirects, or one that can't be followed.
    #[error("{host} redirects {problem}")]
    Redirect {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A URL that can't be used. The URL is left out: it may hold a secret.
    #[error("{what} is no URL that can be used: {problem}")]
    Url {
        /// Which one it is.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

fn codes(outcome: Option<&OperationOutcome>) -> String {
    let codes = outcome.map(OperationOutcome::codes).unwrap_or_default();
    if codes.is_empty() {
        return String::new();
    }
    format!(" ({})", codes.join(", "))
}

/// Why there was no response at all. Nothing in it is content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The host's name has no address.
    #[error("the name can't be resolved")]
    Resolve(#[source] BoxError),
    /// No connection, or it was closed before the response.
    #[error("the connection failed")]
    Connect(#[source] BoxError),
    /// TLS could not be agreed on, or the certificate is not trusted.
    #[error("the TLS handshake failed; for a private CA, add its certificate")]
    Tls(#[source] BoxError),
    /// A time limit passed.
    #[error("timed out: {0}")]
    Timeout(&'static str),
    /// What came was no HTTP.
    #[error("the response is no valid HTTP")]
    Protocol(#[source] BoxError),
    /// The request may not be sent at all, such as plain HTTP beyond loopback.
    #[error("not sent: {0}")]
    Refused(&'static str),
}

impl TransportError {
    /// Whether sending once more may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Resolve(_) | Self::Connect(_) | Self::Timeout(_))
    }
}

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
