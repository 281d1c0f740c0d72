//! The token endpoint: one wrong thing at a time.

use http::StatusCode;
use serde_json::{Value, json};

use crate::attempt::{Attempt, Bench, set};
use crate::util::{Key, NOW, get, send};

#[test]
fn a_right_request_gets_a_token_that_works() {
    for key in [Key::es384(), Key::rsa()] {
        let bench = Bench::new(key, |_| ());
        let answer = bench.send(&bench.attempt());
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), "no-store");
        let document = answer.json();
        assert_eq!(document["token_type"], "bearer");
        assert_eq!(document["expires_in"], 300);
        assert_eq!(document["scope"], "system/Patient.rs");
        let bearer = format!(
            "Bearer {}",
            document["access_token"].as_str().expect("a token")
        );
        let read = |path| {
            send(
                &bench.sandbox,
                "GET",
                path,
                &[("authorization", &bearer)],
                "",
            )
        };
        assert_eq!(read("/Patient/p1").status, StatusCode::OK);
        assert_eq!(read("/Observation/ob1-1-0").status, StatusCode::FORBIDDEN);
        bench.sandbox.revoke_tokens();
        assert_eq!(read("/Patient/p1").status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            get(&bench.sandbox, "/Patient/p1").status,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[test]
fn rs256_is_taken_too() {
    let bench = Bench::new(Key::rsa(), |_| ());
    let mut attempt = bench.attempt();
    attempt.header["alg"] = "RS256".into();
    assert_eq!(bench.send(&attempt).status, StatusCode::OK);
}

#[test]
fn each_broken_rule_has_its_error() {
    type Case = (&'static str, fn(&mut Attempt), &'static str, &'static str);
    let cases: &[Case] = &[
        (
            "JSON body",
            |a| a.content_type = "application/json",
            "invalid_request",
            "urlencoded",
        ),
        (
            "no grant_type",
            |a| set(a, "grant_type", None),
            "invalid_request",
            "grant_type",
        ),
        (
            "other grant_type",
            |a| set(a, "grant_type", Some("password")),
            "unsupported_grant_type",
            "client_credentials",
        ),
        (
            "parameter twice",
            |a| a.form.push(("scope", "x".into())),
            "invalid_request",
            "twice",
        ),
        (
            "no scope",
            |a| set(a, "scope", None),
            "invalid_scope",
            "missing",
        ),
        (
            "foreign scope",
            |a| set(a, "scope", Some("user/*.rs")),
            "invalid_scope",
            "none",
        ),
        (
            "no client",
            |a| set(a, "client_assertion_type", None),
            "invalid_client",
            "no client",
        ),
        (
            "assertion type",
            |a| set(a, "client_assertion_type", Some("jwt")),
            "invalid_client",
            "client_assertion_type",
        ),
        (
            "client_id",
            |a| set(a, "client_id", Some("other")),
            "invalid_client",
            "client_id",
        ),
        (
            "no JWT",
            |a| a.tamper = |_| "nonsense".into(),
            "invalid_client",
            "no signed JWT",
        ),
        (
            "typ missing",
            |a| a.header = without(&a.header, "typ"),
            "invalid_client",
            "typ",
        ),
        (
            "typ",
            |a| a.header["typ"] = "at+jwt".into(),
            "invalid_client",
            "typ",
        ),
        (
            "alg none",
            |a| a.header["alg"] = "none".into(),
            "invalid_client",
            "alg is none of",
        ),
        (
            "alg HS256",
            |a| a.header["alg"] = "HS256".into(),
            "invalid_client",
            "alg is none of",
        ),
        (
            "alg of another key",
            |a| a.header["alg"] = "RS384".into(),
            "invalid_client",
            "alg",
        ),
        (
            "crit",
            |a| a.header["crit"] = json!(["x"]),
            "invalid_client",
            "crit",
        ),
        (
            "kid missing",
            |a| a.header = without(&a.header, "kid"),
            "invalid_client",
            "kid",
        ),
        (
            "kid unknown",
            |a| a.header["kid"] = "k2".into(),
            "invalid_client",
            "kid",
        ),
        (
            "jku",
            |a| a.header["jku"] = "https://evil.example".into(),
            "invalid_client",
            "jku",
        ),
        (
            "iss missing",
            |a| a.claims = without(&a.claims, "iss"),
            "invalid_client",
            "iss",
        ),
        (
            "iss unknown",
            |a| (a.claims["iss"], a.claims["sub"]) = ("x".into(), "x".into()),
            "invalid_client",
            "registered",
        ),
        (
            "sub missing",
            |a| a.claims = without(&a.claims, "sub"),
            "invalid_client",
            "sub",
        ),
        (
            "sub",
            |a| a.claims["sub"] = "other".into(),
            "invalid_client",
            "sub",
        ),
        (
            "aud missing",
            |a| a.claims = without(&a.claims, "aud"),
            "invalid_client",
            "aud",
        ),
        (
            "aud",
            |a| a.claims["aud"] = "http://127.0.0.1:1/fhir".into(),
            "invalid_client",
            "aud",
        ),
        (
            "aud and another",
            |a| a.claims["aud"] = json!([a.claims["aud"], "https://other.example"]),
            "invalid_client",
            "aud",
        ),
        (
            "exp missing",
            |a| a.claims = without(&a.claims, "exp"),
            "invalid_client",
            "exp",
        ),
        (
            "exp text",
            |a| a.claims["exp"] = "soon".into(),
            "invalid_client",
            "exp is no integer",
        ),
        (
            "exp decimal",
            |a| a.claims["exp"] = json!(1.5),
            "invalid_client",
            "exp is no integer",
        ),
        (
            "exp over",
            |a| a.claims["exp"] = (NOW - 6).into(),
            "invalid_client",
            "over",
        ),
        (
            "exp far",
            |a| a.claims["exp"] = (NOW + 306).into(),
            "invalid_client",
            "five minutes",
        ),
        (
            "exp in ms",
            |a| a.claims["exp"] = (NOW * 1000).into(),
            "invalid_client",
            "five minutes",
        ),
        (
            "nbf",
            |a| a.claims["nbf"] = (NOW + 60).into(),
            "invalid_client",
            "nbf",
        ),
        (
            "iat",
            |a| a.claims["iat"] = (NOW + 60).into(),
            "invalid_client",
            "iat",
        ),
        (
            "jti missing",
            |a| a.claims = without(&a.claims, "jti"),
            "invalid_client",
            "jti",
        ),
        (
            "jti empty",
            |a| a.claims["jti"] = "".into(),
            "invalid_client",
            "jti",
        ),
        (
            "other key",
            |a| a.signer = Some(Key::es384()),
            "invalid_client",
            "signature",
        ),
        (
            "no signature",
            |a| a.tamper = strip_signature,
            "invalid_client",
            "signature",
        ),
        (
            "padding",
            |a| a.tamper = |text| text + "==",
            "invalid_client",
            "base64url",
        ),
        (
            "two ways",
            |a| set(a, "client_secret", Some("x")),
            "invalid_request",
            "more than one way",
        ),
    ];
    let bench = Bench::new(Key::es384(), |_| ());
    for (name, spoil, error, description) in cases {
        let mut attempt = bench.attempt();
        attempt.claims["jti"] = (*name).into();
        spoil(&mut attempt);
        let answer = bench.send(&attempt);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}");
        let document = answer.json();
        assert_eq!(document["error"], *error, "{name}");
        let text = document["error_description"]
            .as_str()
            .expect("a description");
        assert!(text.contains(description), "{name}: {text}");
    }
    assert_eq!(
        bench.send(&bench.attempt()).status,
        StatusCode::OK,
        "not spoiled"
    );
}

#[test]
fn only_post_is_answered() {
    let bench = Bench::new(Key::es384(), |_| ());
    let answer = bench.send(&Attempt {
        method: "GET",
        ..bench.attempt()
    });
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "POST");
}

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().expect("an object").remove(name);
    value
}

fn strip_signature(assertion: String) -> String {
    let (message, _) = assertion.rsplit_once('.').expect("a JWS");
    format!("{message}.")
}
