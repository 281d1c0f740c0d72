//! What was written, with all versions.

mod bundle;
mod failure;
mod reference;
mod settings;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use bundle::{Bundle, Kind};
pub(crate) use failure::Failure;
pub(crate) use settings::LARGEST_BODY;
pub use settings::{Rejection, WriteSettings};
pub(crate) use write::{Done, Interaction, Together, Write};

use crate::Resource;
use crate::data::{Data, instant};

/// The data at this moment, and the versions of what was written. Cheap to
/// clone, so that a transaction can be undone.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) data: Arc<Data>,
    /// By `Type/id`, oldest first.
    history: Arc<BTreeMap<String, Arc<Vec<Version>>>>,
    made: u64,
}

/// One version of a resource.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) interaction: Interaction,
    /// `None` where it was deleted.
    pub(crate) resource: Option<Arc<Resource>>,
}

impl Store {
    pub(crate) fn new(data: Data) -> Self {
        Self {
            data: Arc::new(data),
            ..Self::default()
        }
    }

    /// All versions, oldest first. What came in another way than by writing is
    /// known in its newest version only.
    pub(crate) fn versions(&self, resource_type: &str, id: &str) -> Vec<Version> {
        let key = format!("{resource_type}/{id}");
        let noted = self.history.get(&key);
        let mut versions = noted.map_or(Vec::new(), |noted| noted.to_vec());
        if let Some(current) = self.data.shared(resource_type, id) {
            let version = version_of(&current);
            if versions.last().is_none_or(|last| last.id != version) {
                versions.push(Version {
                    id: version,
                    at: current.last_updated.unwrap_or_default(),
                    interaction: Interaction::Create,
                    resource: Some(current),
                });
            }
        }
        versions
    }

    /// Whether it was there once.
    pub(crate) fn is_deleted(&self, resource_type: &str, id: &str) -> bool {
        self.data.resource(resource_type, id).is_none()
            && self.history.contains_key(&format!("{resource_type}/{id}"))
    }

    fn next_version(&self, resource_type: &str, id: &str) -> String {
        let versions = self.versions(resource_type, id);
        let numbers = versions.iter().filter_map(|v| v.id.parse::<u64>().ok());
        let newest = numbers.max().unwrap_or(versions.len() as u64);
        (newest + 1).to_string()
    }

    /// Notes what is there at this moment and the version that follows.
    fn note(&mut self, resource_type: &str, id: &str, version: Version) {
        let mut versions = self.versions(resource_type, id);
        versions.push(version);
        let key = format!("{resource_type}/{id}");
        Arc::make_mut(&mut self.history).insert(key, Arc::new(versions));
    }

    /// An id that is free.
    fn new_id(&mut self, resource_type: &str) -> String {
        loop {
            self.made += 1;
            let id = format!("new-{}", self.made);
            let is_free = self.versions(resource_type, &id).is_empty();
            if is_free {
                return id;
            }
        }
    }
}

impl Version {
    /// Its entry in a history.
    pub(crate) fn entry(&self, base: &str, name: &str) -> String {
        let resource = match &self.resource {
            Some(resource) => format!(r#","resource":{}"#, resource.json()),
            None => String::new(),
        };
        let status = match self.interaction {
            Interaction::Create => "201 Created",
            Interaction::Update => "200 OK",
            Interaction::Delete => "204 No Content",
        };
        let request = json!({
            "method": self.interaction.method(),
            "url": name,
        });
        let response = json!({
            "status": status,
            "etag": format!("W/\"{}\"", self.id),
            "lastModified": instant(self.at),
        });
        format!(
            r#"{{"fullUrl":"{base}/{name}"{resource},"request":{request},"response":{response}}}"#
        )
    }
}

/// `meta.versionId`, `1` where there is none.
pub(crate) fn version_of(resource: &Resource) -> String {
    let value = serde_json::from_str::<Value>(resource.json()).unwrap_or_default();
    let version = value.pointer("/meta/versionId").and_then(Value::as_str);
    version.unwrap_or("1").to_owned()
}
