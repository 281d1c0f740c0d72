use std::fmt;
use std::path::PathBuf;

use fhir_http::RetryPolicy;

use crate::{Error, ErrorKind};

/// Why a patient can't be fetched. No text names the patient.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The server has no such patient.
    #[error("{host} has no patient with this {by}")]
    NoPatient {
        /// Host and port.
        host: String,
        /// What was looked for: `id` or `identifier`.
        by: &'static str,
    },
    /// The server has several patients that can be meant.
    #[error("{host} has {patients} active patients with this identifier")]
    Ambiguous {
        /// Host and port.
        host: String,
        /// How many.
        patients: usize,
    },
    /// Patients replace one another in a circle, or on and on.
    #[error("at {host}, the links from this patient to who has replaced it lead nowhere")]
    Links {
        /// Host and port.
        host: String,
    },
    /// The server passes over a search parameter, and so gives what was not
    /// asked for.
    #[error("{host} passes over the parameter {parameter} of {resource_type}")]
    Unfiltered {
        /// Host and port.
        host: String,
        /// The type that was searched for.
        resource_type: String,
        /// The parameter.
        parameter: &'static str,
    },
    /// The server can't be reached, or refuses.
    #[error(transparent)]
    Http(Box<fhir_http::Error>),
    /// The store could not tell what it has.
    #[error(transparent)]
    Store(Box<Error>),
    /// The temporary file failed.
    #[error("cannot use a temporary file in {}: is the disk full?", folder.display())]
    Spool {
        /// Where the file is.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl FetchError {
    /// Whether another try may help: the network, a server that is busy or
    /// fails or gives a page of HTML for a while, the store, the disk, and
    /// also when it was asked to stop. What the server says about the patient,
    /// or about who we are, stays as it is until somebody does something.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NoPatient { .. }
            | Self::Ambiguous { .. }
            | Self::Links { .. }
            | Self::Unfiltered { .. } => false,
            Self::Http(error) => passes(error),
            Self::Store(_) | Self::Spool { .. } => true,
        }
    }

    /// Whether it was asked to stop.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        match self {
            Self::Http(error) => crate::error::http_kind(error) == ErrorKind::Interrupted,
            _ => false,
        }
    }

    /// What kind of fault it is.
    pub(crate) const fn kind(&self) -> ErrorKind {
        match self {
            Self::Spool { .. } => ErrorKind::Store,
            _ => ErrorKind::Server,
        }
    }

    /// What to do about it, where that can be told.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoPatient { by: "id", .. } => {
                Some("give the id of the Patient resource, or search by --mrn")
            }
            Self::NoPatient { .. } => Some(
                "the system of the identifier may differ: compare `mrn_system` and \
                 adt.authority_systems of the connection with `identifier.system` of a Patient",
            ),
            Self::Ambiguous { .. } => Some(
                "set `mrn_system` or adt.authority_systems of the connection, so that one system \
                 of identifiers is asked for",
            ),
            Self::Unfiltered { parameter, .. } => Some(match *parameter {
                "identifier" => "fetch the patient by id: this server can't search by identifier",
                _ => "take the type out of adt.types of the connection",
            }),
            _ => None,
        }
    }
}

fn passes(error: &fhir_http::Error) -> bool {
    use fhir_http::Error as E;
    match error {
        E::Unexpected { .. } | E::Interrupted => true,
        E::Authorize { source, .. } => source
            .downcast_ref::<smart_auth::Error>()
            .is_some_and(token_passes),
        error => error.is_transient(),
    }
}

/// Whether there may be a token a little later.
fn token_passes(error: &smart_auth::Error) -> bool {
    use smart_auth::Error as E;
    match error {
        E::Http { source, .. } => passes(source),
        E::Refused(refusal) => match refusal.code() {
            "temporarily_unavailable" | "server_error" => true,
            _ => RetryPolicy::is_transient(refusal.status()),
        },
        E::Answer { status, .. } => status.is_success() || RetryPolicy::is_transient(*status),
        // A server that is being mended has no document either.
        E::Discovery { .. } | E::Interrupted | E::Abandoned => true,
        _ => false,
    }
}

impl From<fhir_http::Error> for FetchError {
    fn from(error: fhir_http::Error) -> Self {
        Self::Http(Box::new(error))
    }
}

/// Faults of the network and of the store are what they are without a fetch.
impl From<FetchError> for Error {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Http(error) => Self::Http(error),
            FetchError::Store(error) => *error,
            error => Self::Fetch(Box::new(error)),
        }
    }
}

/// By hand: refused requests know their path, which names the patient.
impl fmt::Debug for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FetchError({})", crate::causes(self))
    }
}
