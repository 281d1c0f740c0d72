//! What the sandbox serves.

mod change;
mod event;
mod folder;
mod huge;
mod members;
mod resource;
mod select;
mod synthetic;
mod token;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;

pub(crate) use event::Change;
pub(crate) use huge::Huge;
pub use resource::Resource;
pub(crate) use resource::{instant, patient_id};
pub use select::Level;
pub(crate) use select::Selection;
pub(crate) use token::{TOKENS, TypeFilter, matches_token};
pub(crate) use types::{is_resource_type, resource_types};

/// The resources of an EHR. Cheap to clone: the resources are shared.
#[derive(Clone, Debug, Default)]
pub struct Data {
    resources: BTreeMap<String, Vec<Arc<Resource>>>,
    by_id: BTreeMap<String, Arc<Resource>>,
    groups: BTreeMap<String, Vec<String>>,
    deletions: Vec<Deletion>,
    rounds: u64,
    huge: Option<Huge>,
}

/// A resource that is no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) reference: String,
    pub(crate) patient: Option<String>,
    pub(crate) at: Timestamp,
}

impl Data {
    /// Id of the group that every patient is a member of.
    pub const ALL: &'static str = "all";

    /// Nothing but one file of Observations, at least `bytes` long, that is
    /// made while it is sent and takes no memory.
    #[must_use]
    pub fn huge(bytes: u64) -> Self {
        Self {
            huge: Some(Huge::new(bytes)),
            ..Self::default()
        }
    }

    /// All resources, by type.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values().flatten().map(AsRef::as_ref)
    }

    /// One resource.
    #[must_use]
    pub fn resource(&self, resource_type: &str, id: &str) -> Option<&Resource> {
        self.by_id.get(&key(resource_type, id)).map(AsRef::as_ref)
    }

    /// Ids of the patients of a group.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<&[String]> {
        self.groups.get(id).map(Vec::as_slice)
    }

    /// What an export has to hold when it is complete: the resources of the
    /// level and types (none named: all) that changed after `since`.
    ///
    /// A patient or group export holds the compartments of the patients and
    /// what these refer to outside of any compartment, such as practitioners.
    #[must_use]
    pub fn expected_resources(
        &self,
        level: &Level,
        types: &[&str],
        since: Option<SystemTime>,
    ) -> Vec<Arc<Resource>> {
        let types = types
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>();
        let selection = Selection {
            types: (!types.is_empty()).then_some(types),
            since: since.map(timestamp),
            ..Selection::new(level.clone())
        };
        self.select(&selection)
    }

    /// `Type/id` of what was deleted after `since`.
    #[must_use]
    pub fn expected_deletions(&self, since: SystemTime) -> Vec<&str> {
        let since = timestamp(since);
        let later = self.deletions.iter().filter(|deletion| deletion.at > since);
        later.map(|deletion| deletion.reference.as_str()).collect()
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.groups
            .iter()
            .map(|(id, members)| (id.as_str(), members.as_slice()))
    }

    /// When the last change was.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        let updates = self
            .by_id
            .values()
            .filter_map(|resource| resource.last_updated);
        updates
            .chain(self.deletions.iter().map(|deletion| deletion.at))
            .max()
    }

    pub(crate) fn of_type(&self, resource_type: &str) -> &[Arc<Resource>] {
        self.resources.get(resource_type).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn types(&self) -> impl Iterator<Item = &str> {
        let groups = self.groups.keys().next().map(|_| "Group");
        let groups = groups.filter(|name| !self.resources.contains_key(*name));
        self.resources.keys().map(String::as_str).chain(groups)
    }

    pub(crate) const fn stream(&self) -> Option<Huge> {
        self.huge
    }

    pub(crate) fn shared(&self, resource_type: &str, id: &str) -> Option<Arc<Resource>> {
        self.by_id.get(&key(resource_type, id)).cloned()
    }

    /// Takes a resource away, which is a deletion at that time.
    pub(crate) fn remove(&mut self, resource_type: &str, id: &str, at: Timestamp) {
        let reference = key(resource_type, id);
        let Some(gone) = self.by_id.remove(&reference) else {
            return;
        };
        if let Some(of_type) = self.resources.get_mut(resource_type) {
            of_type.retain(|own| own.id() != id);
        }
        match resource_type {
            "Patient" => {
                let members = self.groups.entry(Self::ALL.to_owned()).or_default();
                members.retain(|member| member != id);
            }
            "Group" => {
                self.groups.remove(id);
            }
            _ => {}
        }
        self.deletions.push(Deletion {
            reference,
            patient: gone.patient.clone(),
            at,
        });
    }

    /// Adds a resource, or puts it in the place of its earlier version.
    pub(crate) fn put(&mut self, resource: impl Into<Arc<Resource>>) {
        let resource = resource.into();
        let earlier = self.shared(resource.resource_type(), resource.id());
        self.index(&resource);
        let of_type = self.of_type_mut(&resource);
        let place = earlier.and_then(|earlier| {
            let is_it = |own: &Arc<Resource>| Arc::ptr_eq(own, &earlier);
            of_type.iter().position(is_it)
        });
        match place {
            Some(place) => of_type[place] = resource,
            None => of_type.push(resource),
        }
    }

    /// Adds a resource, or another version of one that is there already.
    fn push(&mut self, resource: Resource) {
        let resource = Arc::new(resource);
        self.index(&resource);
        self.of_type_mut(&resource).push(resource);
    }

    fn of_type_mut(&mut self, resource: &Resource) -> &mut Vec<Arc<Resource>> {
        let name = resource.resource_type().to_owned();
        self.resources.entry(name).or_default()
    }

    /// Makes it be found by its id, and notes who is in which group.
    fn index(&mut self, resource: &Arc<Resource>) {
        match resource.resource_type() {
            "Patient" => {
                let all = self.groups.entry(Self::ALL.to_owned()).or_default();
                if !all.iter().any(|id| id == resource.id()) {
                    all.push(resource.id().to_owned());
                }
            }
            "Group" => {
                let members = resource
                    .references
                    .iter()
                    .filter_map(|text| patient_id(text));
                let members = members.map(str::to_owned).collect();
                self.groups.insert(resource.id().to_owned(), members);
            }
            _ => {}
        }
        let reference = key(resource.resource_type(), resource.id());
        self.by_id.insert(reference, Arc::clone(resource));
    }
}

fn key(resource_type: &str, id: &str) -> String {
    format!("{resource_type}/{id}")
}

/// Instants beyond the range of FHIR's are its ends.
pub(crate) fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(if at < SystemTime::UNIX_EPOCH {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}
