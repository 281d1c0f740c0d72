//! JWK Sets by URL: fetched, kept, and fetched again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use ehr_sandbox::{RegisteredClient, Sandbox};
use fhir_http::testing::FakeClock;
use fhir_http::{Body, Clock as _, HttpClient, TransportError};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::util::{Answer, Key, clock, send};

const URL: &str = "http://127.0.0.1:9/jwks.json";

/// A JWK Set on the network.
#[derive(Default)]
struct Publisher {
    keys: Mutex<Vec<Value>>,
    status: Mutex<StatusCode>,
    fetched: AtomicUsize,
}

impl HttpClient for Publisher {
    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        assert_eq!(request.uri(), URL);
        self.fetched.fetch_add(1, Ordering::Relaxed);
        let keys = json!({"keys": *self.keys.lock().expect("no panic")}).to_string();
        let response = Response::builder()
            .status(*self.status.lock().expect("no panic"))
            .header("cache-control", "public, max-age=300")
            .body(Body::from(keys.into_bytes()));
        Ok(response.expect("a response"))
    }
}

#[test]
fn sets_are_kept_and_fetched_again_for_new_keys() {
    let publisher = Arc::new(Publisher::default());
    let clock = clock();
    let sandbox = Sandbox::builder()
        .client(RegisteredClient::new("app").jwks_url(URL))
        .jwks_transport(publisher.clone())
        .clock(clock.clone())
        .in_process()
        .expect("a sandbox");
    let (old, new) = (Key::es384(), Key::rsa());
    let ask = |key: &Key, kid: &str| token(&sandbox, &clock, key, kid).status;
    let fetched = || publisher.fetched.load(Ordering::Relaxed);
    let publish = |keys: Vec<Value>| *publisher.keys.lock().expect("no panic") = keys;

    publish(vec![old.jwk("old")]);
    assert_eq!(ask(&old, "old"), StatusCode::OK);
    assert_eq!(ask(&old, "old"), StatusCode::OK);
    assert_eq!(fetched(), 1, "kept");

    publish(vec![old.jwk("old"), new.jwk("new")]);
    assert_eq!(ask(&new, "new"), StatusCode::BAD_REQUEST);
    assert_eq!(fetched(), 1, "an unknown kid does not fetch at once again");
    clock.advance(Duration::from_secs(5));
    assert_eq!(ask(&new, "new"), StatusCode::OK);
    assert_eq!(fetched(), 2);

    publish(vec![new.jwk("new")]);
    clock.advance(Duration::from_secs(100));
    assert_eq!(
        ask(&old, "old"),
        StatusCode::OK,
        "kept as long as max-age says"
    );
    clock.advance(Duration::from_secs(200));
    assert_eq!(ask(&old, "old"), StatusCode::BAD_REQUEST);
    assert_eq!(fetched(), 3);

    clock.advance(Duration::from_secs(300));
    *publisher.status.lock().expect("no panic") = StatusCode::NOT_FOUND;
    let answer = token(&sandbox, &clock, &new, "new");
    assert_eq!(answer.json()["error"], "invalid_client");
    assert!(answer.text().contains("does not answer with 200"));
}

fn token(sandbox: &Sandbox, clock: &FakeClock, key: &Key, kid: &str) -> Answer {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let alg = if matches!(key, Key::Rsa(_)) {
        "RS384"
    } else {
        "ES384"
    };
    let jti = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
    // The header names the registered URL, as it may.
    let header = json!({"alg": alg, "kid": kid, "typ": "JWT", "jku": URL});
    let now = clock
        .now()
        .duration_since(UNIX_EPOCH)
        .expect("later")
        .as_secs();
    let claims = json!({
        "iss": "app", "sub": "app", "aud": sandbox.token_url(), "exp": now + 60, "jti": jti,
    });
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("scope", "system/*.rs")
        .append_pair(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )
        .append_pair("client_assertion", &key.sign(&header, &claims))
        .finish();
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    send(sandbox, "POST", &sandbox.token_url(), &[form_type], &form)
}
