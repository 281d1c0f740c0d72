//! A client that sees everything as it is sent.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ehr_sandbox::{Builder, Sandbox};
use fhir_http::testing::FakeClock;
use fhir_http::{HttpClient, TransportError};
use http::{HeaderMap, Request, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
    RsaKeyPair,
};
use serde_json::{Value, json};

/// 2026-01-02T00:00:00Z.
pub(crate) const NOW: u64 = 1_767_312_000;

pub(crate) fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::new(UNIX_EPOCH + Duration::from_secs(NOW)))
}

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A sandbox without sockets that stands still in time.
pub(crate) fn sandbox(settings: impl FnOnce(Builder) -> Builder) -> Sandbox {
    let builder = settings(Sandbox::builder().open().clock(clock()));
    builder.in_process().expect("a sandbox")
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body as far as it came, and why it stopped.
    pub(crate) body: Vec<u8>,
    pub(crate) broken: Option<io::Error>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub(crate) fn issue(&self) -> String {
        self.json()["issue"][0]["code"]
            .as_str()
            .expect("an OperationOutcome")
            .to_owned()
    }
}

/// Sends a request; headers are `(name, value)`.
pub(crate) fn try_send(
    transport: &dyn HttpClient,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, TransportError> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = transport.send(request.body(body.as_bytes().to_vec()).expect("a request"))?;
    let (parts, mut reader) = response.into_parts();
    let mut body = Vec::new();
    let broken = reader.read_to_end(&mut body).err();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body,
        broken,
    })
}

pub(crate) fn send(
    sandbox: &Sandbox,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let url = if url.starts_with("http") {
        url.to_owned()
    } else {
        sandbox.base() + url
    };
    try_send(&sandbox.transport(), method, &url, headers, body).expect("an answer")
}

pub(crate) fn get(sandbox: &Sandbox, url: &str) -> Answer {
    send(sandbox, "GET", url, &[], "")
}

pub(crate) const ASYNC: (&str, &str) = ("prefer", "respond-async");

/// Kicks off an export and gives back the answer with the manifest.
pub(crate) fn export(sandbox: &Sandbox, url: &str) -> Answer {
    let answer = send(sandbox, "GET", url, &[ASYNC], "");
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    finish(sandbox, answer.header("content-location"))
}

/// Polls until there is a manifest.
pub(crate) fn finish(sandbox: &Sandbox, status_url: &str) -> Answer {
    for _ in 0..20 {
        let answer = get(sandbox, status_url);
        if answer.status == StatusCode::OK && !answer.body.is_empty() {
            return answer;
        }
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    }
    panic!("the export does not end");
}

/// URLs in a list of a manifest.
pub(crate) fn urls(manifest: &Value, list: &str) -> Vec<String> {
    let items = manifest[list].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .map(|item| item["url"].as_str().expect("a URL").to_owned())
        .collect()
}

/// The lines of all files in a list of a manifest.
pub(crate) fn lines(sandbox: &Sandbox, manifest: &Value, list: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for url in urls(manifest, list) {
        let answer = get(sandbox, &url);
        assert_eq!(answer.status, StatusCode::OK, "{url}");
        lines.extend(answer.text().lines().map(str::to_owned));
    }
    lines
}

/// `Type/id` of lines, sorted.
pub(crate) fn names(lines: &[String]) -> Vec<String> {
    let mut names: Vec<_> = lines
        .iter()
        .map(|line| {
            let value: Value = serde_json::from_str(line).expect("a resource");
            let text = |name: &str| value[name].as_str().expect("text").to_owned();
            format!("{}/{}", text("resourceType"), text("id"))
        })
        .collect();
    names.sort();
    names
}

/// A client's key.
pub(crate) enum Key {
    Es384(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    pub(crate) fn es384() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        Self::Es384(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("a key"))
    }

    pub(crate) fn rsa() -> Self {
        let document = include_bytes!("../data/rsa2048.pk8");
        Self::Rsa(RsaKeyPair::from_pkcs8(document).expect("a key"))
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Es384(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
                json!({"kty": "EC", "crv": "P-384", "kid": kid, "x": encode(x), "y": encode(y)})
            }
            Self::Rsa(pair) => {
                let public: ring::signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "kid": kid, "n": encode(&public.n), "e": encode(&public.e)})
            }
        }
    }

    /// A compact JWS.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| encode(value.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(claims));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Es384(pair) => pair
                .sign(&random, message.as_bytes())
                .expect("a signature")
                .as_ref()
                .to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let padding: &dyn ring::signature::RsaEncoding = if header["alg"] == "RS256" {
                    &RSA_PKCS1_SHA256
                } else {
                    &RSA_PKCS1_SHA384
                };
                pair.sign(padding, &random, message.as_bytes(), &mut signature)
                    .expect("a signature");
                signature
            }
        };
        format!("{message}.{}", encode(&signature))
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
