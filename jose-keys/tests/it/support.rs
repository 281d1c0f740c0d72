//! Key files, and a second opinion on what is written.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose_keys::SigningKey;

/// Files with a key that can be used, and its kind.
pub(crate) const GOOD: [&str; 7] = [
    "rsa2048-pkcs8.pem",
    "rsa2048-pkcs1.pem",
    "rsa2048-jwk.json",
    "p384-pkcs8.pem",
    "p384-sec1.pem",
    "p384-jwk.json",
    "jwks-one-private.json",
];

pub(crate) fn key_file(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

pub(crate) fn json_file(name: &str) -> serde_json::Value {
    serde_json::from_slice(&key_file(name)).unwrap()
}

/// `json` with another member, or without it where `value` is null.
pub(crate) fn with(
    json: &serde_json::Value,
    name: &str,
    value: impl Into<serde_json::Value>,
) -> serde_json::Value {
    let mut json = json.clone();
    json[name] = value.into();
    json
}

pub(crate) fn base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Checks a signature with `ring` and the members of the public JWK alone.
pub(crate) fn verify(key: &SigningKey, message: &[u8], signature: &[u8]) {
    use ring::signature::{
        ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RsaPublicKeyComponents, UnparsedPublicKey,
    };
    let jwk = serde_json::to_value(key.public_jwk()).unwrap();
    let number = |name: &str| base64url(jwk[name].as_str().unwrap());
    let rsa = |parameters| {
        RsaPublicKeyComponents {
            n: number("n"),
            e: number("e"),
        }
        .verify(parameters, message, signature)
    };
    let verified = match jwk["alg"].as_str().unwrap() {
        "RS256" => rsa(&RSA_PKCS1_2048_8192_SHA256),
        "RS384" => rsa(&RSA_PKCS1_2048_8192_SHA384),
        "ES384" => {
            let point = [vec![4], number("x"), number("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
        }
        other => panic!("{other}"),
    };
    verified.expect("the public JWK verifies the signature");
}

/// Output of `openssl` for an input, which must please it; `None`, told on
/// the way, where there is no such command.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let started = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        // Not by `eprintln!`, which is only shown for tests that fail.
        let _ = writeln!(std::io::stderr(), "skipped: there is no `openssl` here");
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    Some(output.stdout)
}
