//! Resources that the server turns down.

use ehr_sandbox::{Rejection, Sandbox, WriteSettings};
use fhir_store::{
    Amend, PutOutcome, ResourceStore as _, RunStore as _, ServerSettings, ServerStore,
};
use tempfile::TempDir;

use super::{Sample, assert_whole, delete, finish, open, patients, put, sandbox};

const SECRET: &str = "Miller";

/// One that takes no resource with the text `bad`, and says why at length.
fn picky(change: impl FnOnce(&mut WriteSettings)) -> Sandbox {
    let mut settings = WriteSettings::default().reject(|resource| {
        let mut rejection = Rejection::new("invariant", "Patient.birthDate");
        rejection.diagnostics = format!("{SECRET} was never born");
        resource.json().contains("\"bad\"").then_some(rejection)
    });
    change(&mut settings);
    sandbox(|builder| builder.writes(settings))
}

fn others_are_written(sandbox: &Sandbox) {
    let folder = TempDir::new().expect("folder");
    let mut store = open(sandbox, &folder.path().join("state.db"));
    let mut samples = patients(0..90, "good");
    for bad in [0, 40, 41, 89] {
        samples[bad] = Sample::new("Patient", format!("p{bad}"), "bad");
    }
    let outcomes = put(&mut store, &samples).expect("put");
    for (index, outcome) in outcomes.iter().enumerate() {
        let expected = match index {
            0 | 40 | 41 | 89 => PutOutcome::Refused,
            _ => PutOutcome::Created,
        };
        assert_eq!(*outcome, expected, "{index}");
    }
    let refusals = store.take_refusals();
    assert_eq!(refusals.len(), 4);
    assert_eq!(refusals[0].code, "invariant");
    assert_eq!(refusals[0].expression, "Patient.birthDate");
    assert_eq!(store.take_refusals(), [], "they are told once");
    assert_whole(sandbox, &mut store);

    // Nothing of them is left, so that they may come again, better.
    assert_eq!(store.get("Patient", "p40").expect("get"), None);
    assert_eq!(store.history("Patient", "p41").expect("history"), []);
    let better = [
        Sample::new("Patient", "p40", "good"),
        Sample::new("Patient", "p1", "bad"),
    ];
    let outcomes = put(&mut store, &better).expect("put");
    assert_eq!(outcomes, [PutOutcome::Created, PutOutcome::Refused]);
    let before = store.get("Patient", "p1").expect("get").expect("stored");
    assert_eq!(before.version, 1);
    let again = put(&mut store, &patients(1..2, "good")).expect("put");
    assert_eq!(again, [PutOutcome::Unchanged]);
    finish(&mut store, "01A").expect("finish");
    assert_whole(sandbox, &mut store);
    for text in [format!("{store:?}"), format!("{:?}", store.report())] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn the_rest_of_a_transaction_is_written() {
    others_are_written(&picky(|_| {}));
}

#[test]
fn the_rest_of_a_batch_is_written() {
    others_are_written(&picky(|settings| settings.transactions = false));
}

#[test]
fn the_rest_is_written_without_bundles() {
    others_are_written(&picky(|settings| {
        settings.transactions = false;
        settings.batches = false;
    }));
}

#[test]
fn what_is_no_resource_does_no_harm() {
    let folder = TempDir::new().expect("folder");
    let sandbox = sandbox(|builder| builder);
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    let mut samples = patients(0..4, "good");
    samples[0].body =
        r#"{}},{"request":{"method":"DELETE","url":"Patient/p1"}},{"a":{}"#.to_owned();
    samples[1].body = "[]".to_owned();
    samples[2].id = "p2/../p3".to_owned();
    let outcomes = put(&mut store, &samples).expect("put");
    let (refused, created) = (PutOutcome::Refused, PutOutcome::Created);
    assert_eq!(outcomes, [refused, refused, refused, created]);
    assert_eq!(store.take_refusals().len(), 3);
    assert_whole(&sandbox, &mut store);
}

/// A crash between the write and the answer, after which the server has become picky.
#[test]
fn what_is_refused_late_is_quarantined() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = picky(|_| {});
    sandbox.set_faults(ehr_sandbox::FaultPlan::of(["write:every:status=401"]).expect("faults"));
    let samples = [
        Sample::new("Patient", "p1", "bad"),
        Sample::new("Patient", "p2", "good"),
    ];
    let mut store = open(&sandbox, &state);
    let error = super::put_in_vain(&mut store, &samples);
    assert!(matches!(error, fhir_store::Error::Server { .. }));
    drop(store);
    sandbox.set_faults(ehr_sandbox::FaultPlan::none());

    let mut store = open(&sandbox, &state);
    store.flush().expect("flush");
    let report = store.report().expect("report");
    assert_eq!((report.refused_late, report.unresolved.len()), (1, 0));
    let kept = store
        .quarantined(Some("01JRUN"), 0, 9)
        .expect("quarantined");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].reason, "store-refused");
    assert!(!kept[0].detail.contains(SECRET));
    assert_eq!(kept[0].body, samples[0].body.as_bytes());
    assert_whole(&sandbox, &mut store);
}

/// A server that fails over a resource instead of refusing it.
#[test]
fn a_stumble_is_a_refusal_until_there_are_many() {
    let folder = TempDir::new().expect("folder");
    let sandbox = picky(|settings| {
        *settings = std::mem::take(settings).reject(|resource| {
            let mut rejection = Rejection::new("exception", "");
            rejection.status = 500;
            resource.json().contains("\"poison\"").then_some(rejection)
        });
    });
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    let mut samples = patients(0..30, "good");
    samples[7] = Sample::new("Patient", "p7", "poison");
    let outcomes = put(&mut store, &samples).expect("put");
    assert_eq!(outcomes[7], PutOutcome::Refused);
    assert_eq!(outcomes[8..], [PutOutcome::Created; 22]);
    assert_whole(&sandbox, &mut store);

    super::put_in_vain(&mut store, &patients(0..30, "poison"));
    let waiting = store.report().expect("report").unresolved;
    assert!(waiting.iter().all(|own| own.writes > 15), "{waiting:?}");
}

/// The server has the content from before, and that can't be taken back.
#[test]
fn an_amendment_that_is_refused_stays_in_the_report() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = picky(|_| {});
    let mut store = open(&sandbox, &state);
    put(&mut store, &patients(0..2, "good")).expect("put");
    finish(&mut store, "01A").expect("finish");
    let bad = Sample::new("Patient", "p1", "bad");
    let amend = Amend {
        resource_type: "Patient",
        id: "p1",
        version: 1,
        content_hash: bad.put().content_hash,
        body: &bad.body,
        identifiers: &[],
        keeps_line: false,
    };
    store.amend(&[amend]).expect("amend");
    finish(&mut store, "01B").expect("finish");
    drop(store);
    let mut store = open(&sandbox, &state);
    finish(&mut store, "01C").expect("finish");
    let waiting = store.report().expect("report").unresolved;
    assert_eq!(waiting.len(), 1);
    assert_eq!((&*waiting[0].code, waiting[0].writes), ("invariant", 1));
    let stored = store.get("Patient", "p1").expect("get").expect("stored");
    assert_eq!(stored.body.as_deref(), Some(&*bad.body));

    let better = Sample::new("Patient", "p1", "better");
    let outcomes = put(&mut store, &[better]).expect("put");
    assert_eq!(outcomes, [PutOutcome::Updated { version: 2 }]);
    finish(&mut store, "01D").expect("finish");
    assert_whole(&sandbox, &mut store);
}

/// Refused in the first Bundle, and then the network is gone.
#[test]
fn what_was_refused_before_a_failure_is_told() {
    let folder = TempDir::new().expect("folder");
    let sandbox = picky(|_| {});
    let faults = ehr_sandbox::FaultPlan::of(["write:4:status=401"]).expect("faults");
    sandbox.set_faults(faults);
    let limits = ServerSettings::default().bundle_writes(2).concurrency(1);
    let state = folder.path().join("state.db");
    let mut store = ServerStore::open(&state, super::client(&sandbox), limits).expect("open");
    let mut samples = patients(0..6, "good");
    samples[0] = Sample::new("Patient", "p0", "bad");
    let outcomes = put(&mut store, &samples).expect("they are in the state");
    assert_eq!(outcomes[0], PutOutcome::Refused);
    assert_eq!(outcomes[1..], [PutOutcome::Created; 5]);
    assert_eq!(store.take_refusals().len(), 1);
    store.flush().expect_err("no access");
    // The same store goes on where it was.
    finish(&mut store, "01A").expect("finish");
    assert_whole(&sandbox, &mut store);
    assert!(super::content(&sandbox, "Patient/p5").is_some());
}

#[test]
fn a_delete_of_what_is_gone_is_done() {
    let folder = TempDir::new().expect("folder");
    for settings in [true, false].map(|transactions| {
        let mut settings = WriteSettings::default();
        settings.transactions = transactions;
        settings
    }) {
        let sandbox = sandbox(|builder| builder.writes(settings));
        let state = folder.path().join(format!("{}.db", sandbox.base().len()));
        let _ = std::fs::remove_file(&state);
        let mut store = open(&sandbox, &state);
        put(&mut store, &patients(0..2, "x")).expect("put");
        sandbox.set_data(ehr_sandbox::Data::default());
        delete(&mut store, "Patient", "p0").expect("delete");
        let report = store.report().expect("report");
        assert_eq!(report.unresolved, []);
        let found = super::on_server(&sandbox);
        assert_eq!(found.len(), 1, "the Provenance of the delete");
    }
}

/// A version that waited is not lost when the one after it is refused.
#[test]
fn the_version_before_a_refused_one_is_sent() {
    let folder = TempDir::new().expect("folder");
    let sandbox = picky(|settings| settings.dangling_references = Some(422));
    let state = folder.path().join("state.db");
    let mut store = open(&sandbox, &state);
    let subject = r#","subject":{"reference":"Patient/p1"}"#;
    let about = |content| Sample::about("Observation", "o1", content, subject);
    put(&mut store, &[about("good")]).expect("it waits");
    let outcomes = put(&mut store, &[about("bad")]).expect("it waits too");
    assert_eq!(outcomes, [PutOutcome::Updated { version: 2 }]);
    put(&mut store, &patients(1..2, "good")).expect("put");
    let taken_back = store.settle_writes("01JRUN").expect("settle");
    let taken_back: Vec<_> = taken_back.iter().map(|own| own.created).collect();
    assert_eq!(taken_back, [false]);
    assert_eq!(store.settle_writes("01JRUN").expect("settle"), []);
    finish(&mut store, "01A").expect("finish");
    assert_eq!(
        super::content(&sandbox, "Observation/o1").as_deref(),
        Some("good")
    );
    assert_eq!(store.report().expect("report"), Default::default());
    assert_whole(&sandbox, &mut store);
}

/// What waited for its reference, and is refused when that is there.
#[test]
fn what_is_refused_at_the_end_of_its_run_is_taken_back() {
    let folder = TempDir::new().expect("folder");
    let sandbox = picky(|settings| settings.dangling_references = Some(422));
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    let subject = r#","subject":{"reference":"Patient/p1"}"#;
    let early = [
        Sample::about("Observation", "o1", "good", subject),
        Sample::about("Observation", "o2", "good", subject),
    ];
    put(&mut store, &early).expect("put");
    let bad = Sample::about("Observation", "o3", "bad", subject);
    let outcomes = put(&mut store, &[bad]).expect("put");
    assert_eq!(outcomes, [PutOutcome::Created], "it waits unseen");
    put(&mut store, &patients(1..2, "good")).expect("put");
    let taken_back = store.settle_writes("01JRUN").expect("settle");
    assert_eq!(taken_back.len(), 1);
    assert_eq!(
        (&*taken_back[0].resource_type, taken_back[0].created),
        ("Observation", true)
    );
    assert_eq!(store.report().expect("report").refused_late, 0);
    assert_eq!(store.quarantined(None, 0, 9).expect("kept").len(), 1);
    assert_eq!(store.get("Observation", "o3").expect("get"), None);
    assert_whole(&sandbox, &mut store);
}
