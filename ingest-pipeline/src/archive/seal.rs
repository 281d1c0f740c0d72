use std::fmt;
use std::sync::Arc;

use fhir_http::Random;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::RawKey;

/// The key that a tenant's messages are sealed with, by AES-256 in
/// Galois/Counter Mode
/// ([NIST SP 800-38D](https://doi.org/10.6028/NIST.SP.800-38D)).
///
/// One key is good for 2³² messages (section 8.3). Without it the archive can't
/// be read: keep a copy of it apart from the archive.
#[derive(Clone)]
pub struct ArchiveKey(Zeroizing<[u8; 32]>);

impl ArchiveKey {
    /// The key of these bytes, which have to be random.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads 64 hexadecimal digits; `None` for any other text.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        let mut key = Zeroizing::new([0; 32]);
        if pairs.len() != key.len() || !rest.is_empty() {
            return None;
        }
        let value = |digit: u8| char::from(digit).to_digit(16);
        for (byte, [high, low]) in key.iter_mut().zip(pairs) {
            *byte = (value(*high)? << 4 | value(*low)?) as u8;
        }
        Some(Self(key))
    }
}

/// By hand: a key is secret.
impl fmt::Debug for ArchiveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArchiveKey(…)")
    }
}

/// Seals messages, each bound to its name: a header, a random nonce, the
/// ciphertext and its tag.
pub struct Sealer {
    key: LessSafeKey,
    random: Arc<dyn Random>,
}

impl Sealer {
    /// Seals with `key`.
    #[must_use]
    pub fn new(key: &ArchiveKey, random: Arc<dyn Random>) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &*key.0).expect("a key of 256 bits");
        Self {
            key: LessSafeKey::new(key),
            random,
        }
    }

    /// The message, sealed.
    ///
    /// # Errors
    /// What is wrong with it: it is longer than can be sealed.
    pub fn seal(&self, name: &RawKey, message: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce);
        // As long as it will be, so that it is never moved with the message in it.
        let mut sealed = Vec::with_capacity(START + message.len() + MAX_TAG_LEN);
        sealed.extend_from_slice(HEADER);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(message);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, bound_to(name), &mut sealed[START..])
            .map_err(|_| "the message is too long to be sealed")?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// The message in `sealed`.
    ///
    /// # Errors
    /// Why it can't be had.
    pub fn open(&self, name: &RawKey, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, &'static str> {
        let mut sealed = Zeroizing::new(sealed);
        let nonce = sealed
            .strip_prefix(HEADER)
            .and_then(|rest| rest.first_chunk())
            .ok_or(
                "it is no sealed message, or one of a version that this software does not know",
            )?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .key
            .open_within(nonce, bound_to(name), &mut sealed, START..)
            .map_err(|_| {
                "the archive key is not the one this message was sealed with, or the file is damaged"
            })?
            .len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

/// By hand: there is a key inside.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(…)")
    }
}

/// What it is, and the version of what follows.
const HEADER: &[u8; 8] = b"hl7-raw\x01";
/// Where the ciphertext begins.
const START: usize = HEADER.len() + NONCE_LEN;

fn bound_to(name: &RawKey) -> Aad<Vec<u8>> {
    Aad::from([HEADER, name.as_str().as_bytes()].concat())
}
