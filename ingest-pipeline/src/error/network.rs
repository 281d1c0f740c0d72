use super::{Error, ErrorKind};

// Boxed, since they are several times as large as the others.

impl From<fhir_http::Error> for Error {
    fn from(error: fhir_http::Error) -> Self {
        Self::Http(Box::new(error))
    }
}

impl From<jwks_publisher::Error> for Error {
    fn from(error: jwks_publisher::Error) -> Self {
        Self::KeyRing(Box::new(error))
    }
}

impl From<fhir_bulk::Error> for Error {
    fn from(error: fhir_bulk::Error) -> Self {
        Self::Export(Box::new(error))
    }
}

/// The kind of a fault of the network, of a server, or of what we show it.
pub(super) fn kind(error: &Error) -> ErrorKind {
    match error {
        Error::File { .. }
        | Error::SigningKey { .. }
        | Error::NoRing
        | Error::KeyFileMode { .. }
        | Error::Certificates { .. }
        | Error::Header { .. } => ErrorKind::Configuration,
        Error::KeyRing(error) => ring(error),
        Error::NoJob { .. } => ErrorKind::Usage,
        Error::LeaseLost { .. } => ErrorKind::Running,
        Error::Interrupted => ErrorKind::Interrupted,
        Error::Auth(error) => auth(error),
        Error::Http(error) => http(error),
        Error::Export(error) => export(error),
        _ => ErrorKind::Other,
    }
}

fn ring(error: &jwks_publisher::Error) -> ErrorKind {
    use jwks_publisher::Error as E;
    match error {
        // What was asked for does not fit the state of the ring.
        E::Occupied { .. }
        | E::Duplicate { .. }
        | E::Pending { .. }
        | E::NoSuchKey { .. }
        | E::LastKey { .. }
        | E::Time => ErrorKind::Usage,
        _ => ErrorKind::Configuration,
    }
}

fn auth(error: &smart_auth::Error) -> ErrorKind {
    use smart_auth::Error as E;
    match error {
        E::Sign { source } => match source.downcast_ref() {
            Some(error) => ring(error),
            None => ErrorKind::Authentication,
        },
        E::Http { source, .. } => match http(source) {
            // A token endpoint that fails is one that gives no token.
            ErrorKind::Server => ErrorKind::Authentication,
            kind => kind,
        },
        E::Url { .. } | E::Key { .. } | E::Scope(_) | E::Setup { .. } => ErrorKind::Configuration,
        E::Interrupted => ErrorKind::Interrupted,
        _ => ErrorKind::Authentication,
    }
}

pub(crate) fn http(error: &fhir_http::Error) -> ErrorKind {
    use fhir_http::Error as E;
    match error {
        E::Authorize { source, .. } => match source.downcast_ref::<smart_auth::Error>() {
            Some(error) => auth(error),
            None => ErrorKind::Authentication,
        },
        E::Status { status, .. } if status.as_u16() == 401 => ErrorKind::Authentication,
        E::Status { .. } | E::Unexpected { .. } | E::TooLong { .. } | E::Redirect { .. } => {
            ErrorKind::Server
        }
        E::Url { .. } | E::Setting { .. } => ErrorKind::Configuration,
        E::Interrupted => ErrorKind::Interrupted,
        _ => ErrorKind::Network,
    }
}

fn export(error: &fhir_bulk::Error) -> ErrorKind {
    use fhir_bulk::Error as E;
    match error {
        E::Http(error) => http(error),
        E::FileRequest { source, .. } => http(source),
        E::Refused { status: 401, .. } | E::Failed { status: 401, .. } => ErrorKind::Authentication,
        E::Unreachable {
            source: Some(error),
            ..
        } => http(error),
        E::Truncated { .. } => ErrorKind::Network,
        E::Disk { .. } => ErrorKind::Store,
        E::Event(source) => match source.downcast_ref::<Error>() {
            Some(error) => error.kind(),
            None => ErrorKind::Store,
        },
        E::Request(_) | E::Instant(_) | E::Url { .. } => ErrorKind::Configuration,
        E::Interrupted => ErrorKind::Interrupted,
        _ => ErrorKind::Server,
    }
}

pub(super) fn hint(error: &Error) -> Option<String> {
    // The refusal of a token tells the most, wherever it came up.
    if let Some(error) = refusal(error) {
        return error.hint().or_else(|| match error {
            smart_auth::Error::Sign { source } => source.downcast_ref().and_then(ring_hint),
            smart_auth::Error::Http { source, .. } => http_hint(source).map(str::to_owned),
            _ => None,
        });
    }
    let hint = match error {
        Error::KeyRing(error) => return ring_hint(error),
        Error::File { .. } => {
            "check the path and that this user may read it; one in the configuration is relative to its file"
        }
        Error::NoRing => {
            "set `keys` of the tenant to a folder, and make a key: ingest keys generate"
        }
        Error::KeyFileMode { .. } => {
            "set its mode to 0600, and change the key if others may have read it"
        }
        Error::Certificates { .. } => {
            "it takes PEM, with lines such as -----BEGIN CERTIFICATE-----; openssl x509 -inform der makes it of DER"
        }
        Error::NoJob { .. } => "start one with: ingest bulk CONNECTION",
        Error::LeaseLost { .. } => "look at the other run with: ingest status",
        Error::Export(error) => return export_hint(error).map(str::to_owned),
        Error::Http(error) => return http_hint(error).map(str::to_owned),
        _ => return None,
    };
    Some(hint.to_owned())
}

fn ring_hint(error: &jwks_publisher::Error) -> Option<String> {
    use jwks_publisher::Error as E;
    let hint = match error {
        E::NoActiveKey { .. } => "make one: ingest keys generate",
        E::Occupied { .. } => "ingest keys rotate",
        E::LastKey { .. } => {
            "ingest keys rotate --grace 0 makes a new one and drops the old one at once"
        }
        E::NoSecret { .. } => {
            "set INGEST_KEY_PASSPHRASE, or `key_file` of the tenant to a file of mode 0600 with 64 hexadecimal digits (openssl rand -hex 32)"
        }
        E::NoSuchKey { .. } => "ingest keys list shows those there are",
        E::WrongSecret { .. } => {
            "compare INGEST_KEY_PASSPHRASE, or the `key_file` of the tenant, with what the ring was made with; a damaged ring comes back from a backup"
        }
        E::OtherSecret { .. } => {
            "a passphrase is taken from INGEST_KEY_PASSPHRASE, a key from the `key_file` of the tenant"
        }
        E::Plain { .. } => "give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn export_hint(error: &fhir_bulk::Error) -> Option<&'static str> {
    use fhir_bulk::Error as E;
    match error {
        E::Http(error) => http_hint(error),
        E::Deadline { .. } => Some(
            "raise bulk.deadline of the connection, or give the export up: ingest bulk CONNECTION --cancel",
        ),
        E::JobGone { .. } => Some("run the command again: it starts a new export"),
        E::AlreadyRunning { .. } => Some(
            "wait until the server has ended the other export, or cancel it: ingest bulk CONNECTION --cancel",
        ),
        E::Failed { status: 403, .. } | E::Refused { status: 403, .. } => Some(
            "the token's scopes are too narrow for it: ingest test CONNECTION shows what was granted",
        ),
        E::Refused { .. } => Some(
            "check level, group, types and type filters of the connection against what the server exports",
        ),
        error if error.is_transient() => {
            Some("run the command again: it goes on with the same export")
        }
        _ => None,
    }
}

const fn http_hint(error: &fhir_http::Error) -> Option<&'static str> {
    match error {
        fhir_http::Error::Transport {
            source: fhir_http::TransportError::Tls(_),
            ..
        } => Some(
            "check the address, the server's certificate and the clock here; the certificate of a private CA has to be in http.ca_file",
        ),
        fhir_http::Error::Transport { .. } => Some("check the address, the network and the proxy"),
        _ => None,
    }
}

fn refusal(error: &Error) -> Option<&smart_auth::Error> {
    let http = match error {
        Error::Auth(error) => return Some(error),
        Error::Http(error) => error,
        Error::Export(error) => match &**error {
            fhir_bulk::Error::Http(error) => error,
            fhir_bulk::Error::FileRequest { source, .. } => source,
            fhir_bulk::Error::Unreachable {
                source: Some(error),
                ..
            } => error,
            _ => return None,
        },
        _ => return None,
    };
    match http {
        fhir_http::Error::Authorize { source, .. } => source.downcast_ref(),
        _ => None,
    }
}
