use std::io;
use std::net::SocketAddr;

/// What a function of this module returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a listener can't be started, or a certificate not be used. Nothing that
/// happens to a connection later is an error of the listener.
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
    /// A member of [`Limits`](super::Limits) that would serve nobody.
    #[error("the limit `{limit}` is out of range: it has to be more than 0")]
    Limit {
        /// Its name.
        limit: &'static str,
    },
    /// No thread could be had from the system.
    #[error("can't start the listener's thread")]
    Start(#[source] io::Error),
    /// A certificate can't be read.
    #[error("certificate {index} of {what} is not readable as PEM (counted from 1)")]
    Certificate {
        /// The chain or the authorities.
        what: &'static str,
        /// Which, counted from 1.
        index: usize,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A text without a certificate.
    #[error("there is no certificate in {what}: it should be PEM")]
    NoCertificate {
        /// The chain or the authorities.
        what: &'static str,
    },
    /// No private key. Why is not said, since that could show parts of the key.
    #[error("no private key: it should be PEM and not encrypted (PKCS #8, PKCS #1 or SEC 1)")]
    PrivateKey,
    /// Certificate and key can't be used with each other, or not at all.
    #[error("the certificate can't be used with this private key: are they of one pair?")]
    KeyPair(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Certificates that can't be the authorities of clients.
    #[error("the authorities of client certificates can't be used: are they of an authority?")]
    Authorities(#[source] Box<dyn std::error::Error + Send + Sync>),
}
