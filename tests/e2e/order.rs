//! References, whatever the order of files and runs.

use crate::dump::Dump;
use crate::generate::{bundle, mr, mrn_patient, observation, patient};
use crate::util::{Sandbox, assert_counts};

/// Every order of three.
const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

/// SHA-256 of `urn:ingest:local`, `Patient` and `12345`, with line feeds between.
const HASHED: &str = "8103f4b39059eccbfeca03704a066b04f24b670d30bd13ab9145397560397c05";

/// Names that don't begin with `Patient`, which would come first.
fn files(sandbox: &Sandbox) -> [&'static str; 3] {
    sandbox.lines("p.ndjson", &[mrn_patient("12345"), patient("other", "")]);
    sandbox.lines(
        "o.ndjson",
        &[
            observation("o1", "Patient/12345"),
            observation("o2", "Patient/12345/_history/7"),
            observation("o3", "Patient/other"),
        ],
    );
    let conditional = observation("o5", "Patient?identifier=urn:test:mrn|12345");
    let both = [observation("o4", "Patient/12345"), conditional];
    sandbox.write("b.json", bundle(&both));
    ["p.ndjson", "o.ndjson", "b.json"]
}

/// What every order has to come to.
fn assert_resolved(sandbox: &Sandbox, order: &[usize]) {
    let references = sandbox.query(
        "SELECT id, json_extract(body, '$.subject.reference') FROM resources
         WHERE type = 'Observation' ORDER BY id",
    );
    let patient = format!("Patient/{HASHED}");
    let expected = [
        format!("o1|{patient}"),
        format!("o2|{patient}"),
        "o3|Patient/other".to_owned(),
        format!("o4|{patient}"),
        format!("o5|{patient}"),
    ];
    assert_eq!(references, expected, "{order:?}");
    let patients = sandbox.query("SELECT id FROM resources WHERE type = 'Patient' ORDER BY id");
    let mut expected = [HASHED, "other"];
    expected.sort_unstable();
    assert_eq!(patients, expected, "{order:?}");
    let bodies =
        "SELECT body FROM resource_versions WHERE type = 'Patient' AND source_id = '12345'";
    let stored: serde_json::Value =
        serde_json::from_str(&sandbox.query(bodies)[0]).expect("a body");
    assert_eq!(stored["id"], HASHED);
}

#[test]
fn in_one_run_every_order_gives_the_same_store() {
    let mut first: Option<Dump> = None;
    for order in ORDERS {
        let sandbox = Sandbox::new();
        let names = files(&sandbox);
        let paths = order.map(|at| names[at]);
        let summary = sandbox.load(&paths);
        assert_counts(
            &summary,
            &[("created", 7), ("updated", 0), ("unresolved_references", 0)],
        );
        assert_resolved(&sandbox, &order);
        // Nothing was written twice: what came early was corrected in place.
        assert_eq!(
            sandbox.query("SELECT max(version), count(*) FROM resource_versions"),
            ["1|7"]
        );
        same_again(&sandbox, &paths);
        // The bodies, not the files they came from, decide what is stored.
        let dump = sandbox.dump();
        match &first {
            Some(first) => dump.assert_eq(first, &format!("{order:?}")),
            None => first = Some(dump),
        }
    }
}

#[test]
fn in_runs_one_after_the_other_every_order_ends_the_same() {
    for order in ORDERS {
        let sandbox = Sandbox::new();
        let names = files(&sandbox);
        let (one, two) = (&order[..1], &order[1..]);
        let paths = |part: &[usize]| part.iter().map(|at| names[*at]).collect::<Vec<_>>();
        sandbox.load(&paths(one));
        sandbox.load(&paths(two));
        // A reference by identifier to a patient of a later run can't be
        // known; the next load of its file resolves it.
        sandbox.load(&names);
        assert_resolved(&sandbox, &order);
        same_again(&sandbox, &names);
    }
}

#[test]
fn a_patient_of_a_later_run_gives_the_referring_resources_a_version() {
    let sandbox = Sandbox::new();
    let [patients, observations, _] = files(&sandbox);
    sandbox.load(&[observations]);
    let summary = sandbox.load(&[patients]);
    assert_counts(&summary, &[("created", 2), ("updated", 2)]);
    assert_eq!(
        sandbox.query("SELECT id, version FROM resources WHERE type = 'Observation' ORDER BY id"),
        ["o1|2", "o2|2", "o3|1"]
    );
    same_again(&sandbox, &[observations, patients]);
    same_again(&sandbox, &[patients, observations]);
}

#[test]
fn copies_around_their_patient_are_one_version() {
    for threads in ["1", "2", "3", "4"] {
        // Which of them is normalized first is up to chance.
        for _ in 0..8 {
            let sandbox = Sandbox::new();
            let mut names = Vec::new();
            for at in 0..6 {
                names.push(format!("{at}.ndjson"));
                let line = match at {
                    2 => mrn_patient("12345"),
                    _ => observation("o", "Patient/12345"),
                };
                sandbox.lines(&names[at], &[line]);
            }
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let summary = sandbox.load_with(&["--threads", threads], &names, 0);
            assert_counts(
                &summary,
                &[("created", 2), ("updated", 0), ("unchanged", 4)],
            );
            same_again(&sandbox, &names);
        }
    }
}

#[test]
fn references_by_identifier_resolve_to_exactly_one_match() {
    let condition = r#"{"resourceType":"Condition","id":"c","subject":{"reference":"Patient?identifier=urn:test:mrn|77"}}"#;
    let one = patient("one", &format!(",\"identifier\":[{}]", mr("77")));
    let two = patient("two", &format!(",\"identifier\":[{}]", mr("77")));
    let none = patient("none", "");
    for (patients, resolved) in [
        (vec![&one, &none], Some("Patient/one")),
        (vec![&two], Some("Patient/two")),
        (vec![&one, &two], None),
        (vec![&none], None),
    ] {
        for early in [true, false] {
            let sandbox = Sandbox::new();
            let mut lines: Vec<&str> = patients.iter().map(|line| line.as_str()).collect();
            lines.insert(if early { 0 } else { lines.len() }, condition);
            sandbox.lines("in.ndjson", &lines);
            let summary = sandbox.load(&["in.ndjson"]);
            let unresolved = u64::from(resolved.is_none());
            assert_counts(&summary, &[("unresolved_references", unresolved)]);
            let expected = resolved.unwrap_or("Patient?identifier=urn:test:mrn|77");
            assert_eq!(
                sandbox.query(
                    "SELECT json_extract(body, '$.subject.reference') FROM resources
                     WHERE type = 'Condition'"
                ),
                [expected]
            );
            same_again(&sandbox, &["in.ndjson"]);
        }
    }
    // The match may be in the store since an earlier run.
    let sandbox = Sandbox::new();
    sandbox.lines("patient.ndjson", &[&one]);
    sandbox.lines("condition.ndjson", &[condition]);
    sandbox.load(&["patient.ndjson"]);
    let summary = sandbox.load(&["condition.ndjson"]);
    assert_counts(&summary, &[("unresolved_references", 0), ("created", 1)]);
}

#[test]
fn every_form_of_reference() {
    let sandbox = Sandbox::new();
    let uuid = "0b1f5f0e-58d7-4f7f-a0a5-5d2b8c3a6b11";
    let observation = observation("o", &format!("urn:uuid:{uuid}"));
    let text = format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[
          {{"fullUrl":"urn:uuid:{uuid}","resource":{{"resourceType":"Patient"}}}},
          {{"fullUrl":"urn:uuid:6f1d2b5a-0000-4000-8000-000000000001","resource":{observation}}}]}}"#
    );
    sandbox.write("bundle.json", text);
    sandbox.lines(
        "rest.ndjson",
        &[
            r##"{"resourceType":"Basic","id":"b","code":{"text":"x"},"subject":{"reference":"https://ehr.test/fhir/Patient/p1/_history/2"},"author":{"reference":"https://other.test/fhir/Patient/p1"},"extension":[{"url":"urn:x","valueReference":{"reference":"Patient/a_1"}},{"url":"urn:y","valueAttachment":{"url":"https://ehr.test/fhir/Binary/x_1"}},{"url":"urn:z","valueReference":{"reference":"#c"}},{"url":"urn:z","valueReference":{"reference":"urn:oid:1.2.3"}}],"contained":[{"resourceType":"Basic","id":"c","code":{"text":"x"},"subject":{"reference":"Patient/p1/_history/1"}}]}"##,
        ],
    );
    let options = ["--base", "https://ehr.test/fhir"];
    sandbox.load_with(&options, &["bundle.json", "rest.ndjson"], 0);
    let subject = "SELECT json_extract(body, '$.subject.reference') FROM resources
                   WHERE type = 'Observation'";
    assert_eq!(sandbox.query(subject), [format!("Patient/{uuid}")]);
    let members = [
        ("$.subject.reference", "Patient/p1"),
        ("$.author.reference", "https://other.test/fhir/Patient/p1"),
        (
            "$.extension[0].valueReference.reference",
            "Patient/1ce987ecb3f1aa50d8a49e508b6dee04c970f9288ca742ff0446f8bc3eded3c6",
        ),
        (
            "$.extension[1].valueAttachment.url",
            "Binary/0b53be7c96b10a96b503604f018547efaad500f492eb416dc7afb1a401a1e0bd",
        ),
        ("$.extension[2].valueReference.reference", "#c"),
        ("$.extension[3].valueReference.reference", "urn:oid:1.2.3"),
        ("$.contained[0].subject.reference", "Patient/p1"),
    ];
    for (path, expected) in members {
        let sql =
            format!("SELECT json_extract(body, '{path}') FROM resources WHERE type = 'Basic'");
        assert_eq!(sandbox.query(&sql), [expected], "{path}");
    }
}

#[track_caller]
fn same_again(sandbox: &Sandbox, paths: &[&str]) {
    let before = Dump::whole(&sandbox.reader());
    let summary = sandbox.load(paths);
    assert_counts(&summary, &[("created", 0), ("updated", 0), ("deleted", 0)]);
    Dump::whole(&sandbox.reader()).assert_eq(&before, "a load once more");
}
