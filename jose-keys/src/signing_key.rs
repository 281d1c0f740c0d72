use std::error::Error as StdError;
use std::fmt;

use ring::error::KeyRejected;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaKeyPair,
};

use crate::file::{self, Parsed, jwk, pem};
use crate::numbers::{KeyNumbers, RsaNumbers, bits};
use crate::{Algorithm, Error, PublicJwk, Result, Signer, der};

/// A private key in memory, parsed once.
///
/// RSA of 2048 to 4096 bits signs as RS384, P-384 as ES384, unless told
/// otherwise. Its `kid` is the one that its JWK names, else the thumbprint of
/// [RFC 7638](https://www.rfc-editor.org/rfc/rfc7638).
pub struct SigningKey {
    pair: Pair,
    algorithm: Algorithm,
    public: PublicJwk,
}

enum Pair {
    Rsa(RsaKeyPair),
    P384(EcdsaKeyPair),
}

impl SigningKey {
    /// Smallest RSA key that is taken, in bits.
    pub const MIN_RSA_BITS: usize = 2048;

    /// Reads a key file: PEM, a private JWK, or a JWK Set with one private key.
    ///
    /// # Errors
    /// [`Error::PrivateKey`], which says what to do about it.
    pub fn parse(file: &[u8]) -> Result<Self> {
        Self::from_parsed(file::parse(file)?)
    }

    /// Reads a key in PEM: PKCS#8, PKCS#1 for RSA, or SEC 1 for P-384.
    ///
    /// # Errors
    /// [`Error::PrivateKey`], which says what to do about it.
    pub fn from_pem(text: &str) -> Result<Self> {
        Self::from_numbers(&pem::parse(text).map_err(problem)?)
    }

    /// Reads a private JWK, or a JWK Set with one private key.
    ///
    /// # Errors
    /// [`Error::PrivateKey`], which says what to do about it.
    pub fn from_jwk(json: &[u8]) -> Result<Self> {
        Self::from_parsed(jwk::parse(json)?)
    }

    /// Reads a key in PKCS#8 DER.
    ///
    /// # Errors
    /// [`Error::PrivateKey`], which says what to do about it.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        Self::from_numbers(&der::pkcs8(der).map_err(problem)?)
    }

    /// The same key, signing another way: RS256 or RS384 with RSA.
    ///
    /// # Errors
    /// [`Error::PrivateKey`] when the key can't sign that way.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Result<Self> {
        if algorithm.is_rsa() != self.algorithm.is_rsa() {
            return Err(problem(Self::OTHER_KIND));
        }
        self.algorithm = algorithm;
        self.public.set_algorithm(algorithm);
        Ok(self)
    }

    /// The same key with the `kid` that the server knows it by.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.public = self.public.with_kid(kid);
        self
    }

    /// Its public half, for the JWK Set that the server reads.
    #[must_use]
    pub const fn public_jwk(&self) -> &PublicJwk {
        &self.public
    }

    pub(crate) const OTHER_KIND: &str =
        "it can't sign that way: RSA is for RS256 and RS384, P-384 for ES384";

    fn from_parsed(parsed: Parsed) -> Result<Self> {
        let mut key = Self::from_numbers(&parsed.numbers)?;
        if let Some(algorithm) = parsed.algorithm {
            key = key.with_algorithm(algorithm)?;
        }
        if let Some(kid) = parsed.kid {
            key = key.with_kid(kid);
        }
        Ok(key)
    }

    pub(crate) fn from_numbers(numbers: &KeyNumbers) -> Result<Self> {
        let (pair, algorithm) = match numbers {
            KeyNumbers::Rsa(rsa) => (Pair::Rsa(rsa.pair()?), Algorithm::Rs384),
            KeyNumbers::P384 { d, point } => {
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P384_SHA384_FIXED_SIGNING,
                    d,
                    point,
                    &SystemRandom::new(),
                );
                (
                    Pair::P384(pair.map_err(|_| problem(UNFIT))?),
                    Algorithm::Es384,
                )
            }
        };
        let key = Self {
            pair,
            algorithm,
            public: PublicJwk::of(numbers, algorithm),
        };
        // Some relations of an RSA key show only when it signs.
        key.sign(b"").map_err(|_| problem(UNFIT))?;
        Ok(key)
    }
}

impl RsaNumbers {
    fn pair(&self) -> Result<RsaKeyPair> {
        if bits(&self.n) < SigningKey::MIN_RSA_BITS {
            return Err(problem(
                "it is an RSA key shorter than 2048 bits; make one of 3072",
            ));
        }
        RsaKeyPair::from_components(&KeyPairComponents {
            public_key: PublicKeyComponents {
                n: &self.n,
                e: &self.e,
            },
            d: &self.d,
            p: &self.p,
            q: &self.q,
            dP: &self.dp,
            dQ: &self.dq,
            qInv: &self.qi,
        })
        .map_err(|error| rejected(&error))
    }
}

const UNFIT: &str = "its numbers don't belong together; the file is damaged";

/// Names a reason of `ring`, whose error has no other access to it.
fn rejected(error: &KeyRejected) -> Error {
    problem(match error.to_string().as_str() {
        "TooSmall" => "its public exponent is below 65537; make another RSA key",
        "TooLarge" => "it is an RSA key longer than 4096 bits; make one of 3072",
        "PrivateModulusLenNotMultipleOf512Bits" => {
            "its length in bits is no multiple of 512; make an RSA key of 3072 bits"
        }
        _ => UNFIT,
    })
}

const fn problem(problem: &'static str) -> Error {
    Error::private(problem)
}

impl Signer for SigningKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn kid(&self) -> &str {
        self.public.kid()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        let random = SystemRandom::new();
        let failed = |_| "the key did not sign";
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding = match self.algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_SHA256,
                    _ => &RSA_PKCS1_SHA384,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
            Pair::P384(pair) => Ok(pair
                .sign(&random, message)
                .map_err(failed)?
                .as_ref()
                .to_vec()),
        }
    }
}

/// By hand: nothing private.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}
