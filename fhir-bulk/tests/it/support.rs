use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fhir_http::testing::{FakeClock, Replay};
use fhir_http::{Body, Client, HttpClient, Random, TransportError};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Request, Response};

/// Always draws nought.
pub(crate) struct Nought;

impl Random for Nought {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// 2026-01-31T08:00:00Z.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_846_400)
}

pub(crate) fn client(transport: Arc<dyn HttpClient>) -> (Client, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::new(now()));
    let client = Client::new(transport, clock.clone()).random(Arc::new(Nought));
    (client, clock)
}

pub(crate) fn replayed(replay: Replay) -> (Client, Arc<Replay>, Arc<FakeClock>) {
    let replay = Arc::new(replay);
    let (client, clock) = client(replay.clone());
    (client, replay, clock)
}

/// A response with this status, these headers and this body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Vec<u8>> {
    let mut response = Response::builder().status(status);
    for &(name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body.as_bytes().to_vec()).unwrap()
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// `count` lines of resources of a type, each with its number.
pub(crate) fn lines(resource_type: &str, count: usize) -> String {
    (0..count)
        .map(|number| format!("{{\"resourceType\":\"{resource_type}\",\"id\":\"{number}\"}}\n"))
        .collect()
}

/// How a [`Shelf`] answers requests for a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// As asked, with an `ETag`.
    Etag,
    /// As asked, with `Last-Modified` and `Accept-Ranges`.
    Date,
    /// Always from the start, without a validator.
    None,
    /// With an `ETag` that changes with every answer.
    Changing,
    /// With another part than was asked for.
    Wrong,
}

/// A server of one file, which breaks off after so many bytes of each answer.
pub(crate) struct Shelf {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ranges: Ranges,
    pub(crate) cuts: std::sync::Mutex<Vec<usize>>,
    pub(crate) requests: std::sync::Mutex<Vec<Request<Vec<u8>>>>,
}

impl Shelf {
    /// `cuts` are taken from the back.
    pub(crate) fn new(bytes: Vec<u8>, ranges: Ranges, cuts: Vec<usize>) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            ranges,
            cuts: cuts.into(),
            requests: Vec::new().into(),
        })
    }

    pub(crate) fn asked(&self) -> Vec<Option<String>> {
        let range = |request: &Request<Vec<u8>>| {
            request
                .headers()
                .get("range")
                .map(|value| value.to_str().unwrap().to_owned())
        };
        self.requests.lock().unwrap().iter().map(range).collect()
    }
}

impl HttpClient for Shelf {
    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let mut requests = self.requests.lock().unwrap();
        requests.push(request.clone());
        let etag = match self.ranges {
            Ranges::Changing => format!("\"v{}\"", requests.len()),
            _ => "\"v\"".to_owned(),
        };
        let mut response = Response::builder();
        response = match self.ranges {
            Ranges::None => response,
            Ranges::Date => response
                .header("last-modified", "Sat, 31 Jan 2026 07:00:00 GMT")
                .header("accept-ranges", "bytes"),
            _ => response.header("etag", &etag),
        };
        let range = request
            .headers()
            .get("range")
            .map(|value| value.to_str().unwrap());
        let same = match self.ranges {
            Ranges::None => false,
            Ranges::Date => true,
            _ => request
                .headers()
                .get("if-range")
                .is_some_and(|tag| tag == etag.as_str()),
        };
        let mut from = 0;
        if let Some(range) = range.filter(|_| same) {
            from = range
                .strip_prefix("bytes=")
                .unwrap()
                .trim_end_matches('-')
                .parse()
                .unwrap();
            if self.ranges == Ranges::Wrong {
                from -= 1;
            }
            let total = self.bytes.len();
            if from >= total {
                return Ok(response.status(416).body(Body::empty()).unwrap());
            }
            let value = format!("bytes {from}-{}/{total}", total - 1);
            response = response.status(206).header("content-range", value);
        }
        let rest = self.bytes[from..].to_vec();
        let cut = self.cuts.lock().unwrap().pop();
        let body = match cut {
            Some(cut) if cut < rest.len() => cut_off(&rest, cut),
            _ => Body::from(rest),
        };
        Ok(response.body(body).unwrap())
    }
}

/// A body that breaks off.
pub(crate) fn cut_off(bytes: &[u8], at: usize) -> Body {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
    Body::new(io::Cursor::new(bytes[..at].to_vec()).chain(Broken))
}
