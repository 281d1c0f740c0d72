use std::error::Error;

use crate::Algorithm;

/// Signs with a private key, which may be in a key management service or a
/// hardware module. [`SigningKey`](crate::SigningKey) is the one in memory.
pub trait Signer: Send + Sync {
    /// How it signs.
    fn algorithm(&self) -> Algorithm;

    /// The `kid` that its public key has in the published JWK Set.
    fn kid(&self) -> &str;

    /// Signs `message`. The signature is in JWS form: for ES384 the 96 bytes
    /// of R and S ([RFC 7518, 3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)),
    /// not DER.
    ///
    /// # Errors
    /// When the key can't be used or reached.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>>;
}
