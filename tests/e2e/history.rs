//! Versions: content that changes, comes back, goes away; and two sources.

use crate::dump::Dump;
use crate::generate::{bundle, deletion, observation, patient};
use crate::util::{Sandbox, assert_counts};

const GENDERS: &str = "SELECT version, deleted, json_extract(body, '$.gender')
    FROM resource_versions WHERE type = 'Patient' AND id = 'p' ORDER BY version";

fn gender(gender: &str) -> String {
    patient("p", &format!(r#","gender":"{gender}""#))
}

#[track_caller]
fn same_again(sandbox: &Sandbox, paths: &[&str]) {
    let before = Dump::whole(&sandbox.reader());
    let summary = sandbox.load(paths);
    assert_counts(&summary, &[("created", 0), ("updated", 0), ("deleted", 0)]);
    Dump::whole(&sandbox.reader()).assert_eq(&before, "a load once more");
}

#[test]
fn content_that_comes_back_is_a_version_once() {
    let (a, b, c) = (gender("male"), gender("female"), gender("other"));
    for (lines, versions) in [
        (vec![&a, &b], vec!["1|0|male", "2|0|female"]),
        (vec![&a, &b, &b], vec!["1|0|male", "2|0|female"]),
        (vec![&a, &b, &a], vec!["1|0|male", "2|0|female", "3|0|male"]),
        (
            vec![&a, &b, &c, &a],
            vec!["1|0|male", "2|0|female", "3|0|other", "4|0|male"],
        ),
        (
            vec![&a, &a, &b, &a, &a],
            vec!["1|0|male", "2|0|female", "3|0|male"],
        ),
    ] {
        let one = Sandbox::new();
        one.lines("all.ndjson", &lines);
        one.load(&["all.ndjson"]);
        assert_eq!(one.query(GENDERS), versions, "in one file");
        same_again(&one, &["all.ndjson"]);

        let several = Sandbox::new();
        let names: Vec<_> = (0..lines.len()).map(|at| format!("{at}.ndjson")).collect();
        for (name, line) in names.iter().zip(&lines) {
            several.lines(name, &[line]);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        several.load(&names);
        assert_eq!(several.query(GENDERS), versions, "across files");
        same_again(&several, &names);
    }
}

#[test]
fn runs_one_after_the_other_follow_the_source() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[gender("male")]);
    sandbox.lines("b.ndjson", &[gender("female")]);
    for (file, created, updated) in [
        ("a.ndjson", 1, 0),
        ("b.ndjson", 0, 1),
        ("b.ndjson", 0, 0),
        ("a.ndjson", 0, 1),
        ("a.ndjson", 0, 0),
    ] {
        let summary = sandbox.load(&[file]);
        assert_counts(&summary, &[("created", created), ("updated", updated)]);
    }
    assert_eq!(
        sandbox.query(GENDERS),
        ["1|0|male", "2|0|female", "3|0|male"]
    );
}

#[test]
fn a_deleted_resource_comes_back() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[gender("male")]);
    sandbox.lines("delete.ndjson", &[deletion("Patient/p")]);
    sandbox.load(&["a.ndjson"]);
    let summary = sandbox.load(&["delete.ndjson"]);
    assert_counts(&summary, &[("deleted", 1), ("provenance", 1)]);
    assert_eq!(sandbox.query(GENDERS), ["1|0|male", "2|1|"]);
    assert_eq!(
        sandbox.query("SELECT deleted, body IS NULL FROM resources"),
        ["1|1"]
    );
    same_again(&sandbox, &["delete.ndjson"]);

    let summary = sandbox.load(&["a.ndjson"]);
    assert_counts(&summary, &[("created", 0), ("updated", 1)]);
    assert_eq!(sandbox.query(GENDERS), ["1|0|male", "2|1|", "3|0|male"]);
    assert_eq!(
        sandbox.query("SELECT activity FROM provenances ORDER BY target_version"),
        ["CREATE", "DELETE", "UPDATE"]
    );
}

#[test]
fn created_deleted_and_created_again_in_one_input() {
    let sandbox = Sandbox::new();
    let lines = [gender("male"), deletion("Patient/p"), gender("female")];
    sandbox.lines("in.ndjson", &lines);
    sandbox.load(&["in.ndjson"]);
    let last = sandbox.query(GENDERS);
    assert_eq!(last.first().map(String::as_str), Some("1|0|male"));
    assert!(last.last().is_some_and(|row| row.ends_with("|0|female")));
    same_again(&sandbox, &["in.ndjson"]);

    let sandbox = Sandbox::new();
    let lines = [gender("male"), gender("female"), deletion("Patient/p")];
    sandbox.lines("in.ndjson", &lines);
    let summary = sandbox.load(&["in.ndjson"]);
    assert_counts(&summary, &[("created", 1), ("updated", 1), ("deleted", 1)]);
    assert_eq!(sandbox.query(GENDERS), ["1|0|male", "2|0|female", "3|1|"]);
    same_again(&sandbox, &["in.ndjson"]);
}

#[test]
fn a_delete_of_what_was_never_there_is_nothing() {
    let sandbox = Sandbox::new();
    sandbox.lines("delete.ndjson", &[deletion("Patient/nobody")]);
    let summary = sandbox.load(&["delete.ndjson"]);
    assert_counts(
        &summary,
        &[("resources", 1), ("unchanged", 1), ("deleted", 0)],
    );
    assert_eq!(sandbox.query("SELECT count(*) FROM resources"), ["0"]);
}

#[test]
fn a_history_bundle_is_stored_oldest_first() {
    let sandbox = Sandbox::new();
    // As servers answer `_history`: latest first.
    let text = format!(
        r#"{{"resourceType":"Bundle","type":"history","entry":[
        {{"resource":{},"request":{{"method":"PUT","url":"Patient/p"}}}},
        {{"request":{{"method":"DELETE","url":"Patient/q"}}}},
        {{"resource":{},"request":{{"method":"PUT","url":"Patient/p"}}}},
        {{"resource":{},"request":{{"method":"POST","url":"Patient"}}}},
        {{"resource":{},"request":{{"method":"POST","url":"Patient"}}}}]}}"#,
        gender("other"),
        gender("female"),
        gender("male"),
        patient("q", ""),
    );
    sandbox.write("history.json", text);
    let summary = sandbox.load(&["history.json"]);
    assert_counts(&summary, &[("created", 2), ("updated", 2), ("deleted", 1)]);
    assert_eq!(
        sandbox.query(GENDERS),
        ["1|0|male", "2|0|female", "3|0|other"]
    );
    same_again(&sandbox, &["history.json"]);
}

#[test]
fn what_the_hash_leaves_out_makes_no_version() {
    let sandbox = Sandbox::new();
    sandbox.lines("1.ndjson", &[patient("p", r#","gender":"male""#)]);
    sandbox.lines(
        "2.ndjson",
        &[patient(
            "p",
            r#","meta":{"versionId":"9","lastUpdated":"2026-01-01T00:00:00Z"},"gender":"male","text":{"status":"generated","div":"<div/>"}"#,
        )],
    );
    sandbox.lines(
        "3.ndjson",
        &[r#"{ "gender" : "male", "id":"p", "resourceType":"Patient" }"#],
    );
    sandbox.load(&["1.ndjson"]);
    same_again(&sandbox, &["2.ndjson"]);
    same_again(&sandbox, &["3.ndjson"]);
}

#[test]
fn two_sources_collide_in_mode_preserve_and_not_in_mode_hash() {
    let lines = [gender("male"), observation("o", "Patient/p")];
    let a = ["--source-system", "urn:test:a"];
    let b = ["--source-system", "urn:test:b"];

    let preserve = Sandbox::new();
    preserve.lines("in.ndjson", &lines);
    preserve.load_with(&a, &["in.ndjson"], 0);
    let before = Dump::of(&preserve.reader());
    let summary = preserve.load_with(&b, &["in.ndjson"], 0);
    assert_counts(
        &summary,
        &[("created", 0), ("updated", 0), ("quarantined", 2)],
    );
    assert_eq!(
        preserve.query("SELECT DISTINCT reason FROM quarantine"),
        ["id-conflict"]
    );
    assert_eq!(
        preserve.query("SELECT body FROM quarantine ORDER BY line"),
        lines,
        "kept as received"
    );
    let after = Dump::of(&preserve.reader());
    assert!(before.rows("resources") == after.rows("resources"));
    // Deletions by the other source are refused as well.
    preserve.lines("delete.ndjson", &[deletion("Patient/p")]);
    let summary = preserve.load_with(&b, &["delete.ndjson"], 0);
    assert_counts(&summary, &[("deleted", 0), ("quarantined", 1)]);

    let hash = Sandbox::new();
    hash.write("in.json", bundle(&lines));
    for options in [a, b] {
        let options = [options.as_slice(), &["--id-mode", "hash"]].concat();
        let summary = hash.load_with(&options, &["in.json"], 0);
        assert_counts(&summary, &[("created", 2), ("quarantined", 0)]);
    }
    let joined = hash.query(
        "SELECT o.source_system = p.source_system, p.source_id FROM resources o
         JOIN resources p ON json_extract(o.body, '$.subject.reference') = 'Patient/' || p.id
         WHERE o.type = 'Observation'",
    );
    assert_eq!(joined, ["1|p", "1|p"]);
}
