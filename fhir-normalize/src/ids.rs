//! Ids: what FHIR allows, and hashes of everything else.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::settings::Settings;

/// A SHA-256 digest in lower-case hexadecimal, which is a legal FHIR id.
pub(crate) type Hex = [u8; 64];

/// Hashes source ids: SHA-256 over the UTF-8 bytes of
/// `SOURCE_SYSTEM \n TYPE \n SOURCE_ID`, or HMAC-SHA-256 under a key.
#[derive(Clone)]
pub struct IdHasher {
    /// State after `SOURCE_SYSTEM \n`.
    state: State,
}

#[derive(Clone)]
enum State {
    Plain(Sha256),
    // Boxed: two SHA-256 states are twice the size of the plain case.
    Keyed(Box<Hmac<Sha256>>),
}

impl IdHasher {
    /// The hasher of a source.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let state = match &settings.id_key {
            None => State::Plain(Sha256::new()),
            Some(key) => State::Keyed(Box::new(keyed(key.bytes()))),
        };
        let mut hasher = Self { state };
        hasher.update(settings.source_system.as_bytes());
        hasher.update(b"\n");
        hasher
    }

    /// The digest for a source id of a type.
    #[must_use]
    pub fn digest(&self, resource_type: &str, source_id: &str) -> [u8; 32] {
        let mut hasher = self.clone();
        hasher.update(resource_type.as_bytes());
        hasher.update(b"\n");
        hasher.update(source_id.as_bytes());
        match hasher.state {
            State::Plain(state) => state.finalize().into(),
            State::Keyed(state) => state.finalize().into_bytes().into(),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Plain(state) => Digest::update(state, bytes),
            State::Keyed(state) => Mac::update(&mut **state, bytes),
        }
    }
}

impl std::fmt::Debug for IdHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdHasher(redacted)")
    }
}

/// HMAC takes keys of every length.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(state) => state,
        Err(_) => unreachable!("RFC 2104 sets no limit on the length of a key"),
    }
}

/// Whether FHIR allows `id` (R4, datatypes, `id`).
#[must_use]
pub fn is_legal_id(id: &str) -> bool {
    // Without short circuit, so that it compiles to vector instructions: this
    // is asked of every reference, and the answer is nearly always yes.
    let legal = |byte: u8| {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        letter | byte.is_ascii_digit() | (byte == b'-') | (byte == b'.')
    };
    (1..=64).contains(&id.len()) && id.bytes().fold(true, |all, byte| all & legal(byte))
}

/// A digest in lower-case hexadecimal.
pub(crate) fn hex(digest: &[u8; 32]) -> Hex {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 64];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_ids_are_those_of_the_datatype() {
        for legal in ["a", "A-1.Z", "..", &"x".repeat(64)] {
            assert!(is_legal_id(legal), "{legal}");
        }
        for illegal in ["", "a_b", "a b", "a/b", "é", "a#b", &"x".repeat(65)] {
            assert!(!is_legal_id(illegal), "{illegal}");
        }
        for byte in 0..128 {
            let legal = byte == b'-' || byte == b'.' || byte.is_ascii_alphanumeric();
            for at in [0, 15, 16, 35] {
                let mut id = *b"a1b2c3d4-e5f6-a7b8-c9d0-e1f2a3b4c5d6";
                id[at] = byte;
                let id = str::from_utf8(&id).expect("ASCII");
                assert_eq!(is_legal_id(id), legal, "{byte:#x} at {at}");
            }
        }
    }
}
