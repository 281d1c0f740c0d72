//! The same commands with an SQLite file and with a server as the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::canonical::keyed;
use crate::content::strip;
use crate::repository::Repository;
use crate::util::{Sandbox, assert_balances, open, query};

/// Two folders with the same configuration but for the store.
pub(crate) struct Pair {
    pub(crate) file: Sandbox,
    pub(crate) server: Sandbox,
    keeps_digits: bool,
}

impl Pair {
    /// `more` of the configuration is the same for both.
    pub(crate) fn new(server: &Repository, more: &str) -> Self {
        let pair = Self {
            file: Sandbox::new(),
            server: Sandbox::new(),
            keeps_digits: server.keeps_digits(),
        };
        pair.file.write(
            "ingest.toml",
            format!("[store]\nsqlite = \"ingest.db\"\n{more}"),
        );
        pair.server
            .write("ingest.toml", format!("{}{more}", server.table()));
        pair
    }

    /// Runs a command in both. What they counted has to be the same, but for
    /// what the server refused, which is quarantined. Gives the server's counts.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Value {
        let run = |folder: &Sandbox| {
            let summary = folder.run(arguments).exits(0).json();
            if summary.get("by_type").is_some() {
                assert_balances(&summary);
            }
            summary
        };
        let (file, server) = (run(&self.file), run(&self.server));
        let count = |summary: &Value, name: &str| summary[name].as_u64().unwrap_or_default();
        for name in ["resources", "updated", "deleted", "remediated", "received"] {
            assert_eq!(count(&file, name), count(&server, name), "{name}: {server}");
        }
        let refused = count(&server, "quarantined") - count(&file, "quarantined");
        let written = |summary: &Value| count(summary, "created") + count(summary, "unchanged");
        assert_eq!(written(&file), written(&server) + refused, "{server}");
        server
    }

    /// Runs a command in both, of which one was begun with the server before.
    #[track_caller]
    pub(crate) fn run_after_a_kill(&self, arguments: &[&str]) -> Value {
        self.file.run(arguments).exits(0);
        let summary = self.server.run(arguments).exits(0).json();
        assert_balances(&summary);
        summary
    }

    /// Exports both. They have to hold the same resources, but for those that
    /// the server refused. Gives how many those are.
    #[track_caller]
    pub(crate) fn hold_the_same(&self) -> usize {
        let (file, server) = (self.exported(&self.file), self.exported(&self.server));
        let keys = |content: &BTreeMap<String, String>| -> BTreeSet<String> {
            content.keys().cloned().collect()
        };
        let unknown: Vec<_> = keys(&server).difference(&keys(&file)).cloned().collect();
        assert_eq!(unknown, Vec::<String>::new());
        let missing = keys(&file).difference(&keys(&server)).count();
        assert_eq!(missing, self.refused(), "quarantined and nowhere else");
        for (key, text) in &server {
            assert_eq!(text, &file[key], "{key}");
        }
        missing
    }

    /// Resources that the server refused. One that it refused at the end of a
    /// run, and in the next one at once, is in the quarantine twice.
    fn refused(&self) -> usize {
        let state = self.server.path("fhir-store.db");
        let sql = "SELECT DISTINCT CAST(body AS TEXT) ->> 'resourceType', CAST(body AS TEXT) ->> 'id' FROM quarantine \
                   WHERE reason = 'store-refused'";
        query(&open(&state), sql).len()
    }

    /// Resources by key, in a form that is the same for the same content.
    fn exported(&self, folder: &Sandbox) -> BTreeMap<String, String> {
        let report = folder
            .run(["export", "--json", "--out", "exported"])
            .exits(0)
            .json();
        let mut found = BTreeMap::new();
        for file in report["files"].as_array().expect("files") {
            let name = file["file"].as_str().expect("its name");
            let text = fs::read_to_string(folder.path(name)).expect("its lines");
            for line in text.lines() {
                let (key, canonical) = keyed(line);
                let form = match self.keeps_digits {
                    true => canonical,
                    false => by_value(line),
                };
                found.insert(key, form);
            }
        }
        found
    }
}

/// Numbers by their value, for a server that does not keep their digits.
fn by_value(line: &str) -> String {
    let mut resource: Value = serde_json::from_str(line).expect("JSON");
    strip(&mut resource);
    resource.to_string()
}

/// Exactly one Provenance for each version.
#[track_caller]
pub(crate) fn assert_provenances(server: &Repository, folder: &Path) {
    let mut found = server.provenances();
    let all = found.len();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), all, "one for each version");
    let state = rusqlite::Connection::open(folder.join("fhir-store.db")).expect("the state");
    let mut select = state
        .prepare(
            "SELECT type || '/' || id, version FROM resource_versions WHERE id <> '' ORDER BY 1, 2",
        )
        .expect("a query");
    let rows = select
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))
        .expect("rows");
    let mut versions: Vec<(String, u64)> = rows.map(|row| row.expect("a row")).collect();
    versions.sort();
    assert_eq!(found, versions);
}
