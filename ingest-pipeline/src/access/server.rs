use std::path::Path;
use std::sync::OnceLock;

use fhir_http::FhirClient;
use fhir_store::{ServerSettings, ServerStore, Store, VerifyReport};

use super::StoreAccess;
use crate::Result;
use crate::config::StoreServer;
use crate::connect::{ConnectedStore, Surroundings};

/// A FHIR server, which is asked for a token once for all that open the store.
pub struct FhirServer {
    settings: StoreServer,
    around: Surroundings,
    client: OnceLock<FhirClient>,
}

impl FhirServer {
    /// The server of the configuration. Nothing is sent, and no key read, until
    /// the store is opened.
    #[must_use]
    pub const fn new(settings: StoreServer, around: Surroundings) -> Self {
        Self {
            settings,
            around,
            client: OnceLock::new(),
        }
    }

    /// Its FHIR base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.settings.base
    }

    /// Reads everything back that the server was told; see
    /// [`ServerStore::verify`].
    ///
    /// # Errors
    /// When the store can't be opened, or the server not be read.
    pub fn verify(&self) -> Result<VerifyReport> {
        Ok(self.server_store()?.verify()?)
    }

    fn server_store(&self) -> Result<ServerStore> {
        Ok(ServerStore::open(
            &self.settings.state,
            self.client()?,
            self.limits(),
        )?)
    }

    fn client(&self) -> Result<FhirClient> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = ConnectedStore::new(&self.settings, &self.around)?.client()?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    fn limits(&self) -> ServerSettings {
        let mut limits = ServerSettings::default();
        let own = &self.settings;
        if let Some(writes) = own.bundle_writes {
            limits = limits.bundle_writes(writes as usize);
        }
        if let Some(bytes) = own.bundle_bytes {
            limits = limits.bundle_bytes(bytes as usize);
        }
        if let Some(requests) = own.concurrency {
            limits = limits.concurrency(requests as usize);
        }
        limits
    }
}

impl StoreAccess for FhirServer {
    fn open(&self) -> Result<Box<dyn Store>> {
        Ok(Box::new(self.server_store()?))
    }

    fn read(&self) -> Result<Box<dyn Store>> {
        let state = &self.settings.state;
        let store = ServerStore::open_read_only(state, self.client()?, self.limits())?;
        Ok(Box::new(store))
    }

    fn file(&self) -> &Path {
        &self.settings.state
    }

    fn is_file(&self) -> bool {
        false
    }
}

impl std::fmt::Debug for FhirServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FhirServer")
            .field("base", &self.settings.base)
            .field("state", &self.settings.state)
            .finish_non_exhaustive()
    }
}
