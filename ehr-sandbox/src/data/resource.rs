use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::members::Members;

/// One resource, with its JSON exactly as it is served.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    resource_type: String,
    id: String,
    json: String,
    pub(crate) last_updated: Option<Timestamp>,
    pub(crate) patient: Option<String>,
    pub(crate) references: Vec<String>,
}

impl Resource {
    /// Its type, such as `Patient`.
    #[must_use]
    pub fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its JSON, on one line.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Reads a resource; the error says what it lacks.
    pub(crate) fn parse(json: String) -> Result<Self, &'static str> {
        let value: Value = serde_json::from_str(&json).map_err(|_| "valid JSON")?;
        let text = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let resource_type = text("resourceType").ok_or("a `resourceType`")?;
        let id = text("id").ok_or("an `id`")?;
        let last_updated = value.pointer("/meta/lastUpdated").and_then(Value::as_str);
        let mut references = Vec::new();
        collect_references(&value, &mut references);
        Ok(Self {
            patient: patient_of(&resource_type, &id, &value),
            last_updated: last_updated.and_then(|text| text.parse().ok()),
            references,
            resource_type,
            id,
            json,
        })
    }

    /// The same resource, changed at `at` for the `round`th time. The change
    /// is a tag in `meta`, which any resource may have.
    pub(crate) fn revised(&self, at: Timestamp, round: u64) -> Self {
        self.edited(|members| {
            members.with_meta(|meta| {
                count_up(meta, at);
                let tag = json!({"system": "urn:ehr-sandbox:change", "code": round.to_string()});
                push_tag(meta, tag);
            })
        })
    }

    /// What a client sent, as it is kept: with this id and version. `None` for
    /// what is no resource.
    pub(crate) fn received(body: &str, id: &str, version: &str, at: Timestamp) -> Option<Self> {
        let body = one_line(body);
        let with_id = Members::of(&body)?.with(&[("id", Some(Value::from(id).to_string()))]);
        let whole = Members::of(&with_id)?.with_meta(|meta| {
            meta.insert("versionId".into(), version.into());
            meta.insert("lastUpdated".into(), instant(at).into());
        });
        Self::parse(whole).ok()
    }

    /// Its text without what a server writes into it.
    pub(crate) fn content(&self) -> String {
        let bare = |members: Members<'_>| {
            members.with_meta(|meta| {
                meta.remove("versionId");
                meta.remove("lastUpdated");
            })
        };
        Members::of(&self.json).map_or_else(|| self.json.clone(), bare)
    }

    /// Its next version, changed at `at`: with other members, where `None`
    /// takes one away.
    pub(crate) fn amended(
        &self,
        members: &[(&'static str, Option<String>)],
        at: Timestamp,
    ) -> Self {
        self.edited(|own| own.with(members))
            .edited(|own| own.with_meta(|meta| count_up(meta, at)))
    }

    /// Its next version, changed at `at`: what referred to one resource refers
    /// to another.
    pub(crate) fn moved(&self, from: &str, to: &str, at: Timestamp) -> Self {
        let [from, to] = [from, to].map(|reference| Value::from(reference).to_string());
        let json = self.json.replace(&from, &to);
        let moved = Self::parse(json).unwrap_or_else(|_| self.clone());
        moved.edited(|own| own.with_meta(|meta| count_up(meta, at)))
    }

    /// A copy under another id, created at `at`.
    pub(crate) fn copied(&self, id: &str, at: Timestamp) -> Self {
        let copy = self.edited(|members| {
            members.rewritten(|name, _| (name == "id").then(|| Value::from(id).to_string()))
        });
        copy.edited(|members| {
            members.with_meta(|meta| {
                meta.insert("versionId".into(), "1".into());
                meta.insert("lastUpdated".into(), instant(at).into());
            })
        })
    }

    /// Its JSON with the named top-level elements and the mandatory ones only,
    /// marked as `SUBSETTED`.
    pub(crate) fn subset(&self, elements: &[&str]) -> String {
        let Some(mut members) = Members::of(&self.json) else {
            return self.json.clone();
        };
        members.0.retain(|(name, _)| {
            let kept = ["resourceType", "id", "meta"].contains(&name.as_str());
            kept || elements.contains(&name.trim_start_matches('_'))
        });
        members.with_meta(|meta| {
            let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
            push_tag(meta, json!({"system": system, "code": "SUBSETTED"}));
        })
    }

    /// Its JSON with another `resourceType`.
    pub(crate) fn disguise(json: &str, resource_type: &str) -> String {
        let edit = |members: Members<'_>| {
            members.rewritten(|name, _| {
                (name == "resourceType").then(|| Value::from(resource_type).to_string())
            })
        };
        Members::of(json).map_or_else(|| json.to_owned(), edit)
    }

    fn edited(&self, edit: impl FnOnce(&Members<'_>) -> String) -> Self {
        let json = Members::of(&self.json).map(|members| edit(&members));
        json.and_then(|json| Self::parse(json).ok())
            .unwrap_or_else(|| self.clone())
    }
}

/// By hand: the JSON may be of real patients where the data is a folder.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("resource_type", &self.resource_type)
            .finish_non_exhaustive()
    }
}

/// A FHIR instant in UTC with milliseconds.
pub(crate) fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// `id` of a reference to a patient, relative or absolute.
pub(crate) fn patient_id(reference: &str) -> Option<&str> {
    let (before, id) = reference.rsplit_once("Patient/")?;
    (before.is_empty() || before.ends_with('/')).then_some(id)
}

/// JSON without white space between its tokens, which may be line feeds.
fn one_line(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let keep = |c: &char| {
        let kept = inside || !c.is_ascii_whitespace();
        if *c == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && *c == '\\' && !escaped;
        kept
    };
    json.chars().filter(keep).collect()
}

fn patient_of(resource_type: &str, id: &str, value: &Value) -> Option<String> {
    if resource_type == "Patient" {
        return Some(id.to_owned());
    }
    ["subject", "patient", "beneficiary"]
        .iter()
        .find_map(|name| {
            let reference = value.get(name)?.get("reference")?.as_str()?;
            patient_id(reference).map(str::to_owned)
        })
}

/// The next version of a resource.
fn count_up(meta: &mut serde_json::Map<String, Value>, at: Timestamp) {
    let version = meta.get("versionId").and_then(Value::as_str);
    let version = version.and_then(|v| v.parse::<u64>().ok()).unwrap_or(1);
    meta.insert("versionId".into(), (version + 1).to_string().into());
    meta.insert("lastUpdated".into(), instant(at).into());
}

fn push_tag(meta: &mut serde_json::Map<String, Value>, tag: Value) {
    match meta.get_mut("tag").and_then(Value::as_array_mut) {
        Some(tags) => tags.push(tag),
        None => {
            meta.insert("tag".into(), Value::Array(vec![tag]));
        }
    }
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(reference) if name == "reference" => references.push(reference.to_owned()),
                    _ => collect_references(value, references),
                }
            }
        }
        Value::Array(values) => values
            .iter()
            .for_each(|v| collect_references(v, references)),
        _ => {}
    }
}
