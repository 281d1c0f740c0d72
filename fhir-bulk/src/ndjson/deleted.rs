use std::collections::VecDeque;
use std::fmt;
use std::io::BufRead;

use serde::Deserialize;

use super::NdjsonReader;
use crate::{Error, Result};

/// The resources that a `deleted` file names: transaction Bundles, one a line,
/// with requests of method `DELETE`
/// ([manifest, `deleted`](https://hl7.org/fhir/uv/bulkdata/export.html#response---complete-status)).
///
/// A line that can't be used is an error, after which the next can be read.
///
/// ```
/// use fhir_bulk::Deletions;
///
/// let line = br#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/123"}}]}"#;
/// let mut deletions = Deletions::new(&line[..]);
/// let gone = deletions.next().unwrap()?;
/// assert_eq!((gone.resource_type.as_str(), gone.id.as_str()), ("Patient", "123"));
/// assert!(deletions.next().is_none());
/// # Ok::<(), fhir_bulk::Error>(())
/// ```
#[derive(Debug)]
pub struct Deletions<R> {
    lines: NdjsonReader<R>,
    ready: VecDeque<Result<Deletion>>,
    failed: bool,
}

/// A resource that was deleted.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Deletion {
    /// Its type.
    pub resource_type: String,
    /// Its id at the source.
    pub id: String,
    /// Number of the line that names it, from 1.
    pub line: u64,
}

impl<R: BufRead> Deletions<R> {
    /// The deletions in `inner`, decoded NDJSON.
    pub const fn new(inner: R) -> Self {
        Self {
            lines: NdjsonReader::new(inner),
            ready: VecDeque::new(),
            failed: false,
        }
    }
}

impl<R: BufRead> Iterator for Deletions<R> {
    type Item = Result<Deletion>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            if self.failed {
                return None;
            }
            match self.lines.next_line() {
                Ok(None) => return None,
                Ok(Some(line)) => read(line.bytes, line.number, &mut self.ready),
                Err(error) => {
                    self.failed = !matches!(error, Error::LineTooLong { .. });
                    return Some(Err(error));
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    request: Option<Request>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    url: String,
}

fn read(line: &[u8], number: u64, ready: &mut VecDeque<Result<Deletion>>) {
    let fail = |problem| {
        Err(Error::Deleted {
            line: number,
            problem,
        })
    };
    let bundle: Bundle = match serde_json::from_slice(line) {
        Ok(bundle) => bundle,
        Err(_) => return ready.push_back(fail("it is no Bundle")),
    };
    if bundle.resource_type != "Bundle" {
        return ready.push_back(fail("it is no Bundle"));
    }
    for entry in bundle.entry {
        ready.push_back(match entry.request {
            None => fail("an entry has no request"),
            Some(request) if !request.method.eq_ignore_ascii_case("DELETE") => {
                fail("the method of an entry is not DELETE")
            }
            Some(request) => match target(&request.url) {
                None => fail("the URL of an entry does not read Type/id"),
                Some((resource_type, id)) => Ok(Deletion {
                    resource_type: resource_type.to_owned(),
                    id: id.to_owned(),
                    line: number,
                }),
            },
        });
    }
}

/// Type and id of `Type/id`, `[base]/Type/id`, and the same with a version.
fn target(url: &str) -> Option<(&str, &str)> {
    if url.contains(['?', '#']) {
        return None;
    }
    let url = url.split_once("/_history/").map_or(url, |(url, _)| url);
    let (head, id) = url.trim_end_matches('/').rsplit_once('/')?;
    let resource_type = head.rsplit('/').next()?;
    let is_type = resource_type.starts_with(|char: char| char.is_ascii_uppercase())
        && resource_type.bytes().all(|byte| byte.is_ascii_alphabetic());
    (is_type && !id.is_empty()).then_some((resource_type, id))
}

/// By hand: ids stay out of logs.
impl fmt::Debug for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deletion")
            .field("resource_type", &self.resource_type)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}
