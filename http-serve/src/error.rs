use std::io;
use std::net::SocketAddr;

/// What a function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a server can't be started, or a certificate not be used. Nothing that
/// happens to a connection later is an error of the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address can't be listened on.
    #[error("can't listen on {address}: is it in use, or not of this machine?")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A member of [`Limits`](crate::Limits) that would serve nobody.
    #[error("the limit `{limit}` is out of range: {allowed}")]
    Limit {
        /// Its name.
        limit: &'static str,
        /// The values it may have.
        allowed: &'static str,
    },
    /// No thread or no timer could be had from the system.
    #[error("can't start the server's thread")]
    Start(#[source] io::Error),
    /// The text of a certificate chain can't be read.
    #[cfg(feature = "tls")]
    #[error("certificate {index} of the chain is not readable as PEM (counted from 1)")]
    Certificate {
        /// Which, counted from 1.
        index: usize,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A certificate chain without a certificate.
    #[cfg(feature = "tls")]
    #[error("no certificate in the chain: it should be PEM, the server's own certificate first")]
    NoCertificate,
    /// No private key. Why is not said, since that could show parts of the key.
    #[cfg(feature = "tls")]
    #[error("no private key: it should be PEM and not encrypted (PKCS #8, PKCS #1 or SEC 1)")]
    PrivateKey,
    /// Certificate and key can't be used with each other, or not at all.
    #[cfg(feature = "tls")]
    #[error("the certificate can't be used with this private key: are they of one pair?")]
    KeyPair(#[source] Box<dyn std::error::Error + Send + Sync>),
}
