//! Single requests, and reads.

use std::time::Duration;

use ::http::{Method, Request, Response, StatusCode, header};
use fhir_http::{Error, NoRetry, OperationOutcome, RetryPolicy, TransportError};

use super::remote::{Found, Outcome, Remote};
use super::wire::Failure;

impl Remote {
    /// What an answer that is no success means.
    pub(super) fn refusal(
        &self,
        response: &Response<Vec<u8>>,
        resource_type: &str,
    ) -> Result<Outcome, Outcome> {
        let status = response.status();
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Ok(Outcome::TooLarge);
        }
        let outcome = OperationOutcome::from_json(response.body());
        let is_ours = (status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED)
            && !RetryPolicy::is_transient(status)
            && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        if is_ours || is_stumble(response) {
            let failure = Failure::of(status.as_u16(), outcome.as_ref(), resource_type);
            return Ok(Outcome::Nothing(failure));
        }
        Err(Outcome::Unknown(Error::Status {
            host: self.host(),
            method: Method::POST,
            path: "/".to_owned(),
            status,
            outcome,
            retry_after: None,
        }))
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, Outcome> {
        let json = "application/fhir+json";
        let base = self.server.base();
        let uri = match path {
            "" => base.to_owned(),
            path => format!("{base}/{path}"),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::ACCEPT, json)
            .header("prefer", "return=minimal");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, json);
        }
        request.body(body).map_err(|_| {
            Outcome::Unknown(Error::Request {
                problem: "its type or id can't stand in a URL",
            })
        })
    }

    /// Sends a request as often as the policy of the client allows.
    ///
    /// The first attempt is ours, to see what the client's would hide: that the server has too much to do, or that a large Bundle takes it too long.
    pub(super) fn exchange(
        &self,
        request: Request<Vec<u8>>,
        divisible: bool,
        congested: &mut bool,
    ) -> Result<Response<Vec<u8>>, Outcome> {
        let client = self.server.http();
        let mut policy = *client.policy();
        let mut first = request.clone();
        first.extensions_mut().insert(NoRetry);
        let result = client.fetch(first, LONGEST);
        let asked = match &result {
            Ok(response) if !RetryPolicy::is_transient(response.status()) => None,
            Ok(response) if divisible && is_stumble(response) => None,
            Ok(response) => {
                match response.status().as_u16() {
                    429 | 503 => *congested = true,
                    408 | 504 if divisible => return Err(Outcome::Slow),
                    _ => {}
                }
                let now = client.clock().now();
                let asked = fhir_http::retry_after(response.headers(), now, policy.retry_after_cap);
                Some(asked.unwrap_or_default())
            }
            Err(Error::Transport {
                source: TransportError::Timeout(_),
                ..
            }) if divisible => return Err(Outcome::Slow),
            Err(error) => error.is_transient().then_some(Duration::ZERO),
        };
        let (Some(asked), 2..) = (asked, policy.attempts) else {
            return result.map_err(Outcome::Unknown);
        };
        let wait = policy.backoff(1, &**client.randomness()).max(asked);
        if !client.interruption().sleep(&**client.clock(), wait) {
            return Err(Outcome::Unknown(Error::Interrupted));
        }
        policy.attempts -= 1;
        let client = client.clone().retry(policy);
        client.fetch(request, LONGEST).map_err(Outcome::Unknown)
    }

    /// Reads a resource, or one version of it; none where it is not there.
    pub(super) fn read(&self, path: &str) -> Result<Option<Found>, Error> {
        let Some(body) = self.read_text(path)? else {
            return Ok(None);
        };
        let version = version_in(&body).ok_or_else(|| self.unexpected("no FHIR JSON"))?;
        Ok(Some(Found { body, version }))
    }

    pub(super) fn read_text(&self, path: &str) -> Result<Option<String>, Error> {
        let request = self.request(Method::GET, path, Vec::new());
        let request = request.map_err(|_| Error::Request {
            problem: "its type or id can't stand in a URL",
        })?;
        let response = self.server.http().fetch(request, LONGEST)?;
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status if status.is_success() => {
                let text = String::from_utf8(response.into_body());
                text.map(Some).map_err(|_| self.unexpected("no FHIR JSON"))
            }
            status => Err(Error::Status {
                host: self.host(),
                method: Method::GET,
                path: format!("/{}", path.split('?').next().unwrap_or_default()),
                status,
                outcome: OperationOutcome::from_json(response.body()),
                retry_after: None,
            }),
        }
    }

    pub(super) fn unexpected(&self, what: &str) -> Error {
        Error::Unexpected {
            host: self.host(),
            what: what.to_owned(),
        }
    }

    fn host(&self) -> String {
        let uri = self.server.base().parse();
        let origin = uri.map(|uri| fhir_http::Origin::of(&uri));
        match origin {
            Ok(Ok(origin)) => origin.to_string(),
            _ => "the server".to_owned(),
        }
    }
}

/// Whether a server says, as FHIR servers do, that it stumbled over what it was sent, and doesn't say that it may pass.
fn is_stumble(response: &Response<Vec<u8>>) -> bool {
    const MAY_PASS: [&str; 6] = [
        "transient",
        "lock-error",
        "no-store",
        "timeout",
        "throttled",
        "incomplete",
    ];
    response.status() == StatusCode::INTERNAL_SERVER_ERROR
        && OperationOutcome::from_json(response.body()).is_some_and(|outcome| {
            let codes = outcome.codes();
            !codes.is_empty() && !codes.iter().any(|code| MAY_PASS.contains(code))
        })
}

/// `meta.versionId` of a resource; nothing at all where the text is none.
pub(super) fn version_in(body: &str) -> Option<Option<String>> {
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    value["resourceType"].as_str()?;
    Some(value["meta"]["versionId"].as_str().map(str::to_owned))
}

/// The longest answer that is taken, in bytes.
const LONGEST: u64 = 256 << 20;
