use std::io;
use std::time::Duration;

use crate::decode::OverLimit;
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
    #[error("{host} answered {status} to {method} {}{}", shape(path), codes(outcome.as_ref()))]
    Status {
        /// Host and port.
        host: String,
        /// Method of the request.
        method: http::Method,
        /// Path of the request, without its query. It may hold the id of a
        /// patient, so the message shows it without ids.
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
    /// A search whose next page can't be fetched.
    #[error("the search at {host} can't be continued: {problem}")]
    Paging {
        /// Host and port.
        host: String,
        /// What is wrong with the link to the next page.
        problem: &'static str,
    },
    /// A request that can't be made from what was given.
    #[error("there is no request to send: {problem}")]
    Request {
        /// What is wrong.
        problem: &'static str,
    },
    /// A setting of the transport that can't be used.
    #[error("{what} can't be used: {problem}")]
    Setting {
        /// Which one it is.
        what: &'static str,
        /// What is wrong with it, and where.
        problem: String,
    },
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// The error for what reading a [`Body`](crate::Body) of `host` gave.
    #[must_use]
    pub fn body(host: impl Into<String>, source: io::Error) -> Self {
        let host = host.into();
        match source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<OverLimit>())
        {
            Some(over) => Self::TooLong {
                host,
                limit: over.limit,
            },
            None => Self::Body { host, source },
        }
    }

    /// The status that a server refused a request with.
    #[must_use]
    pub const fn status(&self) -> Option<http::StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether sending the request once more may help: there was no response,
    /// it broke off, or its status is one that may pass.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, TimedOut, UnexpectedEof,
        };
        match self {
            Self::Transport { source, .. } => source.is_transient(),
            Self::Status { status, .. } => crate::RetryPolicy::is_transient(*status),
            Self::Body { source, .. } => matches!(
                source.kind(),
                BrokenPipe
                    | ConnectionAborted
                    | ConnectionReset
                    | NotConnected
                    | TimedOut
                    | UnexpectedEof
            ),
            _ => false,
        }
    }
}

/// A path without what follows a resource type, unless it is an operation or
/// another word of FHIR's: `/fhir/Patient/…/$everything`.
fn shape(path: &str) -> String {
    let is_type = |segment: &str| {
        segment.starts_with(|c: char| c.is_ascii_uppercase())
            && segment.bytes().all(|b| b.is_ascii_alphabetic())
            && segment.bytes().any(|b| b.is_ascii_lowercase())
    };
    let mut in_type = false;
    let mut shape = String::with_capacity(path.len());
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            shape.push('/');
        }
        let known = is_type(segment) || segment.starts_with(['$', '_']) || segment.is_empty();
        shape.push_str(if in_type && !known { "…" } else { segment });
        in_type |= is_type(segment);
    }
    shape
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
    #[error("the TLS handshake failed")]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_without_ids() {
        let cases = [
            ("/fhir/R4/Patient/pat-77", "/fhir/R4/Patient/…"),
            (
                "/Patient/pat-77/Observation/o-1/_history/3",
                "/Patient/…/Observation/…/_history/…",
            ),
            (
                "/api/FHIR/R4/Group/g.1/$export",
                "/api/FHIR/R4/Group/…/$export",
            ),
            ("/oauth2/token", "/oauth2/token"),
            ("/", "/"),
        ];
        for (path, shown) in cases {
            assert_eq!(shape(path), shown);
        }
    }
}
