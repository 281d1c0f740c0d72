//! What `ureq` reports, in this crate's terms and without its texts where
//! those may hold an address.

use std::io;

use ureq::{Error, Timeout};

use super::tls_faults;
use crate::TransportError;

pub(super) fn transport(error: Error) -> TransportError {
    match error {
        Error::Timeout(timeout) => TransportError::Timeout(phase(timeout)),
        Error::HostNotFound => TransportError::Resolve("it has no address".into()),
        Error::Io(error) => from_io(error),
        Error::Tls(_) | Error::Pem(_) | Error::Rustls(_) | Error::TlsRequired => {
            TransportError::Tls(tls_faults::told(error))
        }
        Error::ConnectionFailed => TransportError::Connect("no address answers".into()),
        Error::ConnectProxyFailed(_) => TransportError::Connect("the proxy refuses".into()),
        Error::Http(_) => TransportError::Refused("the request is no valid HTTP"),
        Error::BadUri(_) => TransportError::Refused("its address can't be used"),
        Error::LargeResponseHeader(..) => TransportError::Protocol("its head is too long".into()),
        Error::Protocol(error) => TransportError::Protocol(protocol(&error).into()),
        _ => TransportError::Protocol("it can't be read".into()),
    }
}

pub(super) fn body(error: io::Error) -> io::Error {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        Some(Error::Timeout(_)) => io::Error::new(
            io::ErrorKind::TimedOut,
            "no byte came within the time limit",
        ),
        Some(Error::Protocol(error)) => io::Error::new(io::ErrorKind::InvalidData, protocol(error)),
        Some(_) => io::Error::new(io::ErrorKind::InvalidData, "it can't be read"),
        None => error,
    }
}

fn from_io(error: io::Error) -> TransportError {
    if error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
    {
        return TransportError::Tls(tls_faults::told_io(error));
    }
    if error.kind() == io::ErrorKind::TimedOut {
        return TransportError::Timeout("the network gave up");
    }
    if is_look_up(&error) {
        return TransportError::Resolve(error.into());
    }
    TransportError::Connect(error.into())
}

/// The standard library has no kind for failed look-ups: on Unix only the
/// text tells, on Windows the codes from WSAHOST_NOT_FOUND to WSANO_DATA.
fn is_look_up(error: &io::Error) -> bool {
    match error.raw_os_error() {
        Some(code) => cfg!(windows) && (11001..=11004).contains(&code),
        None => error.to_string().starts_with("failed to lookup address"),
    }
}

/// Only the fault, not the header that it may quote.
fn protocol(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.split_once(": ")
        .map_or_else(|| text.clone(), |(fault, _)| fault.to_owned())
}

const fn phase(timeout: Timeout) -> &'static str {
    match timeout {
        Timeout::Resolve => "looking the name up",
        Timeout::Connect => "connecting",
        Timeout::SendRequest | Timeout::SendBody | Timeout::PerWrite => "sending the request",
        Timeout::RecvResponse => "waiting for the response",
        Timeout::PerRead => "no byte came",
        _ => "the exchange took too long",
    }
}
