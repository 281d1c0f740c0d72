//! A FHIR server as the store: what a load leaves there, and what it refuses.

use std::path::Path;
use std::sync::Arc;

use ehr_sandbox::{Data, Rejection, Sandbox, WriteSettings};
use fhir_http::testing::{FakeClock, FakeRandom};
use fhir_http::{Client, FhirClient};
use ingest_pipeline::store::{RunStore as _, ServerSettings, ServerStore};

use crate::support::{Folder, Stopped, content, load, loaded};

fn server(writes: WriteSettings) -> Sandbox {
    let builder = Sandbox::builder().open().data(Data::default()).writable();
    builder.writes(writes).in_process().expect("a sandbox")
}

fn open(server: &Sandbox, folder: &Path) -> ServerStore {
    let clock = Arc::new(FakeClock::new(ingest_pipeline::Clock::now(&Stopped)));
    let client = Client::new(Arc::new(server.transport()), clock);
    let client = client.random(Arc::new(FakeRandom::new(1)));
    let client = FhirClient::new(client, &server.base()).expect("a client");
    ServerStore::open(
        folder.join("server.state"),
        client,
        ServerSettings::default(),
    )
    .expect("a store")
}

/// Two versions of a resource, a reference to what comes later, one by
/// identifier, a patient under a record number, a deletion, and a bad record.
fn input() -> Folder {
    Folder::new(&[
        (
            "Observation.ndjson",
            r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.0},"subject":{"reference":"Patient/p1"}}
{"resourceType":"Observation","id":"o1","status":"amended","code":{"text":"x"},"valueQuantity":{"value":1.00},"subject":{"reference":"Patient/p1"}}
{"resourceType":"Observation","id":"o2","code":{"text":"x"},"subject":{"reference":"Patient?identifier=urn:mrn|7"}}
{"resourceType":"Observation","id":"o3"
"#,
        ),
        (
            "Patient.ndjson",
            r#"{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"7"}]}
{"resourceType":"Patient","id":"p2"}
{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/p2"}}]}
"#,
        ),
    ])
}

#[test]
fn a_load_leaves_the_same_as_in_memory_and_a_second_one_writes_nothing() {
    let folder = input();
    let server = server(WriteSettings::default());
    let state = tempfile::tempdir().expect("a folder");
    let mut store = open(&server, state.path());
    let first = load(&mut store, &folder);
    assert_eq!(first.quarantined, 1, "{first:?}");
    let current = |all: Vec<(String, String, u64, bool, String)>| {
        let mut latest = std::collections::BTreeMap::new();
        for (resource_type, id, version, deleted, body) in all {
            latest.insert((resource_type, id), (version, deleted, body));
        }
        latest
    };
    let expected = current(content(&mut loaded(&folder)));
    assert_eq!(current(content(&mut store)), expected);

    let writes = |server: &Sandbox| {
        let requests = server.requests();
        requests.iter().filter(|it| it.method != "GET").count()
    };
    let before = writes(&server);
    assert!(before > 0);
    let again = load(&mut store, &folder);
    assert_eq!((again.created, again.updated, again.deleted), (0, 0, 0));
    assert_eq!(writes(&server), before, "no write request");
}

#[test]
fn what_the_server_refuses_is_in_the_quarantine() {
    let folder = input();
    let server = server(WriteSettings::default().reject(|resource| {
        let rejection = Rejection::new("invariant", "Observation.value");
        (resource.resource_type() == "Observation").then_some(rejection)
    }));
    let state = tempfile::tempdir().expect("a folder");
    let mut store = open(&server, state.path());
    let summary = load(&mut store, &folder);
    assert_eq!(summary.quarantined, 4, "{summary:?}");
    assert_eq!(summary.created, 2, "{summary:?}");
    let quarantine = store
        .quarantined(None, 0, usize::MAX)
        .expect("a quarantine");
    let refused = quarantine.iter().filter(|it| it.reason == "store-refused");
    for record in refused.clone() {
        assert!(
            record.detail.ends_with("invariant at Observation.value"),
            "{}",
            record.detail
        );
        assert!(
            record.file.ends_with("Observation.ndjson"),
            "{}",
            record.file
        );
        assert!(record.line.is_some());
    }
    assert_eq!(refused.count(), 3);
}

/// Counts are of what came to be, also where the server says no at the end.
#[test]
fn what_the_server_refuses_at_the_end_counts_as_quarantined() {
    let folder = input();
    let mut writes = WriteSettings::default().reject(|resource| {
        let rejection = Rejection::new("invariant", "Observation.value");
        resource.json().contains("1.00").then_some(rejection)
    });
    writes.dangling_references = Some(422);
    let server = server(writes);
    let state = tempfile::tempdir().expect("a folder");
    let mut store = open(&server, state.path());
    let summary = load(&mut store, &folder);
    // Two of them, of which the patient comes later: refused is the second version.
    assert_eq!(summary.refused_late, 0);
    // The server keeps what a Provenance refers to, so the delete waits.
    let held: Vec<_> = summary.held.iter().map(|own| &*own.resource_type).collect();
    assert_eq!(held, ["Patient"]);
    let record = store.quarantined(None, 0, 9).expect("a quarantine");
    let refused = record.iter().filter(|it| it.reason == "store-refused");
    assert_eq!(refused.count(), 1);
    assert_eq!(
        (summary.quarantined, summary.updated),
        (2, 0),
        "{summary:?}"
    );
    let again = load(&mut store, &folder);
    assert_eq!((again.created, again.updated), (0, 0), "{again:?}");
    assert_eq!(again.quarantined, 2, "{again:?}");
}
