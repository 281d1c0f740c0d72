use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use jose_keys::{Algorithm, Signer as _, SigningKey};

use crate::{KeyRing, KeyStore, Result, Stamp};

/// Gives the key that signs now. It looks at the ring every time, so that a
/// rotation counts from the next signature on, and parses a key once.
pub struct RingSigner {
    store: Arc<dyn KeyStore>,
    algorithms: Vec<Algorithm>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    ring: Option<(Stamp, KeyRing)>,
    key: Option<Arc<SigningKey>>,
}

impl RingSigner {
    /// Signs with the active key for the first of `algorithms` that has one.
    #[must_use]
    pub fn new(store: Arc<dyn KeyStore>, algorithms: Vec<Algorithm>) -> Self {
        Self {
            store,
            algorithms,
            seen: Mutex::default(),
        }
    }

    /// The key that signs at `now`.
    ///
    /// # Errors
    /// [`Error::NoActiveKey`](crate::Error::NoActiveKey); when the ring can't be
    /// read or the key not be opened.
    pub fn active(&self, now: SystemTime) -> Result<Arc<SigningKey>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Seen { ring, key } = &mut *seen;
        // The stamp comes first: a ring that changes in between is read again.
        let stamp = self.store.stamp()?;
        let (_, ring) = match ring.take() {
            Some(known) if known.0 == stamp => ring.insert(known),
            _ => ring.insert((stamp, self.store.load()?)),
        };
        let active = ring.active_of(&self.algorithms, now)?;
        let known = key
            .take()
            .filter(|key| key.kid() == active.kid() && key.algorithm() == active.algorithm());
        let current = match known {
            Some(known) => known,
            None => {
                let private = self.store.private_key(active.kid())?;
                Arc::new(private.signing_key(active.algorithm())?)
            }
        };
        Ok(Arc::clone(key.insert(current)))
    }
}

/// By hand: it holds a private key.
impl fmt::Debug for RingSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingSigner")
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}
