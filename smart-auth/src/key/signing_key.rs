use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir_http::BoxError;
use ring::error::KeyRejected;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::{Algorithm, KeyNumbers, PublicJwk, RsaNumbers, Signer, der, jwk, pem};
use crate::{Error, Result, Secret};

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
    /// [`Error::Key`], which says what to do about it.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        if file.trim_ascii_start().starts_with(b"{") {
            return Self::from_jwk(file);
        }
        match std::str::from_utf8(file) {
            Ok(text) => Self::from_pem(text),
            Err(_) => Err(problem(
                "it is neither PEM nor JWK; convert DER with `openssl pkey`",
            )),
        }
    }

    /// Reads a key in PEM: PKCS#8, PKCS#1 for RSA, or SEC 1 for P-384.
    ///
    /// # Errors
    /// [`Error::Key`], which says what to do about it.
    pub fn from_pem(text: &str) -> Result<Self> {
        Self::from_numbers(&pem::parse(text).map_err(problem)?)
    }

    /// Reads a private JWK, or a JWK Set with one private key.
    ///
    /// # Errors
    /// [`Error::Key`], which says what to do about it.
    pub fn from_jwk(json: &[u8]) -> Result<Self> {
        let jwk = jwk::parse(json)?;
        let mut key = Self::from_numbers(&jwk.numbers)?;
        if let Some(algorithm) = jwk.algorithm {
            key = key.with_algorithm(algorithm)?;
        }
        if let Some(kid) = jwk.kid {
            key = key.with_kid(kid);
        }
        Ok(key)
    }

    /// Reads a key in PKCS#8 DER.
    ///
    /// # Errors
    /// [`Error::Key`], which says what to do about it.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        Self::from_numbers(&der::pkcs8(der).map_err(problem)?)
    }

    /// Makes a P-384 key.
    ///
    /// # Errors
    /// [`Error::Key`] when the system has no randomness to give.
    pub fn generate_es384() -> Result<Pkcs8Key> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| problem("the system gave no random numbers to make one"))?;
        Ok(Pkcs8Key {
            der: Zeroizing::new(document.as_ref().to_vec()),
        })
    }

    /// The same key, signing another way: RS256 or RS384 with RSA.
    ///
    /// # Errors
    /// [`Error::Key`] when the key can't sign that way.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Result<Self> {
        match (&self.pair, algorithm) {
            (Pair::Rsa(_), Algorithm::Rs256 | Algorithm::Rs384)
            | (Pair::P384(_), Algorithm::Es384) => {}
            _ => {
                return Err(problem(
                    "it can't sign that way: RSA is for RS256 and RS384, P-384 for ES384",
                ));
            }
        }
        self.algorithm = algorithm;
        self.public.set_algorithm(algorithm);
        Ok(self)
    }

    /// The same key with the `kid` that the server knows it by.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.public.set_kid(kid.into());
        self
    }

    /// Its public half, for the JWK Set that the server reads.
    #[must_use]
    pub const fn public_jwk(&self) -> &PublicJwk {
        &self.public
    }

    fn from_numbers(numbers: &KeyNumbers) -> Result<Self> {
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
        let bits = self
            .n
            .first()
            .map_or(0, |top| self.n.len() * 8 - top.leading_zeros() as usize);
        if bits < SigningKey::MIN_RSA_BITS {
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
    Error::Key { problem }
}

impl Signer for SigningKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn kid(&self) -> &str {
        self.public.kid()
    }

    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, BoxError> {
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

/// A private key in PKCS#8 ([RFC 5958](https://www.rfc-editor.org/rfc/rfc5958)),
/// to be written to a protected place. Its memory is overwritten when it is
/// dropped.
pub struct Pkcs8Key {
    der: Zeroizing<Vec<u8>>,
}

impl Pkcs8Key {
    /// The key as DER.
    #[must_use]
    pub fn expose_der(&self) -> &[u8] {
        &self.der
    }

    /// The key as PEM.
    #[must_use]
    pub fn to_pem(&self) -> Secret {
        let base64 = Zeroizing::new(STANDARD.encode(&*self.der));
        let lines = base64.len() / 64 + 1;
        let mut pem = String::with_capacity(base64.len() + lines + 64);
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Secret::new(pem)
    }
}

/// By hand: it is a key.
impl fmt::Debug for Pkcs8Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkcs8Key(…)")
    }
}
