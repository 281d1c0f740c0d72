use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Error, KeyStore, Publisher, Stamp, Tenant};

/// Keeps a [`Publisher`] up to date with the stores of its rings.
pub struct Reload {
    publisher: Arc<Publisher>,
    stores: BTreeMap<Tenant, Arc<dyn KeyStore>>,
    /// What is published; nothing where the last look failed.
    seen: Mutex<BTreeMap<Tenant, Stamp>>,
}

impl Reload {
    /// Reads the rings of `stores`, and publishes them.
    pub fn new(
        publisher: Arc<Publisher>,
        stores: impl IntoIterator<Item = (Tenant, Arc<dyn KeyStore>)>,
    ) -> Self {
        let reload = Self {
            publisher,
            stores: stores.into_iter().collect(),
            seen: Mutex::default(),
        };
        reload.look();
        reload
    }

    /// Publishes what has changed since the last look. It is to be called now
    /// and then, such as once a second: as long as nothing has changed, it costs
    /// one look at each file. A ring that can't be read stays published as it
    /// was, with a warning, and the publisher is not ready.
    pub fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (tenant, store) in &self.stores {
            let before = seen.get(tenant).copied();
            let loaded = store.stamp().and_then(|stamp| {
                if before == Some(stamp) {
                    return Ok(None);
                }
                // A change in between shows at the next look.
                let ring = store.load()?;
                // A folder that is not mounted looks like a ring that never was.
                match ring.changed().is_none() && self.publisher.has_keys(tenant) {
                    true => Err(Error::Gone),
                    false => Ok(Some((stamp, ring))),
                }
            });
            match loaded {
                Ok(None) => {}
                Ok(Some((stamp, ring))) => {
                    tracing::info!(%tenant, keys = ring.keys().len(), "publishes a key ring");
                    self.publisher.publish(tenant.clone(), ring);
                    seen.insert(tenant.clone(), stamp);
                }
                Err(error) => {
                    // One warning for each time that it goes wrong.
                    if seen.remove(tenant).is_some() || !self.publisher.has(tenant) {
                        tracing::warn!(%tenant, %error, "a key ring can't be read");
                    }
                    self.publisher.fail(tenant);
                }
            }
        }
    }
}

impl fmt::Debug for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reload")
            .field("tenants", &self.stores.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
