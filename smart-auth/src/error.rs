use std::sync::Arc;

use http::StatusCode;

use crate::{OAuthError, ScopeError};

/// Why there is no token.
///
/// It can be cloned, since one renewal that fails fails for everyone who
/// waited for it. No text holds a token, a key, an assertion or a server's
/// words.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The token endpoint refused, and said why.
    #[error(transparent)]
    Refused(#[from] OAuthError),
    /// The token endpoint answered something that is neither a token nor an
    /// OAuth error.
    #[error("the token endpoint at {host} answered {status} with {what}")]
    Answer {
        /// Host of the token endpoint.
        host: String,
        /// Status of the response.
        status: StatusCode,
        /// What it is instead, such as `an HTML page`.
        what: &'static str,
    },
    /// There was no usable response.
    #[error("no usable response from the {from}")]
    Http {
        /// What was asked: `token endpoint` or `SMART configuration`.
        from: &'static str,
        /// What happened.
        source: Arc<fhir_http::Error>,
    },
    /// There is no SMART configuration.
    #[error(
        "no SMART configuration at {place}: {problem}; check the FHIR base, or name the token endpoint"
    )]
    Discovery {
        /// Host and path that were asked first.
        place: String,
        /// What came instead.
        problem: String,
    },
    /// A URL that can't be used. It is left out: it may hold a secret.
    #[error("{what} is no URL that can be used: {problem}")]
    Url {
        /// Which one it is.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A key that can't be used. It says what to do about it.
    #[error(transparent)]
    Key(#[from] jose_keys::Error),
    /// The signer gave no key, or no signature.
    #[error("the client assertion could not be signed")]
    Sign {
        /// What the signer said.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A scope that is refused before anything is sent.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// What was configured can't work.
    #[error("the client is not set up: {problem}")]
    Setup {
        /// What is missing or wrong.
        problem: &'static str,
    },
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The thread that renewed the token for everyone broke off.
    #[error("the renewal of the token broke off")]
    Abandoned,
}

impl Error {
    /// What is likely wrong and what to do, where that can be told.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => Some(refusal.hint()),
            Self::Answer { status, .. } if status.is_client_error() => Some(
                "the server gave no reason: check the client id, that its JWKS URL or secret is \
                 registered, and that token endpoint and FHIR base belong to the same environment"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    pub(crate) fn http(from: &'static str, error: fhir_http::Error) -> Self {
        match error {
            fhir_http::Error::Interrupted => Self::Interrupted,
            error => Self::Http {
                from,
                source: Arc::new(error),
            },
        }
    }
}

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
