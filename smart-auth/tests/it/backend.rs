//! Token requests, and when one is sent again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fhir_http::testing::Replay;
use fhir_http::{BoxError, Interrupt, RetryPolicy, TransportError};
use serde_json::json;
use smart_auth::{BackendServices, Error, Secret, Signer, Signers, SigningKey};

use crate::support::{
    BASE, NOW, TOKEN_URL, World, answer, decode, form, key_file, p384, refusal, token,
};

#[test]
fn asks_as_smart_has_it() {
    let world = World::new(Replay::new().answer(token("t1")));
    world.backend().build().unwrap().token().unwrap();
    let request = &world.replay.requests()[0];
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), TOKEN_URL);
    assert_eq!(
        request.headers()["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(request.headers()["accept"], "application/json");
    assert!(!request.headers().contains_key("authorization"));
    let mut form = form(request);
    let (header, claims) = decode(&form.remove("client_assertion").unwrap());
    assert_eq!(header["kid"], p384().kid());
    assert_eq!(claims["aud"], TOKEN_URL);
    assert_eq!(claims["iat"], NOW);
    let mut rest: Vec<_> = form.into_iter().collect();
    rest.sort();
    let jwt_bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let expected = [
        ("client_assertion_type", jwt_bearer),
        ("grant_type", "client_credentials"),
        ("scope", "system/Patient.rs system/Observation.rs"),
    ];
    assert_eq!(
        rest,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn finds_its_endpoint_once() {
    let discovered = json!({ "token_endpoint": "/oauth2/token" });
    let replay = Replay::new()
        .answer(answer(200, discovered))
        .answer(token("t1"))
        .answer(token("t2"));
    let world = World::new(replay);
    let backend = BackendServices::builder(world.client.clone(), "client-1")
        .fhir_base(BASE)
        .signer(Arc::new(p384()))
        .scopes("system/*.read".parse().unwrap())
        .build()
        .unwrap();
    backend.request_token().unwrap();
    backend.request_token().unwrap();
    let requests = world.replay.requests();
    assert_eq!(requests.len(), 3);
    let endpoint = "https://ehr.example/oauth2/token";
    assert_eq!(requests[2].uri(), endpoint);
    assert_eq!(
        decode(&form(&requests[2])["client_assertion"]).1["aud"],
        endpoint
    );
    assert!(backend.configuration().unwrap().is_some());
}

#[test]
fn audience_jku_and_lifetime_can_be_told() {
    let world = World::new(Replay::new());
    let backend = world
        .backend()
        .audience("https://ehr.example/fhir/r4")
        .jku("https://client.example/jwks.json")
        .assertion_lifetime(Duration::from_secs(60))
        .build()
        .unwrap();
    let assertion = backend.assertion().unwrap().unwrap();
    let (header, claims) = decode(assertion.expose());
    assert_eq!(header["jku"], "https://client.example/jwks.json");
    assert_eq!(claims["aud"], "https://ehr.example/fhir/r4");
    assert_eq!(claims["exp"], NOW + 60);
}

#[test]
fn a_client_secret_goes_by_basic_or_in_the_form() {
    let world = World::new(Replay::new().answer(token("t1")).answer(token("t2")));
    let builder = || {
        BackendServices::builder(world.client.clone(), "client 1")
            .token_endpoint(TOKEN_URL)
            .scopes("system/*.read".parse().unwrap())
    };
    let basic = builder()
        .client_secret_basic(Secret::new("a:b c&d"))
        .build()
        .unwrap();
    let post = builder()
        .client_secret_post(Secret::new("a:b c&d"))
        .build()
        .unwrap();
    assert!(basic.assertion().unwrap().is_none());
    assert_eq!(basic.token().unwrap().kid(), None);
    post.token().unwrap();

    let requests = world.replay.requests();
    // printf 'client+1:a%%3Ab+c%%26d' | base64
    let expected = "Basic Y2xpZW50KzE6YSUzQWIrYyUyNmQ=";
    assert_eq!(requests[0].headers()["authorization"], expected);
    assert!(requests[0].headers()["authorization"].is_sensitive());
    assert!(!form(&requests[0]).contains_key("client_secret"));
    assert!(!requests[1].headers().contains_key("authorization"));
    assert_eq!(form(&requests[1])["client_id"], "client 1");
    assert_eq!(form(&requests[1])["client_secret"], "a:b c&d");
    assert!(!form(&requests[1]).contains_key("client_assertion"));
}

#[test]
fn what_may_pass_is_tried_again_with_a_new_assertion() {
    let mut slow_down = refusal(429, "slow_down");
    slow_down
        .headers_mut()
        .insert("retry-after", "77".parse().unwrap());
    let replay = Replay::new()
        .fail(TransportError::Timeout("connect"))
        .answer(answer(503, "<html>"))
        .answer(slow_down)
        .answer(refusal(400, "temporarily_unavailable"))
        .answer(answer(500, ""))
        .answer(token("t1"));
    let world = World::new(replay);
    world.backend().build().unwrap().token().unwrap();
    let requests = world.replay.requests();
    let jtis: std::collections::HashSet<_> = requests
        .iter()
        .map(|request| decode(&form(request)["client_assertion"]).1["jti"].to_string())
        .collect();
    assert_eq!(jtis.len(), requests.len());
    let slept: Duration = world.clock.slept().iter().sum();
    assert!(slept >= Duration::from_secs(77), "{slept:?}");
    assert!(
        slept < Duration::from_secs(77 + 1 + 2 + 8 + 16),
        "{slept:?}"
    );
}

#[test]
fn tries_end() {
    let replay = (0..3).fold(Replay::new(), |replay, _| replay.answer(answer(503, "")));
    let world = World::new(replay);
    let mut policy = RetryPolicy::default();
    policy.attempts = 3;
    let backend = BackendServices::builder(world.client.clone().retry(policy), "client-1")
        .token_endpoint(TOKEN_URL)
        .signer(Arc::new(p384()))
        .scopes("system/*.read".parse().unwrap())
        .build()
        .unwrap();
    let error = backend.token().unwrap_err();
    assert!(
        matches!(error, Error::Answer { status, .. } if status == 503),
        "{error:?}"
    );
    assert_eq!(world.replay.requests().len(), 3);
}

#[test]
fn a_refusal_with_a_reason_is_final() {
    for code in [
        "invalid_client",
        "invalid_scope",
        "unauthorized_client",
        "invalid_grant",
    ] {
        for status in [400, 401, 500, 503] {
            let world = World::new(
                Replay::new()
                    .answer(token("t1"))
                    .answer(refusal(status, code)),
            );
            let backend = world.backend().build().unwrap();
            backend.token().unwrap();
            let error = backend.request_token().unwrap_err();
            assert!(matches!(error, Error::Refused(refusal) if refusal.code() == code));
            assert_eq!(world.replay.requests().len(), 2, "{code} {status}");
        }
    }
}

#[test]
fn a_document_at_the_root_of_the_host_is_not_asked_for_unless_told() {
    let elsewhere = json!({ "token_endpoint": "https://auth.example/other" });
    for (allowed, found) in [(false, false), (true, true)] {
        let replay = Replay::new()
            .answer(answer(404, ""))
            .answer(answer(200, elsewhere.clone()));
        let world = World::new(replay);
        let backend = BackendServices::builder(world.client.clone(), "client-1")
            .fhir_base(BASE)
            .discovery_at_host_root(allowed)
            .signer(Arc::new(p384()))
            .scopes("system/*.read".parse().unwrap())
            .build()
            .unwrap();
        assert_eq!(backend.token_endpoint().is_ok(), found);
        assert_eq!(world.replay.requests().len(), 1 + usize::from(found));
    }
}

#[test]
fn a_bare_400_is_final() {
    let replay = Replay::new().answer(token("t1")).answer(answer(400, ""));
    let world = World::new(replay);
    let backend = world.backend().build().unwrap();
    backend.token().unwrap();
    let error = backend.request_token().unwrap_err();
    assert!(matches!(error, Error::Answer { status, .. } if status == 400));
}

#[test]
fn where_it_may_pass_a_bare_400_is_tried_again_with_what_worked_before() {
    for bare in ["", "<html>", "Bad Request", "{}", r#"{"error":""}"#] {
        let world = World::new(Replay::new().answer(answer(400, bare)));
        let backend = world.backend().retry_bare_400(true).build().unwrap();
        let error = backend.token().unwrap_err();
        assert!(matches!(error, Error::Answer { status, .. } if status == 400));
        assert_eq!(world.replay.requests().len(), 1);

        let replay = Replay::new()
            .answer(token("t1"))
            .answer(answer(400, bare))
            .answer(token("t2"));
        let world = World::new(replay);
        let backend = world.backend().retry_bare_400(true).build().unwrap();
        backend.token().unwrap();
        assert_eq!(
            backend.request_token().unwrap().access_token().expose(),
            "t2"
        );
    }
}

/// A key ring of which one key is active.
#[derive(Clone)]
struct Ring(Arc<Mutex<Option<SigningKey>>>);

impl Ring {
    fn activate(&self, kid: &str) {
        let key = SigningKey::parse(&key_file("p384-pkcs8.pem"))
            .unwrap()
            .with_kid(kid);
        *self.0.lock().unwrap() = Some(key);
    }
}

impl Signers for Ring {
    fn active(&self) -> Result<Arc<dyn Signer>, BoxError> {
        let key = self.0.lock().unwrap();
        let kid = key.as_ref().ok_or("the ring is empty")?.kid().to_owned();
        Ok(Arc::new(p384().with_kid(kid)))
    }
}

#[test]
fn a_rotation_is_picked_up() {
    let ring = Ring(Arc::default());
    let replay = Replay::new()
        .answer(token("t1"))
        .answer(answer(400, ""))
        .answer(token("t2"));
    let world = World::new(replay);
    let backend = world.backend().signer(ring.clone()).build().unwrap();
    let error = backend.token().unwrap_err();
    assert!(matches!(error, Error::Sign { .. }));
    ring.activate("one");
    assert_eq!(backend.token().unwrap().kid(), Some("one"));
    ring.activate("two");
    // Nothing worked with the new key yet, so this is a refusal of it.
    assert!(matches!(backend.request_token(), Err(Error::Answer { .. })));
    assert_eq!(backend.request_token().unwrap().kid(), Some("two"));
}

#[test]
fn stops_when_asked_to() {
    let interrupt = Interrupt::new();
    let asked = interrupt.clone();
    let replay = Replay::new().answer_with(move |_| {
        asked.interrupt();
        Ok(answer(503, "").map(|body| body.into_bytes().into()))
    });
    let world = World::new(replay);
    let backend = BackendServices::builder(world.client.clone().interrupt(interrupt), "client-1")
        .token_endpoint(TOKEN_URL)
        .signer(Arc::new(p384()))
        .scopes("system/*.read".parse().unwrap())
        .build()
        .unwrap();
    assert!(matches!(backend.token(), Err(Error::Interrupted)));
}

#[test]
fn is_not_built_from_what_can_not_work() {
    let world = World::new(Replay::new());
    let bare = || BackendServices::builder(world.client.clone(), "client-1");
    let scopes = || "system/*.read".parse().unwrap();
    let write = "system/Patient.rs system/Patient.cud".parse().unwrap();
    for (builder, says) in [
        (
            world.backend().scopes(write),
            "system/Patient.cud grants writing",
        ),
        (world.backend().scopes("".parse().unwrap()), "no scopes"),
        (
            world.backend().token_endpoint("http://auth.example/token"),
            "the token endpoint",
        ),
        (
            world.backend().token_endpoint("/token"),
            "the token endpoint",
        ),
        (
            bare().scopes(scopes()).signer(Arc::new(p384())),
            "neither FHIR base nor token endpoint",
        ),
        (
            bare().scopes(scopes()).fhir_base(BASE),
            "neither a signer nor a secret",
        ),
        (
            BackendServices::builder(world.client.clone(), "").scopes(scopes()),
            "the client id is empty",
        ),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
    assert!(
        world
            .backend()
            .token_endpoint("http://127.0.0.1:1/token")
            .build()
            .is_ok()
    );
}
