//! Servers that take no reference to what is not there.

use ehr_sandbox::Sandbox;
use fhir_store::{PutOutcome, RunStore as _, ServerStore};
use tempfile::TempDir;

use super::{Sample, assert_whole, content, finish, open, patients, put, sandbox_with};

fn strict(status: u16) -> Sandbox {
    sandbox_with(|settings| settings.dangling_references = Some(status))
}

fn observation(id: &str, subject: &str) -> Sample {
    let subject = format!(r#","subject":{{"reference":"{subject}"}}"#);
    Sample::about("Observation", id, "x", &subject)
}

fn unresolved(store: &mut ServerStore) -> Vec<(String, u64)> {
    let report = store.report().expect("report");
    let pair = |own: &fhir_store::Unresolved| (own.resource_type.clone(), own.writes);
    report.unresolved.iter().map(pair).collect()
}

#[test]
fn what_comes_too_early_waits() {
    for status in [400, 404, 409, 412, 422] {
        let folder = TempDir::new().expect("folder");
        let sandbox = strict(status);
        let mut store = open(&sandbox, &folder.path().join("state.db"));
        let early: Vec<_> = (0..20)
            .map(|id| observation(&format!("o{id}"), &format!("Patient/p{}", id % 4)))
            .collect();
        let outcomes = put(&mut store, &early).expect("put");
        assert_eq!(outcomes, [PutOutcome::Created; 20], "{status}");
        assert_eq!(unresolved(&mut store), [("Observation".to_owned(), 20)]);
        put(&mut store, &patients(0..4, "x")).expect("put");
        finish(&mut store, "01A").expect("finish");
        assert_whole(&sandbox, &mut store);
    }
}

#[test]
fn one_batch_is_sent_in_the_order_of_references() {
    let folder = TempDir::new().expect("folder");
    let sandbox = strict(422);
    let state = folder.path().join("state.db");
    let mut store = fhir_store::ServerStore::open(
        &state,
        super::client(&sandbox),
        fhir_store::ServerSettings::default()
            .bundle_writes(3)
            .concurrency(1),
    )
    .expect("open");
    let mut batch = vec![];
    for id in 0..9 {
        batch.push(observation(&format!("o{id}"), &format!("Patient/p{id}")));
        batch.extend(patients(id..id + 1, "x"));
    }
    put(&mut store, &batch).expect("put");
    assert_eq!(sandbox.requests().len(), 6, "all were right at once");
    assert_whole(&sandbox, &mut store);
}

#[test]
fn circles_resolve_within_a_bundle() {
    let folder = TempDir::new().expect("folder");
    let sandbox = strict(422);
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    let refers = |to: &str| format!(r#","managingOrganization":{{"reference":"{to}"}}"#);
    let batch = [
        Sample::about("Organization", "a", "x", &refers("Location/b")),
        Sample::about("Location", "b", "x", &refers("Organization/a")),
        observation("o", "Patient/later"),
    ];
    put(&mut store, &batch).expect("put");
    finish(&mut store, "01A").expect("finish");
    assert_eq!(unresolved(&mut store), [("Observation".to_owned(), 1)]);
    put(&mut store, &[Sample::new("Patient", "later", "x")]).expect("put");
    finish(&mut store, "01B").expect("finish");
    assert_whole(&sandbox, &mut store);
}

#[test]
fn what_never_comes_is_reported_and_costs_little() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = strict(422);
    let mut store = open(&sandbox, &state);
    let early: Vec<_> = (0..30)
        .map(|id| observation(&format!("o{id}"), "Patient/never"))
        .collect();
    put(&mut store, &early).expect("put");
    finish(&mut store, "01A").expect("finish");
    assert_eq!(unresolved(&mut store), [("Observation".to_owned(), 30)]);
    drop(store);

    sandbox.clear_requests();
    let mut store = open(&sandbox, &state);
    let outcomes = put(&mut store, &early).expect("put");
    assert_eq!(outcomes, [PutOutcome::Unchanged; 30]);
    finish(&mut store, "01B").expect("finish");
    assert_eq!(
        sandbox.requests().len(),
        1,
        "it looks once whether the patient is there"
    );

    // It knows by now that references are checked.
    sandbox.clear_requests();
    let more: Vec<_> = (30..60)
        .map(|id| observation(&format!("o{id}"), "Patient/never"))
        .collect();
    put(&mut store, &more).expect("put");
    assert_eq!(sandbox.count(&ehr_sandbox::Where::Write), 0);

    // A later version takes the place of one that waits, whose Provenance is kept.
    let subject = r#","subject":{"reference":"Patient/never"}"#;
    let newer = Sample::about("Observation", "o1", "y", subject);
    put(&mut store, &[newer, Sample::new("Patient", "never", "x")]).expect("put");
    finish(&mut store, "01C").expect("finish");
    assert_whole(&sandbox, &mut store);
    assert_eq!(content(&sandbox, "Observation/o1").as_deref(), Some("y"));
    assert_eq!(content(&sandbox, "Observation/o59").as_deref(), Some("x"));
}

#[test]
fn what_others_have_stored_may_be_referred_to() {
    let folder = TempDir::new().expect("folder");
    let sandbox = strict(422);
    let mut other = open(&sandbox, &folder.path().join("other.db"));
    put(&mut other, &patients(0..1, "theirs")).expect("put");
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    let batch = [
        observation("late", "Patient/none"),
        observation("o", "Patient/p0"),
    ];
    put(&mut store, &batch).expect("put");
    put(&mut store, &[observation("o2", "Patient/p0")]).expect("put");
    finish(&mut store, "01A").expect("finish");
    assert_eq!(unresolved(&mut store), [("Observation".to_owned(), 1)]);
}

/// An element that the type does not have, with a reference to what is not there: the server says that it is about the form.
#[test]
fn a_fault_of_form_at_a_reference_is_a_refusal() {
    let folder = TempDir::new().expect("folder");
    for (code, refused) in [("structure", true), ("processing", false)] {
        let sandbox = sandbox_with(|settings| {
            *settings = std::mem::take(settings).reject(move |resource| {
                let rejection = ehr_sandbox::Rejection::new(code, "Condition.context");
                resource.json().contains("context").then_some(rejection)
            });
        });
        let mut store = open(&sandbox, &folder.path().join(code));
        let context = r#","context":{"reference":"Encounter/e1"}"#;
        let sample = Sample::about("Condition", "c1", "x", context);
        let outcomes = put(&mut store, &[sample]).expect("put");
        assert_eq!(outcomes[0] == PutOutcome::Refused, refused, "{code}");
        assert_eq!(unresolved(&mut store).is_empty(), refused, "{code}");
    }
}
