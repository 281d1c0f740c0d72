//! Public keys: read strictly, written for everyone.

use jose_keys::{Algorithm, PrivateKey, PublicJwk, Signer, SigningKey};
use serde_json::{Value, json};

use crate::support::{GOOD, json_file, key_file, openssl, with};

fn public(file: &str, alg: &str) -> Value {
    let key = PrivateKey::parse(&key_file(file)).unwrap();
    json!(key.public_jwk(alg.parse().unwrap()).unwrap())
}

#[test]
fn what_is_published_is_read_back() {
    for file in GOOD {
        let key = SigningKey::parse(&key_file(file)).unwrap().with_kid("1");
        let text = serde_json::to_string(key.public_jwk()).unwrap();
        let read: PublicJwk = serde_json::from_str(&text).unwrap();
        assert_eq!(read, *key.public_jwk(), "{file}");
        assert_eq!(serde_json::to_string(&read).unwrap(), text, "{file}");
        assert_eq!((read.kid(), read.algorithm()), ("1", key.algorithm()));
        assert_eq!(read.thumbprint(), key.public_jwk().thumbprint());
        let signature = key.sign(b"message").unwrap();
        assert!(read.verify(b"message", &signature), "{file}");
        assert!(!read.verify(b"massage", &signature), "{file}");
        assert!(!read.verify(b"message", &signature[1..]), "{file}");
        assert!(!read.verify(b"message", b""), "{file}");
    }
}

#[test]
fn a_signature_is_verified_by_the_algorithm_it_is_of() {
    let key = PrivateKey::parse(&key_file("rsa2048-pkcs8.pem")).unwrap();
    let sign = |algorithm| key.signing_key(algorithm).unwrap().sign(b"m").unwrap();
    for one in [Algorithm::Rs256, Algorithm::Rs384] {
        for other in [Algorithm::Rs256, Algorithm::Rs384] {
            let jwk = key.public_jwk(other).unwrap();
            assert_eq!(jwk.verify(b"m", &sign(one)), one == other);
        }
    }
}

#[test]
fn members_without_a_place_are_dropped() {
    for (file, alg) in [("rsa2048-jwk.json", "RS384"), ("p384-jwk.json", "ES384")] {
        let private = with(&with(&json_file(file), "alg", alg), "kid", "1");
        let more = with(&with(&private, "x5c", json!(["AAAA"])), "iat", 1);
        let read: PublicJwk = serde_json::from_value(more).unwrap();
        assert_eq!(json!(read), with(&public(file, alg), "kid", "1"));
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    let rsa = public("rsa2048-pkcs8.pem", "RS384");
    let ec = public("p384-pkcs8.pem", "ES384");
    let n = rsa["n"].as_str().unwrap();
    let x = ec["x"].as_str().unwrap();
    let even = n[..n.len() - 1].to_owned() + "A";
    let null = Value::Null;
    for (jwk, says) in [
        (json!({}), "`kid` is missing"),
        (json!([]), "no valid JWK"),
        (json!(n), "no valid JWK"),
        (with(&rsa, "kty", null.clone()), "`kty` is missing"),
        (with(&rsa, "kty", "oct"), "neither RSA nor P-384"),
        (with(&rsa, "kty", 5), "no valid JWK"),
        (with(&rsa, "kty", "EC"), "curve is not P-384"),
        (with(&rsa, "alg", null.clone()), "`alg` is missing"),
        (with(&rsa, "alg", "PS384"), "RS256, RS384 or ES384"),
        (with(&rsa, "alg", "ES384"), "does not fit"),
        (with(&ec, "alg", "RS384"), "does not fit"),
        (with(&rsa, "kid", null.clone()), "`kid` is missing"),
        (with(&rsa, "kid", ""), "`kid` is missing"),
        (with(&rsa, "use", "enc"), "not `sig`"),
        (with(&rsa, "n", null.clone()), "it lacks"),
        (with(&ec, "y", null), "it lacks"),
        (with(&rsa, "n", format!("{n}==")), "without padding"),
        (with(&rsa, "n", n.replacen(&n[..1], "+", 1)), "no base64url"),
        (with(&rsa, "n", format!("AAAA{n}")), "zero byte"),
        (with(&rsa, "e", "AAEAAQ"), "zero byte"),
        (with(&rsa, "n", &n[..340]), "less than 2048"),
        (with(&rsa, "n", n.repeat(5)), "more than 8192"),
        (with(&rsa, "n", ""), "less than 2048"),
        (with(&rsa, "n", even), "none that RSA has"),
        (with(&rsa, "e", "AQ"), "none that RSA has"),
        (with(&rsa, "e", "BA"), "none that RSA has"),
        (with(&rsa, "e", "BAAAAAE"), "none that RSA has"),
        (with(&rsa, "e", ""), "none that RSA has"),
        (with(&ec, "crv", "P-256"), "not P-384"),
        (with(&ec, "x", &x[4..]), "48 bytes"),
        (with(&ec, "x", format!("AAAA{x}")), "48 bytes"),
    ] {
        let error = serde_json::from_value::<PublicJwk>(jwk).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
    let mut bare = rsa.clone();
    bare.as_object_mut().unwrap().remove("use");
    let read: PublicJwk = serde_json::from_value(bare).unwrap();
    assert_eq!(json!(read), rsa);
    let three = serde_json::from_value::<PublicJwk>(with(&rsa, "e", "Aw"));
    assert!(three.is_ok());
}

#[test]
fn a_point_off_its_curve_verifies_nothing() {
    let key = SigningKey::parse(&key_file("p384-pkcs8.pem")).unwrap();
    let jwk = json!(key.public_jwk());
    let off: PublicJwk = serde_json::from_value(with(&jwk, "x", jwk["y"].clone())).unwrap();
    assert!(!off.verify(b"message", &key.sign(b"message").unwrap()));
}

#[test]
fn spki_is_what_openssl_writes() {
    for file in ["rsa2048-pkcs8.pem", "p384-pkcs8.pem"] {
        let pem = key_file(file);
        let key = SigningKey::parse(&pem).unwrap();
        let public = key.public_jwk();
        let Some(expected) = openssl(&["pkey", "-pubout"], &pem) else {
            continue;
        };
        assert_eq!(public.to_pem().as_bytes(), expected, "{file}");
        let Some(der) = openssl(&["pkey", "-pubout", "-outform", "DER"], &pem) else {
            continue;
        };
        assert_eq!(public.to_spki_der(), der, "{file}");
        let check = ["pkey", "-pubin", "-pubcheck", "-noout"];
        openssl(&check, public.to_pem().as_bytes());
    }
    // Made by OpenSSL too, for where it is not there.
    let key = SigningKey::parse(&key_file("rsa2048-pkcs8.pem")).unwrap();
    let expected = key_file("rsa2048-public.pem");
    assert_eq!(key.public_jwk().to_pem().as_bytes(), expected);
}

#[cfg(feature = "rsa-generation")]
#[test]
fn spki_is_read_by_another_library() {
    use aws_lc_rs::signature::{
        ECDSA_P384_SHA384_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA384,
    };
    for file in ["rsa2048-pkcs8.pem", "p384-pkcs8.pem"] {
        let key = SigningKey::parse(&key_file(file)).unwrap();
        let spki = key.public_jwk().to_spki_der();
        let signature = key.sign(b"message").unwrap();
        let read = if file.starts_with("rsa") {
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA384, spki)
        } else {
            ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, spki)
        };
        read.unwrap().verify_sig(b"message", &signature).unwrap();
    }
}
