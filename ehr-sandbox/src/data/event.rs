use jiff::Timestamp;
use serde_json::Value;

use super::{Data, Resource, instant};
use crate::adt::Event;

/// What an event does to the data.
#[derive(Clone)]
pub(crate) enum Change {
    /// A resource is made; its text has no `meta`.
    Make(String),
    /// A resource has a new version, with other members.
    Amend {
        resource_type: &'static str,
        id: String,
        members: Vec<(&'static str, Option<String>)>,
    },
    /// What belonged to one patient belongs to another.
    Move { from: String, to: String },
}

impl Data {
    /// Lets an event of [`adt`](crate::adt) happen: new and changed resources
    /// have its time as their `lastUpdated`. What is not there isn't changed.
    pub fn apply(&mut self, event: &Event) {
        for change in &event.changes {
            self.carry_out(change, event.at);
        }
    }

    fn carry_out(&mut self, change: &Change, at: Timestamp) {
        match change {
            Change::Make(json) => {
                if let Ok(resource) = Resource::parse(json.clone()) {
                    let id = resource.id().to_owned();
                    self.put(resource.copied(&id, at));
                }
            }
            Change::Amend {
                resource_type,
                id,
                members,
            } => {
                if let Some(resource) = self.resource(resource_type, id) {
                    let amended = resource.amended(members, at);
                    self.put(amended);
                }
            }
            Change::Move { from, to } => {
                let [from_reference, to_reference] = [from, to].map(|id| format!("Patient/{id}"));
                let theirs = self.by_id.values().filter(|resource| {
                    resource.resource_type() != "Patient" && resource.patient.as_ref() == Some(from)
                });
                let moved: Vec<_> = theirs
                    .map(|resource| resource.moved(&from_reference, &to_reference, at))
                    .collect();
                for resource in moved {
                    self.put(resource);
                }
            }
        }
    }
}

impl Change {
    /// `link` of a Patient.
    pub(crate) fn link(other: &str, kind: &str) -> (&'static str, Option<String>) {
        let other = Value::from(format!("Patient/{other}"));
        let link = format!(r#"[{{"other":{{"reference":{other}}},"type":"{kind}"}}]"#);
        ("link", Some(link))
    }

    /// `period` of an Encounter.
    pub(crate) fn period(
        start: Timestamp,
        end: Option<Timestamp>,
    ) -> (&'static str, Option<String>) {
        let end = end.map_or(String::new(), |end| format!(r#","end":"{}""#, instant(end)));
        let period = format!(r#"{{"start":"{}"{end}}}"#, instant(start));
        ("period", Some(period))
    }
}
