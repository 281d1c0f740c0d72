//! The token endpoint: one wrong thing at a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ehr_sandbox::{RegisteredClient, Sandbox};
use http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::util::{Answer, Key, NOW, clock, get, send};

/// A token request that is right until a case spoils it.
struct Attempt {
    header: Value,
    claims: Value,
    form: Vec<(&'static str, String)>,
    content_type: &'static str,
    authorization: Option<String>,
    method: &'static str,
    /// The key that signs; the registered one by default.
    signer: Option<Key>,
    /// Changes the signed assertion.
    tamper: fn(String) -> String,
}

struct Bench {
    sandbox: Sandbox,
    key: Key,
}

impl Bench {
    fn new(key: Key, edit_jwk: impl FnOnce(&mut Value)) -> Self {
        let mut jwk = key.jwk("k1");
        edit_jwk(&mut jwk);
        let jwks = json!({"keys": [jwk]}).to_string();
        let app = RegisteredClient::new("app")
            .jwks(jwks)
            .scopes("system/*.rs");
        let secret = RegisteredClient::new("se cret")
            .secret("s%3&=")
            .scopes("system/Patient.rs");
        let builder = Sandbox::builder().client(app).client(secret).clock(clock());
        Self {
            sandbox: builder.in_process().expect("a sandbox"),
            key,
        }
    }

    fn attempt(&self) -> Attempt {
        let alg = if matches!(self.key, Key::Rsa(_)) {
            "RS384"
        } else {
            "ES384"
        };
        Attempt {
            header: json!({"alg": alg, "kid": "k1", "typ": "JWT"}),
            claims: json!({
                "iss": "app", "sub": "app", "aud": self.sandbox.token_url(),
                "exp": NOW + 300, "jti": "j1",
            }),
            form: vec![
                ("grant_type", "client_credentials".into()),
                ("scope", "system/Patient.rs".into()),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".into(),
                ),
            ],
            content_type: "application/x-www-form-urlencoded",
            authorization: None,
            method: "POST",
            signer: None,
            tamper: |assertion| assertion,
        }
    }

    fn send(&self, attempt: &Attempt) -> Answer {
        let signer = attempt.signer.as_ref().unwrap_or(&self.key);
        let assertion = (attempt.tamper)(signer.sign(&attempt.header, &attempt.claims));
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(attempt.form.iter().map(|(name, value)| (name, value)));
        if attempt
            .form
            .iter()
            .any(|(name, _)| *name == "client_assertion_type")
        {
            form.append_pair("client_assertion", &assertion);
        }
        let mut headers = vec![("content-type", attempt.content_type)];
        headers.extend(
            attempt
                .authorization
                .as_deref()
                .map(|value| ("authorization", value)),
        );
        let url = self.sandbox.token_url();
        send(
            &self.sandbox,
            attempt.method,
            &url,
            &headers,
            &form.finish(),
        )
    }
}

fn set(attempt: &mut Attempt, name: &'static str, value: Option<&str>) {
    attempt.form.retain(|(own, _)| *own != name);
    attempt
        .form
        .extend(value.map(|value| (name, value.to_owned())));
}

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
    // None of the failures has used up the assertion.
    assert_eq!(bench.send(&bench.attempt()).status, StatusCode::OK);
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

#[test]
fn an_assertion_serves_once() {
    let bench = Bench::new(Key::es384(), |_| ());
    assert_eq!(bench.send(&bench.attempt()).status, StatusCode::OK);
    let answer = bench.send(&bench.attempt());
    assert_eq!(answer.json()["error"], "invalid_client");
    assert_eq!(answer.json()["error_description"], "jti was used before");
}

#[test]
fn keys_have_to_be_for_this_use() {
    let cases: [(&str, fn(&mut Value), &str); 6] = [
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
fn only_post_is_answered() {
    let bench = Bench::new(Key::es384(), |_| ());
    let answer = bench.send(&Attempt {
        method: "GET",
        ..bench.attempt()
    });
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "POST");
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

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().expect("an object").remove(name);
    value
}

fn strip_signature(assertion: String) -> String {
    let (message, _) = assertion.rsplit_once('.').expect("a JWS");
    format!("{message}.")
}
