use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, StatusCode};

use crate::fault::{Files, Where};

/// A request that the sandbox answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// Its query.
    pub query: Option<String>,
    /// Its headers, except `Authorization`.
    pub headers: HeaderMap,
    /// Whether it had an `Authorization`.
    pub authorized: bool,
    /// Whether it came to the other origin, where no token belongs.
    pub elsewhere: bool,
    /// What it was for, in the words of faults; files by number. `None` for
    /// what the sandbox does not have.
    pub place: Option<Where>,
    /// The status of the answer.
    pub status: StatusCode,
}

impl Recorded {
    /// The type that a read, search or write was of, such as `Patient`; none
    /// for a Bundle. Further pages of a search count as searches; their query
    /// has `_offset`.
    #[must_use]
    pub fn resource_type(&self) -> Option<&str> {
        match self.place {
            Some(Where::Read | Where::Search | Where::Write) => {
                let name = self.path.split('/').nth(2);
                name.filter(|name| !name.is_empty())
            }
            _ => None,
        }
    }

    pub(crate) fn is_for(&self, place: &Where) -> bool {
        match (place, &self.place) {
            (Where::File(Files::Any), Some(Where::File(_))) => true,
            (Where::File(Files::Type(name)), Some(Where::File(_))) => {
                self.path.ends_with(&format!(".{name}.ndjson"))
            }
            (place, own) => own.as_ref() == Some(place),
        }
    }

    pub(crate) fn of(
        request: &Request<Vec<u8>>,
        elsewhere: bool,
        place: Option<Where>,
        status: StatusCode,
    ) -> Self {
        let mut headers = request.headers().clone();
        let authorized = headers.remove(AUTHORIZATION).is_some();
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            headers,
            authorized,
            elsewhere,
            place,
            status,
        }
    }
}
