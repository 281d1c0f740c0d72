//! The key ring of a tenant: where it is, what opens it, and the signer that
//! follows its rotations.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fhir_http::{BoxError, Clock};
use jwks_publisher::{Algorithm, DirectoryStore, RingSecret, RingSigner, Secret};
use smart_auth::{Signer, Signers};

use crate::config::Tenant;
use crate::{Error, Result};

/// The variable with the passphrase that opens a key ring, for tenants without
/// a `key_file`.
pub const PASSPHRASE: &str = "INGEST_KEY_PASSPHRASE";

/// Opens the key ring of a tenant. Without a passphrase and a key file its
/// public part can be read. `env` looks an environment variable up.
///
/// # Errors
/// A tenant without a ring; a key file that others can read, or that is none;
/// a passphrase that is too short.
pub fn ring(tenant: &Tenant, env: fn(&str) -> Option<String>) -> Result<DirectoryStore> {
    let folder = tenant.keys.as_deref().ok_or(Error::NoRing)?;
    open(folder, tenant.key_file.as_deref(), env)
}

/// The public part of the key ring of a tenant, for which no secret is looked at.
///
/// # Errors
/// A tenant without a ring.
pub fn public_ring(tenant: &Tenant) -> Result<DirectoryStore> {
    let folder = tenant.keys.as_deref().ok_or(Error::NoRing)?;
    Ok(DirectoryStore::new(folder, None))
}

pub(crate) fn open(
    folder: &Path,
    key_file: Option<&Path>,
    env: fn(&str) -> Option<String>,
) -> Result<DirectoryStore> {
    let secret = match key_file {
        Some(path) => Some(key_file_of(path)?),
        None => env(PASSPHRASE)
            .map(Secret::new)
            .map(RingSecret::passphrase)
            .transpose()?,
    };
    Ok(DirectoryStore::new(folder, secret))
}

fn key_file_of(path: &Path) -> Result<RingSecret> {
    let fail = |path: &Path| {
        let path: PathBuf = path.to_owned();
        move |source| Error::File { path, source }
    };
    #[cfg(unix)]
    {
        let metadata = path.metadata().map_err(fail(path))?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o077 != 0 {
            return Err(Error::KeyFileMode {
                path: path.to_owned(),
                mode: mode & 0o7777,
            });
        }
    }
    let text = std::fs::read_to_string(path).map_err(fail(path))?;
    Ok(RingSecret::key_file(&Secret::new(text))?)
}

/// Signs with what is active in a ring, looked up for every assertion.
pub(crate) struct ActiveKey {
    ring: RingSigner,
    clock: Arc<dyn Clock>,
}

impl ActiveKey {
    pub(crate) fn new(
        store: DirectoryStore,
        algorithms: Vec<Algorithm>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            ring: RingSigner::new(Arc::new(store), algorithms),
            clock,
        }
    }
}

impl Signers for ActiveKey {
    fn active(&self) -> std::result::Result<Arc<dyn Signer>, BoxError> {
        Ok(self.ring.active(self.clock.now())?)
    }
}
