//! The file of a ring: public keys and times as text that a person can read,
//! private keys sealed beside them.

use std::time::SystemTime;

use jiff::Timestamp;
use jose_keys::PublicJwk;
use serde::{Deserialize, Serialize};

use super::audit::Line;
use super::seal::Protection;
use crate::{KeyRing, RingKey};

/// What the file is, and its version.
const FORMAT: &str = "key ring 1";

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct RingFile {
    format: String,
    /// The last change, as it has to be in the audit log; a crash may have come
    /// between.
    pub(super) last: Line,
    pub(super) protection: Option<Protection>,
    changed: Timestamp,
    keys: Vec<KeyEntry>,
}

#[derive(Clone, Serialize, Deserialize)]
struct KeyEntry {
    issued: Timestamp,
    active_from: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published_until: Option<Timestamp>,
    jwk: PublicJwk,
    sealed: String,
}

impl RingFile {
    /// `None` for a time that can't be written.
    pub(super) fn new(
        ring: &KeyRing,
        last: Line,
        protection: Option<Protection>,
        mut sealed: impl FnMut(&str) -> Option<String>,
    ) -> Option<Self> {
        let keys = ring.keys.iter().map(|key| {
            Some(KeyEntry {
                issued: written(key.issued)?,
                active_from: written(key.active_from)?,
                retires: optional(key.retires)?,
                published_until: optional(key.published_until)?,
                jwk: key.jwk.clone(),
                sealed: sealed(key.kid())?,
            })
        });
        Some(Self {
            format: FORMAT.to_owned(),
            last,
            protection,
            changed: written(ring.changed?)?,
            keys: keys.collect::<Option<_>>()?,
        })
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        // Texts of JSON errors may quote the file, so they go no further.
        let head: Head =
            serde_json::from_slice(text).map_err(|_| "it is damaged, or another kind of file")?;
        if head.format != FORMAT {
            return Err("it was written by another version of this software");
        }
        let file: Self = serde_json::from_slice(text).map_err(|_| "it is damaged")?;
        let is_thumbprint = |key: &KeyEntry| key.jwk.kid() == key.jwk.thumbprint();
        if !file.keys.iter().all(is_thumbprint) {
            return Err("a `kid` in it is not the thumbprint of its key");
        }
        Ok(file)
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    pub(super) fn ring(&self) -> KeyRing {
        let keys = self.keys.iter().map(|key| RingKey {
            jwk: key.jwk.clone(),
            issued: key.issued.into(),
            active_from: key.active_from.into(),
            retires: key.retires.map(SystemTime::from),
            published_until: key.published_until.map(SystemTime::from),
        });
        KeyRing {
            keys: keys.collect(),
            changed: Some(self.changed.into()),
        }
    }

    pub(super) fn sealed(&self, kid: &str) -> Option<&str> {
        self.keys
            .iter()
            .find(|key| key.jwk.kid() == kid)
            .map(|key| key.sealed.as_str())
    }

    /// Any key, to prove a secret by.
    pub(super) fn first(&self) -> Option<(&PublicJwk, &str)> {
        self.keys.first().map(|key| (&key.jwk, key.sealed.as_str()))
    }
}

fn written(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

#[expect(
    clippy::option_option,
    reason = "none to write, and one that can't be written"
)]
fn optional(time: Option<SystemTime>) -> Option<Option<Timestamp>> {
    time.map_or(Some(None), |time| written(time).map(Some))
}
