use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use fhir_http::testing::{FakeClock, FakeRandom, Replay};
use fhir_http::{Authorize, BoxError, Client, Origin};
use http::request::Parts;
use http::{HeaderValue, Request, Response, header};

/// 1994-11-06T08:49:00Z
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_740)
}

/// A client over prepared answers, whose backoff is nothing.
pub(crate) fn client(replay: &Arc<Replay>) -> (Client, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::new(now()));
    let client = Client::new(replay.clone(), clock.clone()).random(Arc::new(FakeRandom::new(0)));
    (client, clock)
}

pub(crate) fn get(uri: &str) -> Request<Vec<u8>> {
    Request::get(uri).body(Vec::new()).unwrap()
}

pub(crate) fn answer(status: u16) -> Response<Vec<u8>> {
    Response::builder().status(status).body(Vec::new()).unwrap()
}

pub(crate) fn json(status: u16, body: &str) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/fhir+json")
        .body(body.as_bytes().to_vec())
        .unwrap()
}

pub(crate) fn redirect(status: u16, to: &str) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .header("location", to)
        .body(Vec::new())
        .unwrap()
}

pub(crate) fn origin(uri: &str) -> Origin {
    Origin::of(&uri.parse().unwrap()).unwrap()
}

/// The `Authorization` of a request, empty where it has none.
pub(crate) fn authorization(request: &Request<Vec<u8>>) -> &str {
    request
        .headers()
        .get(header::AUTHORIZATION)
        .map_or("", |value| value.to_str().unwrap())
}

/// Adds `Bearer token-N` and a second header, where N counts refusals.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) number: AtomicU32,
    pub(crate) refused: Mutex<Vec<String>>,
    /// Whether there is no other token after a refusal.
    pub(crate) only_one: bool,
}

impl Authorize for Tokens {
    fn authorize(&self, request: &mut Parts) -> Result<(), BoxError> {
        let token = format!("Bearer token-{}", self.number.load(Ordering::Relaxed));
        request
            .headers
            .insert(header::AUTHORIZATION, HeaderValue::try_from(token)?);
        request
            .headers
            .insert("epic-client-id", HeaderValue::from_static("added"));
        Ok(())
    }

    fn refused(&self, request: &Parts) -> bool {
        let token = request.headers[header::AUTHORIZATION].to_str().unwrap();
        self.refused.lock().unwrap().push(token.to_owned());
        self.number.fetch_add(1, Ordering::Relaxed);
        !self.only_one
    }
}
