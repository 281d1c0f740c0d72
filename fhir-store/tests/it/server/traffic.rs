//! What goes over the wire, and what doesn't.

use ehr_sandbox::Where;
use fhir_store::{
    Error, PutOutcome, ResourceStore as _, RunStore as _, ServerSettings, ServerStore, SqliteStore,
};
use tempfile::TempDir;

use super::{
    Sample, assert_whole, client, content, delete, finish, open, patients, put, sandbox,
    sandbox_with,
};

#[test]
fn unchanged_data_costs_no_request() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = sandbox(|builder| builder);
    let samples = patients(0..250, "one");
    let mut store = open(&sandbox, &state);
    assert_eq!(sandbox.requests().len(), 0, "opening asks nothing");
    let outcomes = put(&mut store, &samples).expect("put");
    assert_eq!(outcomes, [PutOutcome::Created; 250]);
    finish(&mut store, "01A").expect("finish");
    assert_eq!(sandbox.requests().len(), 3, "Bundles of a hundred");
    assert_whole(&sandbox, &mut store);
    drop(store);

    sandbox.clear_requests();
    let mut store = open(&sandbox, &state);
    let outcomes = put(&mut store, &samples).expect("put");
    assert_eq!(outcomes, [PutOutcome::Unchanged; 250]);
    finish(&mut store, "01B").expect("finish");
    assert_eq!(sandbox.requests().len(), 0);
}

#[test]
fn bodies_are_forgotten_and_read_back() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = sandbox(|builder| builder);
    let mut store = open(&sandbox, &state);
    let digits = r#","valueQuantity":{"value":1.100}"#;
    let sample = Sample::about("Observation", "o", "secret-content", digits);
    put(&mut store, std::slice::from_ref(&sample)).expect("put");
    finish(&mut store, "01A").expect("finish");
    let stored = store.get("Observation", "o").expect("get").expect("stored");
    assert_eq!(stored.body.as_deref(), Some(&*sample.body));
    drop(store);

    let mut reader = SqliteStore::open_read_only(&state).expect("open");
    let stored = reader
        .get("Observation", "o")
        .expect("get")
        .expect("stored");
    assert_eq!(stored.body, None);
    assert!(
        reader.run("01A").expect("run").is_some(),
        "runs can be read beside it"
    );
}

#[test]
fn a_state_belongs_to_one_server() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = sandbox(|builder| builder);
    drop(open(&sandbox, &state));
    let other = fhir_http::FhirClient::new(
        client(&sandbox).http().clone(),
        "https://other.example/fhir",
    );
    let settings = ServerSettings::default();
    let opened = ServerStore::open(&state, other.expect("client"), settings);
    assert!(matches!(opened, Err(Error::OtherServer { .. })));
    assert!(matches!(
        SqliteStore::open(&state),
        Err(Error::ForeignFile { .. })
    ));
    drop(open(&sandbox, &state));

    let plain = folder.path().join("plain.db");
    let mut store = SqliteStore::open(&plain).expect("open");
    let sample = Sample::new("Patient", "p", "x");
    store
        .put(&super::context(), &[sample.put()], &mut Vec::new())
        .expect("put");
    store.flush().expect("flush");
    drop(store);
    let opened = ServerStore::open(&plain, client(&sandbox), settings);
    assert!(matches!(opened, Err(Error::ForeignFile { .. })));
    SqliteStore::open(&plain).expect("it is as it was");
}

#[test]
fn bundles_shrink_until_the_server_takes_them() {
    let folder = TempDir::new().expect("folder");
    let sandbox = sandbox_with(|settings| settings.longest_body = 9_000);
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    let mut samples = patients(0..60, "one");
    // Alone it is too large whatever is done.
    samples.push(Sample::new("Patient", "large", "x").padded(20_000));
    let outcomes = put(&mut store, &samples).expect("put");
    assert_eq!(outcomes[..60], [PutOutcome::Created; 60]);
    assert_eq!(outcomes[60], PutOutcome::Refused);
    assert_eq!(
        store.take_refusals()[0].to_string(),
        "the server answered 413, too-long"
    );
    assert_whole(&sandbox, &mut store);
    sandbox.clear_requests();
    put(&mut store, &patients(0..60, "two")).expect("put");
    let refused = sandbox
        .requests()
        .iter()
        .filter(|own| own.status == 413)
        .count();
    assert!(refused <= 2, "it remembers what is too large");
}

#[test]
fn versions_are_matched_and_gaps_are_not() {
    let folder = TempDir::new().expect("folder");
    let sandbox = sandbox(|builder| builder);
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    for text in ["one", "two", "three"] {
        put(&mut store, &[Sample::new("Patient", "p", text)]).expect("put");
    }
    delete(&mut store, "Patient", "p").expect("delete");
    assert_eq!(content(&sandbox, "Patient/p"), None);
    put(&mut store, &[Sample::new("Patient", "p", "four")]).expect("put");
    assert_eq!(content(&sandbox, "Patient/p").as_deref(), Some("four"));
    assert_whole(&sandbox, &mut store);
    assert_eq!(sandbox.requests().len(), 5, "each was right at once");
    assert_eq!(sandbox.count(&Where::Write), 5);
    let history = store.history("Patient", "p").expect("history");
    assert_eq!(history.len(), 5);
}

#[test]
fn a_server_without_transactions_gets_batches_ever_after() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = sandbox_with(|settings| settings.transactions = false);
    let mut store = open(&sandbox, &state);
    put(&mut store, &patients(0..350, "one")).expect("put");
    assert_whole(&sandbox, &mut store);
    let single = |own: &ehr_sandbox::Recorded| own.resource_type().is_some();
    assert!(
        !sandbox.requests().iter().any(single),
        "nothing goes one by one"
    );
    drop(store);
    sandbox.clear_requests();
    let mut store = open(&sandbox, &state);
    put(&mut store, &patients(350..450, "one")).expect("put");
    assert_eq!(
        sandbox.requests().len(),
        2,
        "the resources, the Provenances"
    );
}
