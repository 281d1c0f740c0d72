use std::fmt;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;

use crate::{Algorithm, ScopeSet, Secret, SignedAssertion};

/// An access token.
#[derive(Clone)]
pub struct AccessToken(Secret);

impl AccessToken {
    /// The token itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// `None` when it can't stand in a header.
    pub(crate) fn header(token: &Secret) -> Option<HeaderValue> {
        // What RFC 6750, 2.1 allows, which leaves no room for a second header.
        let allowed = |b: u8| b.is_ascii_graphic();
        if token.expose().is_empty() || !token.expose().bytes().all(allowed) {
            return None;
        }
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// By hand: whoever holds it has access.
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// By hand, as above.
impl fmt::Display for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A token as it was given, with what came along.
#[derive(Clone)]
pub struct TokenResponse {
    token: AccessToken,
    header: HeaderValue,
    expires_in: Option<Duration>,
    assumed: Duration,
    requested_at: SystemTime,
    granted: ScopeSet,
    missing: ScopeSet,
    signed: Option<(Algorithm, String)>,
}

impl TokenResponse {
    /// The life of a token whose server names none, unless the builder was
    /// [told](crate::Builder::assumed_lifetime).
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

    /// The longest life that is believed. A token that dies earlier than its
    /// server said costs one 401.
    const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

    /// A token is renewed this long before its end at most.
    const MAX_MARGIN: Duration = Duration::from_secs(60);

    /// The token.
    #[must_use]
    pub const fn access_token(&self) -> &AccessToken {
        &self.token
    }

    /// How long the server said it lives; `None` where it did not.
    #[must_use]
    pub const fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// When it is renewed: a quarter of its life before its end, and not more
    /// than a minute.
    #[must_use]
    pub fn renew_at(&self) -> SystemTime {
        let lifetime = self
            .expires_in
            .unwrap_or(self.assumed)
            .min(Self::MAX_LIFETIME);
        let margin = (lifetime / 4).min(Self::MAX_MARGIN);
        self.requested_at + (lifetime - margin)
    }

    /// The scopes the server granted: those asked for, where it names none
    /// ([RFC 6749, 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).
    #[must_use]
    pub const fn granted(&self) -> &ScopeSet {
        &self.granted
    }

    /// The scopes that were asked for and not granted.
    #[must_use]
    pub const fn missing(&self) -> &ScopeSet {
        &self.missing
    }

    /// How the assertion was signed; `None` with a client secret.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.signed.as_ref().map(|(algorithm, _)| *algorithm)
    }

    /// The key the assertion was signed with; `None` with a client secret.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.signed.as_ref().map(|(_, kid)| kid.as_str())
    }

    /// Whether it is good for another request at `now`.
    pub(crate) fn is_fresh(&self, now: SystemTime) -> bool {
        now < self.renew_at()
    }

    /// Its `Authorization` header.
    pub(crate) const fn authorization(&self) -> &HeaderValue {
        &self.header
    }

    /// Reads a successful answer. The error is what the answer is instead.
    pub(crate) fn read(
        body: &[u8],
        requested: &ScopeSet,
        requested_at: SystemTime,
        assumed: Duration,
        assertion: Option<&SignedAssertion>,
    ) -> Result<Self, &'static str> {
        // The text of a JSON error may quote the answer, so it goes no further.
        let wire: Wire = serde_json::from_slice(body).map_err(|_| "no access token")?;
        let token = wire.access_token.ok_or("no access token")?;
        if !wire
            .token_type
            .is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"))
        {
            return Err("a token that is not of type bearer");
        }
        let header =
            AccessToken::header(&token).ok_or("an access token that can't stand in a header")?;
        let granted = match wire.scope {
            Some(Value::String(text)) if !text.trim().is_empty() => ScopeSet::granted(&text),
            // Not OAuth, but told apart at no cost.
            Some(Value::Array(scopes)) => ScopeSet::granted(
                &scopes
                    .iter()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
            _ => requested.clone(),
        };
        Ok(Self {
            token: AccessToken(token),
            header,
            expires_in: wire.expires_in.as_ref().and_then(seconds),
            assumed,
            requested_at,
            missing: requested.missing(&granted),
            granted,
            signed: assertion.map(|a| (a.algorithm(), a.kid().to_owned())),
        })
    }
}

/// By hand: nothing of the token.
impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("expires_in", &self.expires_in)
            .field("granted", &self.granted.access_names())
            .field("missing", &self.missing.names())
            .field("signed", &self.signed)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Wire {
    access_token: Option<Secret>,
    token_type: Option<String>,
    expires_in: Option<Value>,
    scope: Option<Value>,
}

/// A life in seconds, which some servers write as text. What is not positive
/// says nothing.
fn seconds(value: &Value) -> Option<Duration> {
    /// Longer than any clock here counts, and far from an overflow.
    const FOREVER: f64 = 1e9;

    let seconds: f64 = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let life = (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(FOREVER)));
    life.filter(|life| !life.is_zero())
}
