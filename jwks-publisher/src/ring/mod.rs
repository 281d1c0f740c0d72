//! The life of keys, as times on a line: what a key is follows from the clock.

mod change;
mod policy;

use std::time::SystemTime;

use jose_keys::{Algorithm, PublicJwk};

pub use change::{Action, Change};
pub use policy::RotationPolicy;

use crate::{Error, Result};

/// What a key is good for at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Published, so that verifiers learn of it, and not used yet.
    Pending,
    /// Published, and signs.
    Active,
    /// Published, so that what it signed can be verified, and not used any more.
    Retiring,
    /// Not published any more; the next change of the ring erases it.
    Expired,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Expired => "expired",
        }
    }
}

/// The public half of a key in a ring, and when it does what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingKey {
    pub(crate) jwk: PublicJwk,
    pub(crate) issued: SystemTime,
    pub(crate) active_from: SystemTime,
    pub(crate) retires: Option<SystemTime>,
    pub(crate) published_until: Option<SystemTime>,
}

impl RingKey {
    /// The public key.
    #[must_use]
    pub const fn jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    /// Its `kid`, the thumbprint of [RFC 7638](https://www.rfc-editor.org/rfc/rfc7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        self.jwk.kid()
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.jwk.algorithm()
    }

    /// When it was made; for an imported key, when its JWK says that it was,
    /// else when it came into the ring.
    #[must_use]
    pub const fn issued(&self) -> SystemTime {
        self.issued
    }

    /// From when on it signs.
    #[must_use]
    pub const fn active_from(&self) -> SystemTime {
        self.active_from
    }

    /// When it stops to sign; `None` while that is open.
    #[must_use]
    pub const fn retires(&self) -> Option<SystemTime> {
        self.retires
    }

    /// Until when it is published; `None` while that is open.
    #[must_use]
    pub const fn published_until(&self) -> Option<SystemTime> {
        self.published_until
    }

    fn state(&self, now: SystemTime) -> State {
        let over = |end: Option<SystemTime>| end.is_some_and(|end| end <= now);
        if over(self.published_until) {
            State::Expired
        } else if over(self.retires) {
            State::Retiring
        } else if self.active_from <= now {
            State::Active
        } else {
            State::Pending
        }
    }
}

/// Signing keys of one tenant: their public halves, and when each does what.
///
/// What a key is at a moment follows from the times written down when the ring
/// was changed, so that signers and publishers agree without talking to each
/// other, and a rotation that was planned needs nobody to carry it out.
///
/// A clock that goes back does not undo what was done: the ring takes the time
/// of its last change for the present until the clock is past it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRing {
    pub(crate) keys: Vec<RingKey>,
    pub(crate) changed: Option<SystemTime>,
}

impl KeyRing {
    /// A ring without keys.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            keys: Vec::new(),
            changed: None,
        }
    }

    /// All keys, the oldest first.
    #[must_use]
    pub fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The key of this `kid`.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`].
    pub fn key(&self, kid: &str) -> Result<&RingKey> {
        self.keys
            .iter()
            .find(|key| key.kid() == kid)
            .ok_or_else(|| Error::NoSuchKey {
                kid: kid.to_owned(),
            })
    }

    /// What `key` is at `now`.
    #[must_use]
    pub fn state(&self, key: &RingKey, now: SystemTime) -> State {
        key.state(self.present(now))
    }

    /// The key that signs at `now`.
    #[must_use]
    pub fn active(&self, algorithm: Algorithm, now: SystemTime) -> Option<&RingKey> {
        self.in_state(algorithm, State::Active, self.present(now))
    }

    /// The active key of the first of `algorithms` that has one.
    ///
    /// # Errors
    /// [`Error::NoActiveKey`].
    pub fn active_of(&self, algorithms: &[Algorithm], now: SystemTime) -> Result<&RingKey> {
        algorithms
            .iter()
            .find_map(|algorithm| self.active(*algorithm, now))
            .ok_or_else(|| Error::NoActiveKey {
                algorithms: algorithms.to_vec(),
            })
    }

    /// The keys that are published at `now`: all but the expired ones.
    pub fn published(&self, now: SystemTime) -> impl Iterator<Item = &RingKey> {
        let now = self.present(now);
        self.keys
            .iter()
            .filter(move |key| key.state(now) != State::Expired)
    }

    /// When what is published or signs changes next by the clock alone.
    #[must_use]
    pub fn next_change(&self, now: SystemTime) -> Option<SystemTime> {
        let now = self.present(now);
        let times = self.keys.iter().flat_map(|key| {
            [Some(key.active_from), key.retires, key.published_until]
                .into_iter()
                .flatten()
        });
        times.filter(|time| *time > now).min()
    }

    /// When the ring was last changed.
    #[must_use]
    pub const fn changed(&self) -> Option<SystemTime> {
        self.changed
    }

    /// `now`, but not before the last change.
    fn present(&self, now: SystemTime) -> SystemTime {
        self.changed.map_or(now, |changed| changed.max(now))
    }

    fn in_state(
        &self,
        algorithm: Algorithm,
        state: State,
        present: SystemTime,
    ) -> Option<&RingKey> {
        self.keys
            .iter()
            .find(|key| key.algorithm() == algorithm && key.state(present) == state)
    }
}
