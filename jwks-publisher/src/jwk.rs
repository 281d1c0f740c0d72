use std::time::{Duration, SystemTime};

use jose_keys::PublicJwk;
use serde::Serialize;

use crate::{KeyRing, RingKey};

/// A public key as it is published
/// ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).
///
/// It is made of the public numbers alone and has no room for private ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    #[serde(flatten)]
    key: PublicJwk,
    /// Seconds since the Unix epoch.
    iat: u64,
    key_ops: [&'static str; 1],
}

impl Jwk {
    fn of(key: &RingKey) -> Self {
        let issued = key.issued().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            key: key.jwk().clone(),
            iat: issued.as_ref().map_or(0, Duration::as_secs),
            key_ops: ["verify"],
        }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicJwk {
        &self.key
    }

    /// When it was made, in seconds since the Unix epoch.
    #[must_use]
    pub const fn issued_at(&self) -> u64 {
        self.iat
    }
}

/// A JWK Set ([RFC 7517, 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)):
/// the keys of a ring that verifiers need at some moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    keys: Vec<Jwk>,
}

impl JwkSet {
    /// What is published of `ring` at `now`: pending, active and retiring keys.
    #[must_use]
    pub fn of(ring: &KeyRing, now: SystemTime) -> Self {
        Self {
            keys: ring.published(now).map(Jwk::of).collect(),
        }
    }

    /// The keys, the oldest first.
    #[must_use]
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The document.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Texts and numbers only: nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
