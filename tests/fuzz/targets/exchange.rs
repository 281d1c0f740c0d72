//! Answers of a server as one input, for what asks servers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fhir_http::testing::{FakeClock, FakeRandom};
use fhir_http::{Authorize, Body, BoxError, Client, HttpClient, Origin, TransportError};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};

use crate::engine::Grammar;

/// Where the server is that credentials are for.
pub(super) const BASE: &str = "https://ehr.example/r4";
/// Between two answers of an input.
const BETWEEN: &[u8] = b"\n===\n";
const CREDENTIALS: &str = "Bearer Kanarienvogel-7";

/// Gives the answers of an input, one after the other, and remembers what was asked.
pub(super) struct Script {
    answers: Mutex<VecDeque<Response<Vec<u8>>>>,
    requests: Mutex<Vec<Request<()>>>,
}

impl Script {
    pub(super) fn new(input: &[u8]) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers(input).into()),
            requests: Mutex::default(),
        })
    }

    /// A client that asks it, with credentials.
    pub(super) fn client(self: &Arc<Self>) -> Client {
        let origin = Origin::of(&BASE.parse().expect("a URI")).expect("an origin");
        self.plain_client()
            .authorized(origin, Arc::new(Credentials))
    }

    /// One without.
    pub(super) fn plain_client(self: &Arc<Self>) -> Client {
        let clock = FakeClock::new(now());
        Client::new(self.clone(), Arc::new(clock)).random(Arc::new(FakeRandom::new(0)))
    }

    /// How many requests were sent.
    pub(super) fn requests(&self) -> usize {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.len()
    }

    /// Checks that credentials went to their server alone. Gives how many
    /// requests were sent.
    pub(super) fn check(&self) -> usize {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for request in requests.iter() {
            let uri = request.uri();
            let own = uri.scheme_str() == Some("https")
                && uri.host() == Some("ehr.example")
                && uri.port_u16().unwrap_or(443) == 443;
            let carries = request.headers().contains_key(header::AUTHORIZATION);
            assert!(own || !carries, "credentials went elsewhere");
        }
        requests.len()
    }
}

impl HttpClient for Script {
    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let (parts, _) = request.into_parts();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(Request::from_parts(parts, ()));
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.pop_front();
        let none = TransportError::Refused("no answer is left");
        answer.map(|answer| answer.map(Body::from)).ok_or(none)
    }
}

struct Credentials;

impl Authorize for Credentials {
    fn authorize(&self, request: &mut Parts) -> Result<(), BoxError> {
        let value = HeaderValue::from_static(CREDENTIALS);
        request.headers.insert(header::AUTHORIZATION, value);
        Ok(())
    }
}

/// 2026-01-02T03:04:05Z.
pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045)
}

/// Answers out of an input: a status, lines with headers, a blank line, the body.
pub(super) fn answers(input: &[u8]) -> Vec<Response<Vec<u8>>> {
    let mut answers = Vec::new();
    let mut rest = Some(input);
    while let Some(input) = rest.filter(|_| answers.len() < 16) {
        let (one, more) = split(input, BETWEEN);
        rest = more;
        answers.push(answer(one));
    }
    answers
}

fn answer(input: &[u8]) -> Response<Vec<u8>> {
    let (head, body) = split(input, b"\n\n");
    let mut response = Response::new(body.unwrap_or_default().to_vec());
    let mut lines = head.split(|byte| *byte == b'\n');
    let status = lines
        .next()
        .unwrap_or_default()
        .get(..3)
        .map(StatusCode::from_bytes);
    if let Some(Ok(status)) = status {
        *response.status_mut() = status;
    }
    // A transport gives no more than this.
    for line in lines.take(100) {
        let (name, value) = split(line, b":");
        let name = HeaderName::from_bytes(name.trim_ascii());
        let value = HeaderValue::from_bytes(value.unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn split<'a>(input: &'a [u8], by: &[u8]) -> (&'a [u8], Option<&'a [u8]>) {
    let at = input.windows(by.len()).position(|part| part == by);
    at.map_or((input, None), |at| {
        (&input[..at], Some(&input[at + by.len()..]))
    })
}

/// How answers are written, with JSON in them.
pub(super) const ANSWERS: Grammar = Grammar {
    tokens: TOKENS,
    separators: b"{}[],:\"\n",
    pairs: &[("[", "]"), ("{\"a\":", "}"), ("[{", "}]")],
};

/// What answers are made of, JSON aside.
pub(super) const TOKENS: &[&str] = &[
    "\n===\n",
    "\n\n",
    "200\n",
    "202\n",
    "301\n",
    "307\n",
    "400\n",
    "401\n",
    "404\n",
    "429\n",
    "500\n",
    "503\n",
    "Content-Type: application/fhir+json\n",
    "Content-Type: text/html\n",
    "Content-Encoding: gzip\n",
    "Content-Encoding: br\n",
    "Retry-After: 5\n",
    "Retry-After: -1\n",
    "Retry-After: Fri, 02 Jan 2026 03:05:05 GMT\n",
    "Location: /r4/next\n",
    "Location: https://other.example/\n",
    "Location: //other.example/\n",
    "Location: ?a=b\n",
    "Location: https://ehr.example:444/\n",
    "Location: http://ehr.example/\n",
    "ETag: W/\"1\"\n",
    "null",
    "\"\"",
    "[]",
    "{}",
    "7",
    "\"next\"",
    "https://ehr.example/r4",
    "\\u0000",
    "../",
    "%",
];
