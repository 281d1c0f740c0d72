//! Nothing secret in what is printed or told.

use jose_keys::{Algorithm, Imported, PrivateKey, PublicJwk, Secret, SigningKey};
use serde_json::json;

use crate::support::{json_file, key_file};

const CANARY: &str = "kanarienvogel";

#[test]
fn secrets_show_nothing() {
    let secret: Secret = serde_json::from_value(json!(CANARY)).unwrap();
    assert_eq!(secret.expose(), CANARY);
    let copy = secret.clone();
    let shown = format!("{secret} {secret:?} {secret:#?} {copy:?}");
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn keys_show_nothing() {
    for (file, algorithm) in [
        ("rsa2048-jwk.json", Algorithm::Rs384),
        ("p384-jwk.json", Algorithm::Es384),
    ] {
        let private = json_file(file);
        let imported = Imported::parse(&key_file(file)).unwrap();
        let key = PrivateKey::parse(&key_file(file)).unwrap();
        let signing = key.signing_key(algorithm).unwrap();
        let pem = key.to_pem();
        let shown = format!(
            "{imported:?} {imported:#?} {key:?} {key:#?} {signing:?} {signing:#?} {:?} {} {pem:?} {pem}",
            signing.public_jwk(),
            json!(signing.public_jwk()),
        );
        for name in ["d", "p", "q", "dp", "dq", "qi"] {
            if let Some(number) = private[name].as_str() {
                assert!(!shown.contains(number), "{name}");
            }
        }
        assert!(!shown.contains("BEGIN"));
        for line in pem.expose().lines() {
            assert!(!shown.contains(line));
        }
        // Nor as a list of bytes.
        let der = format!("{:?}", &key.expose_der()[40..48]);
        assert!(!shown.contains(der.trim_matches(['[', ']'])));
        assert_eq!(format!("{key:?}"), "PrivateKey(…)");
    }
}

#[test]
fn errors_show_nothing() {
    let jwk = |value: serde_json::Value| {
        let text = value.to_string();
        let error = SigningKey::from_jwk(text.as_bytes()).unwrap_err();
        assert_eq!(PrivateKey::parse(text.as_bytes()).unwrap_err(), error);
        error.to_string() + &format!("{error:?}")
    };
    let file = |text: &str| {
        let error = PrivateKey::parse(text.as_bytes()).unwrap_err();
        error.to_string() + &format!("{error:?}")
    };
    let public = |value: serde_json::Value| {
        let error = serde_json::from_str::<PublicJwk>(&value.to_string()).unwrap_err();
        error.to_string() + &format!("{error:?}")
    };
    for text in [
        jwk(json!({ "kty": "RSA", "d": CANARY, "n": CANARY, "e": CANARY })),
        jwk(json!({ "kty": CANARY, "d": CANARY })),
        jwk(json!({ "kty": "EC", "d": [CANARY] })),
        jwk(json!({ "kty": "EC", "iat": CANARY, "use": CANARY })),
        jwk(json!({ "keys": CANARY })),
        file(CANARY),
        file(&format!("{{{CANARY}")),
        file(&format!("-----BEGIN {CANARY}-----")),
        file(&format!(
            "-----BEGIN PRIVATE KEY-----\n{CANARY}*\n-----END PRIVATE KEY-----"
        )),
        public(json!(CANARY)),
        public(json!([CANARY])),
        public(json!({ "kty": CANARY, "alg": "RS384", "kid": CANARY })),
        public(json!({ "kty": "RSA", "alg": CANARY, "kid": CANARY })),
        public(json!({ "kty": "RSA", "alg": "RS384", "kid": "1", "n": CANARY, "e": CANARY })),
        CANARY.parse::<Algorithm>().unwrap_err().to_string(),
        serde_json::from_value::<Algorithm>(json!(CANARY))
            .unwrap_err()
            .to_string(),
    ] {
        assert!(!text.contains(CANARY), "{text}");
    }
}
