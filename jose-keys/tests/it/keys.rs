//! Which keys are read, what they sign, and what is said about the others.

use jose_keys::{Algorithm, Error, Signer, SigningKey};
use serde_json::json;

use crate::support::{base64url, json_file, key_file, verify, with};

#[test]
fn every_form_of_a_key_signs() {
    use Algorithm::{Es384, Rs384};
    for (file, algorithm, length) in [
        ("rsa2048-pkcs8.pem", Rs384, 256),
        ("rsa2048-pkcs1.pem", Rs384, 256),
        ("rsa2048-jwk.json", Rs384, 256),
        ("p384-pkcs8.pem", Es384, 96),
        ("p384-sec1.pem", Es384, 96),
        ("p384-jwk.json", Es384, 96),
        ("jwks-one-private.json", Es384, 96),
    ] {
        let key = SigningKey::parse(&key_file(file)).expect(file);
        assert_eq!(key.algorithm(), algorithm, "{file}");
        let signature = key.sign(b"message").unwrap();
        assert_eq!(signature.len(), length, "{file}");
        verify(&key, b"message", &signature);
    }
}

#[test]
fn the_form_does_not_change_the_key() {
    for (one, others) in [
        (
            "rsa2048-pkcs8.pem",
            ["rsa2048-pkcs1.pem", "rsa2048-jwk.json"],
        ),
        ("p384-pkcs8.pem", ["p384-sec1.pem", "p384-jwk.json"]),
    ] {
        let read = |name| SigningKey::parse(&key_file(name)).unwrap();
        for other in others {
            let thumbprint = read(other).public_jwk().thumbprint();
            assert_eq!(read(one).public_jwk().thumbprint(), thumbprint, "{other}");
        }
    }
}

#[test]
fn kid_is_the_given_one_then_the_jwks_then_the_thumbprint() {
    let jwk = || SigningKey::parse(&key_file("p384-jwk.json")).unwrap();
    assert_eq!(jwk().kid(), "p384-test");
    assert_eq!(jwk().with_kid("mine").kid(), "mine");
    assert_eq!(jwk().with_kid("mine").public_jwk().kid(), "mine");
    let pem = SigningKey::parse(&key_file("p384-pkcs8.pem")).unwrap();
    assert_eq!(pem.kid(), jwk().public_jwk().thumbprint());
    assert_eq!(base64url(pem.kid()).len(), 32);
}

#[test]
fn rsa_signs_the_older_way_when_told() {
    let key = SigningKey::parse(&key_file("rsa2048-pkcs8.pem")).unwrap();
    let key = key.with_algorithm(Algorithm::Rs256).unwrap();
    verify(&key, b"message", &key.sign(b"message").unwrap());
    assert!(key.with_algorithm(Algorithm::Es384).is_err());
    let key = SigningKey::parse(&key_file("p384-pkcs8.pem")).unwrap();
    assert!(key.with_algorithm(Algorithm::Rs384).is_err());
}

#[test]
fn a_jwk_names_its_algorithm() {
    let jwk = json_file("rsa2048-jwk.json");
    let with = |alg: &str| SigningKey::from_jwk(with(&jwk, "alg", alg).to_string().as_bytes());
    assert_eq!(with("RS256").unwrap().algorithm(), Algorithm::Rs256);
    assert_eq!(with("RS384").unwrap().algorithm(), Algorithm::Rs384);
    assert!(with("ES384").is_err());
    assert!(
        with("PS384")
            .unwrap_err()
            .to_string()
            .contains("RS256, RS384 or ES384")
    );
}

#[test]
fn only_public_members_are_published() {
    for (file, members) in [
        (
            "rsa2048-jwk.json",
            vec!["alg", "e", "kid", "kty", "n", "use"],
        ),
        (
            "p384-jwk.json",
            vec!["alg", "crv", "kid", "kty", "use", "x", "y"],
        ),
    ] {
        let key = SigningKey::parse(&key_file(file)).unwrap();
        let jwk = serde_json::to_value(key.public_jwk()).unwrap();
        let names: Vec<_> = jwk.as_object().unwrap().keys().collect();
        assert_eq!(names, members, "{file}");
        assert_eq!(jwk["use"], "sig");
        assert_eq!(jwk["kid"], key.kid());
        let original = json_file(file);
        for name in ["kty", "n", "e", "crv", "x", "y"] {
            assert_eq!(jwk.get(name), original.get(name), "{file} {name}");
        }
    }
}

#[test]
fn a_key_that_does_not_fit_is_refused_with_what_to_do() {
    for (file, says) in [
        ("rsa2048-encrypted.pem", "encrypted; decrypt it"),
        ("rsa2048-encrypted-legacy.pem", "encrypted; decrypt it"),
        (
            "rsa2048-public.pem",
            "public key; signing needs the private one",
        ),
        (
            "rsa2048-certificate.pem",
            "certificate; signing needs the private key",
        ),
        ("rsa1024-pkcs8.pem", "shorter than 2048 bits"),
        ("rsa5120-pkcs8.pem", "longer than 4096 bits"),
        ("rsa-pss.pem", "RSA-PSS"),
        ("ed25519.pem", "neither RSA nor P-384"),
        ("p256-pkcs8.pem", "not P-384"),
        ("p256-sec1.pem", "not P-384"),
        ("p521-pkcs8.pem", "not P-384"),
        ("p384-sec1-no-public.pem", "public half is missing"),
        ("README.md", "no PEM section"),
    ] {
        let error = SigningKey::parse(&key_file(file))
            .expect_err(file)
            .to_string();
        assert!(error.contains(says), "{file}: {error}");
    }
}

#[test]
fn a_jwk_that_does_not_fit_is_refused_with_what_to_do() {
    let (rsa, ec) = (json_file("rsa2048-jwk.json"), json_file("p384-jwk.json"));
    let null = serde_json::Value::Null;
    for (jwk, says) in [
        (json!({}), "`kty` is missing"),
        (
            json!({ "kty": "oct", "k": "AAAA" }),
            "neither RSA nor P-384",
        ),
        (
            json!({ "kty": "OKP", "crv": "Ed25519", "d": "AAAA" }),
            "neither RSA nor P-384",
        ),
        (json!({ "keys": [] }), "public keys only"),
        (
            json!({ "keys": [with(&ec, "d", null.clone())] }),
            "public keys only",
        ),
        (json!({ "keys": [ec, rsa] }), "more than one private key"),
        (with(&rsa, "d", null.clone()), "public JWK"),
        (with(&ec, "d", null.clone()), "public JWK"),
        (with(&rsa, "qi", null.clone()), "`qi`"),
        (with(&rsa, "n", null), "lacks a public number"),
        (with(&rsa, "use", "enc"), "not `sig`"),
        (with(&ec, "crv", "P-256"), "not P-384"),
        (with(&ec, "d", "AQ"), "don't belong together"),
        (with(&rsa, "dp", rsa["dq"].clone()), "don't belong together"),
        (with(&ec, "x", "*"), "no valid base64url"),
        (with(&ec, "x", "A".repeat(69)), "no valid base64url"),
        (with(&ec, "x", "B".repeat(72)), "longer than P-384"),
    ] {
        let error = SigningKey::from_jwk(jwk.to_string().as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn files_as_editors_leave_them_are_read() {
    let pem = String::from_utf8(key_file("p384-pkcs8.pem")).unwrap();
    let certificate = String::from_utf8(key_file("rsa2048-certificate.pem")).unwrap();
    for text in [
        format!("\u{feff}{pem}"),
        pem.replace('\n', "\r\n"),
        format!("some words\n{certificate}{pem}"),
    ] {
        assert!(SigningKey::parse(text.as_bytes()).is_ok());
    }
    let jwk = [b"\xef\xbb\xbf\n ", key_file("p384-jwk.json").as_slice()].concat();
    assert!(SigningKey::parse(&jwk).is_ok());
    for (text, says) in [
        (format!("{pem}{pem}"), "more than one private key"),
        (pem[..pem.len() - 20].to_owned(), "cut"),
        (pem.replacen("MI", "M-", 1), "base64"),
    ] {
        let error = SigningKey::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn algorithms_are_read_and_written_by_their_names() {
    for (algorithm, name, is_rsa) in [
        (Algorithm::Rs256, "RS256", true),
        (Algorithm::Rs384, "RS384", true),
        (Algorithm::Es384, "ES384", false),
    ] {
        assert_eq!(algorithm.to_string(), name);
        assert_eq!(name.parse(), Ok(algorithm));
        assert_eq!(json!(algorithm), json!(name));
        assert_eq!(serde_json::from_value(json!(name)).ok(), Some(algorithm));
        assert_eq!(algorithm.is_rsa(), is_rsa);
    }
    for other in ["", "rs384", "none", "HS256", "PS384", "ES256"] {
        assert_eq!(other.parse::<Algorithm>(), Err(Error::Algorithm), "{other}");
        assert!(serde_json::from_value::<Algorithm>(json!(other)).is_err());
    }
}
