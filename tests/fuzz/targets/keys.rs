use jose_keys::{Imported, PrivateKey, PublicJwk, SigningKey};

use super::{Entry, JSON, told};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, Split, texts};

/// Files of private keys: PEM, JWK, JWK Sets.
pub(super) const PRIVATE: Entry = Entry {
    target: Target {
        name: "private-key",
        check: private,
        grammar: Grammar {
            tokens: &[
                "-----BEGIN PRIVATE KEY-----\n",
                "-----END PRIVATE KEY-----\n",
                "-----BEGIN EC PRIVATE KEY-----\n",
                "-----END EC PRIVATE KEY-----\n",
                "-----BEGIN RSA PRIVATE KEY-----\n",
                "-----BEGIN CERTIFICATE-----\n",
                "-----",
                "Proc-Type: 4,ENCRYPTED\n",
                "=",
                "==",
                "AAAA",
                "MIIE",
                "////",
                "\"kty\":\"RSA\"",
                "\"kty\":\"EC\"",
                "\"crv\":\"P-384\"",
                "\"alg\":\"ES384\"",
                "\"use\":\"enc\"",
                "\"key_ops\":[\"sign\"]",
                "\"keys\":[",
                "\"iat\":7",
                "\"d\":\"\"",
                "\"kid\":\"a\"",
                "{",
                "}",
                ",",
                "null",
            ],
            separators: b"\n-{}[],:\"",
            pairs: &[
                ("{\"keys\":[", "]}"),
                ("-----BEGIN ", "-----\n"),
                ("[", "]"),
            ],
        },
    },
    seeds: Seeds {
        own: || {
            texts(&[
                "",
                "{",
                "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
            ])
        },
        places: &["jose-keys/tests/keys"],
        names: &[".pem", ".json"],
        split: Split::Whole,
    },
    smoke: 12_000,
};

/// Public keys, as JWK.
pub(super) const PUBLIC: Entry = Entry {
    target: Target {
        name: "public-jwk",
        check: public,
        grammar: Grammar {
            tokens: &[
                "\"kty\":\"RSA\"",
                "\"kty\":\"EC\"",
                "\"crv\":\"P-384\"",
                "\"alg\":\"ES384\"",
                "\"alg\":\"RS256\"",
                "\"use\":\"sig\"",
                "\"kid\":\"a\"",
                "\"n\":\"",
                "\"e\":\"AQAB\"",
                "\"x\":\"",
                "\"y\":\"",
                "=",
                "AAAA",
                "____",
                "null",
                "\\u0041",
            ],
            ..JSON
        },
    },
    seeds: Seeds {
        own: public_seeds,
        places: &["jose-keys/tests/keys"],
        names: &[".json"],
        split: Split::Whole,
    },
    smoke: 50_000,
};

fn private(file: &[u8]) -> Outcome {
    let imported = match Imported::parse(file) {
        Ok(imported) => imported,
        Err(error) => {
            let text = told(&error);
            assert_quotes_nothing(&text, file);
            assert_quotes_nothing(&format!("{error:?}"), file);
            assert_eq!(SigningKey::parse(file).err(), Some(error));
            return Outcome::new().text(&text);
        }
    };
    let key = &imported.key;
    let algorithm = imported.algorithm.unwrap_or(key.default_algorithm());
    assert_quotes_nothing(&format!("{key:?}"), file);
    // What is kept is the same key, and has no room for anything else.
    let again = PrivateKey::from_pkcs8(key.expose_der()).expect("a key that was kept");
    assert_eq!(again.expose_der(), key.expose_der());
    let again =
        PrivateKey::parse(key.to_pem().expose().as_bytes()).expect("a key that was written");
    assert_eq!(again.expose_der(), key.expose_der());
    let jwk = key.public_jwk(algorithm).expect("a public half");
    assert_eq!(
        key.signing_key(algorithm).expect("it signs").public_jwk(),
        &jwk
    );
    assert_round(&jwk);
    Outcome::new()
        .with(algorithm.as_str())
        .with((imported.kid.is_some(), imported.issued_at.is_some()))
        .size(key.expose_der().len())
}

fn public(json: &[u8]) -> Outcome {
    match serde_json::from_slice::<PublicJwk>(json) {
        Ok(jwk) => {
            assert_round(&jwk);
            assert!(!jwk.kid().is_empty());
            assert!(!jwk.verify(json, b"none"));
            Outcome::new()
                .with(jwk.algorithm().as_str())
                .size(jwk.to_spki_der().len())
        }
        Err(error) => {
            let text = told(&error);
            assert_quotes_nothing(&text, json);
            Outcome::new().text(&text)
        }
    }
}

/// What is published is read as the same key, and holds nothing private.
fn assert_round(jwk: &PublicJwk) {
    let text = serde_json::to_string(jwk).expect("a JWK can be written");
    let members: serde_json::Value = serde_json::from_str(&text).expect("as JSON");
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(members.get(name).is_none(), "{name} is published");
    }
    let again: PublicJwk = serde_json::from_str(&text).expect("and read");
    assert_eq!(&again, jwk);
    assert_eq!(again.thumbprint(), jwk.thumbprint());
    assert!(jwk.to_pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
}

/// A piece of a key as long as this is worth something, and no word of ours is as long.
const PIECE: usize = 24;

fn assert_quotes_nothing(text: &str, file: &[u8]) {
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
    let words = text
        .split(|c| !is_of_key(c))
        .filter(|word| word.len() >= PIECE);
    for word in words.filter(|word| !word.starts_with("-----BEGIN")) {
        for piece in word.as_bytes().windows(PIECE) {
            assert!(
                !file.windows(PIECE).any(|own| own == piece),
                "quotes the file: {text}"
            );
        }
    }
}

fn public_seeds() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../jose-keys/tests/keys/");
    let files = ["rsa2048-pkcs8.pem", "p384-pkcs8.pem"];
    let public = |name: &str| {
        let file = std::fs::read(format!("{folder}{name}")).ok()?;
        let key = SigningKey::parse(&file).ok()?;
        serde_json::to_vec(key.public_jwk()).ok()
    };
    files.into_iter().filter_map(public).collect()
}
