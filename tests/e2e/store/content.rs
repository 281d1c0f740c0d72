//! What a store holds, in a form in which two stores can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use ehr_sandbox::Sandbox as Server;
use serde_json::Value;

use crate::canonical::keyed;
use crate::util::Sandbox;

/// Resources by `Type/id`, in canonical form with their digits as they are,
/// without what servers write into every resource.
pub(super) struct Content(BTreeMap<String, String>);

impl Content {
    /// What `ingest export` writes.
    #[track_caller]
    pub(super) fn exported(folder: &Sandbox) -> Self {
        let out = tempfile::tempdir().expect("a folder");
        let arguments = ["export", "--json", "--out"].map(AsRef::as_ref);
        let arguments = arguments.into_iter().chain([out.path().as_os_str()]);
        let told = folder.run(arguments).exits(0).json();
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(out.path()).expect("a folder") {
            let text = fs::read_to_string(entry.expect("a file").path()).expect("UTF-8");
            for line in text.lines() {
                let (key, text) = keyed(line);
                assert!(all.insert(key, text).is_none(), "a resource twice");
            }
        }
        assert_eq!(told["resources"].as_u64(), Some(all.len() as u64));
        Self(all)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes a resource out; whether it was there.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    #[track_caller]
    pub(super) fn assert_eq(&self, other: &Self, what: &str) {
        assert_same(&self.0, &other.0, what);
    }
}

/// Provenances by id, without when they were recorded.
#[derive(PartialEq, Eq)]
pub(super) struct Provenances(BTreeMap<String, String>);

impl Provenances {
    /// Those on the server that are no content themselves.
    pub(super) fn on_server(server: &Server, content: &Content) -> Self {
        let data = server.data();
        let all = data.resources().filter(|own| {
            let key = format!("Provenance/{}", own.id());
            own.resource_type() == "Provenance" && !content.has(&key)
        });
        Self(all.map(|own| said(own.json())).collect())
    }

    /// Those of `ingest.db`.
    pub(super) fn in_file(folder: &Sandbox) -> Self {
        let bodies = folder.query("SELECT body FROM provenances");
        Self(bodies.iter().map(|body| said(body)).collect())
    }

    /// Those that are about something else.
    pub(super) fn without(mut self, targets: &[&str]) -> Self {
        self.0.retain(|_, text| {
            let about = |target: &&str| text.contains(&format!("{{\"reference\":\"{target}\"}}"));
            !targets.iter().any(about)
        });
        self
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// How many are about each resource.
    pub(super) fn by_target(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for text in self.0.values() {
            let json: Value = serde_json::from_str(text).expect("JSON");
            let target = json["target"][0]["reference"].as_str();
            *counts
                .entry(target.expect("a target").to_owned())
                .or_default() += 1;
        }
        counts
    }

    #[track_caller]
    pub(super) fn assert_eq(&self, other: &Self, what: &str) {
        assert_same(&self.0, &other.0, what);
    }
}

/// The id of a Provenance, and what it says.
fn said(body: &str) -> (String, String) {
    let mut json: Value = serde_json::from_str(body).expect("JSON");
    let members = json.as_object_mut().expect("an object");
    for name in ["recorded", "meta"] {
        members.remove(name);
    }
    let id = json["id"].as_str().expect("an id").to_owned();
    (id, undated(json.to_string()))
}

/// Without the day in the name of a raw message: it may be another one a moment later.
fn undated(mut text: String) -> String {
    const TENANT: &str = "\"acme/";
    if let Some(at) = text.find(TENANT) {
        let from = at + TENANT.len();
        text.replace_range(from..from + "YYYY/MM/DD".len(), "");
    }
    text
}

/// Tells the first that differ.
#[track_caller]
fn assert_same(here: &BTreeMap<String, String>, there: &BTreeMap<String, String>, what: &str) {
    let only = |one: &BTreeMap<_, _>, other: &BTreeMap<_, _>| -> BTreeSet<String> {
        let differing = one
            .iter()
            .filter(|(key, text): &(&String, &String)| other.get(*key) != Some(*text));
        let shown = |(key, text): (&String, &String)| {
            format!("{key}: {}", text.chars().take(600).collect::<String>())
        };
        differing.take(3).map(shown).collect()
    };
    assert!(
        here == there,
        "{what}: {} on the server, {} in SQLite\nonly there: {:#?}\nonly here: {:#?}",
        here.len(),
        there.len(),
        only(here, there),
        only(there, here)
    );
}
