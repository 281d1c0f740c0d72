//! A client over prepared answers, and what is in the requests it sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fhir_http::testing::{FakeClock, Recorded, Replay};
use fhir_http::{Client, Random};
use http::Response;
use serde_json::{Value, json};
use smart_auth::{BackendServices, Builder, SigningKey};

pub(crate) const BASE: &str = "https://ehr.example/api/FHIR/R4";
pub(crate) const TOKEN_URL: &str = "https://auth.example/oauth2/token";

/// 2026-01-02T03:04:05Z.
pub(crate) const NOW: u64 = 1_767_323_045;

pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

/// Bytes that are never the same twice.
#[derive(Default)]
pub(crate) struct Counter(std::sync::atomic::AtomicU64);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        for (byte, counted) in bytes
            .iter_mut()
            .zip(count.to_le_bytes().into_iter().cycle())
        {
            *byte = counted;
        }
    }
}

pub(crate) struct World {
    pub(crate) replay: Arc<Replay>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) client: Client,
}

impl World {
    pub(crate) fn new(replay: Replay) -> Self {
        let replay = Arc::new(replay);
        let clock = Arc::new(FakeClock::new(now()));
        let client =
            Client::new(replay.clone(), clock.clone()).random(Arc::new(Counter::default()));
        Self {
            replay,
            clock,
            client,
        }
    }

    /// A backend client that knows its token endpoint and has a P-384 key.
    pub(crate) fn backend(&self) -> Builder {
        BackendServices::builder(self.client.clone(), "client-1")
            .token_endpoint(TOKEN_URL)
            .signer(Arc::new(p384()))
            .scopes("system/Patient.rs system/Observation.rs".parse().unwrap())
    }
}

pub(crate) fn key_file(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

pub(crate) fn p384() -> SigningKey {
    SigningKey::parse(&key_file("p384-pkcs8.pem")).unwrap()
}

pub(crate) fn answer(status: u16, body: impl ToString) -> Response<String> {
    Response::builder()
        .status(status)
        .body(body.to_string())
        .unwrap()
}

pub(crate) fn token(text: &str) -> Response<String> {
    answer(
        200,
        json!({ "access_token": text, "token_type": "bearer", "expires_in": 300 }),
    )
}

pub(crate) fn refusal(status: u16, code: &str) -> Response<String> {
    answer(status, json!({ "error": code }))
}

pub(crate) fn form(request: &Recorded) -> HashMap<String, String> {
    url::form_urlencoded::parse(request.body())
        .into_owned()
        .collect()
}

/// Header and claims of a compact JWS.
pub(crate) fn decode(jws: &str) -> (Value, Value) {
    let mut parts = jws.split('.').map(base64url);
    let mut next = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
    (next(), next())
}

pub(crate) fn base64url(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .unwrap()
}
