//! Private keys as they are kept.

use jose_keys::{Algorithm, Imported, PrivateKey, Signer, SigningKey};
use serde_json::json;

use crate::support::{GOOD, json_file, key_file, openssl, verify, with};

#[test]
fn every_form_becomes_the_same_pkcs8() {
    for (one, others) in [
        (
            "rsa2048-pkcs8.pem",
            &["rsa2048-pkcs1.pem", "rsa2048-jwk.json"][..],
        ),
        (
            "p384-pkcs8.pem",
            &["p384-sec1.pem", "p384-jwk.json", "jwks-one-private.json"],
        ),
    ] {
        let der = |name| {
            let key = PrivateKey::parse(&key_file(name)).expect(name);
            key.expose_der().to_vec()
        };
        for other in others {
            assert_eq!(der(one), der(other), "{other}");
        }
    }
}

#[test]
fn what_is_written_is_read_back() {
    for file in GOOD {
        let key = PrivateKey::parse(&key_file(file)).unwrap();
        let algorithm = key.default_algorithm();
        let again = [
            PrivateKey::from_pkcs8(key.expose_der()).unwrap(),
            PrivateKey::parse(key.to_pem().expose().as_bytes()).unwrap(),
        ];
        for again in again {
            assert_eq!(again.expose_der(), key.expose_der(), "{file}");
            assert_eq!(again.default_algorithm(), algorithm, "{file}");
        }
        let signing = key.signing_key(algorithm).unwrap();
        verify(&signing, b"message", &signing.sign(b"message").unwrap());
        let original = SigningKey::parse(&key_file(file)).unwrap();
        let thumbprint = original.public_jwk().thumbprint();
        assert_eq!(signing.kid(), thumbprint, "{file}");
        assert_eq!(key.public_jwk(algorithm).unwrap(), *signing.public_jwk());
        let pem = key.to_pem();
        assert!(pem.expose().ends_with("\n-----END PRIVATE KEY-----\n"));
        assert_eq!(pem.expose().lines().map(str::len).max(), Some(64));
    }
}

#[test]
fn others_read_what_is_written() {
    for file in ["rsa2048-jwk.json", "p384-jwk.json"] {
        let key = PrivateKey::parse(&key_file(file)).unwrap();
        let der = key.expose_der();
        if file.starts_with("rsa") {
            ring::signature::RsaKeyPair::from_pkcs8(der).unwrap();
            #[cfg(feature = "rsa-generation")]
            aws_lc_rs::rsa::KeyPair::from_pkcs8(der).unwrap();
        } else {
            let random = ring::rand::SystemRandom::new();
            let how = &ring::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
            ring::signature::EcdsaKeyPair::from_pkcs8(how, der, &random).unwrap();
            #[cfg(feature = "rsa-generation")]
            {
                let how = &aws_lc_rs::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
                aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(how, der).unwrap();
            }
        }
        let pem = key.to_pem();
        if let Some(theirs) = openssl(&["pkey"], pem.expose().as_bytes()) {
            assert_eq!(pem.expose().as_bytes(), theirs, "{file}");
        }
        openssl(&["pkey", "-inform", "DER", "-check", "-noout"], der);
    }
    // Made by OpenSSL too, for where it is not there.
    for file in ["rsa2048-pkcs8.pem", "p384-pkcs8.pem"] {
        let pem = PrivateKey::parse(&key_file(file)).unwrap().to_pem();
        assert_eq!(pem.expose().as_bytes(), key_file(file), "{file}");
    }
}

#[test]
fn what_a_jwk_says_is_kept() {
    let jwk = json_file("p384-jwk.json");
    let read = |jwk: &serde_json::Value| Imported::parse(jwk.to_string().as_bytes());
    let said = with(&with(&jwk, "iat", 1_767_323_045), "alg", "ES384");
    let imported = read(&said).unwrap();
    assert_eq!(imported.algorithm, Some(Algorithm::Es384));
    assert_eq!(imported.kid.as_deref(), Some("p384-test"));
    assert_eq!(imported.issued_at, Some(1_767_323_045));
    let set = read(&json!({ "keys": [said] })).unwrap();
    assert_eq!(set.issued_at, imported.issued_at);
    assert_eq!(set.kid, imported.kid);

    for iat in [json!("yesterday"), json!(-1), json!(null), json!({})] {
        assert_eq!(read(&with(&jwk, "iat", iat)).unwrap().issued_at, None);
    }
    let error = read(&with(&jwk, "alg", "RS384")).unwrap_err().to_string();
    assert!(error.contains("can't sign that way"), "{error}");
    let error = read(&with(&jwk, "alg", "ES512")).unwrap_err().to_string();
    assert!(error.contains("RS256, RS384 or ES384"), "{error}");

    let imported = Imported::parse(&key_file("p384-pkcs8.pem")).unwrap();
    assert_eq!(
        (imported.algorithm, imported.kid, imported.issued_at),
        (None, None, None)
    );
}

#[test]
fn a_key_signs_only_in_its_ways() {
    use Algorithm::{Es384, Rs256, Rs384};
    for (file, default, fits, fits_not) in [
        (
            "rsa2048-pkcs8.pem",
            Rs384,
            &[Rs256, Rs384][..],
            &[Es384][..],
        ),
        ("p384-pkcs8.pem", Es384, &[Es384], &[Rs256, Rs384]),
    ] {
        let key = PrivateKey::parse(&key_file(file)).unwrap();
        assert_eq!(key.default_algorithm(), default);
        for &algorithm in fits {
            let signing = key.signing_key(algorithm).unwrap();
            assert_eq!(signing.algorithm(), algorithm);
            assert_eq!(key.public_jwk(algorithm).unwrap().algorithm(), algorithm);
            verify(&signing, b"message", &signing.sign(b"message").unwrap());
        }
        for &algorithm in fits_not {
            let error = key.signing_key(algorithm).unwrap_err();
            assert!(error.to_string().contains("can't sign that way"));
            assert_eq!(key.public_jwk(algorithm).unwrap_err(), error);
        }
    }
}

/// What `SigningKey` refuses is not kept either.
#[test]
fn a_key_that_does_not_sign_is_not_kept() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys")).unwrap() {
        let file = std::fs::read(entry.unwrap().path()).unwrap();
        let signs = SigningKey::parse(&file).map(|_| ());
        assert_eq!(PrivateKey::parse(&file).map(|_| ()), signs);
    }
    let rsa = json_file("rsa2048-jwk.json");
    let mixed = with(&rsa, "dp", rsa["dq"].clone()).to_string();
    let error = PrivateKey::parse(mixed.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("don't belong together"));
}
