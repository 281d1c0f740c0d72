use std::fmt;
use std::time::SystemTime;

use fhir_http::RetryPolicy;
use http::{HeaderMap, StatusCode, header};
use jiff::fmt::rfc2822;
use serde::Deserialize;
use serde_json::Value;

use crate::{ScopeSet, SignedAssertion};

/// What a token endpoint says when it refuses
/// ([RFC 6749, 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
#[derive(Clone, thiserror::Error)]
#[error("the token endpoint refused: {} (status {})", self.code(), self.status().as_u16())]
pub struct OAuthError(Box<Refusal>);

#[derive(Clone)]
struct Refusal {
    code: String,
    description: Option<String>,
    uri: Option<String>,
    status: StatusCode,
    requested: ScopeSet,
    signed: Option<String>,
    /// Seconds that our clock is ahead of the server's, where it tells its time.
    ahead: Option<i64>,
}

impl OAuthError {
    /// A difference of clocks from which on it is worth a word, in seconds.
    const SKEW: i64 = 60;

    /// Longest text that is taken for a code, in bytes.
    const LONGEST_CODE: usize = 40;

    /// Stands for what is no code.
    const OTHER: &str = "other";

    /// The error code, such as `invalid_client`; `other` where the server's
    /// does not look like one, since it goes into messages.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The server's words. They may hold anything: keep them out of logs.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// A page that the server names about the error. It may hold anything too.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.0.uri.as_deref()
    }

    /// The status of the response.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The scopes that were asked for.
    #[must_use]
    pub const fn requested(&self) -> &ScopeSet {
        &self.0.requested
    }

    /// What is likely wrong and what to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let mut hint = match self.0.code.as_str() {
            "invalid_client" => self.invalid_client(),
            "invalid_scope" => format!(
                "{}; ask for what the client is registered for",
                self.scopes()
            ),
            "unauthorized_client" => format!(
                "the client may not use client credentials, or not with these scopes: check that \
                 it is registered and enabled as a backend (system) app; {}",
                self.scopes()
            ),
            "invalid_grant" => "the assertion was not taken: check the client id, the token \
                                endpoint, and that the clock of this machine is right"
                .to_owned(),
            "unsupported_grant_type" => {
                "the server has no client credentials for this client: check that it is \
                 registered as a backend (system) app, and the token endpoint"
                    .to_owned()
            }
            "invalid_request" => "the server misses something in the request: check the token \
                                  endpoint and how the client is registered to authenticate"
                .to_owned(),
            _ => "see what the server's documentation says about this code".to_owned(),
        };
        if self.0.ahead.is_none() && self.0.code == "invalid_client" && self.0.signed.is_some() {
            hint.push_str(
                "; check too that the clock of this machine is right, for an assertion is good \
                 for minutes only",
            );
        }
        if let Some(ahead) = self.0.ahead.filter(|ahead| ahead.abs() > Self::SKEW) {
            let side = if ahead > 0 { "ahead of" } else { "behind" };
            hint.push_str(&format!(
                "; the clock of this machine is {} s {side} the server's: set it",
                ahead.unsigned_abs()
            ));
        }
        hint
    }

    /// Whether the server may give a token a little later. A code that speaks
    /// of the request or the client wins over a status that may pass.
    pub(crate) fn is_transient(&self) -> bool {
        match self.0.code.as_str() {
            "temporarily_unavailable" | "server_error" => true,
            "invalid_client"
            | "invalid_grant"
            | "invalid_request"
            | "invalid_scope"
            | "unauthorized_client"
            | "unsupported_grant_type" => false,
            _ => RetryPolicy::is_transient(self.0.status),
        }
    }

    /// Reads an error document; `None` when the body is none.
    pub(crate) fn read(body: &[u8], about: &Attempt<'_>) -> Option<Self> {
        let wire: Wire = serde_json::from_slice(body).ok()?;
        if wire.error.is_empty() {
            return None;
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b == b'_' || b == b'-';
        let is_code = wire.error.len() <= Self::LONGEST_CODE && wire.error.bytes().all(plain);
        let text = |value: Option<Value>| Some(value?.as_str()?.to_owned());
        Some(Self(Box::new(Refusal {
            code: if is_code {
                wire.error
            } else {
                Self::OTHER.to_owned()
            },
            description: text(wire.error_description),
            uri: text(wire.error_uri),
            status: about.status,
            requested: about.requested.clone(),
            signed: about
                .assertion
                .map(|a| format!("key {} and {}", a.kid(), a.algorithm())),
            ahead: about.seconds_ahead(),
        })))
    }

    fn invalid_client(&self) -> String {
        match &self.0.signed {
            Some(signed) => format!(
                "the server does not know the client or could not verify its assertion: check \
                 that the JWKS URL is registered for this client id and can be reached, that \
                 client id and FHIR base belong to the same environment (sandbox or production), \
                 and wait where a key is new, since the server may hold a stale JWKS in its \
                 cache; signed with {signed}"
            ),
            None => "the server does not know the client or its secret: check both, and that \
                     client id and FHIR base belong to the same environment (sandbox or \
                     production)"
                .to_owned(),
        }
    }

    /// Which scopes it is about: those that the server names, else all.
    fn scopes(&self) -> String {
        let description = self.0.description.as_deref().unwrap_or_default();
        let words: Vec<&str> = description
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\'' | '[' | ']'))
            .map(|word| word.trim_end_matches(['.', ':']))
            .collect();
        let named: ScopeSet = self
            .requested()
            .iter()
            .filter(|s| words.contains(&s.as_str()))
            .cloned()
            .collect();
        if named.is_empty() {
            format!(
                "not granted were one or more of the scopes {}",
                self.0.requested.names()
            )
        } else {
            format!("the server names the scopes {}", named.names())
        }
    }
}

/// By hand: the server's words may hold anything.
impl fmt::Debug for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthError")
            .field("code", &self.0.code)
            .field("status", &self.0.status)
            .finish_non_exhaustive()
    }
}

/// One answer of the token endpoint, and what was asked.
pub(crate) struct Attempt<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) requested: &'a ScopeSet,
    pub(crate) assertion: Option<&'a SignedAssertion>,
    pub(crate) now: SystemTime,
}

impl Attempt<'_> {
    fn seconds_ahead(&self) -> Option<i64> {
        let date = self.headers.get(header::DATE)?.to_str().ok()?;
        let server = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
        let now = jiff::Timestamp::try_from(self.now).ok()?;
        Some(now.as_second() - server.as_second())
    }
}

#[derive(Deserialize)]
struct Wire {
    error: String,
    error_description: Option<Value>,
    error_uri: Option<Value>,
}
