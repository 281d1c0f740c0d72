//! The authorization server: registered clients, the token endpoint, tokens.

mod assertion;
mod client;
mod endpoint;
mod jwks;
mod scope;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fhir_http::{HttpClient, Random as _, SystemRandom};
use http::HeaderMap;

pub(crate) use client::KeySource;
pub use client::RegisteredClient;
use jwks::KeyCache;
pub(crate) use scope::Scopes;

/// Who may do what.
pub(crate) struct Authority {
    clients: Vec<RegisteredClient>,
    keys: KeyCache,
    lifetime: Duration,
    /// What those may who have no token.
    open: Option<Scopes>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tokens: HashMap<String, Token>,
    /// Assertions used, by issuer and `jti`, until they expire.
    used: HashMap<(String, String), SystemTime>,
}

struct Token {
    grant: Grant,
    expires: SystemTime,
}

/// What the sender of a request may do.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// `None` is anyone.
    pub(crate) client: Option<String>,
    pub(crate) scopes: Scopes,
}

/// Why there is no grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoToken,
    BadToken,
}

impl Authority {
    pub(crate) fn new(
        clients: Vec<RegisteredClient>,
        transport: Option<Arc<dyn HttpClient>>,
        lifetime: Duration,
        open: Option<Scopes>,
    ) -> Self {
        let keys = KeyCache::new(transport);
        Self {
            clients,
            keys,
            lifetime,
            open,
            state: Mutex::default(),
        }
    }

    /// Looks at the bearer token of a request.
    pub(crate) fn check(&self, headers: &HeaderMap, now: SystemTime) -> Result<Grant, Refusal> {
        let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            let scopes = self.open.clone().ok_or(Refusal::NoToken)?;
            return Ok(Grant {
                client: None,
                scopes,
            });
        };
        let (scheme, token) = value
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .ok_or(Refusal::BadToken)?;
        if !scheme.eq_ignore_ascii_case("bearer") || values.next().is_some() {
            return Err(Refusal::BadToken);
        }
        let state = self.state();
        let token = state.tokens.get(token).filter(|token| token.expires > now);
        token
            .map(|token| token.grant.clone())
            .ok_or(Refusal::BadToken)
    }

    /// Makes a token.
    pub(crate) fn issue(&self, client: &str, scopes: Scopes, now: SystemTime) -> String {
        let token = random_hex();
        let grant = Grant {
            client: Some(client.to_owned()),
            scopes,
        };
        let expires = now + self.lifetime;
        let mut state = self.state();
        state.tokens.retain(|_, token| token.expires > now);
        state.tokens.insert(token.clone(), Token { grant, expires });
        token
    }

    /// Makes all tokens invalid.
    pub(crate) fn revoke(&self) {
        self.state().tokens.clear();
    }

    /// Remembers an assertion; `false` when it was used before.
    fn first_use(&self, issuer: &str, jti: String, expires: SystemTime, now: SystemTime) -> bool {
        let mut state = self.state();
        state.used.retain(|_, until| *until > now);
        state
            .used
            .insert((issuer.to_owned(), jti), expires)
            .is_none()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 128 random bits.
pub(crate) fn random_hex() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
