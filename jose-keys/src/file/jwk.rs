use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Parsed, decode_secret};
use crate::numbers::{
    KeyNumbers, RsaNumbers, SecretBytes, p384_number, p384_point, without_leading_zeros,
};
use crate::{Algorithm, Error, Result, Secret, der};

/// Reads the one private key of a JWK or a JWK Set.
pub(crate) fn parse(json: &[u8]) -> Result<Parsed> {
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
    /// Not registered for JWKs but used; no reason to refuse a key.
    iat: Option<Value>,
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
    fn private(self) -> Result<Parsed> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(problem("its `use` is not `sig`; take a key for signing"));
        }
        let numbers = match self.kty.as_deref() {
            Some("RSA") => self.rsa()?,
            Some("EC") => self.elliptic()?,
            Some(_) => return Err(problem("its kind is neither RSA nor P-384")),
            None => return Err(problem("it is no JWK: `kty` is missing")),
        };
        let algorithm = |name: &str| {
            name.parse::<Algorithm>()
                .map_err(|_| problem("its `alg` is not RS256, RS384 or ES384"))
        };
        Ok(Parsed {
            numbers,
            algorithm: self.alg.as_deref().map(algorithm).transpose()?,
            kid: self.kid,
            issued_at: self.iat.as_ref().and_then(Value::as_u64),
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
        let coordinate = |number: &Option<String>| {
            p384_number(&public_number(number.as_deref())?).ok_or_else(long)
        };
        Ok(KeyNumbers::P384 {
            d: p384_number(&d).ok_or_else(long)?,
            point: p384_point(&coordinate(&self.x)?, &coordinate(&self.y)?),
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
    Ok(std::mem::take(&mut *number(text)?))
}

fn private_number(text: Option<&Secret>, missing: &'static str) -> Result<SecretBytes> {
    number(text.ok_or_else(|| problem(missing))?.expose())
}

fn number(text: &str) -> Result<SecretBytes> {
    let bytes = decode_secret(&BASE64, text.as_bytes())
        .map_err(|_| problem("a number of it is no valid base64url"))?;
    Ok(Zeroizing::new(without_leading_zeros(&bytes).to_vec()))
}

const fn problem(problem: &'static str) -> Error {
    Error::private(problem)
}
