//! Object storage on loopback that checks signatures with code of its own.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use fhir_http::testing::{FakeClock, FakeRandom};
use fhir_http::{Client, Clock, UreqClient, UreqConfig};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, Request, Response, Uri, header};
use http_serve::{Body, Limits, Server};
use ingest_pipeline::archive::{Addressing, S3Credentials, S3Settings};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

pub(crate) const BUCKET: &str = "raw-messages";
pub(crate) const REGION: &str = "eu-central-1";
const ACCESS_KEY: &str = "AKIDEXAMPLE";
/// It is in no message and no log.
pub(crate) const SECRET: &str = "kanarienvogel/+secret";

pub(crate) fn credentials() -> S3Credentials {
    S3Credentials::new(ACCESS_KEY, SECRET.to_owned())
}

/// What becomes of a request instead of what it asks for.
pub(crate) enum Fault {
    /// It is answered with this, and nothing is done.
    Answer(Response<Body>),
    /// It is done, and the connection breaks in the middle of the answer.
    Cut,
}

#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: Mutex<BTreeMap<String, Object>>,
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    /// `METHOD path status`
    pub(crate) log: Mutex<Vec<String>>,
    /// Says nothing about encryption.
    pub(crate) is_simple: bool,
}

pub(crate) struct Storage {
    pub(crate) state: Arc<State>,
    pub(crate) clock: Arc<FakeClock>,
    server: Server,
}

impl Storage {
    pub(crate) fn new() -> Self {
        Self::with(State::default())
    }

    pub(crate) fn with(state: State) -> Self {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let (state, clock) = (Arc::new(state), Arc::new(FakeClock::new(now)));
        let (inside, its_clock) = (state.clone(), clock.clone());
        let handler = move |request: Request<Vec<u8>>| inside.answer(&request, its_clock.now());
        let loopback = "127.0.0.1:0".parse().unwrap();
        let bound = Server::bind(loopback, Limits::default()).unwrap();
        Self {
            state,
            clock,
            server: bound.serve(Arc::new(handler)).unwrap(),
        }
    }

    pub(crate) fn settings(&self) -> S3Settings {
        self.settings_of(BUCKET, credentials())
    }

    pub(crate) fn settings_of(&self, bucket: &str, credentials: S3Credentials) -> S3Settings {
        let endpoint = format!("http://{}", self.server.local_addr());
        S3Settings::new(endpoint, REGION, bucket, credentials).addressing(Addressing::Path)
    }

    pub(crate) fn client(&self) -> Client {
        let transport = UreqClient::new(&UreqConfig::default()).unwrap();
        Client::new(Arc::new(transport), self.clock.clone()).random(Arc::new(FakeRandom::new(0)))
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.state.faults.lock().unwrap().push_back(fault);
    }

    pub(crate) fn object(&self, key: &str) -> Option<Object> {
        self.state.objects.lock().unwrap().get(key).cloned()
    }

    /// The requests since the last time, with their statuses.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.state.log.lock().unwrap())
    }
}

pub(crate) fn refusal(status: u16, code: &str) -> Response<Body> {
    let xml = format!(
        "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>"
    );
    Response::builder()
        .status(status)
        .body(Body::from(xml))
        .unwrap()
}

impl State {
    fn answer(&self, request: &Request<Vec<u8>>, now: std::time::SystemTime) -> Response<Body> {
        let fault = self.faults.lock().unwrap().pop_front();
        let response = match fault {
            Some(Fault::Answer(response)) => response,
            Some(Fault::Cut) => cut(self.act(request, now)),
            None => self.act(request, now),
        };
        let path = percent_decoded(request.uri().path());
        let line = format!("{} {path} {}", request.method(), response.status().as_u16());
        self.log.lock().unwrap().push(line);
        response
    }

    fn act(&self, request: &Request<Vec<u8>>, now: std::time::SystemTime) -> Response<Body> {
        let host = request.headers()[header::HOST].to_str().unwrap();
        let uri = request.uri();
        if let Err(code) = verify(request.method(), uri, request.headers(), host, now) {
            return refusal(403, code);
        }
        let path = percent_decoded(uri.path());
        let Some(key) = path.strip_prefix(&format!("/{BUCKET}/")) else {
            return refusal(404, "NoSuchBucket");
        };
        let mut objects = self.objects.lock().unwrap();
        if request.method() == Method::GET {
            return match objects.get(key) {
                Some(object) => Response::new(Body::from(object.body.clone())),
                None => refusal(404, "NoSuchKey"),
            };
        }
        let headers = request.headers().clone();
        if headers.get(header::IF_NONE_MATCH).is_some_and(|v| v == "*") && objects.contains_key(key)
        {
            return refusal(412, "PreconditionFailed");
        }
        let mut response = Response::builder().header(header::ETAG, "\"0\"");
        let encryption = "x-amz-server-side-encryption";
        if let Some(value) = headers.get(encryption).filter(|_| !self.is_simple) {
            response = response.header(encryption, value);
        }
        let body = request.body().clone();
        objects.insert(key.to_owned(), Object { headers, body });
        response.body(Body::empty()).unwrap()
    }
}

/// The same response, of which the last byte never comes.
fn cut(response: Response<Body>) -> Response<Body> {
    response.map(|body| match body {
        Body::Bytes(bytes) => Body::Stream {
            length: Some(bytes.len() as u64 + 1),
            reader: Box::new(std::io::Cursor::new(bytes).chain(std::io::empty())),
        },
        body => body,
    })
}

/// Checks the signature in a query as
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
/// has it, or gives the code of the refusal.
pub(crate) fn verify(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    host: &str,
    now: std::time::SystemTime,
) -> Result<(), &'static str> {
    let query = uri.query().ok_or("AccessDenied")?;
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|pair| pair.0 == name).map(|pair| pair.1)
    };
    let now = Timestamp::try_from(now)
        .unwrap()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    let scope = format!("{}/{REGION}/s3/aws4_request", &now[..8]);
    let credential = format!("{ACCESS_KEY}/{scope}");
    if parameter("X-Amz-Date") != Some(&now) || parameter("X-Amz-Expires") != Some("300") {
        return Err("RequestTimeTooSkewed");
    }
    if parameter("X-Amz-Credential").map(percent_decoded) != Some(credential) {
        return Err("InvalidAccessKeyId");
    }
    let names = percent_decoded(parameter("X-Amz-SignedHeaders").ok_or("AccessDenied")?);
    let names: Vec<_> = names.split(';').collect();
    if !names.is_sorted() {
        return Err("SignatureDoesNotMatch");
    }
    let must = |name: &str| name.starts_with("x-amz-");
    if headers
        .keys()
        .any(|name| must(name.as_str()) && !names.contains(&name.as_str()))
    {
        return Err("AccessDenied");
    }
    let mut lines = String::new();
    for name in &names {
        let value = match *name {
            "host" => host,
            name => headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .ok_or("AccessDenied")?,
        };
        lines.push_str(&format!("{name}:{}\n", value.trim()));
    }
    let mut pairs: Vec<_> = query
        .split('&')
        .filter(|p| !p.starts_with("X-Amz-Signature="))
        .collect();
    pairs.sort_unstable();
    let canonical = [
        method.as_str(),
        uri.path(),
        &pairs.join("&"),
        &lines,
        &names.join(";"),
        "UNSIGNED-PAYLOAD",
    ]
    .join("\n");
    let expected = signature(SECRET, &now, REGION, &canonical);
    let is_right = parameter("X-Amz-Signature") == Some(&expected);
    is_right.then_some(()).ok_or("SignatureDoesNotMatch")
}

fn signature(secret: &str, date: &str, region: &str, canonical: &str) -> String {
    let mac = |key: &[u8], text: &str| {
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.chain_update(text).finalize().into_bytes().to_vec()
    };
    let day = &date[..8];
    let hash = hex(&Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{day}/{region}/s3/aws4_request\n{hash}");
    let parts = [day, region, "s3", "aws4_request", &text];
    hex(&parts
        .iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
            mac(&key, part)
        }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'%').then(|| str::from_utf8(&tail[..2]).unwrap());
        bytes.push(escape.map_or(*first, |digits| u8::from_str_radix(digits, 16).unwrap()));
        rest = if escape.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap()
}

/// The example of the specification, so that the check itself is right.
#[test]
fn the_signature_is_that_of_the_specification() {
    let canonical = "GET\n/test.txt\n\
        X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\n\
        host:examplebucket.s3.amazonaws.com\n\nhost\nUNSIGNED-PAYLOAD";
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    assert_eq!(
        signature(secret, "20130524T000000Z", "us-east-1", canonical),
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}
