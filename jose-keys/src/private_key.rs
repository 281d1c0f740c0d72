use std::fmt;

use crate::file::{self, Parsed, pem};
use crate::numbers::{KeyNumbers, SecretBytes};
use crate::{Algorithm, Error, PublicJwk, Result, Secret, SigningKey, der};

/// A private key to be kept: RSA of 2048 to 4096 bits, or P-384.
///
/// It is known to sign, and is held as PKCS#8
/// ([RFC 5958](https://www.rfc-editor.org/rfc/rfc5958)) whatever form it came
/// in. It is never shown, has no copy that nobody asked for, and its memory is
/// overwritten when it is dropped.
pub struct PrivateKey {
    der: SecretBytes,
    algorithm: Algorithm,
}

/// A private key, and what its JWK says beside it. A PEM file says nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct Imported {
    /// The key.
    pub key: PrivateKey,
    /// The `alg`, which fits the key.
    pub algorithm: Option<Algorithm>,
    /// The `kid` that servers may know it by.
    pub kid: Option<String>,
    /// The `iat`, in seconds since 1970-01-01T00:00:00Z.
    pub issued_at: Option<u64>,
}

impl Imported {
    /// Reads a key file: PEM (PKCS#8, PKCS#1, SEC 1), a private JWK, or a JWK
    /// Set with one private key.
    ///
    /// # Errors
    /// [`Error::PrivateKey`], which says what to do about it.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let Parsed {
            numbers,
            algorithm,
            kid,
            issued_at,
        } = file::parse(file)?;
        let key = PrivateKey::from_numbers(&numbers)?;
        if let Some(algorithm) = algorithm {
            key.check(algorithm)?;
        }
        Ok(Self {
            key,
            algorithm,
            kid,
            issued_at,
        })
    }
}

impl PrivateKey {
    /// Reads a key file: PEM (PKCS#8, PKCS#1, SEC 1), a private JWK, or a JWK
    /// Set with one private key. [`Imported::parse`] keeps what a JWK says
    /// beside the key.
    ///
    /// # Errors
    /// [`Error::PrivateKey`], which says what to do about it.
    pub fn parse(file: &[u8]) -> Result<Self> {
        Ok(Imported::parse(file)?.key)
    }

    /// Reads a key in PKCS#8 DER. Attributes are dropped.
    ///
    /// # Errors
    /// [`Error::PrivateKey`], which says what to do about it.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        Self::from_numbers(&der::pkcs8(der).map_err(Error::private)?)
    }

    /// The key as PKCS#8 DER, for the one place that keeps it.
    #[must_use]
    pub fn expose_der(&self) -> &[u8] {
        &self.der
    }

    /// The key as PKCS#8 PEM.
    #[must_use]
    pub fn to_pem(&self) -> Secret {
        Secret::new(pem::write("PRIVATE KEY", &self.der))
    }

    /// How it signs unless told otherwise: RS384 with RSA, ES384 with P-384.
    #[must_use]
    pub const fn default_algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Makes it ready to sign with `algorithm`. Its `kid` is the thumbprint of
    /// [RFC 7638](https://www.rfc-editor.org/rfc/rfc7638).
    ///
    /// # Errors
    /// [`Error::PrivateKey`] when the key can't sign that way.
    pub fn signing_key(&self, algorithm: Algorithm) -> Result<SigningKey> {
        self.check(algorithm)?;
        SigningKey::from_pkcs8(&self.der)?.with_algorithm(algorithm)
    }

    /// Its public half, which verifies what it signs with `algorithm`. Its
    /// `kid` is the thumbprint.
    ///
    /// # Errors
    /// [`Error::PrivateKey`] when the key can't sign that way.
    pub fn public_jwk(&self, algorithm: Algorithm) -> Result<PublicJwk> {
        self.check(algorithm)?;
        let numbers = der::pkcs8(&self.der).map_err(Error::private)?;
        Ok(PublicJwk::of(&numbers, algorithm))
    }

    fn from_numbers(numbers: &KeyNumbers) -> Result<Self> {
        let algorithm = SigningKey::from_numbers(numbers)?.public_jwk().algorithm();
        Ok(Self {
            der: der::private_key(numbers),
            algorithm,
        })
    }

    fn check(&self, algorithm: Algorithm) -> Result<()> {
        if algorithm.is_rsa() == self.algorithm.is_rsa() {
            return Ok(());
        }
        Err(Error::private(SigningKey::OTHER_KIND))
    }
}

/// By hand: it is a key.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}
