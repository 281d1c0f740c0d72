//! Key files: PEM, a private JWK, or a JWK Set with one private key.

pub(crate) mod jwk;
pub(crate) mod pem;

use base64::{DecodeSliceError, Engine};
use zeroize::Zeroizing;

use crate::numbers::{KeyNumbers, SecretBytes};
use crate::{Algorithm, Error, Result};

/// What a file says.
pub(crate) struct Parsed {
    pub(crate) numbers: KeyNumbers,
    /// `alg` of a JWK.
    pub(crate) algorithm: Option<Algorithm>,
    /// `kid` of a JWK.
    pub(crate) kid: Option<String>,
    /// `iat` of a JWK.
    pub(crate) issued_at: Option<u64>,
}

impl From<KeyNumbers> for Parsed {
    fn from(numbers: KeyNumbers) -> Self {
        Self {
            numbers,
            algorithm: None,
            kid: None,
            issued_at: None,
        }
    }
}

/// Reads the one private key of a file.
pub(crate) fn parse(file: &[u8]) -> Result<Parsed> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    if file.trim_ascii_start().starts_with(b"{") {
        return jwk::parse(file);
    }
    match std::str::from_utf8(file) {
        Ok(text) => Ok(pem::parse(text).map_err(Error::private)?.into()),
        Err(_) => Err(Error::private(
            "it is neither PEM nor JWK; convert DER with `openssl pkey`",
        )),
    }
}

/// Decodes into memory that is overwritten, also what was decoded before an
/// error.
fn decode_secret(engine: &impl Engine, text: &[u8]) -> Result<SecretBytes, DecodeSliceError> {
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = engine.decode_slice(text, &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}
