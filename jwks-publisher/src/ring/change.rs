use std::time::{Duration, SystemTime};

use jose_keys::{Algorithm, PublicJwk};

use super::{KeyRing, RingKey, RotationPolicy, State};
use crate::{Error, Result};

/// What was done to a ring, for the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// What.
    pub action: Action,
    /// The key it was done to; `None` where keys were only pruned.
    pub kid: Option<String>,
    /// Keys that were erased with it.
    pub pruned: Vec<String>,
}

/// What can be done to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// A key was made.
    Generate,
    /// A key was brought in.
    Import,
    /// A key was made to take the place of another.
    Rotate,
    /// A key was taken out of use before its time.
    Retire,
    /// Keys whose grace is over were erased.
    Prune,
}

impl Action {
    /// Its name in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Import => "import",
            Self::Rotate => "rotate",
            Self::Retire => "retire",
            Self::Prune => "prune",
        }
    }
}

impl KeyRing {
    /// Takes in the first key for an algorithm, which signs from `now` on.
    /// `issued` is when it was made.
    ///
    /// # Errors
    /// [`Error::Occupied`] where there is an active key, [`Error::Pending`]
    /// where there will be one, [`Error::Duplicate`].
    pub fn add(
        &mut self,
        action: Action,
        key: PublicJwk,
        issued: SystemTime,
        now: SystemTime,
    ) -> Result<Change> {
        let algorithm = key.algorithm();
        let present = self.present(now);
        self.check_new(&key, present)?;
        if self.in_state(algorithm, State::Active, present).is_some() {
            return Err(Error::Occupied { algorithm });
        }
        let kid = self.push(key, issued, present);
        Ok(self.finish(action, Some(kid), present))
    }

    /// Takes in the successor of the active key for its algorithm. After the
    /// lead time of `policy` it signs, and the old one retires; after the grace
    /// period that follows the old one is published no more. Where there is no
    /// active key, the new one signs at once.
    ///
    /// # Errors
    /// [`Error::Pending`] while an earlier rotation is under way,
    /// [`Error::Duplicate`], [`Error::Time`].
    pub fn rotate(
        &mut self,
        key: PublicJwk,
        issued: SystemTime,
        now: SystemTime,
        policy: &RotationPolicy,
    ) -> Result<Change> {
        let present = self.present(now);
        self.check_new(&key, present)?;
        let mut from = present;
        if let Some(place) = self.place(key.algorithm(), State::Active, present) {
            from = later(present, policy.lead_time)?;
            let until = later(from, policy.grace)?;
            let old = &mut self.keys[place];
            old.retires = Some(from);
            old.published_until = Some(until);
        }
        let kid = self.push(key, issued, from);
        Ok(self.finish(Action::Rotate, Some(kid), present))
    }

    /// Takes a key out of use now, and out of the published document when
    /// `grace` is over: at once when it is zero.
    ///
    /// Of an active key, the pending one takes its place; without one it is
    /// retired only when `leave_none` is set. A pending key goes at once, since
    /// nothing can be signed with it, and the active one stays. For a retiring
    /// key the grace period can only become shorter.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`], [`Error::LastKey`], [`Error::Time`].
    pub fn retire(
        &mut self,
        kid: &str,
        now: SystemTime,
        grace: Duration,
        leave_none: bool,
    ) -> Result<Change> {
        let present = self.present(now);
        let until = later(present, grace)?;
        let key = self.key(kid)?;
        let algorithm = key.algorithm();
        let mut end = until;
        match key.state(present) {
            State::Expired => {
                return Err(Error::NoSuchKey {
                    kid: kid.to_owned(),
                });
            }
            State::Retiring => end = key.published_until.map_or(until, |own| own.min(until)),
            State::Pending => {
                end = present;
                if let Some(place) = self.place(algorithm, State::Active, present) {
                    self.keys[place].retires = None;
                    self.keys[place].published_until = None;
                }
            }
            State::Active => match self.place(algorithm, State::Pending, present) {
                Some(place) => self.keys[place].active_from = present,
                None if leave_none => {}
                None => {
                    return Err(Error::LastKey {
                        kid: kid.to_owned(),
                    });
                }
            },
        }
        for key in self.keys.iter_mut().filter(|key| key.kid() == kid) {
            key.retires = Some(key.retires.map_or(present, |own| own.min(present)));
            key.published_until = Some(end);
        }
        Ok(self.finish(Action::Retire, Some(kid.to_owned()), present))
    }

    /// Erases keys whose grace is over; `None` where there is none. Every other
    /// change does so as well.
    pub fn prune(&mut self, now: SystemTime) -> Option<Change> {
        let present = self.present(now);
        let expired = |key: &RingKey| key.state(present) == State::Expired;
        self.keys
            .iter()
            .any(expired)
            .then(|| self.finish(Action::Prune, None, present))
    }

    fn check_new(&self, key: &PublicJwk, present: SystemTime) -> Result<()> {
        if self.keys.iter().any(|known| known.kid() == key.kid()) {
            return Err(Error::Duplicate {
                kid: key.kid().to_owned(),
            });
        }
        match self.in_state(key.algorithm(), State::Pending, present) {
            Some(pending) => Err(Error::Pending {
                kid: pending.kid().to_owned(),
                after: pending
                    .active_from
                    .duration_since(present)
                    .unwrap_or_default(),
            }),
            None => Ok(()),
        }
    }

    fn push(&mut self, jwk: PublicJwk, issued: SystemTime, active_from: SystemTime) -> String {
        let kid = jwk.kid().to_owned();
        self.keys.push(RingKey {
            jwk,
            issued,
            active_from,
            retires: None,
            published_until: None,
        });
        kid
    }

    fn place(&self, algorithm: Algorithm, state: State, present: SystemTime) -> Option<usize> {
        self.keys
            .iter()
            .position(|key| key.algorithm() == algorithm && key.state(present) == state)
    }

    fn finish(&mut self, action: Action, kid: Option<String>, present: SystemTime) -> Change {
        self.changed = Some(present);
        let expired = |key: &mut RingKey| key.state(present) == State::Expired;
        let pruned = self.keys.extract_if(.., expired);
        Change {
            action,
            kid,
            pruned: pruned.map(|key| key.kid().to_owned()).collect(),
        }
    }
}

fn later(from: SystemTime, by: Duration) -> Result<SystemTime> {
    // The year 9999 is the last that RFC 3339 can write.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    from.checked_add(by)
        .filter(|time| *time <= SystemTime::UNIX_EPOCH + LAST)
        .ok_or(Error::Time)
}
