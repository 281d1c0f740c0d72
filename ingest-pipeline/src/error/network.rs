use std::error::Error as StdError;

use super::{Error, ErrorKind};

/// The kind of a fault of the network, of a server, or of what we show it.
pub(super) fn kind(error: &Error) -> ErrorKind {
    match error {
        Error::File { .. } | Error::SigningKey { .. } | Error::KeyRing { .. } => {
            ErrorKind::Configuration
        }
        Error::Header { .. } => ErrorKind::Configuration,
        Error::NoJob { .. } => ErrorKind::Usage,
        Error::LeaseLost { .. } => ErrorKind::Running,
        Error::Interrupted => ErrorKind::Interrupted,
        Error::Auth(error) => auth(error),
        Error::Http(error) => http(error),
        Error::Export(error) => export(error),
        _ => ErrorKind::Other,
    }
}

fn auth(error: &smart_auth::Error) -> ErrorKind {
    use smart_auth::Error as E;
    match error {
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

fn http(error: &fhir_http::Error) -> ErrorKind {
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
        E::Url { .. } => ErrorKind::Configuration,
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
        E::Unreachable { source, .. } => match source {
            Some(error) => http(error),
            None => ErrorKind::Server,
        },
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
    // Wherever it is in the chain, the refusal of a token tells the most.
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<smart_auth::Error>()
            && let Some(hint) = error.hint()
        {
            return Some(hint);
        }
        if let Some(fhir_http::Error::Authorize { source, .. }) = error.downcast_ref()
            && let Some(error) = source.downcast_ref::<smart_auth::Error>()
            && let Some(hint) = error.hint()
        {
            return Some(hint);
        }
        cause = error.source();
    }
    let hint = match error {
        Error::KeyRing { .. } => {
            "name a private key in the configuration: signing_key = { file = \"client.pem\" }"
        }
        Error::NoJob { .. } => "start one with: ingest bulk CONNECTION",
        Error::LeaseLost { .. } => "look at the other run with: ingest status",
        Error::Export(fhir_bulk::Error::JobGone { .. }) => {
            "run the command again: it starts a new export"
        }
        Error::Export(fhir_bulk::Error::AlreadyRunning { .. }) => {
            "wait until the server has ended the other export, or cancel it: ingest bulk CONNECTION --cancel"
        }
        Error::Export(error) if error.is_transient() => {
            "run the command again: it goes on with the same export"
        }
        Error::Http(fhir_http::Error::Transport { .. }) => {
            "check the address, the network and the proxy; for a private CA set http.ca_file"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}
