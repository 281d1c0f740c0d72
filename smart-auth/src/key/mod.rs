mod der;
mod jwk;
mod pem;
mod signing_key;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use fhir_http::BoxError;
use zeroize::Zeroizing;

pub use jwk::PublicJwk;
pub use signing_key::{Pkcs8Key, SigningKey};

/// A signature algorithm of JWS ([RFC 7518, 3.1][spec]).
///
/// [spec]: https://www.rfc-editor.org/rfc/rfc7518#section-3.1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256. Not named by SMART, but some servers
    /// take nothing else.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

impl Algorithm {
    /// Its name in JOSE, such as `RS384`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Es384 => "ES384",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = crate::Error;

    fn from_str(name: &str) -> crate::Result<Self> {
        match name {
            "RS256" => Ok(Self::Rs256),
            "RS384" => Ok(Self::Rs384),
            "ES384" => Ok(Self::Es384),
            _ => Err(crate::Error::Key {
                problem: "its `alg` is not RS256, RS384 or ES384",
            }),
        }
    }
}

/// Signs with a private key, which may be in a key management service or a
/// hardware module. [`SigningKey`] is the one in memory.
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
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError>;
}

/// Gives the signer to use now. A key ring implements it, so that a rotation
/// is picked up without a restart; one fixed signer in an [`Arc`] is enough
/// where there is none.
pub trait Signers: Send + Sync {
    /// The signer whose key is active.
    ///
    /// # Errors
    /// When there is none, or its key can't be read.
    fn active(&self) -> Result<Arc<dyn Signer>, BoxError>;
}

impl<S: Signer + 'static> Signers for Arc<S> {
    fn active(&self) -> Result<Arc<dyn Signer>, BoxError> {
        Ok(self.clone())
    }
}

impl Signers for Arc<dyn Signer> {
    fn active(&self) -> Result<Arc<dyn Signer>, BoxError> {
        Ok(self.clone())
    }
}

/// Bytes of a private key.
type SecretBytes = Zeroizing<Vec<u8>>;

/// A private key as numbers, big-endian and without leading zeros.
enum KeyNumbers {
    Rsa(RsaNumbers),
    P384 {
        /// 48 bytes.
        d: SecretBytes,
        /// The uncompressed point, 97 bytes.
        point: Vec<u8>,
    },
}

/// RSA with two primes ([RFC 8017, 3.2](https://www.rfc-editor.org/rfc/rfc8017#section-3.2)).
struct RsaNumbers {
    n: Vec<u8>,
    e: Vec<u8>,
    d: SecretBytes,
    p: SecretBytes,
    q: SecretBytes,
    dp: SecretBytes,
    dq: SecretBytes,
    qi: SecretBytes,
}

/// Bytes of one coordinate, and of the private number, of P-384.
const P384_LEN: usize = 48;

/// `number` with exactly [`P384_LEN`] bytes; `None` when it is longer.
fn p384_number(number: &[u8]) -> Option<SecretBytes> {
    let number = without_leading_zeros(number);
    let padding = P384_LEN.checked_sub(number.len())?;
    let mut padded = Zeroizing::new(vec![0; P384_LEN]);
    padded[padding..].copy_from_slice(number);
    Some(padded)
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
