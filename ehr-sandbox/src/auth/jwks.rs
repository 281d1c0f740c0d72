use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir_http::HttpClient;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use super::client::KeySource;

/// How long a set without `Cache-Control: max-age` is kept.
const DEFAULT_AGE: Duration = Duration::from_secs(60);
/// An unknown `kid` makes no more requests than one in this time.
const REFETCH: Duration = Duration::from_secs(5);
/// The longest set that is read, in bytes.
const LONGEST: u64 = 1 << 20;

#[derive(Clone, Default, Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

/// A public key ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    n: String,
    e: String,
    crv: String,
    x: String,
    y: String,
    d: Option<serde::de::IgnoredAny>,
}

/// JWK Sets of URLs, kept for a while.
pub(crate) struct KeyCache {
    transport: Option<Arc<dyn HttpClient>>,
    sets: Mutex<HashMap<String, Cached>>,
}

struct Cached {
    set: JwkSet,
    fetched: SystemTime,
    max_age: Duration,
}

impl KeyCache {
    pub(crate) fn new(transport: Option<Arc<dyn HttpClient>>) -> Self {
        Self {
            transport,
            sets: Mutex::default(),
        }
    }

    /// The key with this id; the error says why there is none.
    pub(crate) fn find(
        &self,
        source: &KeySource,
        kid: &str,
        now: SystemTime,
    ) -> Result<Jwk, &'static str> {
        let url = match source {
            KeySource::Document(text) => return parse(text.as_bytes())?.key(kid),
            KeySource::Url(url) => url,
        };
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = sets.get(url) {
            let age = now.duration_since(cached.fetched).unwrap_or_default();
            let found = cached.set.key(kid);
            if age < cached.max_age && (found.is_ok() || age < REFETCH) {
                return found;
            }
        }
        let (set, max_age) = self.fetch(url)?;
        let found = set.key(kid);
        sets.insert(
            url.clone(),
            Cached {
                set,
                fetched: now,
                max_age,
            },
        );
        found
    }

    fn fetch(&self, url: &str) -> Result<(JwkSet, Duration), &'static str> {
        const FAILED: &str = "the JWK Set URL of the client can't be fetched";
        let transport = self.transport.as_ref().ok_or(FAILED)?;
        let request = http::Request::get(url)
            .header(
                http::header::ACCEPT,
                "application/jwk-set+json, application/json",
            )
            .body(Vec::new())
            .map_err(|_| "the JWK Set URL of the client is no URL")?;
        let response = transport.send(request).map_err(|_| FAILED)?;
        if response.status() != http::StatusCode::OK {
            return Err("the JWK Set URL of the client does not answer with 200");
        }
        let control = response.headers().get(http::header::CACHE_CONTROL);
        let max_age = control.and_then(|value| max_age(value.to_str().ok()?));
        let mut body = Vec::new();
        response
            .into_body()
            .take(LONGEST)
            .read_to_end(&mut body)
            .map_err(|_| FAILED)?;
        Ok((parse(&body)?, max_age.unwrap_or(DEFAULT_AGE)))
    }
}

impl JwkSet {
    fn key(&self, kid: &str) -> Result<Jwk, &'static str> {
        let mut named = self
            .keys
            .iter()
            .filter(|key| key.kid.as_deref() == Some(kid));
        let key = named
            .next()
            .ok_or("the JWK Set of the client has no key with this kid")?;
        if named.next().is_some() {
            return Err("the JWK Set of the client has two keys with this kid");
        }
        Ok(key.clone())
    }
}

impl Jwk {
    /// Verifies a JWS signature; the error says what does not fit.
    pub(crate) fn verify(
        &self,
        alg: &str,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), &'static str> {
        if self.alg.as_deref().is_some_and(|own| own != alg) {
            return Err("the key with this kid is for another alg");
        }
        if self.purpose.as_deref().is_some_and(|own| own != "sig") {
            return Err("the key with this kid is not for signatures");
        }
        if self
            .key_ops
            .as_ref()
            .is_some_and(|ops| !ops.iter().any(|op| op == "verify"))
        {
            return Err("the key with this kid is not for verifying");
        }
        let valid = match (alg, self.kty.as_str(), self.crv.as_str()) {
            ("RS256" | "RS384", "RSA", _) => {
                let parameters = if alg == "RS256" {
                    &signature::RSA_PKCS1_2048_8192_SHA256
                } else {
                    &signature::RSA_PKCS1_2048_8192_SHA384
                };
                let components = RsaPublicKeyComponents {
                    n: bytes(&self.n)?,
                    e: bytes(&self.e)?,
                };
                components.verify(parameters, message, signature)
            }
            ("ES384", "EC", "P-384") => {
                let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
                let point = [&[4], &*x, &*y].concat();
                UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point)
                    .verify(message, signature)
            }
            _ => return Err("the key with this kid does not fit the alg"),
        };
        valid.map_err(|_| "the signature is not of the key with this kid")
    }
}

fn parse(document: &[u8]) -> Result<JwkSet, &'static str> {
    let set: JwkSet =
        serde_json::from_slice(document).map_err(|_| "what the client publishes is no JWK Set")?;
    if set.keys.iter().any(|key| key.d.is_some()) {
        return Err("the JWK Set of the client holds a private key");
    }
    Ok(set)
}

fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| "the key with this kid is not base64url")
}

fn max_age(control: &str) -> Option<Duration> {
    let directives = control.split(',').map(str::trim);
    let seconds = directives
        .filter_map(|d| d.strip_prefix("max-age=")?.parse().ok())
        .next();
    seconds.map(Duration::from_secs)
}
