use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{KeySource, RegisteredClient};
use super::jwks::KeyCache;

/// Longest life of an assertion, as the guide says.
const LONGEST: Duration = Duration::from_secs(300);
/// How far clocks may be apart.
const SKEW: Duration = Duration::from_secs(5);

const ALGORITHMS: [&str; 3] = ["RS384", "ES384", "RS256"];

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    jku: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Value>,
    exp: Option<Value>,
    nbf: Option<u64>,
    iat: Option<u64>,
    jti: Option<String>,
}

/// An assertion that holds.
pub(crate) struct Verified<'a> {
    pub(crate) client: &'a RegisteredClient,
    pub(crate) jti: String,
    pub(crate) expires: SystemTime,
}

/// Checks a client assertion rule by rule (SMART App Launch 2.2, client
/// authentication: asymmetric); the error names the rule that is broken.
///
/// Whether the `jti` was seen before is left to the caller.
pub(crate) fn verify<'a>(
    assertion: &str,
    clients: &'a [RegisteredClient],
    keys: &KeyCache,
    token_url: &str,
    now: SystemTime,
) -> Result<Verified<'a>, &'static str> {
    let (message, signature) = assertion.rsplit_once('.').ok_or("it is no signed JWT")?;
    let (header, claims) = message.split_once('.').ok_or("it is no signed JWT")?;
    let header: Header = decode(header)?;
    let claims: Claims = decode(claims)?;
    let signature = URL_SAFE_NO_PAD
        .decode(signature)
        .map_err(|_| "it is not base64url")?;

    if header.typ.as_deref() != Some("JWT") {
        return Err("typ is not JWT");
    }
    if !ALGORITHMS.contains(&header.alg.as_str()) {
        return Err("alg is none of RS384, ES384, RS256");
    }
    if header.crit.is_some() {
        return Err("crit names extensions, none is known here");
    }
    let kid = header.kid.ok_or("kid is missing")?;
    let issuer = claims.iss.ok_or("iss is missing")?;
    if claims.sub.as_ref() != Some(&issuer) {
        return Err("sub is not the same as iss");
    }
    let client = clients.iter().find(|client| client.id == issuer);
    let client = client.ok_or("iss is no registered client")?;
    let source = client
        .keys
        .as_ref()
        .ok_or("the client has no keys registered")?;
    match (&header.jku, source) {
        (Some(jku), KeySource::Url(url)) if jku == url => {}
        (Some(_), _) => return Err("jku is not the registered JWK Set URL"),
        (None, _) => {}
    }
    keys.find(source, &kid, now)?
        .verify(&header.alg, message.as_bytes(), &signature)?;

    if !is_audience(claims.aud.as_ref(), token_url) {
        return Err("aud is not the URL of this token endpoint");
    }
    let expires = expiry(claims.exp.as_ref(), now)?;
    let future = |seconds: Option<u64>| seconds.and_then(at).is_some_and(|at| at > now + SKEW);
    if future(claims.nbf) {
        return Err("nbf is in the future");
    }
    if future(claims.iat) {
        return Err("iat is in the future");
    }
    let jti = claims
        .jti
        .filter(|jti| !jti.is_empty())
        .ok_or("jti is missing")?;
    Ok(Verified {
        client,
        jti,
        expires,
    })
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, &'static str> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| "it is not base64url")?;
    serde_json::from_slice(&bytes).map_err(|_| "its header or claims are no valid JSON")
}

/// A list is fine as long as it names nobody else.
fn is_audience(aud: Option<&Value>, token_url: &str) -> bool {
    match aud {
        Some(Value::String(text)) => text == token_url,
        Some(Value::Array(values)) => values.len() == 1 && values[0] == token_url,
        _ => false,
    }
}

fn expiry(exp: Option<&Value>, now: SystemTime) -> Result<SystemTime, &'static str> {
    let exp = exp.ok_or("exp is missing")?;
    let expires = exp.as_u64().and_then(at).ok_or("exp is no integer")?;
    if expires + SKEW <= now {
        return Err("exp is over");
    }
    if expires > now + LONGEST + SKEW {
        return Err("exp is more than five minutes ahead");
    }
    Ok(expires + SKEW)
}

fn at(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
