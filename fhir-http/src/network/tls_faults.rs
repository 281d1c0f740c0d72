//! What is wrong with a server's TLS, in words for those who run it.

use std::error::Error;
use std::io;

use rustls::{CertificateError, Error as TlsError};

type BoxError = Box<dyn Error + Send + Sync>;

/// The fault in an error of `ureq`, or the error itself.
pub(super) fn told(error: ureq::Error) -> BoxError {
    let plain = match &error {
        ureq::Error::Rustls(fault) => plain(fault),
        ureq::Error::TlsRequired => Some("the server does not speak TLS at this port"),
        _ => None,
    };
    plain.map_or_else(|| error.into(), Into::into)
}

/// The same of an I/O error that holds one of TLS.
pub(super) fn told_io(error: io::Error) -> BoxError {
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref());
    let plain = fault.and_then(plain);
    plain.map_or_else(|| error.into(), Into::into)
}

/// Those that somebody can do something about; texts of the library are for
/// programmers.
fn plain(fault: &TlsError) -> Option<&'static str> {
    use CertificateError as C;

    let TlsError::InvalidCertificate(fault) = fault else {
        return match fault {
            TlsError::InvalidMessage(_) => Some("the server does not speak TLS at this port"),
            _ => None,
        };
    };
    Some(match fault {
        C::Expired | C::ExpiredContext { .. } => {
            "the server's certificate has expired, or the clock here is wrong"
        }
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet, or the clock here is wrong"
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            "the server's certificate is for another host name"
        }
        C::UnknownIssuer => {
            "the server's certificate is from an authority that is not trusted here: add that of a private one"
        }
        C::BadSignature => {
            "the server's certificate is from an authority with the name of one that is trusted here, and another key: has that been renewed?"
        }
        C::Revoked => "the server's certificate was revoked",
        // The library has no variant for it.
        C::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the server shows the certificate of an authority as its own"
        }
        _ => return None,
    })
}
