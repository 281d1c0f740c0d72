//! Keys and secrets at the token endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Value, json};

use crate::attempt::{Bench, set};
use crate::util::{Key, NOW};

#[test]
fn keys_have_to_be_for_this_use() {
    type Case = (&'static str, fn(&mut Value), &'static str);
    let cases: [Case; 6] = [
        ("alg", |key| key["alg"] = "ES256".into(), "another alg"),
        ("use", |key| key["use"] = "enc".into(), "not for signatures"),
        (
            "key_ops",
            |key| key["key_ops"] = json!(["sign"]),
            "not for verifying",
        ),
        ("crv", |key| key["crv"] = "P-256".into(), "does not fit"),
        ("d", |key| key["d"] = "AA".into(), "private key"),
        ("x", |key| key["x"] = "+/".into(), "base64url"),
    ];
    for (name, edit, description) in cases {
        let bench = Bench::new(Key::es384(), edit);
        let document = bench.send(&bench.attempt()).json();
        assert_eq!(document["error"], "invalid_client", "{name}");
        let text = document["error_description"]
            .as_str()
            .expect("a description");
        assert!(text.contains(description), "{name}: {text}");
    }
}

#[test]
fn secrets_come_by_basic_or_in_the_form() {
    let bench = Bench::new(Key::es384(), |_| ());
    let request = |pairs: &[(&'static str, &str)], basic: Option<&str>| {
        let mut attempt = bench.attempt();
        set(&mut attempt, "client_assertion_type", None);
        for (name, value) in pairs {
            set(&mut attempt, name, Some(value));
        }
        attempt.authorization = basic.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
        bench.send(&attempt)
    };
    let right = [("client_id", "se cret"), ("client_secret", "s%3&=")];
    assert_eq!(request(&right, None).status, StatusCode::OK);
    assert_eq!(
        request(&[], Some("se+cret:s%253%26%3D")).status,
        StatusCode::OK
    );

    let wrong = [("client_id", "se cret"), ("client_secret", "s")];
    let answer = request(&wrong, None);
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_client"))
    );
    let answer = request(&[], Some("se+cret:wrong"));
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.header("www-authenticate").starts_with("Basic"));
    // A client with keys has no secret to guess.
    assert_eq!(request(&[], Some("app:")).status, StatusCode::UNAUTHORIZED);
}

#[test]
fn an_assertion_serves_once() {
    let bench = Bench::new(Key::es384(), |_| ());
    assert_eq!(bench.send(&bench.attempt()).status, StatusCode::OK);
    let answer = bench.send(&bench.attempt());
    assert_eq!(answer.json()["error"], "invalid_client");
    assert_eq!(answer.json()["error_description"], "jti was used before");
}

#[test]
fn clocks_may_be_seconds_apart() {
    let bench = Bench::new(Key::es384(), |_| ());
    for (number, exp) in [NOW - 4, NOW + 305].into_iter().enumerate() {
        let mut attempt = bench.attempt();
        attempt.claims["exp"] = exp.into();
        attempt.claims["jti"] = number.to_string().into();
        assert_eq!(bench.send(&attempt).status, StatusCode::OK, "{exp}");
    }
}
