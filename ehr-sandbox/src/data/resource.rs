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
                let version = meta.get("versionId").and_then(Value::as_str);
                let version = version.and_then(|v| v.parse::<u64>().ok()).unwrap_or(1);
                meta.insert("versionId".into(), (version + 1).to_string().into());
                meta.insert("lastUpdated".into(), instant(at).into());
                let tag = json!({"system": "urn:ehr-sandbox:change", "code": round.to_string()});
                push_tag(meta, tag);
            })
        })
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
