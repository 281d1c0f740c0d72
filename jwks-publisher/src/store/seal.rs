//! Private keys at rest: AES-256-GCM under a key that is given, or derived
//! from a passphrase by PBKDF2 ([RFC 8018, 5.2][spec]).
//!
//! [spec]: https://www.rfc-editor.org/rfc/rfc8018#section-5.2

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jose_keys::{PrivateKey, PublicJwk, Secret};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::pbkdf2;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{Error, Result};

/// What protects the private keys of a ring at rest.
#[derive(Clone)]
pub enum RingSecret {
    /// A passphrase, of which a key is derived.
    Passphrase(Secret),
    /// A key of 256 bits.
    Key(Key),
}

/// A key of 256 bits, overwritten when it is dropped.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl RingSecret {
    /// Fewest characters of a passphrase.
    pub const MIN_PASSPHRASE: usize = 12;

    /// A passphrase of at least [`MIN_PASSPHRASE`](Self::MIN_PASSPHRASE)
    /// characters.
    ///
    /// # Errors
    /// [`Error::Secret`].
    pub fn passphrase(passphrase: Secret) -> Result<Self> {
        if passphrase.expose().chars().count() < Self::MIN_PASSPHRASE {
            return Err(Error::Secret {
                problem: "the passphrase of a key ring has at least 12 characters",
            });
        }
        Ok(Self::Passphrase(passphrase))
    }

    /// The content of a key file: 64 hexadecimal digits, and white space around
    /// them.
    ///
    /// # Errors
    /// [`Error::Secret`].
    pub fn key_file(text: &Secret) -> Result<Self> {
        let problem = Error::Secret {
            problem: "a key file of a key ring holds 64 hexadecimal digits; `openssl rand -hex 32` makes them",
        };
        let digits = text.expose().trim().as_bytes();
        let (pairs, rest) = digits.as_chunks::<2>();
        let mut key = Key([0; 32]);
        if pairs.len() != key.0.len() || !rest.is_empty() {
            return Err(problem);
        }
        for (byte, [high, low]) in key.0.iter_mut().zip(pairs) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
                return Err(problem);
            };
            *byte = u8::try_from(high << 4 | low).unwrap_or_default();
        }
        Ok(Self::Key(key))
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "passphrase",
            Self::Key(_) => "key",
        }
    }
}

/// By hand: it opens every private key of a ring.
impl fmt::Debug for RingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RingSecret::{}(…)", self.kind())
    }
}

/// By hand: it is a key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// How a ring is protected, as its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(super) enum Protection {
    /// A key derived by PBKDF2 with HMAC-SHA-256.
    Passphrase {
        salt: String,
        iterations: NonZeroU32,
    },
    /// A key that is given.
    Key,
}

impl Protection {
    /// For a new ring.
    pub(super) fn new(secret: &RingSecret) -> Result<Self> {
        Ok(match secret {
            RingSecret::Passphrase(_) => Self::Passphrase {
                salt: STANDARD.encode(random::<16>()?),
                iterations: ITERATIONS,
            },
            RingSecret::Key(_) => Self::Key,
        })
    }

    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Passphrase { .. } => "passphrase",
            Self::Key => "key",
        }
    }

    /// The sealing key; `None` for a secret of the other kind, or a file that
    /// is damaged.
    pub(super) fn key(&self, secret: &RingSecret) -> Option<Key> {
        match (self, secret) {
            (Self::Key, RingSecret::Key(key)) => Some(key.clone()),
            (Self::Passphrase { salt, iterations }, RingSecret::Passphrase(passphrase)) => {
                // A file that asks for more would only take the process out of service.
                if *iterations > MOST_ITERATIONS {
                    return None;
                }
                let salt = STANDARD.decode(salt).ok()?;
                let mut key = Key([0; 32]);
                pbkdf2::derive(
                    pbkdf2::PBKDF2_HMAC_SHA256,
                    *iterations,
                    &salt,
                    passphrase.expose().as_bytes(),
                    &mut key.0,
                );
                Some(key)
            }
            _ => None,
        }
    }
}

impl Key {
    /// Nonce, ciphertext and tag, in Base64. The key is bound to its `kid` and
    /// algorithm, so that none can be put in the place of another.
    pub(super) fn seal(&self, key: &PrivateKey, public: &PublicJwk) -> Result<String> {
        let nonce = random::<NONCE_LEN>()?;
        let mut text = Zeroizing::new(key.expose_der().to_vec());
        let tag = self
            .cipher()?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(binding(public)),
                &mut text,
            )
            .map_err(|_| Error::Random)?;
        Ok(STANDARD.encode([&nonce[..], &text, tag.as_ref()].concat()))
    }

    /// `None` where it was sealed with another key, for another place, or is
    /// damaged.
    pub(super) fn open(&self, sealed: &str, public: &PublicJwk) -> Option<PrivateKey> {
        let sealed = STANDARD.decode(sealed).ok()?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = Zeroizing::new(text.to_vec());
        let der = self
            .cipher()
            .ok()?
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(binding(public)),
                &mut text,
            )
            .ok()?;
        let key = PrivateKey::from_pkcs8(der).ok()?;
        // What is published has to verify what is signed.
        let own = key.public_jwk(public.algorithm()).ok()?;
        (own.thumbprint() == public.thumbprint()).then_some(key)
    }

    fn cipher(&self) -> Result<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.0)
            .map(LessSafeKey::new)
            .map_err(|_| Error::Random)
    }
}

fn binding(public: &PublicJwk) -> String {
    format!("{}\n{}", public.kid(), public.algorithm())
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Random)?;
    Ok(bytes)
}

/// What OWASP asks for with HMAC-SHA-256: a third of a second or so.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();
const MOST_ITERATIONS: NonZeroU32 = NonZeroU32::new(10_000_000).unwrap();
