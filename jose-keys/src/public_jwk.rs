use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::signature::{
    ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::file::pem;
use crate::numbers::{KeyNumbers, P384_LEN, PublicNumbers, bits, p384_point};
use crate::{Algorithm, Error, Result, SigningKey, der};

/// The public half of a signing key as JSON Web Key
/// ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)), to be published.
///
/// It is built from public numbers alone and has no room for others, so
/// nothing private can be in it, wherever it was read from.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicJwk {
    algorithm: Algorithm,
    kid: String,
    numbers: PublicNumbers,
}

impl PublicJwk {
    /// With the thumbprint as `kid`. The algorithm has to fit.
    pub(crate) fn of(key: &KeyNumbers, algorithm: Algorithm) -> Self {
        let mut jwk = Self {
            algorithm,
            kid: String::new(),
            numbers: key.public(),
        };
        jwk.kid = jwk.thumbprint();
        jwk
    }

    /// The same key with another `kid`, such as the one that servers know it
    /// by already.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = kid.into();
        self
    }

    pub(crate) const fn set_algorithm(&mut self, algorithm: Algorithm) {
        self.algorithm = algorithm;
    }

    /// Its `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its `kid`.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// SHA-256 over its required members, in base64url
    /// ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // Members in the order of their names, without white space. None of
        // the values has anything to escape.
        let canonical = match &self.numbers {
            PublicNumbers::Rsa { n, e } => {
                let (n, e) = (encode(n), encode(e));
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
            PublicNumbers::P384 { point } => {
                let (x, y) = PublicNumbers::coordinates(point);
                let (x, y) = (encode(x), encode(y));
                format!(r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
        };
        encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    }

    /// Whether `signature`, in JWS form, is that of `message` with this key
    /// and its algorithm.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.numbers {
            PublicNumbers::Rsa { n, e } => {
                let parameters = match self.algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA384,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            PublicNumbers::P384 { point } => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
        }
        .is_ok()
    }

    /// The key as SubjectPublicKeyInfo in DER
    /// ([RFC 5280, 4.1.2.7](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.7)).
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        der::public_key(&self.numbers)
    }

    /// The key as SubjectPublicKeyInfo in PEM, for those who ask for a file
    /// in place of a URL.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write("PUBLIC KEY", &self.to_spki_der())
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// By hand: its numbers say nothing to a reader.
impl fmt::Debug for PublicJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicJwk")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// What is read and written of a JWK ([RFC 7517, 4][jwk], [RFC 7518, 6][jwa]).
///
/// [jwk]: https://www.rfc-editor.org/rfc/rfc7517#section-4
/// [jwa]: https://www.rfc-editor.org/rfc/rfc7518#section-6
#[derive(Serialize, Deserialize)]
struct Members<'a> {
    kty: Option<Cow<'a, str>>,
    #[serde(rename = "use")]
    usage: Option<Cow<'a, str>>,
    alg: Option<Cow<'a, str>>,
    kid: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<Cow<'a, str>>,
}

/// As JWK with its public members.
impl Serialize for PublicJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = Members {
            kty: Some("RSA".into()),
            usage: Some("sig".into()),
            alg: Some(self.algorithm.as_str().into()),
            kid: Some(self.kid().into()),
            crv: None,
            n: None,
            e: None,
            x: None,
            y: None,
        };
        match &self.numbers {
            PublicNumbers::Rsa { n, e } => {
                members.n = Some(encode(n).into());
                members.e = Some(encode(e).into());
            }
            PublicNumbers::P384 { point } => {
                let (x, y) = PublicNumbers::coordinates(point);
                members.kty = Some("EC".into());
                members.crv = Some("P-384".into());
                members.x = Some(encode(x).into());
                members.y = Some(encode(y).into());
            }
        }
        members.serialize(serializer)
    }
}

/// From a JWK that is well-formed to the letter: with `alg` and `kid`, of a
/// kind and length that is used here, its numbers without padding and of the
/// lengths that RFC 7518 gives them. Members without a place here, private
/// ones included, are dropped. Whether a point lies on its curve shows when it
/// verifies.
impl<'de> Deserialize<'de> for PublicJwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An error may quote what it found, and that may be anything.
        let members = Members::deserialize(deserializer)
            .map_err(|_| de::Error::custom(Error::public("it is no valid JWK")))?;
        members.read().map_err(de::Error::custom)
    }
}

impl Members<'_> {
    fn read(self) -> Result<PublicJwk> {
        let fail = |problem| Err(Error::public(problem));
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return fail("its `use` is not `sig`");
        }
        let Some(kid) = self.kid.as_deref().filter(|kid| !kid.is_empty()) else {
            return fail("its `kid` is missing");
        };
        let Some(name) = self.alg.as_deref() else {
            return fail("its `alg` is missing");
        };
        let Ok(algorithm) = name.parse::<Algorithm>() else {
            return fail("its `alg` is not RS256, RS384 or ES384");
        };
        let numbers = match self.kty.as_deref() {
            Some("RSA") => self.rsa()?,
            Some("EC") => self.elliptic()?,
            Some(_) => return fail("its kind is neither RSA nor P-384"),
            None => return fail("its `kty` is missing"),
        };
        if algorithm.is_rsa() != matches!(numbers, PublicNumbers::Rsa { .. }) {
            return fail("its `alg` does not fit its kind");
        }
        Ok(PublicJwk {
            algorithm,
            kid: kid.to_owned(),
            numbers,
        })
    }

    fn rsa(&self) -> Result<PublicNumbers> {
        let (n, e) = (decode(self.n.as_ref())?, decode(self.e.as_ref())?);
        if n.first() == Some(&0) || e.first() == Some(&0) {
            return Err(Error::public("`n` or `e` begins with a zero byte"));
        }
        if !(SigningKey::MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits(&n)) {
            return Err(Error::public(
                "it is an RSA key of less than 2048 bits, or of more than 8192",
            ));
        }
        // What `ring` verifies with: from 3, of at most 33 bits, odd.
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        if !(2..=33).contains(&bits(&e)) || !odd(&e) || !odd(&n) {
            return Err(Error::public("`n` or `e` is none that RSA has"));
        }
        Ok(PublicNumbers::Rsa { n, e })
    }

    fn elliptic(&self) -> Result<PublicNumbers> {
        if self.crv.as_deref() != Some("P-384") {
            return Err(Error::public("its curve is not P-384"));
        }
        let (x, y) = (decode(self.x.as_ref())?, decode(self.y.as_ref())?);
        if x.len() != P384_LEN || y.len() != P384_LEN {
            return Err(Error::public("`x` or `y` has not the 48 bytes of P-384"));
        }
        let point = p384_point(&x, &y);
        Ok(PublicNumbers::P384 { point })
    }
}

/// Longest RSA key that verifies here.
const MAX_RSA_BITS: usize = 8192;

fn decode(text: Option<&Cow<'_, str>>) -> Result<Vec<u8>> {
    let text = text.ok_or(Error::public("it lacks `n`, `e`, `x` or `y`"))?;
    URL_SAFE_NO_PAD
        .decode(text.as_ref())
        .map_err(|_| Error::public("a number of it is no base64url without padding"))
}

#[cfg(test)]
mod tests {
    use super::PublicJwk;

    /// The example of RFC 7638, 3.1.
    #[test]
    fn thumbprint_is_that_of_the_rfc() {
        let key: PublicJwk = serde_json::from_str(
            r#"{
                "kty": "RSA",
                "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
                "e": "AQAB",
                "alg": "RS256",
                "kid": "2011-04-29"
            }"#,
        )
        .unwrap();
        assert_eq!(
            key.thumbprint(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        assert_eq!(key.kid(), "2011-04-29");
    }
}
