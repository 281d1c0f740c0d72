use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use jose_keys::PrivateKey;

use super::{Edit, KeyStore, NewKey, Stamp};
use crate::{Change, Error, KeyRing, Result};

/// Keeps a ring in memory, for tests and for keys that live as long as the
/// process.
#[derive(Default)]
pub struct MemoryStore(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    ring: KeyRing,
    private: BTreeMap<String, PrivateKey>,
    changes: u64,
}

impl MemoryStore {
    /// A ring without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyStore for MemoryStore {
    fn load(&self) -> Result<KeyRing> {
        Ok(self.with(|kept| kept.ring.clone()))
    }

    fn private_key(&self, kid: &str) -> Result<PrivateKey> {
        let no_such = || Error::NoSuchKey {
            kid: kid.to_owned(),
        };
        self.with(|kept| {
            let key = kept.private.get(kid).ok_or_else(no_such)?;
            Ok(PrivateKey::from_pkcs8(key.expose_der())?)
        })
    }

    fn edit(&self) -> Result<Box<dyn Edit + '_>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Box::new(Editing {
            ring: kept.ring.clone(),
            kept,
        }))
    }

    fn stamp(&self) -> Result<Stamp> {
        Ok(Stamp([self.with(|kept| kept.changes), 0, 0, 0]))
    }
}

struct Editing<'a> {
    ring: KeyRing,
    kept: MutexGuard<'a, Kept>,
}

impl Edit for Editing<'_> {
    fn ring(&mut self) -> &mut KeyRing {
        &mut self.ring
    }

    fn commit(
        self: Box<Self>,
        _actor: &str,
        _now: SystemTime,
        _change: &Change,
        new: Option<NewKey>,
    ) -> Result<()> {
        let Self { ring, mut kept } = *self;
        if let Some(new) = new {
            kept.private
                .insert(new.public.kid().to_owned(), new.private);
        }
        kept.private.retain(|kid, _| ring.key(kid).is_ok());
        kept.ring = ring;
        kept.changes += 1;
        Ok(())
    }
}

/// By hand: it holds private keys.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore(…)")
    }
}
