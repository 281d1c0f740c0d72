//! What somebody else does to the resources on the server.

use ehr_sandbox::{Data, Sandbox};
use fhir_http::HttpClient as _;
use fhir_store::{
    Error, PutOutcome, ResourceStore as _, RunStore as _, ServerSettings, ServerStore, SqliteStore,
};
use http::Request;
use tempfile::TempDir;

use super::{Sample, client, content, finish, open, patients, put, sandbox, sandbox_with};

/// Writes as somebody else.
fn meddle(sandbox: &Sandbox, method: &str, name: &str, body: &str) {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}/{name}", sandbox.base()))
        .header("content-type", "application/fhir+json")
        .body(body.as_bytes().to_vec())
        .expect("request");
    let response = sandbox.transport().send(request).expect("response");
    assert!(response.status().is_success(), "{}", response.status());
}

#[test]
fn newer_content_goes_over_a_change_of_others() {
    for (mismatch, transactions) in [(412, true), (409, true), (412, false)] {
        let folder = TempDir::new().expect("folder");
        let sandbox = sandbox_with(|settings| {
            settings.mismatch = mismatch;
            settings.transactions = transactions;
        });
        let mut store = open(&sandbox, &folder.path().join("state.db"));
        put(&mut store, &patients(0..9, "one")).expect("put");
        meddle(
            &sandbox,
            "PUT",
            "Patient/p3",
            &Sample::new("Patient", "p3", "theirs").body,
        );
        meddle(&sandbox, "DELETE", "Patient/p5", "");
        let outcomes = put(&mut store, &patients(0..9, "two")).expect("put");
        assert_eq!(outcomes, [PutOutcome::Updated { version: 2 }; 9]);
        for name in ["Patient/p3", "Patient/p5", "Patient/p8"] {
            assert_eq!(content(&sandbox, name).as_deref(), Some("two"));
        }
        assert_eq!(store.report().expect("report").drifted, 2);
        super::assert_whole(&sandbox, &mut store);
    }
}

#[test]
fn verify_finds_what_others_did_and_the_next_run_mends_it() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = sandbox(|builder| builder);
    let samples = patients(0..120, "ours");
    let mut store = open(&sandbox, &state);
    put(&mut store, &samples).expect("put");
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

    meddle(
        &sandbox,
        "PUT",
        "Patient/p3",
        &Sample::new("Patient", "p3", "theirs").body,
    );
    meddle(&sandbox, "PUT", "Patient/p4", &samples[4].body);
    meddle(&sandbox, "DELETE", "Patient/p5", "");
    let provenance = store
        .provenance("Patient", "p6", 1)
        .expect("provenance")
        .expect("one");
    let provenance: serde_json::Value = serde_json::from_slice(&provenance).expect("JSON");
    let lost = format!("Provenance/{}", provenance["id"].as_str().expect("id"));
    meddle(&sandbox, "DELETE", &lost, "");
    drop(store);

    let mut store = open(&sandbox, &state);
    let report = store.verify().expect("verify");
    assert_eq!(
        (
            report.checked,
            report.changed,
            report.deleted,
            report.provenance
        ),
        (240, 1, 1, 1)
    );
    let gone = store.get("Patient", "p5").expect("get").expect("known");
    assert!(gone.deleted);
    assert!(
        super::on_server(&sandbox).contains_key(&lost),
        "it is there again"
    );

    let outcomes = put(&mut store, &samples).expect("put");
    for (index, outcome) in outcomes.iter().enumerate() {
        let expected = match index {
            3 | 5 => PutOutcome::Updated { version: 2 },
            _ => PutOutcome::Unchanged,
        };
        assert_eq!(*outcome, expected, "{index}");
    }
    super::assert_whole(&sandbox, &mut store);
    let report = store.verify().expect("verify");
    assert_eq!(
        (report.changed, report.deleted, report.provenance),
        (0, 0, 0)
    );
}

#[test]
fn a_resource_that_is_gone_reads_as_deleted() {
    let folder = TempDir::new().expect("folder");
    let sandbox = sandbox(|builder| builder);
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    put(&mut store, &patients(0..3, "x")).expect("put");
    finish(&mut store, "01A").expect("finish");
    meddle(&sandbox, "DELETE", "Patient/p1", "");
    let scanned = store.scan(None, 0, usize::MAX).expect("scan");
    let deleted: Vec<_> = scanned.iter().map(|stored| stored.deleted).collect();
    assert_eq!(deleted, [false, true, false]);
    let outcomes = put(&mut store, &patients(0..3, "x")).expect("put");
    assert_eq!(outcomes[1], PutOutcome::Updated { version: 2 });
    super::assert_whole(&sandbox, &mut store);
}

#[test]
fn a_server_that_was_emptied_is_filled_again() {
    let folder = TempDir::new().expect("folder");
    let sandbox = sandbox(|builder| builder);
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    put(&mut store, &patients(0..70, "x")).expect("put");
    finish(&mut store, "01A").expect("finish");
    sandbox.set_data(Data::default());
    let report = store.verify().expect("verify");
    assert_eq!((report.deleted, report.provenance), (70, 70));
    put(&mut store, &patients(0..70, "x")).expect("put");
    super::assert_whole(&sandbox, &mut store);
}

#[test]
fn a_reader_sees_all_and_notes_nothing() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = sandbox(|builder| builder);
    let open_read_only =
        || ServerStore::open_read_only(&state, client(&sandbox), ServerSettings::default());
    assert!(matches!(open_read_only(), Err(Error::NotFound { .. })));
    let mut store = open(&sandbox, &state);
    put(&mut store, &patients(0..3, "x")).expect("put");
    finish(&mut store, "01A").expect("finish");
    meddle(&sandbox, "DELETE", "Patient/p1", "");

    // Beside the writer, with bodies that only the server has.
    let mut reader = open_read_only().expect("reader");
    let scanned = reader.scan(None, 0, usize::MAX).expect("scan");
    let there: Vec<_> = scanned.iter().map(|stored| stored.body.is_some()).collect();
    assert_eq!(there, [true, false, true]);
    assert!(matches!(
        reader.put(
            &super::context(),
            &[patients(5..6, "x")[0].put()],
            &mut Vec::new()
        ),
        Err(Error::ReadOnly)
    ));
    reader.flush().expect("nothing to do");

    // Without the server: what is known to be gone is gone.
    let mut known = SqliteStore::open_read_only(&state).expect("state");
    let stored = known.get("Patient", "p1").expect("get").expect("known");
    assert!(!stored.deleted, "the reader has noted it");
    store.verify().expect("verify");
    let stored = known.get("Patient", "p1").expect("get").expect("known");
    assert!(stored.deleted);
    let other = known.get("Patient", "p2").expect("get").expect("known");
    assert!(!other.deleted && other.body.is_none());
}
