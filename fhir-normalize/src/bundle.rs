//! Bundles taken apart.

use std::collections::HashMap;
use std::ops::Range;

use fhir_json::{Document, MAX_DEPTH, Tape, Value};

use crate::head::head;
use crate::layout::Layout;
use crate::normalizer::{Done, Normalized, Normalizer};
use crate::reference::{Form, form};
use crate::rejected::{Reason, Rejected};
use crate::required::type_name;

/// What a text holds, see [`Normalizer::records`].
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// A resource to store.
    Resource(Normalized<'a>),
    /// A resource that the source has deleted.
    Deletion(Deletion<'a>),
}

/// A resource that the source has deleted.
#[derive(Clone, Copy, Debug)]
pub struct Deletion<'a> {
    /// The resource's type.
    pub resource_type: &'static str,
    /// The id in the store.
    pub id: &'a str,
    /// The id at the source.
    pub source_id: &'a str,
}

/// `fullUrl`s of a Bundle's entries with the references they become.
#[derive(Debug, Default)]
pub(crate) struct Links(HashMap<String, String>);

impl Links {
    pub(crate) fn get(&self, full_url: &str) -> Option<&str> {
        self.0.get(full_url).map(String::as_str)
    }
}

/// In a Bundle a resource stands inside the Bundle, its array and the entry.
const LEVELS_ABOVE_RESOURCE: usize = 3;

/// What an entry asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Store,
    Delete {
        resource_type: &'static str,
        source_id: String,
    },
    Refuse(&'static str),
    /// Reads, and search outcomes: no data of the source.
    Skip,
}

struct Entry {
    /// Position in the Bundle, from 0.
    index: usize,
    /// The resource, or the whole entry where it has none.
    span: Range<usize>,
    full_url: Option<String>,
    resource_type: Option<&'static str>,
    action: Action,
}

impl Entry {
    /// The UUID of a `urn:uuid:` fullUrl, which serves as id where a resource
    /// has none.
    fn uuid(&self) -> Option<&str> {
        self.full_url.as_deref()?.strip_prefix("urn:uuid:")
    }

    fn locate(&self, detail: &str) -> String {
        format!("entry[{}]: {detail}", self.index)
    }
}

/// Takes where a record stands in the text and what became of it.
pub type Visit<'v> = &'v mut dyn FnMut(Range<usize>, Result<Record<'_>, Rejected>);

impl Normalizer {
    /// Normalizes all that `text` holds: the resource, or the entries of a
    /// Bundle of type transaction, batch, collection, searchset or history.
    ///
    /// `visit` gets the place of each and what became of it, in the order to be
    /// stored: the entries of a history, which come latest first, are visited
    /// last first. Entries that carry no data (reads, search outcomes) are left out. A Bundle of
    /// another type (document, message, responses) is one resource.
    pub fn records(&mut self, text: &[u8], visit: Visit<'_>) {
        let mut tape = std::mem::take(&mut self.tape);
        let content = self.content(&mut tape, text);
        self.tape = tape;
        match content {
            Ok(Content::Resource(done)) => {
                visit(0..text.len(), Ok(Record::Resource(self.normalized(done))))
            }
            Err(rejected) => visit(0..text.len(), Err(rejected)),
            Ok(Content::Bundle(entries)) => {
                let links = self.links(text, &entries);
                for entry in &entries {
                    self.entry(text, entry, &links, visit);
                }
            }
        }
    }

    fn content(&mut self, tape: &mut Tape, text: &[u8]) -> Result<Content, Rejected> {
        let document = tape.parse_nested(text, MAX_DEPTH + LEVELS_ABOVE_RESOURCE)?;
        let mut layout = self.layouts.take(document.root())?;
        let content = self.laid_out(document, &mut layout);
        self.layouts.give_back(layout);
        content
    }

    fn laid_out(
        &mut self,
        document: Document<'_>,
        layout: &mut Layout,
    ) -> Result<Content, Rejected> {
        let root = document.root();
        let resource_type = type_name(layout.type_index);
        if let Some(entries) = entries(root, resource_type, &self.settings.bases) {
            return Ok(Content::Bundle(entries));
        }
        if document.depth() > MAX_DEPTH {
            let detail = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Rejected::new(Reason::TooDeep, detail));
        }
        match self.process(root, layout, None, &Links::default()) {
            Ok(done) => Ok(Content::Resource(done)),
            Err(rejected) => Err(rejected.of_type(Some(resource_type))),
        }
    }

    /// What `urn:uuid:` references in the entries point at. Also takes note
    /// of the patients known by their medical record number.
    fn links(&mut self, text: &[u8], entries: &[Entry]) -> Links {
        let mut links = HashMap::new();
        for entry in entries.iter().filter(|entry| entry.action == Action::Store) {
            if entry.uuid().is_none() && entry.resource_type != Some("Patient") {
                continue;
            }
            // A resource that is refused is not there to be pointed at.
            let Ok((resource_type, id)) = self.preview(&text[entry.span.clone()], entry.uuid())
            else {
                continue;
            };
            if let (Some(_), Some(url)) = (entry.uuid(), &entry.full_url) {
                links
                    .entry(url.clone())
                    .or_insert_with(|| format!("{resource_type}/{id}"));
            }
        }
        Links(links)
    }

    fn entry(&mut self, text: &[u8], entry: &Entry, links: &Links, visit: Visit<'_>) {
        let span = entry.span.clone();
        match &entry.action {
            Action::Skip => {}
            Action::Refuse(why) => {
                let rejected = Rejected::new(Reason::StoreRefused, entry.locate(why))
                    .of_type(entry.resource_type);
                visit(span, Err(rejected));
            }
            Action::Delete {
                resource_type,
                source_id,
            } => {
                let id = &self.id_for(resource_type, source_id);
                visit(
                    span,
                    Ok(Record::Deletion(Deletion {
                        resource_type,
                        id,
                        source_id,
                    })),
                );
            }
            Action::Store => match self.normalize_entry(&text[span.clone()], entry.uuid(), links) {
                Ok(normalized) => visit(span, Ok(Record::Resource(normalized))),
                Err(rejected) => {
                    let mut rejected = rejected
                        .shifted(entry.span.start)
                        .of_type(entry.resource_type);
                    rejected.detail = entry.locate(&rejected.detail);
                    visit(span, Err(rejected));
                }
            },
        }
    }
}

enum Content {
    Resource(Done),
    Bundle(Vec<Entry>),
}

/// The entries of a Bundle that is taken apart, in the order to be stored;
/// `None` for every other resource.
fn entries(root: Value<'_>, resource_type: &str, bases: &[String]) -> Option<Vec<Entry>> {
    if resource_type != "Bundle" {
        return None;
    }
    let bundle_type = root.get("type").and_then(Value::as_str).unwrap_or_default();
    let reversed = match &*bundle_type {
        "transaction" | "batch" | "collection" | "searchset" => false,
        "history" => true,
        _ => return None,
    };
    let transacts = matches!(&*bundle_type, "transaction" | "batch");
    let array = root.get("entry");
    let mut entries: Vec<_> = array
        .iter()
        .flat_map(|array| array.elements_or_self())
        .enumerate()
        .map(|(index, entry)| read_entry(index, entry, transacts, bases))
        .collect();
    if reversed {
        entries.reverse();
    }
    Some(entries)
}

fn read_entry(index: usize, entry: Value<'_>, transacts: bool, bases: &[String]) -> Entry {
    let resource = entry.get("resource").filter(|resource| !resource.is_null());
    let text = |pointer| entry.pointer(pointer).and_then(Value::as_str);
    let is_outcome = text("/search/mode").is_some_and(|mode| mode == "outcome");
    let method = text("/request/method").unwrap_or_default();
    let url = text("/request/url").unwrap_or_default();
    let action = match (&*method, resource.is_some()) {
        _ if is_outcome => Action::Skip,
        ("GET" | "HEAD", _) if transacts => Action::Skip,
        ("DELETE", _) => match form(&url, bases) {
            Form::Local {
                resource_type, id, ..
            } => Action::Delete {
                resource_type,
                source_id: id.to_owned(),
            },
            _ => Action::Refuse("a DELETE that does not name one resource is not carried out"),
        },
        ("PATCH", true) if transacts => Action::Refuse("a PATCH is not carried out"),
        ("POST", true) if transacts && url.contains('$') => {
            Action::Refuse("the call of an operation is not carried out")
        }
        ("POST" | "PUT" | "PATCH", false) if transacts => Action::Refuse("no resource to store"),
        (_, true) => Action::Store,
        (_, false) => Action::Skip,
    };
    Entry {
        index,
        span: resource.unwrap_or(entry).span(),
        full_url: text("/fullUrl").map(Into::into),
        resource_type: resource.and_then(type_of),
        action,
    }
}

/// The resource type of an object that may be no resource.
fn type_of(resource: Value<'_>) -> Option<&'static str> {
    head(resource)
        .ok()
        .map(|head| type_name(head.names.type_index))
}
