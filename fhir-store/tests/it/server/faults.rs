//! Everything that goes wrong with a server, and one more run.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ehr_sandbox::{FaultPlan, Where, WriteSettings};
use fhir_http::testing::FakeClock;
use fhir_http::{Client, FhirClient, Interrupt};
use fhir_store::{RunStore as _, ServerSettings};
use tempfile::TempDir;

use super::{assert_whole, client, finish, open, patients, put, sandbox, sandbox_with};

#[test]
fn one_more_run_mends_every_fault() {
    let faults = [
        "write:1:status=429,retry-after=5",
        "write:first-3:status=503,retry-after=1",
        "write:every:status=503",
        "write:2:status=500",
        "write:2:status=413",
        "write:first-2:status=408",
        "write:2:status=504",
        "write:2:status=409",
        "write:2:status=412",
        "write:2:status=412,body=outcome/conflict",
        "write:2:status=401",
        "write:2:status=403",
        "write:2:html",
        "write:2:drop",
        "write:2:cut=20",
        "write:2:transient",
        "write:2:after=drop",
        "write:every:after=drop",
        "write:2:after=status=503",
        "write:2:after=status=504",
        "write:2:after=html",
        "write:2:after=transient",
        "write:2:content-type=text/html",
    ];
    for fault in faults {
        for (transactions, batches) in [(true, true), (false, true), (false, false)] {
            let folder = TempDir::new().expect("folder");
            let state = folder.path().join("state.db");
            let sandbox = sandbox_with(|settings| {
                settings.transactions = transactions;
                settings.batches = batches;
            });
            let mut store = open(&sandbox, &state);
            put(&mut store, &patients(0..6, "old")).expect("put");
            drop(store);
            sandbox.set_faults(FaultPlan::of([fault]).expect(fault));
            let limits = ServerSettings::default().bundle_writes(4).concurrency(2);
            let mut store =
                fhir_store::ServerStore::open(&state, client(&sandbox), limits).expect("open");
            let samples = [patients(3..6, "new"), patients(6..13, "new")].concat();
            let _ = put(&mut store, &samples);
            drop(store);

            sandbox.set_faults(FaultPlan::none());
            let mut store = open(&sandbox, &state);
            put(&mut store, &samples).expect(fault);
            finish(&mut store, "01B").expect(fault);
            assert_whole(&sandbox, &mut store);
            assert_eq!(
                store.report().expect("report").drifted,
                0,
                "{fault}: all was ours"
            );
            let kept = super::on_server(&sandbox);
            assert_eq!(kept.len(), 6 + 7 + 6 + 3 + 7, "{fault}");
        }
    }
}

#[test]
fn a_server_with_a_limit_gets_what_it_can_take() {
    let folder = TempDir::new().expect("folder");
    let clock = Arc::new(FakeClock::new(SystemTime::UNIX_EPOCH));
    let mut settings = WriteSettings::default();
    settings.rate = Some((3, Duration::from_secs(1)));
    let sandbox = sandbox(|builder| builder.writes(settings).clock(clock.clone()));
    let http = Client::new(Arc::new(sandbox.transport()), clock.clone());
    let server = FhirClient::new(http, &sandbox.base()).expect("client");
    let limits = ServerSettings::default().bundle_writes(5).concurrency(8);
    let state = folder.path().join("state.db");
    let mut store = fhir_store::ServerStore::open(&state, server, limits).expect("open");
    sandbox.clear_requests();
    put(&mut store, &patients(0..60, "x")).expect("put");
    assert_whole(&sandbox, &mut store);
    assert!(!clock.slept().is_empty());
    let refused = sandbox
        .requests()
        .iter()
        .filter(|own| own.status == 429)
        .count();
    assert!(refused > 0 && sandbox.count(&Where::Write) > 12);
}

#[test]
fn nothing_is_sent_while_the_answers_are_no_fhir() {
    let folder = TempDir::new().expect("folder");
    let sandbox = sandbox(|builder| builder);
    sandbox.set_faults(FaultPlan::of(["write:every:html"]).expect("faults"));
    let mut store = open(&sandbox, &folder.path().join("state.db"));
    let error = super::put_in_vain(&mut store, &patients(0..3, "x"));
    let source = std::error::Error::source(&error)
        .expect("a cause")
        .to_string();
    assert!(source.contains("no answer to the Bundle"), "{source}");
    assert!(!format!("{error:?} {source}").contains("p1"));
}

#[test]
fn it_stops_when_asked_to_and_goes_on_later() {
    let folder = TempDir::new().expect("folder");
    let state = folder.path().join("state.db");
    let sandbox = sandbox(|builder| builder);
    let interrupt = Interrupt::new();
    let http = client(&sandbox).http().clone().interrupt(interrupt.clone());
    let server = FhirClient::new(http, &sandbox.base()).expect("client");
    let limits = ServerSettings::default();
    let mut store = fhir_store::ServerStore::open(&state, server, limits).expect("open");
    interrupt.interrupt();
    let error = super::put_in_vain(&mut store, &patients(0..3, "x"));
    assert!(matches!(error, fhir_store::Error::Interrupted));
    drop(store);
    let mut store = open(&sandbox, &state);
    finish(&mut store, "01A").expect("finish");
    assert_whole(&sandbox, &mut store);
    assert!(super::content(&sandbox, "Patient/p2").is_some());
}
