//! Keys that are made here.

use jose_keys::{PrivateKey, Signer};

use crate::support::{openssl, verify};

/// Signs, is written so that others read it, and is never made twice.
fn check(make: impl Fn() -> PrivateKey) {
    let key = make();
    let signing = key.signing_key(key.default_algorithm()).unwrap();
    let signature = signing.sign(b"message").unwrap();
    verify(&signing, b"message", &signature);
    assert!(signing.public_jwk().verify(b"message", &signature));
    openssl(
        &["pkey", "-check", "-noout"],
        key.to_pem().expose().as_bytes(),
    );
    let other = make();
    let other = other.public_jwk(other.default_algorithm()).unwrap();
    assert_ne!(other.thumbprint(), signing.public_jwk().thumbprint());
}

#[test]
fn p384() {
    check(|| PrivateKey::generate_p384().unwrap());
}

#[cfg(feature = "rsa-generation")]
#[test]
fn rsa() {
    use base64::Engine as _;
    use jose_keys::{Algorithm, RsaBits};

    check(|| PrivateKey::generate_rsa(RsaBits::B2048).unwrap());
    for (bits, length) in [
        (RsaBits::B2048, 256),
        (RsaBits::default(), 384),
        (RsaBits::B4096, 512),
    ] {
        let key = PrivateKey::generate_rsa(bits).unwrap();
        let jwk = key.public_jwk(Algorithm::Rs384).unwrap();
        let jwk = serde_json::to_value(jwk).unwrap();
        assert_eq!(jwk["e"], "AQAB");
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(jwk["n"].as_str().unwrap())
            .unwrap();
        assert_eq!(n.len(), length);
        assert!(n[0] >= 0x80, "{bits:?}: as long as it says");
    }
}
