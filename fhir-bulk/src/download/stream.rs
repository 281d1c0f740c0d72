use std::io::{self, ErrorKind, Read};

use fhir_http::{Anonymous, Body, Client, OperationOutcome};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderValue,
    IF_RANGE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, Request, StatusCode};
use serde::{Deserialize, Serialize};

use crate::request::parse_uri;
use crate::{Error, OutputFile, Result};

/// How much of the body of an error is read.
const OUTCOME_LIMIT: u64 = 1024 * 1024;

/// How much has to come for failures before to be forgotten.
const PROGRESS: u64 = 1024 * 1024;

/// The bytes of a file as the server sends them, across broken connections.
///
/// It goes on by itself where the server lets it. Where the server starts
/// again, reading fails and the new start is in [`take_restart`](Self::take_restart).
pub(super) struct Stream<T> {
    client: Client,
    file: OutputFile,
    /// Sees what is read.
    tee: T,
    body: Body,
    validator: Option<Validator>,
    /// Bytes given out.
    position: u64,
    /// The whole length, where it is known.
    total: Option<u64>,
    trouble: Trouble,
    restart: Option<Start>,
    fault: Option<Error>,
}

/// What sees the bytes that pass.
pub(super) trait Tee {
    fn pass(&mut self, bytes: &[u8]) -> Result<()>;
}

impl Tee for () {
    fn pass(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// A response with bytes of a file, from `offset` on.
pub(super) struct Start {
    pub(super) body: Body,
    pub(super) offset: u64,
    pub(super) total: Option<u64>,
    pub(super) validator: Option<Validator>,
    trouble: Trouble,
}

/// Failures since there was progress, and how far that was.
#[derive(Clone, Copy, Default)]
struct Trouble {
    failures: u32,
    mark: u64,
}

/// What tells that a file is still the same, so that it can be resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validator {
    /// A strong `ETag`, or `Last-Modified`.
    value: String,
    etag: bool,
    encoding: Option<String>,
}

impl<T: Tee> Stream<T> {
    pub(super) fn new(client: Client, file: OutputFile, start: Start, tee: T) -> Self {
        Self {
            client,
            file,
            tee,
            body: start.body,
            validator: start.validator,
            position: start.offset,
            total: start.total,
            trouble: Trouble {
                mark: start.trouble.mark.max(start.offset),
                ..start.trouble
            },
            restart: None,
            fault: None,
        }
    }

    /// Bytes given out, with those before the stream began.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    pub(super) const fn validator(&self) -> Option<&Validator> {
        self.validator.as_ref()
    }

    /// The file from its start, where the server would not go on.
    pub(super) const fn take_restart(&mut self) -> Option<Start> {
        self.restart.take()
    }

    /// Why reading failed, where it was not the decoder.
    pub(super) const fn take_fault(&mut self) -> Option<Error> {
        self.fault.take()
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        loop {
            let broken = match self.body.read(buffer) {
                Ok(0) if buffer.is_empty() => return Ok(Some(0)),
                // A range may be shorter than what was asked for.
                Ok(0) if self.total.is_some_and(|total| self.position < total) => {
                    ErrorKind::UnexpectedEof.into()
                }
                Ok(0) => return Ok(Some(0)),
                Ok(read) => {
                    self.tee.pass(&buffer[..read])?;
                    self.position += read as u64;
                    return Ok(Some(read));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            if self.position >= self.trouble.mark.saturating_add(PROGRESS) {
                self.trouble.failures = 0;
            }
            self.trouble.mark = self.trouble.mark.max(self.position);
            self.trouble.failures += 1;
            let failures = self.trouble.failures;
            if failures >= self.client.policy().attempts {
                let (file, bytes) = (self.file.id(), self.position);
                return Err(Error::Truncated {
                    file,
                    bytes,
                    source: broken,
                });
            }
            tracing::debug!(file = %self.file.id(), bytes = self.position, "broke off, going on");
            pause(&self.client, failures)?;
            let from = self
                .validator
                .as_ref()
                .map(|validator| (validator, self.position));
            let start = open(&self.client, &self.file, from)?;
            if start.offset != self.position {
                self.restart = Some(Start {
                    trouble: self.trouble,
                    ..start
                });
                return Ok(None);
            }
            self.total = start.total.or(self.total);
            self.validator = start.validator.or(self.validator.take());
            self.body = start.body;
        }
    }
}

impl<T: Tee> Read for Stream<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.try_read(buffer) {
            Ok(Some(read)) => Ok(read),
            Ok(None) => Err(io::Error::other("the file starts again")),
            Err(error) => {
                self.fault = Some(error);
                Err(io::Error::other("the file can't be read"))
            }
        }
    }
}

/// Waits before try `failures` + 1.
pub(super) fn pause(client: &Client, failures: u32) -> Result<()> {
    let wait = client.policy().backoff(failures, &**client.randomness());
    if client.interruption().sleep(&**client.clock(), wait) {
        return Ok(());
    }
    Err(Error::Interrupted)
}

/// Asks for a file, from where it was left if it is still the same. Always by
/// the URL of the manifest: what it redirects to may be gone in minutes.
pub(super) fn open(
    client: &Client,
    file: &OutputFile,
    from: Option<(&Validator, u64)>,
) -> Result<Start> {
    if client.interruption().is_interrupted() {
        return Err(Error::Interrupted);
    }
    let from = from.filter(|&(_, offset)| offset > 0);
    let response = client
        .send(request(file, from)?)
        .map_err(|source| match source {
            fhir_http::Error::Interrupted => Error::Interrupted,
            source => Error::FileRequest {
                file: file.id(),
                source: Box::new(source),
            },
        })?;
    let (parts, body) = response.into_parts();
    match (parts.status, from) {
        (StatusCode::OK, _) => Ok(Start {
            body,
            offset: 0,
            total: None,
            validator: Validator::of(&parts.headers),
            trouble: Trouble::default(),
        }),
        (StatusCode::PARTIAL_CONTENT, Some((validator, offset))) => {
            let new = Validator::of(&parts.headers);
            let same = new.as_ref().is_none_or(|new| new.agrees_with(validator));
            match content_range(&parts.headers) {
                Some((start, total)) if same && start == offset => Ok(Start {
                    body,
                    offset,
                    total,
                    validator: Some(validator.clone()),
                    trouble: Trouble::default(),
                }),
                _ => open(client, file, None),
            }
        }
        (StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PRECONDITION_FAILED, Some(_)) => {
            open(client, file, None)
        }
        (status, _) => {
            let mut text = Vec::new();
            // Whatever can be read of it may explain the status.
            if let Ok(body) = body.decoded(&parts.headers, OUTCOME_LIMIT) {
                let _ = body.take(OUTCOME_LIMIT).read_to_end(&mut text);
            }
            let outcome = OperationOutcome::from_json(&text);
            Err(Error::FileStatus {
                file: file.id(),
                status: status.as_u16(),
                outcome,
            })
        }
    }
}

fn request(file: &OutputFile, from: Option<(&Validator, u64)>) -> Result<Request<Vec<u8>>> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = parse_uri(&file.url, "the URL of a file")?;
    if !file.requires_access_token {
        request.extensions_mut().insert(Anonymous);
    }
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/fhir+ndjson"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    if let Some((validator, offset)) = from
        && let Ok(value) = HeaderValue::from_str(&validator.value)
        && let Ok(range) = HeaderValue::try_from(format!("bytes={offset}-"))
    {
        headers.insert(RANGE, range);
        headers.insert(IF_RANGE, value);
    }
    Ok(request)
}

impl Validator {
    /// The validator in a response, where it lets the file be resumed.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let ranges = text(headers, ACCEPT_RANGES);
        if ranges
            .as_deref()
            .is_some_and(|ranges| ranges.eq_ignore_ascii_case("none"))
        {
            return None;
        }
        let encoding = text(headers, CONTENT_ENCODING).filter(|name| name != "identity");
        if let Some(value) = text(headers, ETAG).filter(|tag| tag.starts_with('"')) {
            return Some(Self {
                value,
                etag: true,
                encoding,
            });
        }
        let bytes = ranges.is_some_and(|ranges| ranges.eq_ignore_ascii_case("bytes"));
        let value = text(headers, LAST_MODIFIED).filter(|_| bytes)?;
        Some(Self {
            value,
            etag: false,
            encoding,
        })
    }

    /// Whether the validator in a 206 lets what follows be appended. One that
    /// is of another kind says nothing.
    fn agrees_with(&self, before: &Self) -> bool {
        let same_value = self.etag != before.etag || self.value == before.value;
        same_value && self.encoding == before.encoding
    }
}

/// First byte and whole length of `Content-Range: bytes 5-9/10`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = text(headers, CONTENT_RANGE)?;
    let (unit, range) = value.trim().split_once(' ')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (range, total) = range.trim().split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
