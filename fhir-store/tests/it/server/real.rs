//! The same promises on a server that others wrote. It should be one for tests: what is written stays there.
//!
//! ```sh
//! FHIR_STORE_URL=http://127.0.0.1:8190/fhir cargo test -p fhir-resource-store --features server --test it real
//! ```

use std::sync::Arc;

use fhir_http::{Client, FhirClient, SystemClock, UreqClient, UreqConfig};
use fhir_store::{
    PutOutcome, ResourceStore as _, RunStore as _, ServerSettings, ServerStore, conformance,
};
use tempfile::TempDir;

use super::{Sample, delete, finish, put};

/// The server named in the environment; else a line that says there is none.
#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn server() -> Option<FhirClient> {
    let Ok(url) = std::env::var("FHIR_STORE_URL") else {
        eprintln!("skipped: FHIR_STORE_URL names no server");
        return None;
    };
    let transport = UreqClient::new(&UreqConfig::default()).expect("transport");
    let client = Client::new(Arc::new(transport), Arc::new(SystemClock));
    Some(FhirClient::new(client, &url).expect("FHIR_STORE_URL"))
}

#[test]
fn a_real_server_conforms() {
    let Some(server) = server() else { return };
    let folder = TempDir::new().expect("folder");
    let mut number = 0;
    conformance::run_all(&mut || {
        number += 1;
        let state = folder.path().join(format!("{number}.db"));
        let settings = ServerSettings::default();
        Box::new(ServerStore::open(state, server.clone(), settings).expect("open"))
    });
}

#[test]
fn a_real_server_is_verified_and_drift_is_found() {
    let Some(server) = server() else { return };
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let open = |state| {
        let settings = ServerSettings::default();
        ServerStore::open(state, server.clone(), settings).expect("open")
    };
    let sample = |id: &str, content: &str| {
        let family = format!(r#","name":[{{"family":"{content}"}}]"#);
        let mut sample = Sample::new("Patient", id, content);
        sample.body = format!(r#"{{"resourceType":"Patient","id":"{id}"{family}}}"#);
        sample
    };
    let ids: Vec<String> = (0..120).map(|number| format!("verify-{number}")).collect();
    let samples: Vec<_> = ids.iter().map(|id| sample(id, "ours")).collect();
    let mut store = open(&state);
    assert_eq!(
        put(&mut store, &samples).expect("put"),
        [PutOutcome::Created; 120]
    );
    finish(&mut store, "01A").expect("finish");
    let report = store.verify().expect("verify");
    assert_eq!(
        (
            report.checked,
            report.changed,
            report.deleted,
            report.provenance
        ),
        (240, 0, 0, 0)
    );

    // Somebody else: a store that knows nothing of ours.
    let mut other = open(&folder.path().join("other.db"));
    put(
        &mut other,
        &[sample("verify-3", "theirs"), sample("verify-5", "x")],
    )
    .expect("put");
    delete(&mut other, "Patient", "verify-5").expect("delete");
    let outcomes = put(&mut store, &[sample("verify-3", "newer")]).expect("put");
    assert_eq!(outcomes, [PutOutcome::Updated { version: 2 }]);
    assert_eq!(store.report().expect("report").drifted, 1);
    finish(&mut store, "01B").expect("finish");
    let report = store.verify().expect("verify");
    assert_eq!((report.changed, report.deleted), (0, 1));
    let stored = store
        .get("Patient", "verify-3")
        .expect("get")
        .expect("stored");
    assert!(stored.body.is_some_and(|body| body.contains("newer")));
    assert_eq!(
        put(&mut store, &samples[5..6]).expect("put"),
        [PutOutcome::Updated { version: 2 }]
    );

    // What the server does not want, among what it wants.
    let mut bad = sample("verify-bad", "bad");
    bad.body = r#"{"resourceType":"Patient","id":"verify-bad","birthDate":"yesterday"}"#.to_owned();
    let mixed = [sample("verify-200", "x"), bad, sample("verify-201", "x")];
    let outcomes = put(&mut store, &mixed).expect("put");
    let created = PutOutcome::Created;
    assert_eq!(outcomes, [created, PutOutcome::Refused, created]);
    assert_eq!(store.take_refusals().len(), 1);
}
