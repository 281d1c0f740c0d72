use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::reference::references;
use super::write::Target;
use super::{Done, Failure, Interaction, Store, Together, Write, WriteSettings};
use crate::data::{instant, is_resource_type};

/// A Bundle that asks for writes.
pub(crate) struct Bundle {
    pub(crate) kind: Kind,
    /// An entry with a mistake stays to be answered.
    pub(crate) entries: Vec<Result<Entry, Failure>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Transaction,
    Batch,
}

pub(crate) struct Entry {
    full_url: Option<String>,
    pub(crate) write: Write,
}

#[derive(Deserialize)]
struct RawBundle<'a> {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow, default)]
    entry: Vec<RawEntry<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntry<'a> {
    full_url: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    request: Option<RawRequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRequest {
    method: String,
    url: String,
    if_match: Option<String>,
    if_none_match: Option<String>,
    if_none_exist: Option<String>,
}

impl Bundle {
    pub(crate) fn parse(body: &str, base: &str) -> Result<Self, Failure> {
        let raw: RawBundle<'_> = serde_json::from_str(body)
            .map_err(|_| Failure::invalid("the body is no Bundle of requests"))?;
        let kind = match (raw.resource_type.as_str(), raw.kind.as_str()) {
            ("Bundle", "transaction") => Kind::Transaction,
            ("Bundle", "batch") => Kind::Batch,
            _ => {
                let problem = "the body is neither a transaction nor a batch";
                return Err(Failure::invalid(problem).at("Bundle.type"));
            }
        };
        let entries = raw.entry.into_iter().map(|entry| entry.read(base));
        Ok(Self {
            kind,
            entries: entries.collect(),
        })
    }
}

impl RawEntry<'_> {
    fn read(self, base: &str) -> Result<Entry, Failure> {
        let request = self
            .request
            .ok_or(Failure::invalid("the entry has no request"))?;
        let url = request
            .url
            .strip_prefix(base)
            .map_or(request.url.as_str(), |rest| rest.trim_start_matches('/'));
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (url, None),
        };
        let (resource_type, id) = match path.split_once('/') {
            Some((resource_type, id)) => (resource_type, Some(id.to_owned())),
            None => (path, None),
        };
        let interaction = match (request.method.as_str(), &id, &query) {
            ("POST", None, None) => Interaction::Create,
            ("PUT", Some(_), None) | ("PUT", None, Some(_)) => Interaction::Update,
            ("DELETE", Some(_), None) => Interaction::Delete,
            _ => return Err(Failure::invalid("this request is not for entries here")),
        };
        if !is_resource_type(resource_type) {
            return Err(Failure::invalid("the request is for no resource type"));
        }
        if self.resource.is_none() && interaction != Interaction::Delete {
            return Err(Failure::invalid("the entry has no resource"));
        }
        Ok(Entry {
            full_url: self.full_url,
            write: Write {
                interaction,
                resource_type: resource_type.to_owned(),
                id,
                condition: request.if_none_exist.or(query),
                if_match: request.if_match,
                only_new: request.if_none_match.as_deref() == Some("*"),
                body: self
                    .resource
                    .map_or(String::new(), |raw| raw.get().to_owned()),
            },
        })
    }
}

impl Store {
    /// One by one.
    pub(crate) fn write(
        &mut self,
        write: &Write,
        settings: &WriteSettings,
        base: &str,
        at: Timestamp,
    ) -> Result<Done, Failure> {
        let together = Together {
            base: base.to_owned(),
            ..Together::default()
        };
        let target = self.target(write)?;
        self.carry_out(write, &target, settings, &together, at)
    }

    /// All or nothing: after a failure the store has to be given up for what it
    /// was before. In the order of the specification, answered in that of the
    /// entries.
    pub(crate) fn transaction(
        &mut self,
        entries: Vec<Result<Entry, Failure>>,
        settings: &WriteSettings,
        base: &str,
        at: Timestamp,
    ) -> Result<Vec<Done>, Failure> {
        let mut planned: Vec<(usize, Entry, Target)> = Vec::new();
        let mut together = Together {
            base: base.to_owned(),
            ..Together::default()
        };
        let mut new_names = BTreeMap::new();
        for (number, entry) in entries.into_iter().enumerate() {
            let fail = |failure: Failure| failure.of_entry(number);
            let entry = entry.map_err(fail)?;
            let target = self.target(&entry.write).map_err(fail)?;
            let name = format!("{}/{}", entry.write.resource_type, target.id);
            if let Some(full_url) = &entry.full_url {
                new_names.insert(full_url.clone(), name.clone());
            }
            let names: &mut BTreeSet<String> = match entry.write.interaction {
                Interaction::Delete => &mut together.gone,
                _ => &mut together.made,
            };
            if !names.insert(name) {
                return Err(fail(Failure::invalid(
                    "several entries are for one resource",
                )));
            }
            planned.push((number, entry, target));
        }
        planned.sort_by_key(|(number, entry, _)| (entry.write.interaction, *number));
        let mut done = Vec::new();
        for (number, mut entry, target) in planned {
            let fail = |failure: Failure| failure.of_entry(number);
            entry.write.body = self.resolved(&entry.write, &new_names).map_err(fail)?;
            let outcome = self.carry_out(&entry.write, &target, settings, &together, at);
            done.push((number, outcome.map_err(fail)?));
        }
        done.sort_by_key(|(number, _)| *number);
        Ok(done.into_iter().map(|(_, done)| done).collect())
    }

    /// References to other entries and conditional ones become those to the
    /// resources meant.
    fn resolved(
        &self,
        write: &Write,
        new_names: &BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        let value: Value = serde_json::from_str(&write.body).unwrap_or_default();
        let mut body = write.body.clone();
        for (path, reference) in references(&write.resource_type, &value) {
            let meant = match (new_names.get(&reference), reference.split_once('?')) {
                (Some(name), _) => name.clone(),
                (None, Some((resource_type, query))) if is_resource_type(resource_type) => {
                    let found = self.matching(resource_type, query);
                    let found = found.map_err(|failure| failure.at(path.clone()))?;
                    let nothing = || {
                        let status = StatusCode::PRECONDITION_FAILED;
                        let problem = "the reference matches nothing";
                        Failure::new(status, "not-found", problem).at(path.clone())
                    };
                    format!("{resource_type}/{}", found.ok_or_else(nothing)?)
                }
                (None, _) if reference.starts_with("urn:") => {
                    let problem = "the reference is to no entry of the Bundle";
                    return Err(Failure::invalid(problem).at(path));
                }
                _ => continue,
            };
            let [old, new] = [reference, meant].map(|text| Value::from(text).to_string());
            body = body.replace(&old, &new);
        }
        Ok(body)
    }
}

impl Bundle {
    /// The answer to the entries.
    pub(crate) fn response(
        kind: Kind,
        outcomes: &[Result<Done, Failure>],
        with_resources: bool,
    ) -> String {
        let entries: Vec<String> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Ok(done) => done.entry(with_resources),
                Err(failure) => json!({"response": {
                    "status": failure.status.to_string(),
                    "outcome": failure.outcome(),
                }})
                .to_string(),
            })
            .collect();
        let kind = match kind {
            Kind::Transaction => "transaction-response",
            Kind::Batch => "batch-response",
        };
        // FHIR has no empty arrays.
        let entries = match entries.is_empty() {
            true => String::new(),
            false => format!(r#","entry":[{}]"#, entries.join(",")),
        };
        format!(r#"{{"resourceType":"Bundle","type":"{kind}"{entries}}}"#)
    }
}

impl Done {
    fn entry(&self, with_resource: bool) -> String {
        let mut response = json!({
            "status": self.status.to_string(),
            "etag": format!("W/\"{}\"", self.version),
            "lastModified": instant(self.at),
        });
        if let Some(location) = &self.location {
            response["location"] = json!(location);
        }
        match self.resource.as_ref().filter(|_| with_resource) {
            Some(resource) => format!(
                r#"{{"resource":{},"response":{response}}}"#,
                resource.json()
            ),
            None => format!(r#"{{"response":{response}}}"#),
        }
    }
}
