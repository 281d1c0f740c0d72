use std::collections::BTreeSet;
use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::reference::{local, references};
use super::{Failure, Store, Version, WriteSettings, version_of};
use crate::Resource;
use crate::fhir::matches;

/// How something is written (<https://hl7.org/fhir/R4/http.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Interaction {
    Delete,
    Create,
    Update,
}

impl Interaction {
    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Create => "POST",
            Self::Update => "PUT",
        }
    }

    /// Its letter in scopes.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Delete => 'd',
            Self::Create => 'c',
            Self::Update => 'u',
        }
    }
}

/// Something to be written.
#[derive(Clone)]
pub(crate) struct Write {
    pub(crate) interaction: Interaction,
    pub(crate) resource_type: String,
    pub(crate) id: Option<String>,
    /// The search of a conditional create or update.
    pub(crate) condition: Option<String>,
    pub(crate) if_match: Option<String>,
    /// `If-None-Match: *`.
    pub(crate) only_new: bool,
    /// Empty for a deletion.
    pub(crate) body: String,
}

/// What a write is about.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) id: String,
    /// A conditional create has found it: nothing is to be done.
    found: bool,
    /// The client chose the id.
    chosen: bool,
}

/// What became of a write.
pub(crate) struct Done {
    pub(crate) status: StatusCode,
    /// `Type/id/_history/version`; `None` where nothing is there to be found.
    pub(crate) location: Option<String>,
    pub(crate) version: String,
    pub(crate) at: Timestamp,
    pub(crate) resource: Option<Arc<Resource>>,
}

/// What else is written with it: `Type/id`.
#[derive(Default)]
pub(crate) struct Together {
    pub(crate) made: BTreeSet<String>,
    pub(crate) gone: BTreeSet<String>,
    /// The FHIR base.
    pub(crate) base: String,
}

impl Store {
    /// Finds what a write is about.
    pub(crate) fn target(&mut self, write: &Write) -> Result<Target, Failure> {
        let matching = match &write.condition {
            Some(query) => self.matching(&write.resource_type, query)?,
            None => None,
        };
        let creates = write.interaction == Interaction::Create;
        let chosen = match (creates, &write.condition) {
            (true, _) => None,
            (false, None) => write.id.clone(),
            (false, Some(_)) => id_in(&write.body),
        };
        let is_chosen = chosen.is_some();
        let id = match (&matching, chosen) {
            (Some(found), Some(chosen)) if *found != chosen => {
                return Err(Failure::invalid("the id is not that of the resource found"));
            }
            (Some(id), _) => id.clone(),
            (None, Some(id)) => id,
            (None, None) => self.new_id(&write.resource_type),
        };
        Ok(Target {
            id,
            found: creates && matching.is_some(),
            chosen: is_chosen,
        })
    }

    /// The one resource that a condition matches.
    pub(super) fn matching(
        &self,
        resource_type: &str,
        query: &str,
    ) -> Result<Option<String>, Failure> {
        let status = StatusCode::PRECONDITION_FAILED;
        let mut found = matches(&self.data, resource_type, query)
            .map_err(|problem| Failure::new(status, "not-supported", &problem))?;
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => {
                let problem = "the condition matches several resources";
                Err(Failure::new(status, "multiple-matches", problem))
            }
        }
    }

    /// Does it.
    pub(crate) fn carry_out(
        &mut self,
        write: &Write,
        target: &Target,
        settings: &WriteSettings,
        together: &Together,
        at: Timestamp,
    ) -> Result<Done, Failure> {
        let current = self.data.shared(&write.resource_type, &target.id);
        if let (true, Some(current)) = (target.found, &current) {
            return Ok(self.as_it_is(current));
        }
        check_version(write, current.as_deref(), settings)?;
        if write.interaction == Interaction::Delete {
            return self.delete(write, target, settings, together, at);
        }
        if current.is_none() && target.chosen {
            check_id(&target.id, settings)?;
        }
        let version = self.next_version(&write.resource_type, &target.id);
        let resource = parse(write, target, &version, at)?;
        if let Some(rejection) = settings.rejection(&resource) {
            return Err(rejection.into());
        }
        if let Some(status) = settings.dangling_references {
            self.check_references(&resource, status, together)?;
        }
        if let (true, Some(current)) = (settings.skip_unchanged, &current)
            && current.content() == resource.content()
        {
            return Ok(self.as_it_is(current));
        }
        let resource = Arc::new(resource);
        let noted = Version {
            id: version.clone(),
            at,
            interaction: write.interaction,
            resource: Some(Arc::clone(&resource)),
        };
        self.note(&write.resource_type, &target.id, noted);
        Arc::make_mut(&mut self.data).put(Arc::clone(&resource));
        Ok(Done {
            status: match current {
                Some(_) => StatusCode::OK,
                None => StatusCode::CREATED,
            },
            location: Some(location(&resource, &version)),
            version,
            at,
            resource: Some(resource),
        })
    }

    fn delete(
        &mut self,
        write: &Write,
        target: &Target,
        settings: &WriteSettings,
        together: &Together,
        at: Timestamp,
    ) -> Result<Done, Failure> {
        let (resource_type, id) = (&write.resource_type, &target.id);
        let versions = self.versions(resource_type, id);
        let Some(last) = versions.last() else {
            return Err(Failure::new(
                StatusCode::NOT_FOUND,
                "not-found",
                "there is no such resource",
            ));
        };
        let mut version = last.id.clone();
        if last.resource.is_some() {
            if settings.dangling_references.is_some() {
                self.check_referrers(&format!("{resource_type}/{id}"), together)?;
            }
            version = self.next_version(resource_type, id);
            let noted = Version {
                id: version.clone(),
                at,
                interaction: Interaction::Delete,
                resource: None,
            };
            self.note(resource_type, id, noted);
            Arc::make_mut(&mut self.data).remove(resource_type, id, at);
        }
        Ok(Done {
            status: StatusCode::NO_CONTENT,
            location: None,
            version,
            at,
            resource: None,
        })
    }

    fn as_it_is(&self, resource: &Arc<Resource>) -> Done {
        let version = version_of(resource);
        Done {
            status: StatusCode::OK,
            location: Some(location(resource, &version)),
            version,
            at: resource.last_updated.unwrap_or_default(),
            resource: Some(Arc::clone(resource)),
        }
    }

    fn check_references(
        &self,
        resource: &Resource,
        status: u16,
        together: &Together,
    ) -> Result<(), Failure> {
        let value: Value = serde_json::from_str(resource.json()).unwrap_or_default();
        let own = format!("{}/{}", resource.resource_type(), resource.id());
        for (path, reference) in references(resource.resource_type(), &value) {
            let Some(target) = local(&reference, &together.base) else {
                continue;
            };
            let is_there = match target.split_once('/') {
                Some((name, id)) => self.data.resource(name, id).is_some(),
                None => false,
            };
            if target != own && !is_there && !together.made.contains(target) {
                let problem = "a reference is to a resource that is not there";
                return Err(Failure::of_setting(status, "processing", problem).at(path));
            }
        }
        Ok(())
    }

    fn check_referrers(&self, target: &str, together: &Together) -> Result<(), Failure> {
        let refers = |resource: &Resource| {
            let own = format!("{}/{}", resource.resource_type(), resource.id());
            own != target
                && !together.gone.contains(&own)
                && !together.made.contains(&own)
                && resource
                    .references
                    .iter()
                    .any(|reference| local(reference, &together.base) == Some(target))
        };
        if self.data.resources().any(refers) {
            let problem = "other resources refer to this one";
            return Err(Failure::new(StatusCode::CONFLICT, "conflict", problem));
        }
        Ok(())
    }
}

fn check_version(
    write: &Write,
    current: Option<&Resource>,
    settings: &WriteSettings,
) -> Result<(), Failure> {
    if write.only_new && current.is_some() {
        let problem = "there is such a resource already";
        let status = StatusCode::PRECONDITION_FAILED;
        return Err(Failure::new(status, "conflict", problem));
    }
    if let Some(wanted) = &write.if_match {
        let version = current.map(version_of);
        let is_current = version.is_some_and(|version| *wanted == format!("W/\"{version}\""));
        if !is_current {
            let problem = "this is not the current version";
            return Err(Failure::of_setting(settings.mismatch, "conflict", problem));
        }
    }
    Ok(())
}

fn id_in(body: &str) -> Option<String> {
    let value: Value = serde_json::from_str(body).ok()?;
    value.get("id")?.as_str().map(str::to_owned)
}

/// Of a new resource.
fn check_id(id: &str, settings: &WriteSettings) -> Result<(), Failure> {
    if !settings.client_ids {
        let problem = "ids are chosen by this server";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        return Err(Failure::new(status, "not-supported", problem));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if !(1..=64).contains(&id.len()) || !id.chars().all(allowed) {
        return Err(Failure::invalid("this is no FHIR id"));
    }
    if settings.refuses_id(id) {
        return Err(Failure::invalid("this server takes no such ids"));
    }
    Ok(())
}

fn parse(
    write: &Write,
    target: &Target,
    version: &str,
    at: Timestamp,
) -> Result<Resource, Failure> {
    let name = &write.resource_type;
    let resource = Resource::received(&write.body, &target.id, version, at);
    let resource = resource.ok_or(Failure::invalid("the body is no FHIR resource in JSON"))?;
    if resource.resource_type() != name {
        return Err(Failure::invalid("the body is of another resource type"));
    }
    // Of a conditional update the resource found decides.
    let own = id_in(&write.body);
    let needs_id = write.interaction == Interaction::Update && write.condition.is_none();
    let is_other = own.as_ref().is_some_and(|own| *own != target.id);
    if needs_id && own.is_none() || is_other && write.interaction == Interaction::Update {
        let problem = "the id of the body is not that of the URL";
        return Err(Failure::invalid(problem).at(format!("{name}.id")));
    }
    Ok(resource)
}

fn location(resource: &Resource, version: &str) -> String {
    let (resource_type, id) = (resource.resource_type(), resource.id());
    format!("{resource_type}/{id}/_history/{version}")
}
