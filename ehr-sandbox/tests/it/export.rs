//! Exports from kick-off to the last file.

use std::collections::BTreeMap;

use ehr_sandbox::{Data, ExportSettings, Level};
use http::StatusCode;
use serde_json::{Value, json};

use crate::util::{ASYNC, at, export, finish, get, lines, names, sandbox, send, urls};

const LATER: u64 = 1_767_225_600;

pub(crate) fn settings(edit: impl FnOnce(&mut ExportSettings)) -> ExportSettings {
    let mut settings = ExportSettings::default();
    edit(&mut settings);
    settings
}

fn keys<'a>(resources: impl Iterator<Item = &'a ehr_sandbox::Resource>) -> Vec<String> {
    let mut keys: Vec<_> = resources
        .map(|r| format!("{}/{}", r.resource_type(), r.id()))
        .collect();
    keys.sort();
    keys
}

#[test]
fn three_levels_hold_what_they_should() {
    let sandbox = sandbox(|b| b.export(settings(|s| s.resources_per_file = 13)));
    let manifest = export(&sandbox, "/$export").json();
    let everything = lines(&sandbox, &manifest, "output");
    assert_eq!(names(&everything), keys(sandbox.data().resources()));
    let bytes = |r: &ehr_sandbox::Resource| r.json().to_owned();
    let mut sent = everything.clone();
    let mut expected: Vec<_> = sandbox.data().resources().map(bytes).collect();
    sent.sort();
    expected.sort();
    assert_eq!(sent, expected, "byte for byte");
    for item in manifest["output"].as_array().expect("files") {
        let count = get(&sandbox, item["url"].as_str().expect("a URL"))
            .text()
            .lines()
            .count();
        assert_eq!(item["count"], count);
        assert!(count <= 13);
    }
    assert_eq!(
        (&manifest["error"], &manifest["deleted"]),
        (&json!([]), &json!([]))
    );

    // All of these patients refer to all practitioners there are; one location
    // may be nobody's.
    let all = names(&lines(
        &sandbox,
        &export(&sandbox, "/Patient/$export").json(),
        "output",
    ));
    let in_compartment = |name: &&String| !name.starts_with("Location") && !name.starts_with("Org");
    let own: Vec<_> = names(&everything);
    let clinical = [
        "Patient",
        "Encounter",
        "Observation",
        "Condition",
        "MedicationRequest",
    ];
    let clinical = |n: &&String| clinical.iter().any(|t| n.split('/').next() == Some(t));
    assert!(all.iter().filter(clinical).eq(own.iter().filter(clinical)));
    assert!(all.iter().filter(in_compartment).count() > 0);

    let half = lines(
        &sandbox,
        &export(&sandbox, "/Group/half/$export").json(),
        "output",
    );
    let of_half = |n: &String| {
        let digits = |text: &str| {
            text.trim_start_matches(|c: char| !c.is_ascii_digit())
                .split('-')
                .next()
                .and_then(|digits| digits.parse::<u32>().ok())
        };
        n.split_once('/')
            .and_then(|(_, id)| digits(id))
            .is_some_and(|number| number % 2 == 1)
    };
    let expected: Vec<_> = own
        .iter()
        .filter(clinical)
        .filter(|n| of_half(n))
        .cloned()
        .collect();
    let half = names(&half);
    let found: Vec<_> = half.iter().filter(clinical).cloned().collect();
    assert_eq!(found, expected);
    assert!(
        half.iter().any(|n| n.starts_with("Practitioner/")),
        "what they refer to"
    );
    assert_eq!(
        half,
        keys(
            sandbox
                .data()
                .expected_resources(&Level::Group("half".into()), &[], None)
                .iter()
                .map(AsRef::as_ref)
        )
    );
    let answer = send(&sandbox, "GET", "/Group/none/$export", &[ASYNC], "");
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[test]
fn an_export_runs_as_long_as_it_is_set() {
    let sandbox = sandbox(|b| b.export(settings(|s| s.polls = 3)));
    let kick_off = send(&sandbox, "GET", "/$export?_type=Patient", &[ASYNC], "");
    let url = kick_off.header("content-location");
    assert!(url.starts_with(&sandbox.base()));
    let progress: Vec<_> = (0..3)
        .map(|_| {
            let answer = get(&sandbox, url);
            assert_eq!(
                (answer.status, answer.header("retry-after")),
                (StatusCode::ACCEPTED, "1")
            );
            answer.header("x-progress").to_owned()
        })
        .collect();
    assert_eq!(progress, ["0% complete", "33% complete", "66% complete"]);
    let answer = get(&sandbox, url);
    assert_eq!(answer.header("expires"), "Sat, 03 Jan 2026 00:00:00 GMT");
    let manifest = answer.json();
    assert_eq!(manifest["transactionTime"], "2026-01-02T00:00:00.000Z");
    assert_eq!(
        manifest["request"],
        format!("{}/$export?_type=Patient", sandbox.base())
    );
    assert_eq!(manifest["requiresAccessToken"], true);

    let file = urls(&manifest, "output").remove(0);
    assert_eq!(
        get(&sandbox, &file).header("content-type"),
        "application/fhir+ndjson"
    );
    assert_eq!(
        send(&sandbox, "DELETE", url, &[], "").status,
        StatusCode::ACCEPTED
    );
    for url in [url, &file] {
        assert_eq!(get(&sandbox, url).status, StatusCode::NOT_FOUND, "deleted");
    }
    assert_eq!(
        send(&sandbox, "DELETE", url, &[], "").status,
        StatusCode::NOT_FOUND
    );
}

#[test]
fn since_shows_updates_and_deletions() {
    let sandbox = sandbox(|b| b.data(Data::synthetic(1, 10)));
    let before = export(&sandbox, "/$export").json();
    let since = before["transactionTime"]
        .as_str()
        .expect("an instant")
        .to_owned();
    let full = lines(&sandbox, &before, "output");
    assert!(
        urls(
            &export(&sandbox, &format!("/$export?_since={since}")).json(),
            "output"
        )
        .is_empty()
    );

    let old = sandbox.data();
    sandbox.change_data(3, 20, at(LATER + 2 * 86_400));
    let manifest = export(&sandbox, &format!("/$export?_since={since}")).json();
    let output = lines(&sandbox, &manifest, "output");
    let new = sandbox.data();
    // What was there, with the output put over it and without the deletions,
    // is what is there.
    let mut merged: BTreeMap<String, String> = BTreeMap::new();
    for line in full.into_iter().chain(output) {
        merged.insert(names(std::slice::from_ref(&line)).remove(0), line);
    }
    for line in lines(&sandbox, &manifest, "deleted") {
        let bundle: Value = serde_json::from_str(&line).expect("a Bundle");
        assert_eq!(
            (&bundle["resourceType"], &bundle["type"]),
            (&json!("Bundle"), &json!("transaction"))
        );
        for entry in bundle["entry"].as_array().expect("entries") {
            assert_eq!(entry["request"]["method"], "DELETE");
            let url = entry["request"]["url"].as_str().expect("a URL");
            assert!(merged.remove(url).is_some(), "{url} was there");
        }
    }
    let expected: BTreeMap<_, _> = new
        .resources()
        .map(|r| {
            (
                format!("{}/{}", r.resource_type(), r.id()),
                r.json().to_owned(),
            )
        })
        .collect();
    assert_eq!(merged, expected);
    assert_ne!(keys(old.resources()), keys(new.resources()));
    assert_eq!(
        manifest["transactionTime"], "2026-01-03T00:00:00.000Z",
        "no change is later"
    );

    let until = "2024-12-31T00:00:00Z";
    let early = lines(
        &sandbox,
        &export(&sandbox, &format!("/$export?_until={until}")).json(),
        "output",
    );
    assert!(
        !early.is_empty()
            && early
                .iter()
                .all(|line| !line.contains("lastUpdated\":\"2025"))
    );
}

#[test]
fn parameters_choose() {
    let sandbox = sandbox(|b| b);
    let output = |query: &str| {
        lines(
            &sandbox,
            &export(&sandbox, &format!("/$export?{query}")).json(),
            "output",
        )
    };
    let types = |query: &str| {
        let mut types: Vec<_> = names(&output(query))
            .into_iter()
            .map(|n| n.split('/').next().expect("a type").to_owned())
            .collect();
        types.dedup();
        types
    };
    assert_eq!(types("_type=Patient,Condition"), ["Condition", "Patient"]);
    assert_eq!(
        types("_type=Patient&_type=Condition"),
        ["Condition", "Patient"]
    );
    assert!(types("_type=Basic").is_empty());
    let amended = output("_type=Observation&_typeFilter=Observation%3Fstatus%3Damended");
    assert!(!amended.is_empty() && amended.iter().all(|l| l.contains("\"status\":\"amended\"")));
    let either = output(
        "_type=Observation&_typeFilter=Observation?status%3Damended,Observation?status%3Dfinal",
    );
    assert_eq!(either.len(), output("_type=Observation").len());
    for line in output("_type=Patient&_elements=gender,Patient.birthDate") {
        let value: Value = serde_json::from_str(&line).expect("JSON");
        let members: Vec<_> = value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        assert_eq!(
            members,
            ["birthDate", "gender", "id", "meta", "resourceType"]
        );
        assert_eq!(value["meta"]["tag"][0]["code"], "SUBSETTED");
    }
    for format in [
        "ndjson",
        "application%2Fndjson",
        "application%2Ffhir%2Bndjson",
    ] {
        assert_eq!(
            types(&format!("_type=Patient&_outputFormat={format}")),
            ["Patient"]
        );
    }
    assert_eq!(
        types("_type=Patient&includeAssociatedData=LatestProvenanceResources"),
        ["Patient"]
    );
}

#[test]
fn post_takes_parameters_and_patients() {
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "_type", "valueString": "Patient"},
        {"name": "_type", "valueString": "Condition"},
        {"name": "patient", "valueReference": {"reference": "Patient/p2"}},
        {"name": "_since", "valueInstant": "2020-01-01T00:00:00Z"},
    ]});
    let sandbox = sandbox(|b| b);
    let kick_off = |url: &str, body: &Value| {
        let headers = [ASYNC, ("content-type", "application/fhir+json")];
        send(&sandbox, "POST", url, &headers, &body.to_string())
    };
    let answer = kick_off("/Patient/$export", &body);
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let manifest = finish(&sandbox, answer.header("content-location")).json();
    let names = names(&lines(&sandbox, &manifest, "output"));
    assert!(names.contains(&"Patient/p2".to_owned()));
    assert!(
        names
            .iter()
            .all(|n| n == "Patient/p2" || n.starts_with("Condition/c2-"))
    );
    assert_eq!(
        kick_off("/$export", &body).status,
        StatusCode::BAD_REQUEST,
        "not at system level"
    );
    assert_eq!(
        kick_off("/Patient/$export", &json!({})).status,
        StatusCode::BAD_REQUEST
    );
}

#[test]
fn partial_manifests_are_linked() {
    let sandbox = sandbox(|b| b.export(settings(|s| s.resources_per_file = 10)));
    let mut next = Some(export(&sandbox, "/$export?allowPartialManifests=true").json());
    let (mut found, mut pages) = (Vec::new(), 0);
    while let Some(manifest) = next {
        pages += 1;
        assert!(urls(&manifest, "output").len() <= 2);
        found.extend(lines(&sandbox, &manifest, "output"));
        let link = manifest["link"][0]["url"].as_str().map(str::to_owned);
        next = link.map(|url| get(&sandbox, &url).json());
    }
    assert!(pages > 5);
    assert_eq!(names(&found), keys(sandbox.data().resources()));
}
