use std::fmt;
use std::time::SystemTime;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::OperationOutcome;

/// One page of the answer to a search.
#[derive(Clone)]
#[non_exhaustive]
pub struct Page {
    /// What was found, in the server's order.
    pub entries: Vec<Entry>,
    /// What the server says about the search, such as that it passed over a
    /// parameter. These are not among the entries.
    pub outcomes: Vec<OperationOutcome>,
    /// How many matches there are on all pages, where the server says so.
    pub total: Option<u64>,
    /// The search as the server understood it: its `self` link. It may name
    /// patients.
    pub self_link: Option<String>,
    /// When the server sent it, by its clock and to the second, where it says so
    /// ([RFC 9110, 6.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1)).
    pub date: Option<SystemTime>,
}

/// One resource of a [`Page`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Entry {
    /// Where the server says the resource is.
    pub full_url: Option<String>,
    /// Why it is there.
    pub mode: SearchMode,
    /// Its type.
    pub resource_type: String,
    /// The resource, byte for byte as the server sent it.
    pub resource: Box<RawValue>,
}

/// Why an [`Entry`] is there
/// ([search-entry-mode](https://hl7.org/fhir/R4/valueset-search-entry-mode.html)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchMode {
    /// It matches the search, or the server doesn't say.
    Match,
    /// A match refers to it, or it to a match.
    Include,
}

/// What became of one entry of a transaction or batch
/// ([Bundle.entry.response](https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response)).
#[derive(Clone)]
#[non_exhaustive]
pub struct EntryResponse {
    /// Its status.
    pub status: StatusCode,
    /// Where the resource is now.
    pub location: Option<String>,
    /// Its version as an entity tag.
    pub etag: Option<String>,
    /// What the server says about it.
    pub outcome: Option<OperationOutcome>,
}

/// A page as it comes, and the link to the next.
pub(super) struct ParsedPage {
    pub(super) page: Page,
    pub(super) next: Option<String>,
}

/// Reads a searchset, or says what the document is instead.
pub(super) fn parse_page(json: &[u8]) -> Result<ParsedPage, String> {
    let bundle: RawBundle<RawEntry> = parse(json)?;
    let link = |relation: &str| {
        let link = bundle.link.iter().find(|link| link["relation"] == relation);
        link.and_then(|link| link["url"].as_str())
            .map(str::to_owned)
    };
    let mut page = Page {
        entries: Vec::with_capacity(bundle.entry.len()),
        outcomes: Vec::new(),
        total: bundle.total.as_u64(),
        self_link: link("self"),
        date: None,
    };
    let next = link("next").filter(|url| !url.is_empty());
    for entry in bundle.entry {
        let Some(resource) = entry.resource else {
            continue;
        };
        let resource_type =
            resource_type(&resource).ok_or("a Bundle with an entry that is no resource")?;
        let mode = entry.search["mode"].as_str();
        if mode == Some("outcome") || resource_type == "OperationOutcome" {
            page.outcomes
                .extend(OperationOutcome::from_json(resource.get().as_bytes()));
            continue;
        }
        page.entries.push(Entry {
            full_url: entry.full_url.as_str().map(str::to_owned),
            mode: if mode == Some("include") {
                SearchMode::Include
            } else {
                SearchMode::Match
            },
            resource_type,
            resource,
        });
    }
    Ok(ParsedPage { page, next })
}

/// Reads the answer to a transaction or batch, or says what it is instead.
pub(super) fn parse_responses(json: &[u8], kind: &str) -> Result<Vec<EntryResponse>, String> {
    let bundle: RawBundle<Value> = parse(json)?;
    if bundle.kind != kind {
        return Err(format!("a Bundle that is no {kind}"));
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let response = |entry: &Value| {
        let response = &entry["response"];
        // "201 Created": the words are the server's choice.
        let status = response["status"].as_str()?.split_whitespace().next()?;
        Some(EntryResponse {
            status: status.parse().ok()?,
            location: text(&response["location"]),
            etag: text(&response["etag"]),
            outcome: OperationOutcome::from_value(&response["outcome"]),
        })
    };
    let responses = bundle.entry.iter().map(response);
    responses
        .collect::<Option<_>>()
        .ok_or_else(|| format!("a {kind} with an entry without a status"))
}

/// Type of a resource, where it has one: a name of letters, as all are, for it
/// is shown.
pub(super) fn resource_type(resource: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Typed {
        #[serde(rename = "resourceType")]
        resource_type: String,
    }
    serde_json::from_str::<Typed>(resource.get())
        .ok()
        .map(|typed| typed.resource_type)
        .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

/// The `type` of a Bundle, where it is one.
pub(super) fn bundle_kind(json: &[u8]) -> Option<String> {
    let bundle: RawBundle<serde::de::IgnoredAny> = parse(json).ok()?;
    bundle.kind.as_str().map(str::to_owned)
}

fn parse<'a, T>(json: &'a [u8]) -> Result<RawBundle<T>, String>
where
    RawBundle<T>: Deserialize<'a>,
{
    let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
    // Position only: texts of serde_json quote the document.
    let bundle: RawBundle<T> = serde_json::from_slice(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("no Bundle that can be read: line {line}, column {column}")
    })?;
    if bundle.resource_type != "Bundle" {
        return Err(match bundle.resource_type.as_str() {
            Some("OperationOutcome") => "an OperationOutcome, not a Bundle".to_owned(),
            _ => "no Bundle".to_owned(),
        });
    }
    Ok(bundle)
}

/// Only what has to be there has a type, so that a wrong member elsewhere
/// doesn't cost the page.
#[derive(Deserialize)]
struct RawBundle<T> {
    #[serde(rename = "resourceType", default)]
    resource_type: Value,
    #[serde(rename = "type", default)]
    kind: Value,
    #[serde(default)]
    total: Value,
    #[serde(default = "Vec::new")]
    link: Vec<Value>,
    #[serde(default = "Vec::new")]
    entry: Vec<T>,
}

#[derive(Deserialize)]
struct RawEntry {
    #[serde(rename = "fullUrl", default)]
    full_url: Value,
    #[serde(default)]
    search: Value,
    resource: Option<Box<RawValue>>,
}

/// By hand: the link holds the search.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("entries", &self.entries)
            .field("outcomes", &self.outcomes)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

/// By hand: a resource is content.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("mode", &self.mode)
            .field("resource_type", &self.resource_type)
            .finish_non_exhaustive()
    }
}

/// By hand: a location holds an id.
impl fmt::Debug for EntryResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryResponse")
            .field("status", &self.status)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
