use std::time::{Duration, SystemTime};

use jose_keys::Algorithm;

use crate::KeyRing;

/// How keys are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// For how long a key stays published after it has stopped to sign, so that
    /// what it signed can be verified. Zero erases it at once.
    pub grace: Duration,
    /// For how long a new key is published before it signs. A verifier that
    /// keeps the document for the time that its `Cache-Control` allows knows
    /// the key by then; zero relies on verifiers that look again when they meet
    /// an unknown `kid`.
    pub lead_time: Duration,
    /// The age at which a key is due for rotation.
    pub max_age: Duration,
}

impl RotationPolicy {
    /// Whether the active key for `algorithm` is as old as it should get, or
    /// there is none. A key that is pending already counts in its place.
    #[must_use]
    pub fn is_due(&self, ring: &KeyRing, algorithm: Algorithm, now: SystemTime) -> bool {
        let newest = ring
            .published(now)
            .filter(|key| key.algorithm() == algorithm && key.retires().is_none())
            .map(|key| key.active_from())
            .max();
        newest.is_none_or(|from| {
            now.duration_since(from)
                .is_ok_and(|age| age >= self.max_age)
        })
    }
}

impl Default for RotationPolicy {
    /// A day of grace, no lead time, ninety days of age.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            grace: DAY,
            lead_time: Duration::ZERO,
            max_age: DAY * 90,
        }
    }
}
