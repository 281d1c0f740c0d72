//! Neither the order of files nor the number of threads matters.

use ingest_pipeline::store::{InMemoryStore, ResourceStore, RunState};

use crate::support::{Folder, content, load, loaded, try_load};

const MR: &str =
    r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]}"#;

/// A patient known by its medical record number, and resources that refer to
/// it and to a practitioner by identifier.
fn parts() -> [(&'static str, String); 3] {
    let mut observations = String::new();
    for number in 0..50 {
        observations.push_str(&format!(
            r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/77"}},"performer":[{{"reference":"Practitioner?identifier=urn:npi|9"}}]}}"#
        ));
        observations.push('\n');
    }
    let patient = format!(
        r#"{{"resourceType":"Patient","id":"77","identifier":[{{"type":{MR},"value":"77"}}]}}"#
    );
    let practitioner = r#"{"resourceType":"Practitioner","id":"d1","identifier":[{"system":"urn:npi","value":"9"}]}"#;
    [
        ("a.ndjson", observations),
        ("b.ndjson", patient),
        ("c.ndjson", practitioner.to_owned()),
    ]
}

#[test]
fn references_resolve_in_any_order_of_files() {
    let parts = parts();
    let files: Vec<_> = parts
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let folder = Folder::new(&files);
    let mut expected = None;
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let inputs = folder.inputs_in(&order.map(|part: usize| files[part].0));
        for threads in [1, 3] {
            let mut store = InMemoryStore::new();
            let summary = try_load(&mut store, &folder, &inputs, threads).expect("a load");
            assert_eq!((summary.resources, summary.created), (52, 52), "{order:?}");
            assert_eq!(summary.unresolved_references, 0);
            let content = content(&mut store);
            for (_, _, version, _, body) in &content {
                assert_eq!(*version, 1);
                assert!(!body.contains("Patient/77"), "{order:?}");
                assert!(!body.contains("?identifier"), "{order:?}");
            }
            assert_eq!(
                *expected.get_or_insert_with(|| content.clone()),
                content,
                "{order:?}"
            );
        }
    }
}

#[test]
fn references_resolve_over_runs() {
    let [observations, patient, practitioner] = parts();
    let first = Folder::new(&[("a.ndjson", &observations.1), ("c.ndjson", &practitioner.1)]);
    let second = Folder::new(&[("b.ndjson", &patient.1)]);
    let mut store = loaded(&first);
    assert!(
        content(&mut store)
            .iter()
            .any(|stored| stored.4.contains("Patient/77"))
    );
    let summary = load(&mut store, &second);
    // The run also corrected what an earlier run had written.
    assert_eq!(
        (summary.created, summary.updated, summary.resources),
        (1, 50, 51)
    );
    for id in 0..50 {
        let observation = store.get("Observation", &format!("o{id}")).expect("a read");
        let observation = observation.expect("an observation");
        assert_eq!(observation.version, 2);
        assert!(!observation.body.unwrap_or_default().contains("Patient/77"));
    }
    for folder in [&first, &second] {
        let summary = load(&mut store, folder);
        assert_eq!(summary.unchanged, summary.resources);
    }
}

#[test]
fn a_conditional_reference_needs_exactly_one_match() {
    let [observations, _, practitioner] = parts();
    let twin = practitioner.1.replace("d1", "d2");
    let folder = Folder::new(&[("a.ndjson", &observations.1), ("c.ndjson", &practitioner.1)]);
    let two = Folder::new(&[
        ("a.ndjson", &observations.1),
        ("c.ndjson", &practitioner.1),
        ("d.ndjson", &twin),
    ]);
    let mut store = InMemoryStore::new();
    let summary = load(&mut store, &two);
    assert_eq!(summary.unresolved_references, 50);
    let summary = load(&mut loaded(&folder), &folder);
    assert_eq!((summary.unresolved_references, summary.unchanged), (0, 51));
}

#[test]
fn threads_change_nothing() {
    let mut text = String::new();
    for number in 0..20_000 {
        // Every id comes twice, with another content.
        text.push_str(&format!(
            "{{\"resourceType\":\"Basic\",\"id\":\"b{}\",\"code\":{{\"text\":\"{number}\"}}}}\n",
            number % 10_000
        ));
        if number % 1000 == 0 {
            text.push_str("not JSON\n");
        }
    }
    let folder = Folder::new(&[("a.ndjson", &text)]);
    let mut expected = None;
    for threads in [1, 2, 5] {
        let mut store = InMemoryStore::new();
        let summary = try_load(&mut store, &folder, &folder.inputs(), threads).expect("a load");
        assert_eq!(summary.state, RunState::Completed);
        assert_eq!(
            (summary.created, summary.updated, summary.quarantined),
            (10_000, 10_000, 20)
        );
        assert_eq!(summary.bytes, text.len() as u64);
        let content = content(&mut store);
        assert!(
            *expected.get_or_insert_with(|| content.clone()) == content,
            "{threads}"
        );
    }
}
