//! What a FHIR server holds that is the store.

use std::collections::{BTreeMap, BTreeSet};

use ehr_sandbox::Sandbox as Server;
use serde_json::Value;

use crate::finding::Finding;
use crate::model::{Body, Model, canonical, sha256};

/// Resources in canonical form, and the ids of Provenances by what they are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OnServer {
    resources: BTreeMap<String, String>,
    provenances: BTreeMap<String, BTreeSet<String>>,
}

impl OnServer {
    pub(crate) fn read(server: &Server) -> Self {
        let mut all = Self::default();
        for own in server.data().resources() {
            let key = format!("{}/{}", own.resource_type(), own.id());
            if own.resource_type() != "Provenance" {
                let text = canonical(own.json(), true).unwrap_or_default();
                all.resources.insert(key, text);
                continue;
            }
            let json: Value = serde_json::from_str(own.json()).unwrap_or_default();
            let target = json["target"][0]["reference"].as_str().unwrap_or_default();
            let told = all.provenances.entry(target.to_owned()).or_default();
            told.insert(own.id().to_owned());
        }
        all
    }

    /// What is wrong after what was sent. Of a run that has not ended there may
    /// be resources without their Provenance, which the next one makes up for.
    pub(crate) fn against(&self, model: &Model, settled: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let keys: BTreeSet<_> = model
            .keys()
            .chain(self.resources.keys())
            .chain(self.provenances.keys())
            .collect();
        for key in keys {
            let states = model.states(key);
            if states.is_empty() {
                findings.push(Finding::duplicated(format!("{key} was never sent")));
                continue;
            }
            if !settled {
                continue;
            }
            let stored = self.resources.get(key).cloned();
            let is_state =
                |state: &Body| stored == state.as_deref().and_then(|text| canonical(text, true));
            let last = states.last().expect("there is one");
            if model.is_current(key) && !is_state(last) {
                let what = match (&stored, last) {
                    (None, _) => "missing",
                    (_, None) => "not deleted",
                    _ => "not what it is now",
                };
                findings.push(Finding::lost(format!("{key} is {what}")));
            } else if stored.is_some() && !states.iter().any(is_state) {
                findings.push(Finding::wrong(format!("{key} is what it never was")));
            }
            findings.extend(self.provenances(key, model));
        }
        findings
    }

    fn provenances(&self, key: &str, model: &Model) -> Option<Finding> {
        let told = self.provenances.get(key);
        let many = told.map_or(0, BTreeSet::len);
        let (least, most) = model.versions(key);
        if many < least {
            let text = format!("{key}: {many} Provenances of {least} versions");
            return Some(Finding::lost(text));
        }
        if many > most {
            let text = format!("{key}: {many} Provenances of {most} versions at most");
            return Some(Finding::duplicated(text));
        }
        let ids = (1..=many).map(|version| {
            sha256(&format!(
                "{}\nProvenance\n{key}/{version}",
                model.source_system
            ))
        });
        let ids: BTreeSet<_> = ids.collect();
        let is_whole = told.is_none_or(|told| *told == ids);
        (!is_whole).then(|| Finding::lost(format!("{key}: a version without its Provenance")))
    }
}
