//! `[store]`: an SQLite file, or a FHIR server that is written to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::resolve::{self, trimmed};
use super::{
    Algorithm, Auth, ConfigError, Http, HttpSettings, ScopeSyntax, Secret, SecretMethod,
    SigningKey, Tenant, check, time,
};
use crate::vendor::Profile;

/// `[store]`
///
/// All keys but `sqlite` are for a FHIR server. It is a system of one's own
/// that resources are written to, with credentials of its own; EHRs are never
/// written to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// An SQLite file.
    pub sqlite: Option<PathBuf>,
    /// A FHIR server's base URL.
    pub fhir: Option<String>,
    /// SQLite file with what is known of the server's resources: hashes,
    /// versions, runs, the quarantine, and what is under way. Without it,
    /// `fhir-store.db` beside the state database, or beside the configuration.
    pub state: Option<PathBuf>,
    /// The tenant whose key ring signs; may be left out where there is one
    /// tenant, or a key or secret.
    pub tenant: Option<String>,
    /// Token endpoint, where it is not to be discovered.
    pub token_endpoint: Option<String>,
    /// Client id under which this client is registered. Without one, requests
    /// are sent without a token.
    pub client_id: Option<String>,
    /// Private key that signs client assertions, instead of the key ring.
    pub signing_key: Option<SigningKey>,
    /// Client secret, instead of a key.
    pub client_secret: Option<Secret>,
    /// How the secret is sent.
    pub client_secret_method: Option<SecretMethod>,
    /// Signature algorithms, the preferred one first, where the key ring has
    /// keys of several.
    pub algorithms: Option<Vec<Algorithm>>,
    /// Scopes that are asked for, one an entry; without them, those to read
    /// and write everything.
    pub scopes: Option<Vec<String>>,
    /// How scopes are written that are not listed; `v2` without it.
    pub scope_syntax: Option<ScopeSyntax>,
    /// Lifetime of a token whose response doesn't say it.
    #[serde(default, deserialize_with = "time::optional")]
    pub token_lifetime: Option<Duration>,
    /// Writes in a Bundle, at most.
    pub bundle_writes: Option<u32>,
    /// Bytes of a Bundle, at most.
    pub bundle_bytes: Option<u32>,
    /// Requests at the same time, at most.
    pub concurrency: Option<u32>,
    /// Every request.
    #[serde(default)]
    pub http: Http,
}

/// A FHIR server that is the store, ready for use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreServer {
    /// FHIR base URL, without a slash at the end.
    pub base: String,
    /// The file with what is known of its resources.
    pub state: PathBuf,
    /// Token endpoint, where it is not to be discovered.
    pub token_endpoint: Option<String>,
    /// How the client proves who it is.
    pub auth: Auth,
    /// Scopes to ask for. They let us write.
    pub scopes: Vec<String>,
    /// Lifetime of a token whose response doesn't say it.
    pub token_lifetime: Option<Duration>,
    /// Every request.
    pub http: HttpSettings,
    /// Writes in a Bundle, at most.
    pub bundle_writes: Option<u32>,
    /// Bytes of a Bundle, at most.
    pub bundle_bytes: Option<u32>,
    /// Requests at the same time, at most.
    pub concurrency: Option<u32>,
}

impl Store {
    /// What it comes to where it is a FHIR server. It was checked.
    pub(super) fn server(
        &self,
        tenant: Option<&Tenant>,
    ) -> Result<Option<StoreServer>, ConfigError> {
        let Some(base) = &self.fhir else {
            return Ok(None);
        };
        let profile = Profile::generic();
        let none = Tenant::default();
        let tenant = tenant.unwrap_or(&none);
        Ok(Some(StoreServer {
            base: trimmed(base),
            state: self.state.clone().unwrap_or_else(|| FILE.into()),
            token_endpoint: self.token_endpoint.clone(),
            auth: resolve::auth(&self.credentials(), tenant, profile)?,
            scopes: self.scopes(),
            token_lifetime: self.token_lifetime.or(profile.token_lifetime),
            http: resolve::http(&self.http, self.client_id.as_deref(), profile),
            bundle_writes: self.bundle_writes,
            bundle_bytes: self.bundle_bytes,
            concurrency: self.concurrency,
        }))
    }

    fn scopes(&self) -> Vec<String> {
        let all: &[&str] = match (&self.scopes, self.scope_syntax) {
            (Some(scopes), _) => return scopes.clone(),
            (None, Some(ScopeSyntax::V1)) => &["system/*.read", "system/*.write"],
            (None, _) => &["system/*.cruds"],
        };
        all.iter().map(|&scope| scope.to_owned()).collect()
    }

    pub(super) fn credentials(&self) -> check::Credentials<'_> {
        check::Credentials {
            client_id: self.client_id.as_deref(),
            signing_key: self.signing_key.as_ref(),
            client_secret: self.client_secret.as_ref(),
            client_secret_method: self.client_secret_method,
            algorithms: self.algorithms.as_deref(),
        }
    }

    /// Whether a key ring is all that proves who the client is.
    pub(super) const fn needs_ring(&self) -> bool {
        self.fhir.is_some()
            && self.client_id.is_some()
            && self.signing_key.is_none()
            && self.client_secret.is_none()
    }

    /// A key that is set and makes sense for a FHIR server only.
    pub(super) fn first_of_server(&self) -> Option<&'static str> {
        let keys = [
            ("state", self.state.is_some()),
            ("tenant", self.tenant.is_some()),
            ("token_endpoint", self.token_endpoint.is_some()),
            ("client_id", self.client_id.is_some()),
            ("signing_key", self.signing_key.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("client_secret_method", self.client_secret_method.is_some()),
            ("algorithms", self.algorithms.is_some()),
            ("scopes", self.scopes.is_some()),
            ("scope_syntax", self.scope_syntax.is_some()),
            ("token_lifetime", self.token_lifetime.is_some()),
            ("bundle_writes", self.bundle_writes.is_some()),
            ("bundle_bytes", self.bundle_bytes.is_some()),
            ("concurrency", self.concurrency.is_some()),
            ("http", self.http != Http::default()),
        ];
        keys.into_iter().find(|(_, set)| *set).map(|(key, _)| key)
    }

    /// Fills in where the file is, where that is not said.
    pub(super) fn set_state(&mut self, state_database: Option<&Path>, folder: &Path) {
        if self.fhir.is_none() || self.state.is_some() {
            return;
        }
        let beside = state_database.and_then(Path::parent).unwrap_or(folder);
        self.state = Some(beside.join(FILE));
    }

    pub(super) fn paths(&mut self, change: &mut dyn FnMut(&mut PathBuf)) {
        self.sqlite.iter_mut().for_each(&mut *change);
        self.state.iter_mut().for_each(&mut *change);
        if let Some(key) = &mut self.signing_key {
            change(&mut key.file);
        }
        if let Some(secret) = &mut self.client_secret {
            secret.path(change);
        }
        self.http.paths(change);
    }
}

/// What the file is called where that is not said.
const FILE: &str = "fhir-store.db";
