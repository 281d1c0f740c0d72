use std::io::{self, Read as _};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use flate2::Compression;
use flate2::read::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, ETAG, IF_RANGE, RANGE, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_serve::Body;
use sha2::{Digest as _, Sha256};

use crate::data::{Huge, Resource};
use crate::fault::{Active, What};
use crate::reply::{Reply, empty, header, reply};

const NDJSON: HeaderValue = HeaderValue::from_static("application/fhir+ndjson");

/// A file of an export.
pub(crate) struct ExportFile {
    pub(crate) section: Section,
    pub(crate) resource_type: String,
    pub(crate) count: u64,
    /// Severities of the OperationOutcomes in it.
    pub(crate) severities: Vec<&'static str>,
    content: Content,
    etag: String,
    packed: OnceLock<Vec<u8>>,
}

/// The list of the manifest that a file stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Output,
    Deleted,
    Error,
}

enum Content {
    Lines(Vec<Line>),
    Huge(Huge),
}

/// A line of a file. What the data has is not copied.
pub(crate) enum Line {
    Data(Arc<Resource>),
    Made(String),
}

impl Line {
    fn text(&self) -> &str {
        match self {
            Self::Data(resource) => resource.json(),
            Self::Made(text) => text,
        }
    }
}

impl ExportFile {
    pub(crate) fn new(section: Section, resource_type: &str, lines: Vec<Line>) -> Self {
        let mut hash = Sha256::new();
        for line in &lines {
            hash.update(line.text());
            hash.update("\n");
        }
        Self {
            section,
            resource_type: resource_type.to_owned(),
            count: lines.len() as u64,
            severities: Vec::new(),
            etag: hash
                .finalize()
                .iter()
                .take(12)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            content: Content::Lines(lines),
            packed: OnceLock::new(),
        }
    }

    pub(crate) fn huge(huge: Huge) -> Self {
        Self {
            section: Section::Output,
            resource_type: "Observation".to_owned(),
            count: huge.lines(),
            severities: Vec::new(),
            etag: format!("huge-{}", huge.bytes()),
            content: Content::Huge(huge),
            packed: OnceLock::new(),
        }
    }

    /// Bytes without compression.
    pub(crate) fn size(&self) -> u64 {
        match &self.content {
            Content::Lines(lines) => lines.iter().map(|line| line.text().len() as u64 + 1).sum(),
            Content::Huge(huge) => huge.bytes(),
        }
    }

    /// Answers a download.
    pub(crate) fn serve(&self, headers: &HeaderMap, gzip: bool, faults: &Active) -> Reply {
        let gzip = gzip && accepts_gzip(headers);
        let salt = faults
            .etag_salt()
            .map(|hit| format!("-{hit}"))
            .unwrap_or_default();
        let coding = if gzip { "-gzip" } else { "" };
        let etag = header(&format!("\"{}{coding}{salt}\"", self.etag));
        let ranges = !faults.has(&What::NoRange);
        let part = |length| match ranges {
            true => part(headers, length, &etag),
            false => Part::Whole,
        };
        let mut answer = match &self.content {
            Content::Huge(huge) => huge_reply(*huge, gzip, faults, part),
            Content::Lines(lines) => {
                let bytes = self.bytes(lines, gzip, faults);
                match part(bytes.len() as u64) {
                    Part::Whole => reply(StatusCode::OK, NDJSON, bytes),
                    Part::Of(range) => {
                        let length = bytes.len() as u64;
                        let bytes = bytes[range.start as usize..range.end as usize].to_vec();
                        partial(bytes.into(), &range, length)
                    }
                    Part::Nothing => unsatisfiable(bytes.len() as u64),
                }
            }
        };
        let headers = answer.headers_mut();
        headers.insert(ETAG, etag);
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if ranges {
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer
    }

    fn bytes(&self, lines: &[Line], gzip: bool, faults: &Active) -> Vec<u8> {
        let spoiled = spoiled(lines, faults);
        if !gzip {
            return spoiled.unwrap_or_else(|| joined(lines));
        }
        let mut packed = match spoiled {
            Some(text) => pack(&text),
            None => self.packed.get_or_init(|| pack(&joined(lines))).clone(),
        };
        if let Some(after) = gzip_cut(faults) {
            packed.truncate((after as usize).min(packed.len() - 1));
        }
        packed
    }
}

/// The stream has no length once it is compressed, hence no ranges.
fn huge_reply(huge: Huge, gzip: bool, faults: &Active, part: impl Fn(u64) -> Part) -> Reply {
    let missing = faults.find(|what| {
        if let What::Short(lines) = what {
            Some(*lines)
        } else {
            None
        }
    });
    let end = huge.bytes() - huge.bytes() / huge.lines().max(1) * missing.unwrap_or(0) as u64;
    let stream = |range: Range<u64>, length| Body::Stream {
        reader: Box::new(huge.reader(range.start).take(range.end - range.start)),
        length,
    };
    if gzip {
        let packed = GzEncoder::new(huge.reader(0).take(end), Compression::fast());
        let limit = gzip_cut(faults).unwrap_or(u64::MAX);
        let body = Body::Stream {
            reader: Box::new(packed.take(limit)),
            length: None,
        };
        return reply(StatusCode::OK, NDJSON, body);
    }
    match part(end) {
        Part::Whole => reply(StatusCode::OK, NDJSON, stream(0..end, Some(end))),
        Part::Of(range) => {
            let length = range.end - range.start;
            partial(stream(range.clone(), Some(length)), &range, end)
        }
        Part::Nothing => unsatisfiable(end),
    }
}

/// What of a file is asked for.
enum Part {
    Whole,
    Of(Range<u64>),
    Nothing,
}

/// Reads `Range` and `If-Range`
/// ([RFC 9110, 14](https://www.rfc-editor.org/rfc/rfc9110#section-14)). More
/// than one range is as good as none, and a date is never the same here.
fn part(headers: &HeaderMap, length: u64, etag: &HeaderValue) -> Part {
    if headers.get(IF_RANGE).is_some_and(|tag| tag != etag) {
        return Part::Whole;
    }
    let range = headers
        .get(RANGE)
        .and_then(|value| value.to_str().ok()?.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1).min(length)),
        (Ok(first), Err(_)) if last.is_empty() => (first, length),
        (Err(_), Ok(suffix)) if first.is_empty() => (length.saturating_sub(suffix), length),
        _ => return Part::Whole,
    };
    if start < end {
        Part::Of(start..end)
    } else {
        Part::Nothing
    }
}

fn partial(body: Body, range: &Range<u64>, length: u64) -> Reply {
    let mut answer = reply(StatusCode::PARTIAL_CONTENT, NDJSON, body);
    let text = format!("bytes {}-{}/{length}", range.start, range.end - 1);
    answer.headers_mut().insert(CONTENT_RANGE, header(&text));
    answer
}

fn unsatisfiable(length: u64) -> Reply {
    let mut answer = empty(StatusCode::RANGE_NOT_SATISFIABLE);
    answer
        .headers_mut()
        .insert(CONTENT_RANGE, header(&format!("bytes */{length}")));
    answer
}

/// The lines after faults, if there are any.
fn spoiled(lines: &[Line], faults: &Active) -> Option<Vec<u8>> {
    let missing = faults.find(|what| {
        if let What::Short(lines) = what {
            Some(*lines)
        } else {
            None
        }
    });
    let wrong = faults.has(&What::WrongType);
    if missing.is_none() && !wrong {
        return None;
    }
    let kept = &lines[..lines.len().saturating_sub(missing.unwrap_or(0))];
    if !wrong {
        return Some(joined(kept));
    }
    let lines = kept
        .iter()
        .map(|line| Resource::disguise(line.text(), "Basic") + "\n");
    Some(lines.collect::<String>().into_bytes())
}

fn joined(lines: &[Line]) -> Vec<u8> {
    let parts = lines.iter().flat_map(|line| [line.text(), "\n"]);
    parts.collect::<String>().into()
}

fn gzip_cut(faults: &Active) -> Option<u64> {
    faults.find(|what| {
        if let What::GzipCut(after) = what {
            Some(*after)
        } else {
            None
        }
    })
}

fn pack(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    // Reading from memory does not fail.
    let _ = io::copy(&mut GzEncoder::new(text, Compression::fast()), &mut packed);
    packed
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    accepted.is_some_and(|list| {
        list.split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next() == Some("gzip") && parts.all(|weight| weight != "q=0")
        })
    })
}
