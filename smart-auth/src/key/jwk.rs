use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use ring::digest;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Algorithm, KeyNumbers, P384_LEN, RsaNumbers, SecretBytes, der, p384_number,
    without_leading_zeros,
};
use crate::{Error, Result, Secret};

/// The public half of a signing key as JSON Web Key
/// ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)), to be published.
///
/// It is built from public numbers alone, so nothing private can be in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    kty: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    kid: String,
    #[serde(flatten)]
    numbers: PublicNumbers,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum PublicNumbers {
    Rsa {
        n: String,
        e: String,
    },
    P384 {
        crv: &'static str,
        x: String,
        y: String,
    },
}

impl PublicJwk {
    /// With the thumbprint as `kid`.
    pub(super) fn of(key: &KeyNumbers, algorithm: Algorithm) -> Self {
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (kty, numbers) = match key {
            KeyNumbers::Rsa(rsa) => (
                "RSA",
                PublicNumbers::Rsa {
                    n: base64(&rsa.n),
                    e: base64(&rsa.e),
                },
            ),
            KeyNumbers::P384 { point, .. } => {
                let (x, y) = point[1..].split_at(P384_LEN);
                (
                    "EC",
                    PublicNumbers::P384 {
                        crv: "P-384",
                        x: base64(x),
                        y: base64(y),
                    },
                )
            }
        };
        let kid = numbers.thumbprint();
        Self {
            kty,
            usage: "sig",
            alg: algorithm.as_str(),
            kid,
            numbers,
        }
    }

    pub(super) fn set_kid(&mut self, kid: String) {
        self.kid = kid;
    }

    pub(super) fn set_algorithm(&mut self, algorithm: Algorithm) {
        self.alg = algorithm.as_str();
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
        self.numbers.thumbprint()
    }
}

impl PublicNumbers {
    fn thumbprint(&self) -> String {
        // Members in the order of their names, without white space. None of
        // the values has anything to escape.
        let canonical = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::P384 { crv, x, y } => {
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
        };
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
    }
}

/// A private key of a JWK or of a JWK Set.
pub(super) struct PrivateJwk {
    pub(super) numbers: KeyNumbers,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) kid: Option<String>,
}

/// Reads the one private key of a JWK or a JWK Set.
pub(super) fn parse(json: &[u8]) -> Result<PrivateJwk> {
    // The text of a JSON error may quote the file, so it goes no further.
    let mut file: Jwk = serde_json::from_slice(json).map_err(|_| problem("it is no valid JWK"))?;
    let Some(keys) = file.keys.take() else {
        return file.private();
    };
    let mut private = keys.into_iter().filter(|key| key.d.is_some());
    let key = private.next().ok_or_else(|| {
        problem("the JWK Set holds public keys only; signing needs a private one")
    })?;
    if private.next().is_some() {
        return Err(problem(
            "the JWK Set holds more than one private key; keep one",
        ));
    }
    key.private()
}

/// A JWK ([RFC 7518, 6](https://www.rfc-editor.org/rfc/rfc7518#section-6)), or
/// a JWK Set where there are `keys`.
#[derive(Deserialize)]
struct Jwk {
    keys: Option<Vec<Self>>,
    kty: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<Secret>,
    p: Option<Secret>,
    q: Option<Secret>,
    dp: Option<Secret>,
    dq: Option<Secret>,
    qi: Option<Secret>,
}

impl Jwk {
    fn private(self) -> Result<PrivateJwk> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(problem("its `use` is not `sig`; take a key for signing"));
        }
        let numbers = match self.kty.as_deref() {
            Some("RSA") => self.rsa()?,
            Some("EC") => self.elliptic()?,
            Some(_) => return Err(problem("its kind is neither RSA nor P-384")),
            None => return Err(problem("it is no JWK: `kty` is missing")),
        };
        let algorithm = self.alg.as_deref().map(str::parse).transpose()?;
        Ok(PrivateJwk {
            numbers,
            algorithm,
            kid: self.kid,
        })
    }

    fn rsa(&self) -> Result<KeyNumbers> {
        let d = private_number(self.d.as_ref(), PUBLIC_ONLY)?;
        let prime = |number: &Option<Secret>| {
            private_number(
                number.as_ref(),
                "it lacks `p`, `q`, `dp`, `dq` or `qi`; export it again with all of them",
            )
        };
        Ok(KeyNumbers::Rsa(RsaNumbers {
            n: public_number(self.n.as_deref())?,
            e: public_number(self.e.as_deref())?,
            d,
            p: prime(&self.p)?,
            q: prime(&self.q)?,
            dp: prime(&self.dp)?,
            dq: prime(&self.dq)?,
            qi: prime(&self.qi)?,
        }))
    }

    fn elliptic(&self) -> Result<KeyNumbers> {
        if self.crv.as_deref() != Some("P-384") {
            return Err(problem(der::OTHER_CURVE));
        }
        let long = || problem("a number of it is longer than P-384 has");
        let d = private_number(self.d.as_ref(), PUBLIC_ONLY)?;
        let mut point = vec![4];
        for coordinate in [&self.x, &self.y] {
            let number = public_number(coordinate.as_deref())?;
            point.extend_from_slice(&p384_number(&number).ok_or_else(long)?);
        }
        Ok(KeyNumbers::P384 {
            d: p384_number(&d).ok_or_else(long)?,
            point,
        })
    }
}

const PUBLIC_ONLY: &str = "it is a public JWK; signing needs the private one, with `d`";

/// Padding is no part of a JWK, but some tools write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn public_number(text: Option<&str>) -> Result<Vec<u8>> {
    let text = text.ok_or_else(|| problem("it lacks a public number: `n`, `e`, `x` or `y`"))?;
    let bytes = BASE64.decode(text).map_err(|_| problem(NO_BASE64))?;
    Ok(without_leading_zeros(&bytes).to_vec())
}

fn private_number(text: Option<&Secret>, missing: &'static str) -> Result<SecretBytes> {
    let text = text.ok_or_else(|| problem(missing))?;
    let bytes = BASE64
        .decode(text.expose())
        .map(Zeroizing::new)
        .map_err(|_| problem(NO_BASE64))?;
    Ok(Zeroizing::new(without_leading_zeros(&bytes).to_vec()))
}

const NO_BASE64: &str = "a number of it is no valid base64url";

const fn problem(problem: &'static str) -> Error {
    Error::Key { problem }
}

#[cfg(test)]
mod tests {
    use super::PublicNumbers;

    /// The example of RFC 7638, 3.1.
    #[test]
    fn thumbprint_is_that_of_the_rfc() {
        let key = PublicNumbers::Rsa {
            n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw".into(),
            e: "AQAB".into(),
        };
        assert_eq!(
            key.thumbprint(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }
}
