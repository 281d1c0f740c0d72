//! Where rings are kept.

mod audit;
mod directory;
mod file;
mod memory;
mod seal;

use std::time::{Duration, SystemTime};

use jose_keys::{Algorithm, PrivateKey, PublicJwk};

pub use directory::DirectoryStore;
pub use memory::MemoryStore;
pub use seal::RingSecret;

use crate::{Action, Change, KeyRing, Result, RotationPolicy};

/// Keeps one ring and its private keys.
pub trait KeyStore: Send + Sync {
    /// Reads the public part. It takes no secret, so that the server of the
    /// documents needs none.
    ///
    /// # Errors
    /// When it can't be read.
    fn load(&self) -> Result<KeyRing>;

    /// Reads a private key.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`](crate::Error::NoSuchKey); when it can't be read or
    /// opened.
    fn private_key(&self, kid: &str) -> Result<PrivateKey>;

    /// Begins a change, and waits for others to end theirs: two processes that
    /// rotate the same ring rotate it twice, one after the other.
    ///
    /// # Errors
    /// When the ring can't be read or changed.
    fn edit(&self) -> Result<Box<dyn Edit + '_>>;

    /// Tells whether the ring may have changed: as long as it gives the same,
    /// the ring is the same. It must be cheap.
    ///
    /// # Errors
    /// When it can't be told.
    fn stamp(&self) -> Result<Stamp>;

    /// Takes in the first key for an algorithm. It signs at once.
    ///
    /// # Errors
    /// Those of [`KeyRing::add`](crate::KeyRing::add) and of the store.
    fn generate(&self, actor: &str, now: SystemTime, key: NewKey) -> Result<Change> {
        let mut edit = self.edit()?;
        let public = key.public.clone();
        let change = edit.ring().add(Action::Generate, public, now, now)?;
        edit.commit(actor, now, &change, Some(key))?;
        Ok(change)
    }

    /// Takes a key in that was made elsewhere, at `issued` where that is known:
    /// the first for its algorithm, or the successor of the one there is, by
    /// `policy`.
    ///
    /// # Errors
    /// Those of [`KeyRing::add`](crate::KeyRing::add) or
    /// [`KeyRing::rotate`](crate::KeyRing::rotate), and of the store.
    fn import(
        &self,
        actor: &str,
        now: SystemTime,
        key: NewKey,
        issued: Option<SystemTime>,
        policy: &RotationPolicy,
    ) -> Result<Change> {
        // What lies ahead can't be when it was made.
        let issued = issued.map_or(now, |issued| issued.min(now));
        let mut edit = self.edit()?;
        let (ring, public) = (edit.ring(), key.public.clone());
        let mut change = match ring.active(public.algorithm(), now) {
            Some(_) => ring.rotate(public, issued, now, policy)?,
            None => ring.add(Action::Import, public, issued, now)?,
        };
        change.action = Action::Import;
        edit.commit(actor, now, &change, Some(key))?;
        Ok(change)
    }

    /// Lets a new key take the place of the active one for its algorithm.
    ///
    /// # Errors
    /// Those of [`KeyRing::rotate`](crate::KeyRing::rotate) and of the store.
    fn rotate(
        &self,
        actor: &str,
        now: SystemTime,
        key: NewKey,
        policy: &RotationPolicy,
    ) -> Result<Change> {
        let mut edit = self.edit()?;
        let change = edit.ring().rotate(key.public.clone(), now, now, policy)?;
        edit.commit(actor, now, &change, Some(key))?;
        Ok(change)
    }

    /// Rotates, with a key that `make` makes, when the active key for
    /// `algorithm` is as old as `policy` lets it get, or there is none; `None`
    /// when it is not due. Of two processes that do so at once, one does
    /// nothing.
    ///
    /// # Errors
    /// Those of `make`, of [`KeyRing::rotate`](crate::KeyRing::rotate) and of
    /// the store.
    fn rotate_if_due(
        &self,
        actor: &str,
        now: SystemTime,
        algorithm: Algorithm,
        policy: &RotationPolicy,
        make: &dyn Fn() -> Result<NewKey>,
    ) -> Result<Option<Change>> {
        let mut edit = self.edit()?;
        if !policy.is_due(edit.ring(), algorithm, now) {
            return Ok(None);
        }
        let key = make()?;
        let change = edit.ring().rotate(key.public.clone(), now, now, policy)?;
        edit.commit(actor, now, &change, Some(key))?;
        Ok(Some(change))
    }

    /// Takes a key out of use.
    ///
    /// # Errors
    /// Those of [`KeyRing::retire`](crate::KeyRing::retire) and of the store.
    fn retire(
        &self,
        actor: &str,
        now: SystemTime,
        kid: &str,
        grace: Duration,
        leave_none: bool,
    ) -> Result<Change> {
        let mut edit = self.edit()?;
        let change = edit.ring().retire(kid, now, grace, leave_none)?;
        edit.commit(actor, now, &change, None)?;
        Ok(change)
    }

    /// Erases keys whose grace is over; `None` where there is none.
    ///
    /// # Errors
    /// Those of the store.
    fn prune(&self, actor: &str, now: SystemTime) -> Result<Option<Change>> {
        let mut edit = self.edit()?;
        let Some(change) = edit.ring().prune(now) else {
            return Ok(None);
        };
        edit.commit(actor, now, &change, None)?;
        Ok(Some(change))
    }
}

/// The exclusive right to change a ring. Dropped, it changes nothing.
pub trait Edit {
    /// The ring as it is, to be changed.
    fn ring(&mut self) -> &mut KeyRing;

    /// Keeps the ring as it is now, whole or not at all, with an audit line for
    /// `change` by `actor`. Private keys that are not in the ring any more are
    /// erased.
    ///
    /// # Errors
    /// When it can't be written.
    fn commit(
        self: Box<Self>,
        actor: &str,
        now: SystemTime,
        change: &Change,
        new: Option<NewKey>,
    ) -> Result<()>;
}

/// A private key that a change brought into the ring.
#[derive(Debug)]
pub struct NewKey {
    /// Its public half, as it is in the ring.
    pub public: PublicJwk,
    /// The key.
    pub private: PrivateKey,
}

impl NewKey {
    /// A private key, to sign with `algorithm`.
    ///
    /// # Errors
    /// When it can't sign that way.
    pub fn new(private: PrivateKey, algorithm: Algorithm) -> Result<Self> {
        Ok(Self {
            public: private.public_jwk(algorithm)?,
            private,
        })
    }
}

/// The state of a ring, to be compared only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(pub(crate) [u64; 4]);
