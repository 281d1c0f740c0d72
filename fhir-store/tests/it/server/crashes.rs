//! The end of the process or of the network at any request, and one more run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ehr_sandbox::{Where, WriteSettings};
use fhir_http::{Body, HttpClient, TransportError};
use fhir_store::{DeleteOutcome, Result, ServerSettings, ServerStore};
use http::{Request, Response};
use proptest::prelude::*;
use tempfile::TempDir;

use super::tagged::Tagged;
use super::{Sample, assert_whole, client_over, content, delete, finish, patients, put, sandbox};

/// A network that is gone after so many requests.
struct Cut<T> {
    inner: T,
    left: AtomicUsize,
    /// The last request is carried out, and its answer lost.
    carried_out: bool,
}

impl<T: HttpClient> HttpClient for Cut<T> {
    fn send(
        &self,
        request: Request<Vec<u8>>,
    ) -> std::result::Result<Response<Body>, TransportError> {
        let gone = || Err(TransportError::Connect("cut as planned".into()));
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(left.saturating_sub(1))
            });
        match left {
            Ok(0) => gone(),
            Ok(1) => {
                if self.carried_out {
                    let _ = self.inner.send(request);
                }
                gone()
            }
            _ => self.inner.send(request),
        }
    }
}

/// The first load; its files have the newest content of everything.
fn first() -> Vec<Vec<Sample>> {
    vec![patients(0..7, "old"), observations("old")]
}

/// A later one: some things are new, some are changed, some have gone.
fn second() -> Vec<Vec<Sample>> {
    vec![
        patients(2..9, "new"),
        patients(0..2, "old"),
        observations("new"),
    ]
}

fn observations(content: &str) -> Vec<Sample> {
    (0..5)
        .map(|id| {
            let subject = format!(r#","subject":{{"reference":"Patient/p{id}"}}"#);
            Sample::about("Observation", format!("o{id}"), content, &subject)
        })
        .collect()
}

fn load(store: &mut ServerStore, input: &[Vec<Sample>], run: &str) -> Result<()> {
    for batch in input {
        put(store, batch)?;
    }
    if run == "second" {
        for id in ["o3", "o4"] {
            let outcome = delete(store, "Observation", id)?;
            assert_ne!(outcome, DeleteOutcome::Conflict);
        }
    }
    finish(store, run)
}

fn settings(kind: usize) -> WriteSettings {
    let mut settings = WriteSettings::default();
    settings.transactions = kind.is_multiple_of(3);
    settings.batches = kind % 3 < 2;
    settings.skip_unchanged = kind / 3 == 1;
    settings.client_ids = kind / 3 < 2;
    settings
}

fn survives(kind: usize, cuts: &[(usize, bool)], writes: usize, concurrency: usize) {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = sandbox(|builder| builder.writes(settings(kind)));
    let limits = ServerSettings::default()
        .bundle_writes(writes)
        .concurrency(concurrency);
    let cut = |left, carried_out| {
        let transport = Cut {
            inner: Tagged(sandbox.transport()),
            left: AtomicUsize::new(left),
            carried_out,
        };
        let client = client_over(&sandbox, Arc::new(transport));
        ServerStore::open(&state, client, limits).expect("open")
    };
    // The first load comes to its end, unless it is cut; the second is begun as often as there are cuts.
    let mut runs = cuts.iter();
    if let Some(&(left, carried_out)) = runs.next() {
        let _ = load(&mut cut(left, carried_out), &first(), "first");
    }
    for (number, &(left, carried_out)) in runs.enumerate() {
        let mut store = cut(left, carried_out);
        let result = second()
            .iter()
            .try_for_each(|batch| put(&mut store, batch).map(drop));
        let _ = result.and_then(|()| finish(&mut store, &format!("try {number}")));
    }
    let mut store = cut(usize::MAX, false);
    load(&mut store, &second(), "second").expect("one more run");
    assert_whole(&sandbox, &mut store);
    for (name, text) in [
        ("Patient/p1", Some("old")),
        ("Patient/p8", Some("new")),
        ("Observation/o2", Some("new")),
        ("Observation/o3", None),
    ] {
        assert_eq!(content(&sandbox, name).as_deref(), text, "{name}");
    }
    drop(store);

    sandbox.clear_requests();
    let mut store = cut(usize::MAX, false);
    for batch in second().iter().take(2) {
        put(&mut store, batch).expect("put");
    }
    finish(&mut store, "third").expect("finish");
    assert_eq!(sandbox.count(&Where::Write), 0, "nothing was left to write");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_more_run_makes_it_whole(
        kind in 0..9_usize,
        cuts in prop::collection::vec((0..24_usize, any::<bool>()), 1..4),
        writes in 1..6_usize,
        concurrency in 1..4_usize,
    ) {
        survives(kind, &cuts, writes, concurrency);
    }
}

/// Every single request of a run on a server with transactions.
#[test]
fn every_request_may_be_the_last() {
    for left in 0..12 {
        for carried_out in [false, true] {
            survives(0, &[(left, carried_out)], 3, 1);
            survives(0, &[(usize::MAX, false), (left, carried_out)], 3, 1);
            survives(6, &[(left, carried_out)], 3, 1);
        }
    }
}

/// One request takes so long that it is given up, and is carried out much later.
struct Late<T> {
    inner: T,
    request: std::sync::Mutex<(usize, Option<Request<Vec<u8>>>)>,
}

impl<T: HttpClient> HttpClient for Late<T> {
    fn send(
        &self,
        request: Request<Vec<u8>>,
    ) -> std::result::Result<Response<Body>, TransportError> {
        let mut held = self.request.lock().expect("no panic");
        held.0 += 1;
        if held.0 == 1 {
            held.1 = Some(request);
            return Err(TransportError::Timeout("response"));
        }
        drop(held);
        self.inner.send(request)
    }
}

#[test]
fn a_request_that_is_carried_out_too_late_is_made_up_for() {
    let folder = TempDir::new().expect("folder");
    let sandbox = sandbox(|builder| builder.writable());
    let late = Arc::new(Late {
        inner: sandbox.transport(),
        request: Default::default(),
    });
    let client = client_over(&sandbox, late.clone());
    let state = folder.path().join("state.db");
    let mut store = ServerStore::open(&state, client, ServerSettings::default()).expect("open");
    put(&mut store, &patients(0..6, "old")).expect("put");
    put(&mut store, &patients(0..3, "new")).expect("put");
    // Now the server gets to the first Bundle, which has the old content of all.
    let request = late.request.lock().expect("no panic").1.take();
    let answer = sandbox.transport().send(request.expect("it was held"));
    assert!(answer.expect("an answer").status().is_success());
    assert_eq!(content(&sandbox, "Patient/p1").as_deref(), Some("old"));
    finish(&mut store, "01A").expect("finish");
    for (id, expected) in [("p1", "new"), ("p5", "old")] {
        let name = format!("Patient/{id}");
        assert_eq!(content(&sandbox, &name).as_deref(), Some(expected), "{id}");
    }
    assert_whole(&sandbox, &mut store);
}
