//! Servers that give ids of their own.

use std::sync::Arc;

use ehr_sandbox::{Rejection, Sandbox, Where, WriteSettings};
use fhir_store::{PutOutcome, ResourceStore as _, ServerSettings, ServerStore, conformance};
use tempfile::TempDir;

use super::tagged::Tagged;
use super::{
    Sample, assert_whole, client_over, content, delete, finish, on_server, patients, put,
    sandbox_with,
};

fn assigning(transactions: bool, batches: bool) -> Sandbox {
    sandbox_with(|settings| {
        settings.client_ids = false;
        settings.transactions = transactions;
        settings.batches = batches;
    })
}

fn open(sandbox: &Sandbox, state: &std::path::Path, writes: usize) -> ServerStore {
    let client = client_over(sandbox, Arc::new(Tagged(sandbox.transport())));
    let limits = ServerSettings::default().bundle_writes(writes);
    ServerStore::open(state, client, limits).expect("open")
}

fn every_kind(check: impl Fn(bool, bool)) {
    for (transactions, batches) in [(true, true), (false, true), (false, false)] {
        check(transactions, batches);
    }
}

#[test]
fn they_keep_the_promises_of_every_store() {
    every_kind(|transactions, batches| {
        let folder = TempDir::new().expect("folder");
        let mut number = 0;
        conformance::run_all(&mut || {
            number += 1;
            let state = folder.path().join(format!("{number}.db"));
            Box::new(open(&assigning(transactions, batches), &state, 100))
        });
    });
}

fn observation(id: usize, content: &str) -> Sample {
    let subject = format!(r#","subject":{{"reference":"Patient/p{id}"}}"#);
    Sample::about("Observation", format!("o{id}"), content, &subject)
}

#[test]
fn references_lead_to_the_ids_there_and_come_back_as_they_were() {
    every_kind(|transactions, batches| {
        let folder = TempDir::new().expect("folder");
        let state = folder.path().join("state.db");
        let sandbox = assigning(transactions, batches);
        let mut store = open(&sandbox, &state, 4);
        // Two of them come before their patients, which come with the next batch.
        let early: Vec<_> = (0..9).map(|id| observation(id, "x")).collect();
        put(&mut store, &[patients(0..7, "x"), early].concat()).expect("put");
        put(&mut store, &patients(7..9, "x")).expect("put");
        finish(&mut store, "01A").expect("finish");
        assert_whole(&sandbox, &mut store);
        let found = on_server(&sandbox);
        let subject = found["Observation/o8"]["subject"]["reference"]
            .as_str()
            .expect("text");
        assert!(subject.starts_with("Patient/new-"), "{subject}");
        assert_eq!(found["Patient/p8"]["id"], subject["Patient/".len()..]);

        let stored = store
            .get("Observation", "o8")
            .expect("get")
            .expect("stored");
        let body = stored.body.expect("body");
        assert!(
            body.contains(r#""id":"o8""#) && body.contains(r#""Patient/p8""#),
            "{body}"
        );
        assert!(!body.contains("urn:ingest:id"), "{body}");

        put(&mut store, &[observation(3, "y")]).expect("put");
        assert_eq!(content(&sandbox, "Observation/o3").as_deref(), Some("y"));
        delete(&mut store, "Observation", "o4").expect("delete");
        put(&mut store, &[observation(4, "back")]).expect("put");
        assert_whole(&sandbox, &mut store);
        let report = store.verify().expect("verify");
        assert_eq!(
            (report.changed, report.deleted, report.provenance),
            (0, 0, 0)
        );
        drop(store);

        sandbox.clear_requests();
        let mut store = open(&sandbox, &state, 4);
        put(&mut store, &patients(0..9, "x")).expect("put");
        finish(&mut store, "01B").expect("finish");
        assert_eq!(sandbox.count(&Where::Write), 0);
    });
}

#[test]
fn circles_resolve_within_a_bundle() {
    let folder = TempDir::new().expect("folder");
    let sandbox = assigning(true, true);
    let mut store = open(&sandbox, &folder.path().join("state.db"), 100);
    // The first one teaches it that ids are given.
    put(&mut store, &patients(0..1, "x")).expect("put");
    let refers = |to: &str| format!(r#","partOf":{{"reference":"{to}"}}"#);
    let batch = [
        Sample::about("Organization", "a", "x", &refers("Location/b")),
        Sample::about("Location", "b", "x", &refers("Organization/a")),
    ];
    put(&mut store, &batch).expect("put");
    finish(&mut store, "01A").expect("finish");
    assert_whole(&sandbox, &mut store);
    let found = on_server(&sandbox);
    let there = found["Organization/a"]["partOf"]["reference"]
        .as_str()
        .expect("text");
    assert!(there.starts_with("Location/new-"), "{there}");
}

/// A type that is not to be had is no sign that a server gives the ids.
#[test]
fn one_type_that_is_not_taken_changes_nothing_for_others() {
    let folder = TempDir::new().expect("folder");
    let settings = WriteSettings::default().reject(|resource| {
        let mut rejection = Rejection::new("not-supported", "Device");
        rejection.status = 405;
        (resource.resource_type() == "Device").then_some(rejection)
    });
    let sandbox = super::sandbox(|builder| builder.writes(settings));
    let mut store = open(&sandbox, &folder.path().join("state.db"), 100);
    let batch = [
        Sample::new("Device", "d", "x"),
        Sample::new("Patient", "p", "x"),
    ];
    let outcomes = put(&mut store, &batch).expect("put");
    assert_eq!(outcomes, [PutOutcome::Refused, PutOutcome::Created]);
    put(&mut store, &patients(0..3, "x")).expect("put");
    assert_whole(&sandbox, &mut store);
    assert!(sandbox.data().resource("Patient", "p2").is_some());
}
