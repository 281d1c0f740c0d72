//! One connection to the server, with a store of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::content::{Content, GROUP, key, strip};
use crate::keys::Key;
use crate::sekmet::Sekmet;
use crate::util::{Sandbox, assert_balances, assert_counts};

/// URI of the source; hashed ids depend on it.
pub(crate) const SOURCE_SYSTEM: &str = "urn:test:sekmet";

/// What is exported.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    System,
    Patient,
    /// Observations of all patients, and these.
    Observation,
    Group,
}

impl Level {
    pub(crate) const ALL: [Self; 4] = [Self::System, Self::Patient, Self::Observation, Self::Group];

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::System => &["--system"],
            Self::Patient => &["--patient"],
            Self::Observation => &["--patient", "--type", "Observation,Patient"],
            Self::Group => &["--group", GROUP],
        }
    }
}

/// A folder with a configuration, keys and a store.
pub(crate) struct Site {
    sandbox: Sandbox,
    level: Level,
}

impl Site {
    /// A connection of the client to which `client` belongs, which signs with `signer`.
    pub(crate) fn new(server: &Sekmet, client: &Key, signer: &Key, level: Level) -> Self {
        let sandbox = Sandbox::new();
        let private = fs::read(&signer.private).expect("a key");
        sandbox.write("keys/client.pem", private);
        let configuration = format!(
            "[store]\nsqlite = \"ingest.db\"\n\n\
             [connections.sekmet]\n\
             fhir_base = \"{}\"\n\
             client_id = \"{}\"\n\
             signing_key = {{ file = \"keys/client.pem\", alg = \"{}\" }}\n\
             scopes = [\"{}\"]\n\
             source_system = \"{SOURCE_SYSTEM}\"\n\
             bulk.poll_min = \"100ms\"\n",
            server.base(),
            client.client_id(),
            signer.algorithm,
            client.scope,
        );
        sandbox.write("ingest.toml", configuration);
        Self { sandbox, level }
    }

    /// `ingest test`: every step is ok.
    pub(crate) fn passes_the_test(&self) {
        let report = self
            .sandbox
            .run(["test", "--json", "sekmet"])
            .exits(0)
            .json();
        let ok = STEPS.map(|name| (name, "ok"));
        assert_eq!(steps(&report), ok, "{report}");
    }

    /// `ingest test`: the server refuses the assertion.
    pub(crate) fn is_refused(&self) {
        let report = self
            .sandbox
            .run(["test", "--json", "sekmet"])
            .exits(5)
            .json();
        let outcomes = ["ok", "ok", "failed", "skipped"];
        let expected: Vec<_> = STEPS.into_iter().zip(outcomes).collect();
        assert_eq!(steps(&report), expected, "{report}");
        let hint = report["steps"][2]["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("JWKS"), "{report}");
    }

    /// `ingest bulk` with further arguments: of what the server holds, it has
    /// to take what this level shows of `sent`, where `before` was stored.
    pub(crate) fn bulk(
        &self,
        arguments: &[&str],
        content: &Content,
        sent: &BTreeSet<String>,
        before: &Content,
    ) {
        let summary = self.run_bulk(arguments);
        let before = before.shown(self.level);
        let mut expected = BTreeMap::new();
        for key in content.shown(self.level).keys().intersection(sent) {
            let outcome = match before.get(key) {
                None => "created",
                earlier if earlier == content.get(key) => "unchanged",
                Some(_) => "updated",
            };
            let (resource_type, _) = key.split_once('/').expect("a type and an id");
            let counts: &mut BTreeMap<_, u64> =
                expected.entry(resource_type.to_owned()).or_default();
            *counts.entry("resources").or_default() += 1;
            *counts.entry(outcome).or_default() += 1;
        }
        let nonzero = |counts: &Value| {
            let mut counts: BTreeMap<String, u64> =
                serde_json::from_value(counts.clone()).expect("counts");
            counts.retain(|_, count| *count > 0);
            json!(counts)
        };
        let by_type = summary["by_type"].as_object().expect("by_type").iter();
        let found: BTreeMap<_, _> = by_type
            .map(|(name, counts)| (name, nonzero(counts)))
            .collect();
        assert_eq!(json!(found), json!(expected), "{:?}", self.level);
    }

    /// `ingest bulk` where nothing has changed since the last.
    pub(crate) fn finds_nothing_new(&self) {
        assert_counts(&self.run_bulk(&[]), &[("resources", 0)]);
    }

    /// `ingest export`: exactly what this level shows of the content.
    pub(crate) fn holds(&self, content: &Content) {
        let arguments = ["export", "--json", "--out", "exported"];
        let report = self.sandbox.run(arguments).exits(0).json();
        let mut found = BTreeMap::new();
        for file in report["files"].as_array().expect("files") {
            let name = file["file"].as_str().expect("its name");
            let text = fs::read_to_string(self.sandbox.path(name)).expect("its lines");
            for line in text.lines() {
                let mut resource: Value = serde_json::from_str(line).expect("JSON");
                strip(&mut resource);
                assert_eq!(resource["resourceType"], file["type"]);
                assert!(
                    found.insert(key(&resource), resource).is_none(),
                    "twice in {name}"
                );
            }
        }
        let expected = content.shown(self.level).stored();
        let keys =
            |resources: &BTreeMap<String, Value>| resources.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&found), keys(&expected), "{:?}", self.level);
        for (key, mut resource) in expected {
            strip(&mut resource);
            assert_eq!(found[&key], resource, "{:?}", self.level);
        }
    }

    /// The store has one version of each resource, and two of those that are
    /// not as they were before; each with its Provenance.
    pub(crate) fn has_versions(&self, content: &Content, before: &Content) {
        let old = before.shown(self.level).stored();
        let mut expected = Vec::new();
        for (key, resource) in content.shown(self.level).stored() {
            expected.push(format!("{key}|1"));
            if old.get(&key).is_some_and(|old| *old != resource) {
                expected.push(format!("{key}|2"));
            }
        }
        let versions = "SELECT type || '/' || id AS key, version FROM resource_versions \
                        ORDER BY key, version";
        assert_eq!(self.sandbox.query(versions), expected, "{:?}", self.level);
        let provenances = "SELECT target_type || '/' || target_id AS key, target_version \
                           FROM provenances ORDER BY key, target_version";
        assert_eq!(
            self.sandbox.query(provenances),
            expected,
            "{:?}",
            self.level
        );
    }

    fn run_bulk(&self, arguments: &[&str]) -> Value {
        let arguments = ["bulk", "--json", "sekmet"]
            .iter()
            .chain(self.level.arguments())
            .chain(arguments);
        let summary = self.sandbox.run(arguments).exits(0).json();
        assert_balances(&summary);
        assert_eq!(summary["state"], "completed", "{summary}");
        summary
    }
}

const STEPS: [&str; 4] = ["discovery", "assertion", "token", "metadata"];

fn steps(report: &Value) -> Vec<(&str, &str)> {
    let steps = report["steps"].as_array().expect("steps").iter();
    let pair = |step| (text(step, "name"), text(step, "status"));
    steps.map(pair).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
