//! Summaries, exit codes, and what standard output carries.

use std::io::Write;

use serde_json::json;

use crate::bulk::wait::terminate;
use crate::dump::Dump;
use crate::generate::{bundle, mixed, observation, patient};
use crate::util::{Ran, Sandbox, assert_balances, assert_counts, until_logged};

/// A folder with a bit of everything.
fn folder() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in mixed(1_000_000) {
        sandbox.write(&format!("in/{name}"), text);
    }
    let resources = [patient("b1", ""), observation("b2", "Patient/b1")];
    sandbox.write("in/deeper/bundle.json", bundle(&resources));
    sandbox
}

#[test]
fn a_second_load_changes_nothing() {
    let sandbox = folder();
    let first = sandbox.load(&["in"]);
    assert_eq!(first["state"], "completed");
    for count in ["created", "updated", "deleted", "quarantined", "remediated"] {
        assert!(first[count].as_u64() > Some(0), "{count} in {first}");
    }
    for name in ["Patient", "Observation", "Condition", "Encounter"] {
        assert!(
            first["by_type"][name]["created"].as_u64() > Some(0),
            "{name}"
        );
    }
    let before = Dump::whole(&sandbox.reader());

    let second = sandbox.load(&["in"]);
    assert_counts(
        &second,
        &[("created", 0), ("updated", 0), ("provenance", 0)],
    );
    for count in ["resources", "quarantined", "bytes"] {
        assert_eq!(second[count], first[count], "{count}");
    }
    assert_ne!(second["run"], first["run"]);
    Dump::whole(&sandbox.reader()).assert_eq(&before, "after the second load");
    assert_eq!(
        sandbox.query("SELECT count(*), count(DISTINCT id) FROM runs WHERE state = 'completed'"),
        ["2|2"]
    );
}

#[test]
fn the_summary_is_what_the_store_holds() {
    let sandbox = folder();
    let summary = sandbox.load(&["in"]);
    let rows = sandbox.query(
        "SELECT (SELECT count(*) FROM resources),
                (SELECT count(*) FROM provenances),
                (SELECT count(*) FROM quarantine),
                (SELECT count(*) FROM provenances WHERE activity = 'UPDATE')",
    );
    let number = |name: &str| summary[name].as_u64().expect("a count");
    let quarantined = number("quarantined");
    let expected = format!(
        "{}|{}|{quarantined}|{}",
        number("created"),
        number("provenance"),
        number("updated")
    );
    assert_eq!(rows, [expected]);
    let run = sandbox.query(
        "SELECT id, kind, state, resources, created, updated, unchanged, deleted, quarantined,
                remediated, error FROM runs",
    );
    let text = |name: &str| summary[name].to_string().replace('"', "");
    let columns = [
        "resources",
        "created",
        "updated",
        "unchanged",
        "deleted",
        "quarantined",
        "remediated",
    ];
    let counts = columns.map(text).join("|");
    assert_eq!(run, [format!("{}|load|completed|{counts}|", text("run"))]);
}

#[test]
fn strict_tells_of_refused_records() {
    let sandbox = Sandbox::new();
    sandbox.lines("bad.ndjson", &["{", &patient("a", "")]);
    sandbox.lines("good.ndjson", &[patient("a", "")]);
    sandbox.load_with(&["--strict"], &["good.ndjson"], 0);
    sandbox.load_with(&[], &["bad.ndjson"], 0);
    let summary = sandbox.load_with(&["--strict"], &["bad.ndjson"], 3);
    assert_counts(&summary, &[("unchanged", 1), ("quarantined", 1)]);
    assert_eq!(summary["state"], "completed");
}

#[test]
fn partial_where_a_file_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("in/array.ndjson", "[\n{\"resourceType\":\"Patient\"}]\n");
    sandbox.lines("in/patient.ndjson", &[patient("a", "")]);
    // The state of the run weighs more than `--strict`.
    let summary = sandbox.load_with(&["--strict"], &["in"], 11);
    assert_eq!(summary["state"], "partial");
    assert_counts(&summary, &[("created", 1), ("refused_files", 1)]);
    assert_eq!(sandbox.query("SELECT state FROM runs"), ["partial"]);
}

#[test]
fn errors_have_an_exit_code_and_a_json_form() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", "")]);
    sandbox.write("empty/readme.txt", "");
    sandbox.write("foreign.db", vec![b'x'; 8192]);
    rusqlite::Connection::open(sandbox.path("other.db"))
        .and_then(|other| other.execute_batch("CREATE TABLE patients(id)"))
        .expect("a database of somebody else");
    for (arguments, exit, code) in [
        ("load", 2, "usage"),
        ("load --colour a.ndjson", 2, "usage"),
        ("load --id-mode keep a.ndjson", 2, "usage"),
        ("lode a.ndjson", 2, "usage"),
        ("", 2, "usage"),
        ("load missing.ndjson", 2, "usage"),
        ("load a.ndjson missing", 2, "usage"),
        ("load empty", 2, "usage"),
        ("normalize missing.ndjson", 2, "usage"),
        ("load --config missing.toml a.ndjson", 4, "configuration"),
        ("load --tenant nobody a.ndjson", 4, "configuration"),
        ("load --db foreign.db a.ndjson", 10, "store"),
        ("load --db other.db a.ndjson", 10, "store"),
        ("load --db no/such/folder.db a.ndjson", 10, "store"),
        ("export", 10, "store"),
        ("runs list", 10, "store"),
        ("quarantine list", 10, "store"),
        ("runs list --db foreign.db", 10, "store"),
    ] {
        let arguments = arguments.split_whitespace();
        let ran = sandbox.run(arguments.clone().chain(["--json"])).exits(exit);
        assert_eq!(ran.error_code(), code);
        let ran = sandbox.run(arguments).exits(exit);
        assert_eq!(ran.text(), "", "standard output is for results");
        assert!(!ran.stderr.is_empty());
    }
    assert!(
        !sandbox.path("ingest.db").exists(),
        "an error leaves no store"
    );
}

#[test]
fn one_run_at_a_time() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", "")]);
    let mut first = sandbox.spawn(["load", "--json", "-v", "-"]);
    let _log = until_logged(&mut first, "started");

    let second = sandbox.run(["load", "--json", "a.ndjson"]).exits(8);
    assert_eq!(second.error_code(), "already-running");

    let mut stdin = first.stdin.take().expect("piped");
    writeln!(stdin, "{}", patient("b", "")).expect("it reads");
    drop(stdin);
    let summary = Ran::of(first.wait_with_output().expect("it ends")).exits(0);
    assert_counts(&summary.json(), &[("created", 1)]);
    assert_counts(&sandbox.load(&["a.ndjson"]), &[("created", 1)]);
}

#[test]
fn interrupted_by_a_signal_and_finished_by_the_next_run() {
    let sandbox = Sandbox::new();
    for (name, text) in mixed(4_000_000) {
        sandbox.write(&format!("in/{name}"), text);
    }
    // Standard input comes last and stays open: the signal finds a run that
    // can't have ended.
    let mut child = sandbox.spawn(["load", "--json", "-v", "in", "-"]);
    let _log = until_logged(&mut child, "started");
    terminate(&child);
    // Closes standard input.
    let ran = Ran::of(child.wait_with_output().expect("it ends")).exits(12);
    let summary = ran.json();
    assert_eq!(summary["state"], "interrupted");
    assert_balances(&summary);
    assert_eq!(sandbox.query("SELECT state FROM runs"), ["interrupted"]);

    assert_eq!(sandbox.load(&["in"])["state"], "completed");
    let other = Sandbox::new();
    for (name, text) in mixed(4_000_000) {
        other.write(&format!("in/{name}"), text);
    }
    other.load(&["in"]);
    sandbox
        .dump()
        .assert_eq(&other.dump(), "stopped and undisturbed");
}

#[test]
fn text_for_people_is_on_standard_output_and_the_log_is_not() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", ""), "{".to_owned()]);
    let ran = sandbox.run(["load", "-v", "a.ndjson"]).exits(0);
    let text = ran.text();
    assert!(text.contains("Patient"), "{text}");
    assert!(text.contains("completed: 2 resources"), "{text}");
    assert!(!text.contains("WARN") && !text.contains("INFO"), "{text}");
    assert!(ran.stderr.contains("invalid-json"), "{}", ran.stderr);
    let ran = sandbox
        .run(["load", "-v", "--log-format", "json", "--json", "a.ndjson"])
        .exits(0);
    ran.json();
    for line in ran.stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("a JSON log line");
        assert_ne!(line["level"], json!(null));
    }
    let ran = sandbox.run(["load", "--quiet", "a.ndjson"]).exits(0);
    assert_eq!(ran.stderr, "");
}

#[test]
fn one_thread_and_many_make_the_same_store() {
    let one = folder();
    one.load_with(&["--threads", "1"], &["in"], 0);
    let many = folder();
    many.load_with(&["--threads", "7"], &["in"], 0);
    one.dump().assert_eq(&many.dump(), "one thread and seven");
}
