//! `ingest load` into a server, and what else reads and writes there.

use std::collections::BTreeSet;

use ehr_sandbox::WriteSettings;
use serde_json::{Value, json};

use super::content::{Content, Provenances};
use super::site::{STATE, Site, assert_alike, everything, synthea};
use crate::generate::patient;
use crate::util::{assert_balances, assert_counts, data};

#[test]
fn a_server_holds_what_sqlite_holds_and_is_told_once() {
    let site = Site::new();
    let paths = [synthea(), data("r4/examples.ndjson")];
    let mut written = 0;
    for path in &paths {
        let name = path.display().to_string();
        let here = site.loads(&[path]);
        assert_alike(&here, &site.twin.load(&[path]), &name);
        site.assert_same(&name);
        written += here["created"].as_u64().expect("a count");
    }
    assert!(written > 350, "{written}");
    let requests = site.requests_of(|| {
        let again = site.loads(&paths);
        let nothing = ["created", "updated", "deleted", "provenance"];
        assert_counts(&again, &nothing.map(|name| (name, 0)));
        // Some came twice.
        assert!(again["unchanged"].as_u64() >= Some(written), "{again}");
    });
    let sent: Vec<_> = requests.iter().filter(|own| own.method != "GET").collect();
    assert!(sent.is_empty(), "{sent:?}");
    site.assert_same("the second load");
}

/// Late patients, later versions, versions that come back, references by
/// identifier, deletions: what has to be sent twice, or at the end.
#[test]
fn what_a_run_corrects_is_corrected_on_the_server() {
    for (transactions, batches) in [(true, true), (false, true), (false, false)] {
        let mut settings = WriteSettings::default();
        (settings.transactions, settings.batches) = (transactions, batches);
        let site = Site::with(settings);
        let folder = everything(&site.twin);
        let what = format!("transactions {transactions}, batches {batches}");
        let here = site.loads(&[&folder]);
        for name in [
            "created",
            "unchanged",
            "deleted",
            "quarantined",
            "remediated",
        ] {
            assert!(here[name].as_u64() > Some(0), "{name} in {here}");
        }
        assert_alike(&here, &site.twin.load(&[&folder]), &what);
        site.assert_same(&what);
        let writes = site.writes();
        site.loads(&[&folder]);
        assert_eq!(site.writes(), writes, "{what}");
    }
}

/// Versions, deletions, and all that can be wrong with data: what the server
/// does not want besides is refused, by name.
#[test]
fn dirty_data_ends_alike_but_for_what_the_server_refuses() {
    const REFUSED: [(&str, &str); 4] = [
        // A number that the server can't read, and references that no server resolves.
        ("Observation/i", "400, invalid"),
        ("Observation/r04", "400, invalid at Observation.subject"),
        ("Observation/r05", "400, invalid at Observation.subject"),
        ("Observation/r08", "412, not-found at Observation.subject"),
    ];
    let site = Site::new();
    let here = site.load(&[data("dirty")]).exits(11).json();
    assert_balances(&here);
    let there = site.twin.load_with(&[], &[data("dirty")], 11);
    let count = |summary: &Value, name: &str| summary[name].as_u64().expect("a count");
    let refused = REFUSED.len() as u64;
    assert_counts(
        &here,
        &[
            ("created", count(&there, "created") - refused),
            ("updated", count(&there, "updated")),
            ("deleted", count(&there, "deleted")),
            ("quarantined", count(&there, "quarantined") + refused),
        ],
    );
    for name in ["updated", "deleted"] {
        assert!(count(&here, name) > 0, "{name} in {here}");
    }

    let list = ["quarantine", "list", "--json"];
    let list = site.folder.run(list).exits(0).json();
    let list = list["quarantine"].as_array().expect("a list");
    let by_server: BTreeSet<_> = list
        .iter()
        .filter_map(|own| own["detail"].as_str()?.strip_prefix("the server answered "))
        .collect();
    assert_eq!(by_server, REFUSED.map(|(_, why)| why).into());

    let here = Content::exported(&site.folder);
    let mut there = Content::exported(&site.twin);
    for (key, _) in REFUSED {
        assert!(there.remove(key), "{key}");
    }
    here.assert_eq(&there, "dirty data");
    let told = Provenances::on_server(&site.server, &here);
    let expected = Provenances::in_file(&site.twin).without(&REFUSED.map(|(key, _)| key));
    told.assert_eq(&expected, "dirty data");
    let again = site.load(&[data("dirty")]).exits(11).json();
    assert_counts(&again, &[("created", 0), ("updated", 0), ("deleted", 0)]);
    Content::exported(&site.folder).assert_eq(&here, "the second load");
}

#[test]
fn an_export_reads_what_only_the_server_has() {
    let site = Site::new();
    site.loads(&[synthea()]);
    assert_eq!(site.state("SELECT count(*) FROM body"), ["0"]);
    site.twin.load(&[synthea()]);
    let requests = site.requests_of(|| {
        let here = Content::exported(&site.folder);
        assert_eq!(here.len(), 233);
        here.assert_eq(&Content::exported(&site.twin), "exported");
    });
    assert!(!requests.is_empty());
    assert!(requests.iter().all(|own| own.method == "GET"));

    // Only some types, and not what is stored locally by then.
    let told = site
        .folder
        .run(["export", "--json", "--type", "Patient", "--out", "patients"])
        .exits(0)
        .json();
    assert_eq!(told["files"].as_array().map(Vec::len), Some(1), "{told}");
}

#[test]
fn a_file_that_is_named_is_the_store_all_the_same() {
    let site = Site::new();
    site.folder.lines("a.ndjson", &[patient("a", "")]);
    let load = ["load", "--json", "--db", "ingest.db", "a.ndjson"];
    let summary = site.folder.run(load).exits(0).json();
    assert_counts(&summary, &[("created", 1)]);
    assert_eq!(site.server.requests().len(), 0);
    assert_eq!(site.folder.query("SELECT id FROM resources"), ["a"]);
    assert!(!site.folder.path(STATE).exists());
}

#[test]
fn a_server_is_read_by_whom_it_lets() {
    let site = Site::new();
    site.folder.lines("a.ndjson", &[patient("a", "")]);
    let load = ["load", "--exclusive", "--json", "a.ndjson"];
    let ran = site.folder.run(load).exits(2);
    assert_eq!(ran.error_code(), "usage");
    let error = ran.json()["error"].to_string();
    assert!(error.contains("leave --exclusive out"), "{error}");
    assert_eq!(site.server.requests().len(), 0);
}

#[test]
fn the_state_of_a_server_is_no_store_of_its_own() {
    let site = Site::new();
    site.folder.lines("a.ndjson", &[patient("Zebulon", "")]);
    site.loads(&["a.ndjson"]);
    for command in [
        &["export", "--out", "out"][..],
        &["load", "a.ndjson"],
        &["verify"],
    ] {
        let arguments = [command, &["--json", "--db", STATE]].concat();
        let exit = if command[0] == "verify" { 2 } else { 10 };
        let ran = site.folder.run(arguments).exits(exit);
        let message = ran.json()["error"]["message"].to_string();
        assert!(message.contains(STATE), "{message}");
        if exit == 10 {
            assert_eq!(ran.error_code(), "store");
            assert!(message.contains("FHIR server"), "{message}");
        }
    }
    assert!(!site.folder.path("out").exists());

    // The state of another server's store is not taken for this one's.
    let other = Site::new();
    site.folder.write(
        "other.toml",
        format!("[store]\nfhir = \"{}\"\n", other.server.base()),
    );
    let arguments = ["load", "--json", "--config", "other.toml", "a.ndjson"];
    let ran = site.folder.run(arguments).exits(10);
    let hint = ran.json()["error"]["hint"].to_string();
    assert!(hint.contains("`state` in [store]"), "{hint}");
    assert_eq!(other.writes(), 0);
}

#[test]
fn runs_quarantine_and_status_need_no_server() {
    let site = Site::new();
    site.folder
        .lines("a.ndjson", &[patient("a", ""), "{".to_owned()]);
    let summary = site.loads(&["a.ndjson"]);
    let requests = site.requests_of(|| {
        let runs = site.folder.run(["runs", "list", "--json"]).exits(0).json();
        assert_eq!(runs["runs"][0]["id"], summary["run"], "{runs}");
        let list = ["quarantine", "list", "--json"];
        let list = site.folder.run(list).exits(0).json();
        assert_eq!(list["quarantine"][0]["reason"], "invalid-json", "{list}");
        let status = site.folder.run(["status", "--json"]).exits(0).json();
        assert_eq!(status["store"], json!(site.server.base()), "{status}");
        assert_eq!(status["exists"], true, "{status}");
        assert!(status.get("held").is_none(), "{status}");
    });
    assert!(requests.is_empty(), "{requests:?}");
}

#[test]
fn servers_of_less_obliging_kinds_end_with_the_same() {
    type Change = fn(&mut WriteSettings);
    let kinds: [(&str, Change); 2] = [
        ("short bodies", |own| own.longest_body = 40_000),
        ("unchanged content is skipped", |own| {
            own.skip_unchanged = true
        }),
    ];
    for (kind, change) in kinds {
        let mut settings = WriteSettings::default();
        change(&mut settings);
        let site = Site::with(settings);
        let here = site.loads(&[synthea()]);
        let there = site.twin.load(&[synthea()]);
        assert_alike(&here, &there, kind);
        site.assert_same(kind);
        let writes = site.writes();
        site.loads(&[synthea()]);
        assert_eq!(site.writes(), writes, "{kind}");
    }
}
