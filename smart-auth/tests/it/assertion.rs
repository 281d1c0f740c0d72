//! What stands in a client assertion.

use std::time::Duration;

use serde_json::json;
use smart_auth::{ClientAssertion, Signer, SigningKey};

use crate::support::{Counter, NOW, TOKEN_URL, base64url, decode, key_file, now, p384};

#[test]
fn holds_what_smart_asks_for_and_no_more() {
    let key = SigningKey::parse(&key_file("rsa2048-pkcs8.pem")).unwrap();
    let assertion = ClientAssertion::new("client-1", TOKEN_URL)
        .sign(&key, now(), &Counter::default())
        .unwrap();
    let (header, mut claims) = decode(assertion.expose());
    assert_eq!(
        header,
        json!({ "alg": "RS384", "kid": key.kid(), "typ": "JWT" })
    );
    let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(base64url(jti.as_str().unwrap()).len(), 16);
    let expected = json!({
        "iss": "client-1", "sub": "client-1", "aud": TOKEN_URL, "iat": NOW, "exp": NOW + 240,
    });
    assert_eq!(claims, expected);
    assert_eq!(assertion.kid(), key.kid());
}

#[test]
fn signature_is_over_header_and_claims() {
    let key = p384();
    let assertion = ClientAssertion::new("client-1", TOKEN_URL)
        .sign(&key, now(), &Counter::default())
        .unwrap();
    let (message, signature) = assertion.expose().rsplit_once('.').unwrap();
    let public = key.public_jwk();
    assert!(public.verify(message.as_bytes(), &base64url(signature)));
    assert!(!public.verify(b"other", &base64url(signature)));
}

#[test]
fn lives_five_minutes_at_most() {
    for (asked, given) in [
        (0, 1),
        (1, 1),
        (60, 60),
        (300, 300),
        (301, 300),
        (86_400, 300),
    ] {
        let assertion = ClientAssertion::new("client-1", TOKEN_URL)
            .lifetime(Duration::from_secs(asked))
            .sign(
                &p384(),
                now() + Duration::from_millis(999),
                &Counter::default(),
            )
            .unwrap();
        let (_, claims) = decode(assertion.expose());
        assert_eq!(claims["exp"], NOW + given, "{asked}");
    }
}

#[test]
fn jti_is_new_each_time() {
    let random = Counter::default();
    let maker = ClientAssertion::new("client-1", TOKEN_URL);
    let jtis: std::collections::HashSet<String> = (0..100)
        .map(|_| {
            let assertion = maker.sign(&p384(), now(), &random).unwrap();
            decode(assertion.expose()).1["jti"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(jtis.len(), 100);
}

#[test]
fn names_the_jwks_url_when_told() {
    let url = "https://client.example/jwks.json";
    let assertion = ClientAssertion::new("client-1", TOKEN_URL)
        .jku(url)
        .sign(&p384(), now(), &Counter::default())
        .unwrap();
    assert_eq!(decode(assertion.expose()).0["jku"], url);
}
