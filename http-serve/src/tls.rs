use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::{Error, Result};

/// The certificate chain and the private key of a server. Clones are handles
/// of the same pair, so that it can be replaced while a server runs.
#[derive(Clone)]
pub struct Certificates(Arc<RwLock<Arc<ServerConfig>>>);

impl Certificates {
    /// A chain in PEM, the server's own certificate first, and its private key
    /// in PEM (PKCS #8, PKCS #1 or SEC 1).
    ///
    /// # Errors
    /// [`Error::Certificate`], [`Error::NoCertificate`], [`Error::PrivateKey`],
    /// and [`Error::KeyPair`] when the two don't belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self> {
        Ok(Self(Arc::new(RwLock::new(configure(chain, key)?))))
    }

    /// Takes another pair for all connections that are accepted from now on.
    /// Those that are open stay.
    ///
    /// # Errors
    /// Those of [`Certificates::from_pem`]; the pair in use stays in use then.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<()> {
        let config = configure(chain, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let config = self.0.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }
}

/// By hand: there is a private key inside.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates(…)")
    }
}

fn configure(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>> {
    let chain = (1..)
        .zip(CertificateDer::pem_slice_iter(chain))
        .map(|(index, certificate)| {
            certificate.map_err(|source| Error::Certificate {
                index,
                source: source.into(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    if chain.is_empty() {
        return Err(Error::NoCertificate);
    }
    // The error of the reader may hold a line of the key.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Error::PrivateKey)?;
    // The provider is named: a process-wide one is the application's to install.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::KeyPair(source.into()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|source| Error::KeyPair(source.into()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
