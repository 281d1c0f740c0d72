use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::change::relative;
use super::{Data, Deletion, Resource, TypeFilter};

/// What an export is of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// Everything: `[base]/$export`.
    System,
    /// All patients: `[base]/Patient/$export`.
    Patient,
    /// The patients of a group: `[base]/Group/[id]/$export`.
    Group(String),
}

/// The resources an export asks for.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) level: Level,
    pub(crate) types: Option<Vec<String>>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) patients: Option<Vec<String>>,
    pub(crate) filters: Vec<TypeFilter>,
}

impl Selection {
    pub(crate) const fn new(level: Level) -> Self {
        Self {
            level,
            types: None,
            since: None,
            until: None,
            patients: None,
            filters: Vec::new(),
        }
    }

    fn has_type(&self, name: &str) -> bool {
        self.types
            .as_ref()
            .is_none_or(|types| types.iter().any(|wanted| wanted == name))
    }

    /// Without an instant a resource is always new: nothing shows the contrary.
    fn has_instant(&self, at: Option<Timestamp>) -> bool {
        let Some(at) = at else { return true };
        self.since.is_none_or(|since| at > since) && self.until.is_none_or(|until| at <= until)
    }

    /// Filters of one type are alternatives.
    fn passes_filters(&self, resource: &Resource) -> bool {
        let mut own = self
            .filters
            .iter()
            .filter(|f| f.applies_to(resource.resource_type()));
        match own.next() {
            None => true,
            Some(first) => first.matches(resource) || own.any(|f| f.matches(resource)),
        }
    }
}

impl Data {
    pub(crate) fn select(&self, selection: &Selection) -> Vec<Arc<Resource>> {
        let patients = self.patients(selection);
        let related = patients.as_ref().map(|patients| self.related(patients));
        let belongs = |resource: &Resource| match (&patients, &related, &resource.patient) {
            (Some(patients), _, Some(patient)) => patients.contains(patient.as_str()),
            (Some(_), Some(related), None) => {
                related.contains(&super::key(resource.resource_type(), resource.id()))
            }
            _ => true,
        };
        let resources = self.resources.values().flatten().filter(|resource| {
            selection.has_type(resource.resource_type())
                && selection.has_instant(resource.last_updated)
                && belongs(resource)
                && selection.passes_filters(resource)
        });
        resources.cloned().collect()
    }

    /// What was deleted, where a `since` is named.
    pub(crate) fn select_deletions(&self, selection: &Selection) -> Vec<&Deletion> {
        if selection.since.is_none() {
            return Vec::new();
        }
        let patients = self.patients(selection);
        let chosen = self.deletions.iter().filter(|deletion| {
            let resource_type = deletion.reference.split('/').next().unwrap_or_default();
            let belongs = match (&patients, &deletion.patient) {
                (Some(patients), Some(patient)) => patients.contains(patient.as_str()),
                _ => true,
            };
            belongs && selection.has_type(resource_type) && selection.has_instant(Some(deletion.at))
        });
        chosen.collect()
    }

    /// The patients meant; `None` at system level.
    fn patients(&self, selection: &Selection) -> Option<BTreeSet<&str>> {
        let members: BTreeSet<&str> = match &selection.level {
            Level::System => return None,
            Level::Patient => self.of_type("Patient").iter().map(|r| r.id()).collect(),
            Level::Group(id) => self.group(id)?.iter().map(String::as_str).collect(),
        };
        Some(match &selection.patients {
            Some(named) => members
                .into_iter()
                .filter(|id| named.iter().any(|n| n == id))
                .collect(),
            None => members,
        })
    }

    /// What the compartments of the patients refer to, directly or not,
    /// outside of any compartment.
    fn related(&self, patients: &BTreeSet<&str>) -> BTreeSet<String> {
        let inside = |resource: &&Arc<Resource>| {
            resource
                .patient
                .as_deref()
                .is_some_and(|patient| patients.contains(patient))
        };
        let mut open: Vec<&Arc<Resource>> = self.by_id.values().filter(inside).collect();
        let mut related = BTreeSet::new();
        while let Some(resource) = open.pop() {
            for reference in resource.references.iter().map(|text| relative(text)) {
                let target = self.by_id.get(reference);
                let Some(target) = target.filter(|target| target.patient.is_none()) else {
                    continue;
                };
                if related.insert(reference.to_owned()) {
                    open.push(target);
                }
            }
        }
        related
    }
}
