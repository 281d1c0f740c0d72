use http::{Method, Request, header};
use jwks_publisher::{Algorithm, KeyStore, MemoryStore, Publisher, Tenant};
use serde_json::Value;

use crate::support::{DAY, HOUR, at, key, kid, policy};

fn respond(publisher: &Publisher, path: &str) -> http::Response<Vec<u8>> {
    publisher.respond(&Request::get(path).body(()).unwrap())
}

#[test]
fn a_document_has_what_the_rfcs_and_smart_ask_for_and_no_more() {
    let store = MemoryStore::new();
    store.generate("test", at(5), key(0)).unwrap();
    let publisher = Publisher::new(|| at(5)).default_set(Tenant::parse("acme").unwrap());
    publisher.publish(Tenant::parse("acme").unwrap(), store.load().unwrap());

    let response = respond(&publisher, "/.well-known/jwks.json?x=1");
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/jwk-set+json"
    );
    assert_eq!(
        response.headers()[header::CACHE_CONTROL],
        "public, max-age=300"
    );
    let set: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(
        set.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["keys"]
    );
    let jwk = set["keys"][0].as_object().unwrap();
    let names: Vec<_> = jwk.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "alg", "crv", "iat", "key_ops", "kid", "kty", "use", "x", "y"
        ]
    );
    assert_eq!(jwk["kid"], kid(0));
    assert_eq!(jwk["iat"], 1_800_000_005);
    assert_eq!(jwk["key_ops"], serde_json::json!(["verify"]));
    assert_eq!((&jwk["use"], &jwk["alg"]), (&"sig".into(), &"ES384".into()));
    assert_eq!(
        respond(&publisher, "/jwks/acme.json").body(),
        response.body()
    );
}

#[test]
fn other_names_and_paths_are_not_there() {
    let publisher = Publisher::new(|| at(0));
    let store = MemoryStore::new();
    store.generate("test", at(0), key(0)).unwrap();
    for name in ["acme", "a", "0", &"a".repeat(63)] {
        publisher.publish(Tenant::parse(name).unwrap(), store.load().unwrap());
        assert_eq!(
            respond(&publisher, &format!("/jwks/{name}.json")).status(),
            200,
            "{name}"
        );
    }
    let long = format!("/jwks/{}.json", "a".repeat(64));
    for path in [
        "/",
        "/jwks",
        "/jwks/",
        "/jwks/.json",
        "/jwks/acme",
        "/jwks/acme.JSON",
        "/jwks/ACME.json",
        "/jwks/Acme.json",
        "/jwks/-acme.json",
        "/jwks/_.json",
        "/jwks/nobody.json",
        "/jwks//acme.json",
        "/jwks/acme.json/",
        "/jwks/../jwks/acme.json",
        "/jwks/..%2facme.json",
        "/jwks/%2e%2e.json",
        "/jwks/%2E%2E/acme.json",
        "/jwks/%61cme.json",
        "/jwks/acme%00.json",
        "/jwks/acm%C3%A9.json",
        "/jwks/..json",
        "/jwks/...json",
        "/jwks/a.b.json",
        "/jwks/a\\b.json",
        "//jwks/acme.json",
        &long,
        // Without a default set there is none here either.
        "/.well-known/jwks.json",
        "/.well-known/JWKS.json",
        "/.well-known/",
        "/ring.json",
    ] {
        let Ok(request) = Request::get(path).body(()) else {
            continue;
        };
        let response = publisher.respond(&request);
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(
            response.headers()[header::CACHE_CONTROL],
            "no-store",
            "{path}"
        );
    }
    for (name, fits) in [
        ("", false),
        ("..", false),
        ("%2e%2e", false),
        ("é", false),
        ("a/b", false),
        ("a-0", true),
        ("a\n", false),
    ] {
        assert_eq!(Tenant::parse(name).is_ok(), fits, "{name:?}");
    }
}

#[test]
fn other_methods_are_told_which_ones_there_are() {
    let publisher = Publisher::new(|| at(0));
    publisher.publish(
        Tenant::parse("acme").unwrap(),
        MemoryStore::new().load().unwrap(),
    );
    for method in [
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ] {
        let ask = |path: &str| {
            let request = Request::builder()
                .method(method.clone())
                .uri(path)
                .body(())
                .unwrap();
            publisher.respond(&request)
        };
        let response = ask("/jwks/acme.json");
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
        assert_eq!(ask("/jwks/nobody.json").status(), 404, "{method}");
    }
}

#[test]
fn what_is_published_follows_the_clock() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    let store = MemoryStore::new();
    store.generate("test", at(0), key(0)).unwrap();
    store
        .rotate("test", at(0), key(1), &policy(DAY, HOUR))
        .unwrap();
    let seconds = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&seconds);
    let publisher = Publisher::new(move || at(clock.load(Ordering::Relaxed)));
    publisher.publish(Tenant::parse("acme").unwrap(), store.load().unwrap());
    let at_second = |second| {
        seconds.store(second, Ordering::Relaxed);
        let response = respond(&publisher, "/jwks/acme.json");
        let tag = response.headers()[header::ETAG].clone();
        let set: Value = serde_json::from_slice(response.body()).unwrap();
        (set["keys"].as_array().unwrap().len(), tag)
    };
    let (keys, before) = at_second(1);
    assert_eq!(keys, 2);
    let end = 3_600 + 86_400;
    assert_eq!(
        at_second(end - 1),
        (2, before.clone()),
        "nothing changed, and the tag says so"
    );
    let (keys, after) = at_second(end);
    assert_eq!(keys, 1, "nothing is published after its grace");
    assert_ne!(after, before);
    assert_eq!(
        store
            .load()
            .unwrap()
            .active(Algorithm::Es384, at(end))
            .unwrap()
            .kid(),
        kid(1)
    );
}

#[test]
fn readiness_is_that_every_set_has_keys() {
    let publisher = Publisher::new(|| at(0));
    let ready = |publisher: &Publisher| respond(publisher, "/readyz").status().as_u16();
    assert_eq!(respond(&publisher, "/healthz").status(), 200);
    assert_eq!(ready(&publisher), 503, "there is none");
    let store = MemoryStore::new();
    let (acme, other) = (
        Tenant::parse("acme").unwrap(),
        Tenant::parse("other").unwrap(),
    );
    publisher.publish(acme.clone(), store.load().unwrap());
    assert_eq!(ready(&publisher), 503, "it has no key");
    assert_eq!(
        respond(&publisher, "/jwks/acme.json").body(),
        br#"{"keys":[]}"#
    );
    store.generate("test", at(0), key(0)).unwrap();
    publisher.publish(acme.clone(), store.load().unwrap());
    assert_eq!(ready(&publisher), 200);
    publisher.fail(&other);
    assert_eq!(ready(&publisher), 503);
    assert_eq!(
        respond(&publisher, "/jwks/other.json").status(),
        503,
        "an empty set would drop keys"
    );
    publisher.fail(&acme);
    assert_eq!(
        respond(&publisher, "/jwks/acme.json").status(),
        200,
        "what is known stays"
    );
    assert_eq!(respond(&publisher, "/healthz").status(), 200);
}
