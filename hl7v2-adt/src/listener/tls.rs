use std::fmt;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Error, Result};

/// The certificate chain and the private key of a listener, and whose clients
/// it takes. TLS 1.2 and 1.3. Clones are handles of the same, so that it can be
/// replaced while a listener runs.
#[derive(Clone)]
pub struct Certificates(Arc<RwLock<Arc<ServerConfig>>>);

/// Whether clients have to show a certificate. The texts are PEM: the
/// certificates of the authorities that may have signed it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Clients<'a> {
    /// They are not asked for one.
    Anonymous,
    /// One that is shown has to be good.
    Optional(&'a [u8]),
    /// No handshake succeeds without one.
    Required(&'a [u8]),
}

impl Certificates {
    /// A chain in PEM, the listener's own certificate first, and its private
    /// key in PEM (PKCS #8, PKCS #1 or SEC 1).
    ///
    /// # Errors
    /// [`Error::Certificate`], [`Error::NoCertificate`], [`Error::PrivateKey`],
    /// [`Error::KeyPair`] when chain and key don't belong together, and
    /// [`Error::Authorities`].
    pub fn from_pem(chain: &[u8], key: &[u8], clients: Clients<'_>) -> Result<Self> {
        let config = configure(chain, key, clients)?;
        Ok(Self(Arc::new(RwLock::new(config))))
    }

    /// Takes others for all connections that are accepted from now on. Those
    /// that are open stay.
    ///
    /// # Errors
    /// Those of [`Certificates::from_pem`]; what is in use stays in use then.
    pub fn replace(&self, chain: &[u8], key: &[u8], clients: Clients<'_>) -> Result<()> {
        let config = configure(chain, key, clients)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// By hand: there is a private key inside.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates(…)")
    }
}

fn configure(chain: &[u8], key: &[u8], clients: Clients<'_>) -> Result<Arc<ServerConfig>> {
    // The provider is named: a process-wide one is the application's to install.
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(chain, "the chain")?;
    // The error of the reader may hold a line of the key.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Error::PrivateKey)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::KeyPair(source.into()))?;
    let builder = match clients {
        Clients::Anonymous => builder.with_no_client_auth(),
        Clients::Optional(authorities) => {
            builder.with_client_cert_verifier(verifier(authorities, false, provider)?)
        }
        Clients::Required(authorities) => {
            builder.with_client_cert_verifier(verifier(authorities, true, provider)?)
        }
    };
    let config = builder
        .with_single_cert(chain, key)
        .map_err(|source| Error::KeyPair(source.into()))?;
    Ok(Arc::new(config))
}

fn verifier(
    authorities: &[u8],
    required: bool,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(authorities, "the authorities of clients")? {
        roots
            .add(authority)
            .map_err(|source| Error::Authorities(source.into()))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if !required {
        builder = builder.allow_unauthenticated();
    }
    builder
        .build()
        .map_err(|source| Error::Authorities(source.into()))
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = (1..)
        .zip(CertificateDer::pem_slice_iter(pem))
        .map(|(index, certificate)| {
            certificate.map_err(|source| Error::Certificate {
                what,
                index,
                source: source.into(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    if certificates.is_empty() {
        return Err(Error::NoCertificate { what });
    }
    Ok(certificates)
}

/// SHA-256 in lower-case hex, by the hash function of a cipher suite.
pub(super) fn fingerprint(der: &[u8]) -> String {
    let common = match ring::cipher_suite::TLS13_AES_128_GCM_SHA256 {
        SupportedCipherSuite::Tls13(suite) => &suite.common,
        SupportedCipherSuite::Tls12(suite) => &suite.common,
    };
    let mut text = String::with_capacity(64);
    for byte in common.hash_provider.hash(der).as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_sha_256() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(fingerprint(b"abc"), expected);
    }
}
