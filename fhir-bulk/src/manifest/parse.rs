use serde_json::{Map, Value};
use url::Url;

use super::{FileKind, OutputFile};
use crate::request::parse_uri;
use crate::{Error, Instant, Result};

/// One page of a manifest, read as leniently as is safe.
pub(crate) struct Page {
    pub(super) transaction_time: Option<Instant>,
    pub(super) request: Option<String>,
    pub(super) requires_access_token: Option<bool>,
    pub(super) output_organized_by: Option<String>,
    pub(super) output: Vec<OutputFile>,
    pub(super) deleted: Vec<OutputFile>,
    pub(super) outcomes: Vec<OutputFile>,
    pub(super) next: Option<String>,
    pub(super) raw: String,
}

impl Page {
    /// Reads the page that came from `url`.
    ///
    /// # Errors
    /// What would lose data if it were passed over: no JSON object, a
    /// `transactionTime` that is none, a list that is none, a file without a
    /// URL, a next page that can't be found.
    pub(crate) fn parse(body: &[u8], url: &str) -> Result<Self> {
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        let Ok(Value::Object(json)) = serde_json::from_slice(body) else {
            return Err(Error::Manifest("it is no JSON object"));
        };
        let transaction_time = match present(&json, "transactionTime") {
            None => None,
            Some(Value::String(text)) => Some(
                Instant::new(text.as_str())
                    .map_err(|_| Error::Manifest("its transactionTime is no FHIR instant"))?,
            ),
            Some(_) => return Err(Error::Manifest("its transactionTime is no string")),
        };
        let mut outcomes = files(&json, "error", FileKind::Outcome, url)?;
        outcomes.extend(files(&json, "outcome", FileKind::Outcome, url)?);
        Ok(Self {
            transaction_time,
            request: text(&json, "request"),
            requires_access_token: flag(present(&json, "requiresAccessToken")),
            output_organized_by: text(&json, "outputOrganizedBy"),
            output: files(&json, "output", FileKind::Output, url)?,
            deleted: files(&json, "deleted", FileKind::Deleted, url)?,
            outcomes,
            next: next(&json, url)?,
            raw: String::from_utf8_lossy(body).into_owned(),
        })
    }
}

/// `reference` as an absolute URL, seen from `base`.
pub(crate) fn resolve(reference: &str, base: &str, what: &'static str) -> Result<String> {
    let fail = |error: url::ParseError| Error::Url {
        what,
        source: error.into(),
    };
    let base = Url::parse(base).map_err(fail)?;
    let mut url = base.join(reference.trim()).map_err(fail)?;
    url.set_fragment(None);
    // A relative reference may well bring a scheme that nothing is fetched by.
    parse_uri(url.as_str(), what)?;
    Ok(url.into())
}

fn files(
    json: &Map<String, Value>,
    name: &str,
    kind: FileKind,
    base: &str,
) -> Result<Vec<OutputFile>> {
    let list = match present(json, name) {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(Error::Manifest("one of its lists of files is no list")),
    };
    list.iter().map(|entry| file(entry, kind, base)).collect()
}

fn file(entry: &Value, kind: FileKind, base: &str) -> Result<OutputFile> {
    let entry = entry
        .as_object()
        .ok_or(Error::Manifest("one of its files is no object"))?;
    let url = text(entry, "url").ok_or(Error::Manifest("one of its files has no URL"))?;
    let url = resolve(&url, base, "the URL of a file")?;
    let resource_type = text(entry, "type");
    let mut file = OutputFile::new(url, resource_type.as_deref());
    file.kind = kind;
    file.count = number(entry.get("count"));
    file.file_size = number(entry.get("fileSize"));
    file.count_severity = severities(entry.get("countSeverity"));
    file.continues_in_file = match text(entry, "continuesInFile") {
        Some(url) => Some(resolve(&url, base, "the URL of a file")?),
        None => None,
    };
    Ok(file)
}

fn next(json: &Map<String, Value>, base: &str) -> Result<Option<String>> {
    let links = match present(json, "link") {
        None => return Ok(None),
        Some(Value::Array(links)) => links,
        Some(_) => return Err(Error::Manifest("its links are no list")),
    };
    let next = links
        .iter()
        .filter_map(Value::as_object)
        .find(|link| text(link, "relation").is_some_and(|name| name.eq_ignore_ascii_case("next")));
    match next {
        None => Ok(None),
        Some(link) => {
            let url = text(link, "url").ok_or(Error::Manifest("its next page has no URL"))?;
            resolve(&url, base, "the next page of the manifest").map(Some)
        }
    }
}

/// Counts by severity: `[{"severity": "error", "count": 2}]` in the ballot,
/// `{"error": 2}` where it was read as an object.
fn severities(value: Option<&Value>) -> Vec<(String, u64)> {
    let pair = |name: &str, count: Option<&Value>| Some((name.to_owned(), number(count)?));
    match value {
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_object)
            .filter_map(|entry| {
                pair(
                    &text(entry, "severity").or_else(|| text(entry, "code"))?,
                    entry.get("count"),
                )
            })
            .collect(),
        Some(Value::Object(counts)) => counts
            .iter()
            .filter_map(|(name, count)| pair(name, Some(count)))
            .collect(),
        _ => Vec::new(),
    }
}

fn present<'a>(json: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    json.get(name).filter(|value| !value.is_null())
}

fn text(json: &Map<String, Value>, name: &str) -> Option<String> {
    json.get(name)?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// A count, which some servers send as a string.
fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A flag, which some servers send as a string.
fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
