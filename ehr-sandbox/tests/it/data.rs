//! Data: made up, read from a folder, changed.

use std::collections::BTreeSet;
use std::fs;

use ehr_sandbox::{Data, Error, Level};
use serde_json::Value;

use crate::util::at;

/// 2026-01-01T00:00:00Z, after the synthetic data.
const LATER: u64 = 1_767_225_600;

#[test]
fn a_seed_is_a_data_set() {
    let text = |data: &Data| {
        data.resources()
            .map(|r| r.json().to_owned())
            .collect::<Vec<_>>()
    };
    let first = text(&Data::synthetic(7, 20));
    assert_eq!(first, text(&Data::synthetic(7, 20)));
    assert_ne!(first, text(&Data::synthetic(8, 20)));
    let all = first.join("\n");
    for needed in [
        "0,\"unit\"",
        "\\/",
        "\\u00e9",
        "ü",
        "MRN000020",
        "\\\"Mo\\\"",
    ] {
        assert!(all.contains(needed), "{needed}");
    }
}

#[test]
fn synthetic_resources_refer_to_each_other() {
    let data = Data::synthetic(1, 30);
    let types: BTreeSet<_> = data.resources().map(|r| r.resource_type()).collect();
    let expected = [
        "Condition",
        "DocumentReference",
        "Encounter",
        "Location",
        "MedicationRequest",
        "Observation",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
    ];
    assert!(types.into_iter().eq(expected));
    let mut checked = 0;
    for resource in data.resources() {
        let value: Value = serde_json::from_str(resource.json()).expect("JSON");
        assert_eq!(value["id"], resource.id());
        for reference in resource.json().split("\"reference\":\"").skip(1) {
            let (resource_type, id) = reference
                .split('"')
                .next()
                .and_then(|r| r.split_once('/'))
                .expect("a reference");
            assert!(
                data.resource(resource_type, id).is_some(),
                "{resource_type}/{id}"
            );
            checked += 1;
        }
    }
    assert!(checked > 100);
    assert_eq!(data.group(Data::ALL).map(<[_]>::len), Some(30));
    assert_eq!(data.group("half").map(<[_]>::len), Some(15));
}

#[test]
fn changes_update_add_and_delete() {
    let before = Data::synthetic(1, 10);
    let after = before.changed(3, 10, at(LATER));
    let count = |data: &Data| data.resources().count();
    let key = |r: &ehr_sandbox::Resource| format!("{}/{}", r.resource_type(), r.id());
    let old: BTreeSet<_> = before.resources().map(key).collect();
    let new: BTreeSet<_> = after.resources().map(key).collect();
    assert_eq!(
        (count(&before), count(&after)),
        (old.len(), new.len()),
        "no id is there twice"
    );

    let since = at(LATER - 1);
    let deleted: BTreeSet<_> = after
        .expected_deletions(since)
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(
        old.difference(&new).cloned().collect::<BTreeSet<_>>(),
        deleted
    );
    assert!(!deleted.is_empty());
    assert!(new.difference(&old).count() > 0, "some are new");

    let changed = after.expected_resources(&Level::System, &[], Some(since));
    let differs = |r: &&ehr_sandbox::Resource| {
        before
            .resource(r.resource_type(), r.id())
            .is_none_or(|own| own.json() != r.json())
    };
    assert_eq!(changed.len(), after.resources().filter(differs).count());
    assert!(changed.len() < count(&after));
    assert!(
        after
            .expected_resources(&Level::System, &[], Some(at(LATER)))
            .is_empty()
    );
    assert_eq!(
        after.expected_resources(&Level::System, &[], None).len(),
        count(&after)
    );

    // Digits survive, and the second change is another one.
    let revised = changed
        .iter()
        .find(|r| r.json().contains("0,\"unit\""))
        .expect("a quantity");
    assert!(revised.json().contains("\"versionId\":\"2\"") || revised.id().ends_with("-n1"));
    let again = after.changed(3, 10, at(LATER + 60));
    assert!(!again.expected_deletions(at(LATER)).is_empty());
    assert!(again.expected_deletions(since).len() > deleted.len());
}

#[test]
fn folders_keep_their_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    let line = r#"{"id":"1" , "resourceType":"Patient","x":1.50}"#;
    write("b.ndjson", &format!("\u{feff}{line}\r\n\r\n"));
    write(
        "a.jsonl",
        r#"{"resourceType":"Group","id":"g","member":[{"entity":{"reference":"Patient/1"}}]}"#,
    );
    write("readme.txt", "not read");
    let data = Data::from_ndjson_folder(folder.path()).expect("data");
    assert_eq!(data.resource("Patient", "1").map(|r| r.json()), Some(line));
    assert_eq!(data.resources().count(), 2);
    assert_eq!(data.group("g"), Some(&["1".to_owned()][..]));
    assert_eq!(data.group(Data::ALL), Some(&["1".to_owned()][..]));

    let cases = [
        ("{}", "a `resourceType`"),
        (r#"{"resourceType":"Patient"}"#, "an `id`"),
        ("<", "valid JSON"),
    ];
    for (text, expected) in cases {
        write("c.ndjson", &format!("{line}\n{text}\n"));
        match Data::from_ndjson_folder(folder.path()) {
            Err(Error::Line { line: 2, lacks, .. }) => assert_eq!(lacks, expected),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!(
        Data::from_ndjson_folder(folder.path().join("none")),
        Err(Error::Read { .. })
    ));
}
