//! Properties over any input.

use jose_keys::{Algorithm, Imported, PrivateKey, PublicJwk, SigningKey};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::{json_file, key_file};

/// A key file with some of its bytes replaced, removed or said twice.
fn damaged(file: &'static str) -> impl Strategy<Value = Vec<u8>> {
    (
        vec((any::<Index>(), any::<u8>()), 0..4),
        any::<Index>(),
        any::<bool>(),
    )
        .prop_map(move |(changes, cut, whole)| {
            let mut bytes = key_file(file);
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            if !whole {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        })
}

proptest! {
    #[test]
    fn any_bytes_are_a_key_or_refused(bytes in vec(any::<u8>(), 0..512)) {
        let _ = SigningKey::parse(&bytes);
        let _ = Imported::parse(&bytes);
        let _ = SigningKey::from_jwk(&bytes);
        let _ = SigningKey::from_pkcs8(&bytes);
        let sequence = [&[0x30, 0x82, 2, 0][..], &bytes].concat();
        let _ = SigningKey::from_pkcs8(&sequence);
    }

    #[test]
    fn any_pem_is_a_key_or_refused(label in "(RSA |EC |ENCRYPTED )?PRIVATE KEY", body in "[A-Za-z0-9+/\n]{0,200}={0,2}") {
        let _ = SigningKey::from_pem(&format!("-----BEGIN {label}-----\n{body}-----END {label}-----"));
    }

    #[test]
    fn any_public_jwk_is_read_or_refused(
        name in "kty|use|alg|kid|crv|n|e|x|y|d",
        text in "(AA|AQ|RSA|EC|sig|[A-Za-z0-9_=-]{0,80})",
        file in prop_oneof![Just("rsa2048-jwk.json"), Just("p384-jwk.json")],
    ) {
        let mut jwk = json_file(file);
        jwk["alg"] = if file.starts_with("rsa") { "RS384" } else { "ES384" }.into();
        jwk["kid"] = "1".into();
        jwk[&name] = text.into();
        if let Ok(read) = serde_json::from_value::<PublicJwk>(jwk.clone()) {
            let written = serde_json::to_value(&read).unwrap();
            for (name, value) in written.as_object().unwrap() {
                prop_assert!(jwk.get(name).is_none_or(|original| original == value), "{name}");
            }
            prop_assert!(!read.verify(b"message", b"signature"));
            prop_assert!(!read.to_spki_der().is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_key_is_read_or_refused(bytes in prop_oneof![
        damaged("rsa2048-pkcs8.pem"),
        damaged("rsa2048-pkcs1.pem"),
        damaged("p384-sec1.pem"),
        damaged("p384-pkcs8.pem"),
        damaged("p384-jwk.json"),
        damaged("jwks-one-private.json"),
    ]) {
        let signs = SigningKey::parse(&bytes).map(|key| key.public_jwk().thumbprint());
        let kept = PrivateKey::parse(&bytes).map(|key| {
            let public = key.public_jwk(key.default_algorithm()).unwrap();
            let again = PrivateKey::from_pkcs8(key.expose_der()).unwrap();
            assert_eq!(again.expose_der(), key.expose_der());
            public.thumbprint()
        });
        prop_assert_eq!(signs, kept);
    }

    #[test]
    fn a_damaged_signature_verifies_no_more(message in vec(any::<u8>(), 0..64), at in any::<Index>(), by in 1_u8..) {
        use jose_keys::Signer as _;
        for (file, algorithm) in [
            ("rsa2048-pkcs8.pem", Algorithm::Rs256),
            ("rsa2048-pkcs8.pem", Algorithm::Rs384),
            ("p384-pkcs8.pem", Algorithm::Es384),
        ] {
            let key = PrivateKey::parse(&key_file(file)).unwrap();
            let key = key.signing_key(algorithm).unwrap();
            let mut signature = key.sign(&message).unwrap();
            prop_assert!(key.public_jwk().verify(&message, &signature));
            let at = at.index(signature.len());
            signature[at] ^= by;
            prop_assert!(!key.public_jwk().verify(&message, &signature));
        }
    }
}
