//! What an EHR and a store on a FHIR server have in common.

use std::collections::BTreeSet;

use http::{HeaderName, HeaderValue, Uri};

use super::{fail, fail_in, is_plain};
use crate::config::{Algorithm, ConfigError, Http, Secret, SecretMethod, SigningKey};

/// Headers that hold credentials, or that requests have of their own.
const OWN_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "prefer",
    "proxy-authorization",
    "range",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// What names of headers have that hold credentials.
const SECRET_WORDS: &[&str] = &["secret", "token", "password", "key", "auth"];

/// How a client proves who it is, as the configuration has it.
pub(in crate::config) struct Credentials<'a> {
    pub(in crate::config) client_id: Option<&'a str>,
    pub(in crate::config) signing_key: Option<&'a SigningKey>,
    pub(in crate::config) client_secret: Option<&'a Secret>,
    pub(in crate::config) client_secret_method: Option<SecretMethod>,
    pub(in crate::config) algorithms: Option<&'a [Algorithm]>,
}

pub(super) fn credentials(own: &Credentials<'_>) -> Result<(), ConfigError> {
    let id = own.client_id;
    if id.is_some_and(|id| !is_plain(id)) {
        return fail(
            "client_id",
            "it is empty or has spaces or control characters",
        );
    }
    if own.signing_key.is_some() && own.client_secret.is_some() {
        return fail(
            "client_secret",
            "there is either `signing_key` or `client_secret`, not both",
        );
    }
    if own.client_secret.is_none() && own.client_secret_method.is_some() {
        return fail("client_secret_method", "there is no `client_secret`");
    }
    for (key, given) in [
        ("signing_key", own.signing_key.is_some()),
        ("client_secret", own.client_secret.is_some()),
    ] {
        if given && id.is_none() {
            return fail(key, "there is no `client_id` to go with it");
        }
    }
    if own.algorithms.is_some_and(<[_]>::is_empty) {
        return fail("algorithms", "name one, or leave it out");
    }
    Ok(())
}

pub(super) fn http(http: &Http) -> Result<(), ConfigError> {
    let fail = |key, problem: &str| fail_in("http", key, problem);
    if let Some(proxy) = &http.proxy {
        let uri: Option<Uri> = proxy.parse().ok();
        let authority = uri.as_ref().and_then(Uri::authority);
        if authority.is_some_and(|authority| authority.as_str().contains('@')) {
            return fail(
                "proxy",
                "it holds a user name or password; keep them in `proxy_credentials`",
            );
        }
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        if authority.is_none() || !matches!(scheme, Some("http" | "https" | "socks4" | "socks5")) {
            return fail(
                "proxy",
                "it is no URL of a proxy, such as `http://proxy.example:3128`",
            );
        }
    } else if http.proxy_credentials.is_some() {
        return fail("proxy_credentials", "there is no `proxy`");
    }
    headers(http)?;
    if http.retries.is_some_and(|retries| retries > 20) {
        return fail("retries", "it is 20 at most");
    }
    if http.requests_per_minute == Some(0) {
        return fail("requests_per_minute", "it is at least 1");
    }
    Ok(())
}

fn headers(http: &Http) -> Result<(), ConfigError> {
    let fail = |key, problem| fail_in("http", key, problem);
    let names = http.headers.keys().map(|name| ("headers", name));
    let secret = http
        .secret_headers
        .keys()
        .map(|name| ("secret_headers", name));
    let mut seen = BTreeSet::new();
    for (key, name) in names.chain(secret) {
        let lower = name.to_ascii_lowercase();
        if OWN_HEADERS.contains(&lower.as_str()) {
            return fail(key, "one of them is not for the configuration to set");
        }
        if HeaderName::try_from(name).is_err() {
            return fail(key, "one of them has no valid name of an HTTP header");
        }
        if key == "headers" && SECRET_WORDS.iter().any(|word| lower.contains(word)) {
            return fail(
                key,
                "one of them looks like a secret; say in `secret_headers` where it is kept",
            );
        }
        if !seen.insert(lower) {
            return fail(key, "one of them is there twice");
        }
    }
    if http
        .headers
        .values()
        .any(|value| HeaderValue::try_from(value).is_err())
    {
        return fail("headers", "one of them is no valid HTTP header");
    }
    Ok(())
}

pub(super) fn base(key: &str, base: &str) -> Result<(), ConfigError> {
    url(key, base)?;
    super::without_query(key, base)
}

pub(super) fn url(key: &str, url: &str) -> Result<(), ConfigError> {
    let uri: Uri = match url.parse() {
        Ok(uri) => uri,
        Err(_) => return fail(key, "it is no URL"),
    };
    match fhir_http::Origin::of(&uri) {
        Ok(_) => Ok(()),
        Err(fhir_http::Error::Url { problem, .. }) => fail(key, problem),
        Err(_) => fail(key, "it is no URL that can be used"),
    }
}
