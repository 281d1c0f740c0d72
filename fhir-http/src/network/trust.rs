//! Certificates and keys, checked before `ureq` meets them: it passes over
//! roots that can't be parsed, and panics on a key that doesn't fit.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts};

use super::{Roots, UreqConfig};
use crate::{Error, Result};

pub(super) fn roots(config: &UreqConfig) -> Result<RootCerts> {
    const EXTRA: &str = "a certificate to trust";
    let mut extra = Vec::new();
    for pem in &config.extra_roots {
        for (index, der) in certificates(EXTRA, pem)?.into_iter().enumerate() {
            RootCertStore::empty()
                .add(der.clone())
                .map_err(|_| Error::Setting {
                    what: EXTRA,
                    problem: format!("number {} in its PEM is no X.509 certificate", index + 1),
                })?;
            extra.push(der);
        }
    }
    let mut all = match config.roots {
        Roots::System => system(),
        Roots::Mozilla | Roots::None => Vec::new(),
    };
    match config.roots {
        Roots::System if all.is_empty() && extra.is_empty() => return Ok(RootCerts::WebPki),
        Roots::Mozilla if extra.is_empty() => return Ok(RootCerts::WebPki),
        Roots::Mozilla => {
            let problem = "Mozilla's list can't be joined with others, use the system's or none";
            return Err(Error::Setting {
                what: EXTRA,
                problem: problem.to_owned(),
            });
        }
        Roots::System | Roots::None => all.append(&mut extra),
    }
    Ok(all
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .into())
}

pub(super) fn client_certificate(config: &UreqConfig) -> Result<Option<ClientCert>> {
    const CHAIN: &str = "the client certificate";
    const KEY: &str = "the key of the client certificate";
    let Some((chain_pem, key_pem)) = &config.identity else {
        return Ok(None);
    };
    let fail = |what, problem: &str| Error::Setting {
        what,
        problem: problem.to_owned(),
    };
    let chain = certificates(CHAIN, chain_pem)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| {
        fail(
            KEY,
            &format!("it is no PEM of a private key: {}", why(&error)),
        )
    })?;
    check_pair(&chain, key)
        .map_err(|_| fail(KEY, "it is of an unknown kind, or not the certificate's"))?;
    let key = PrivateKey::from_pem(key_pem).map_err(|_| fail(KEY, "it can't be read"))?;
    let chain: Vec<_> = chain
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    Ok(Some(ClientCert::new_with_certs(&chain, key)))
}

fn check_pair(
    chain: &[CertificateDer<'static>],
    key: PrivateKeyDer<'static>,
) -> std::result::Result<(), rustls::Error> {
    // Named in code: a process-wide provider is the application's to install.
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_client_auth_cert(chain.to_vec(), key)?;
    Ok(())
}

/// The operating system's roots, as far as they can be read.
fn system() -> Vec<CertificateDer<'static>> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        tracing::warn!(
            faults = found.errors.len(),
            "the system has no root certificates"
        );
    }
    found.certs
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let mut certificates = Vec::new();
    for (index, item) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let certificate = item.map_err(|error| Error::Setting {
            what,
            problem: format!("number {} in its PEM: {}", index + 1, why(&error)),
        })?;
        certificates.push(certificate);
    }
    if certificates.is_empty() {
        return Err(Error::Setting {
            what,
            problem: "its PEM holds no certificate".to_owned(),
        });
    }
    Ok(certificates)
}

/// In our own words: theirs hold lines of the file.
const fn why(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "its END line is missing",
        pem::Error::IllegalSectionStart { .. } => "its BEGIN line is malformed",
        pem::Error::Base64Decode(_) => "it is not base64",
        pem::Error::NoItemsFound => "there is none",
        _ => "it can't be read",
    }
}
