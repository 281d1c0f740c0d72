//! Servers and networks that fail, and what is said about it.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ehr_sandbox::{FaultPlan, Where};
use fhir_http::Clock as _;
use ingest_pipeline::fetch::{FetchError, FetchRequest, PatientKey, TriggerMessage};
use ingest_pipeline::{Error, ErrorKind, causes};

use super::site::{Site, by_id, by_mrn, encounter, mrn, patient};
use crate::site::start;

#[test]
fn what_passes_is_waited_for() {
    for (fault, least) in [
        ("search:first-2:status=500", 0),
        ("search:1:status=429,retry-after=60", 60),
        ("read:1:status=503,retry-after=30", 30),
        ("search:2:drop", 0),
        ("search:3:cut=100", 0),
        ("search:2:transient", 0),
        // One new token, and on it goes.
        ("search:2:expire-token", 0),
        ("search:1:status=401", 0),
    ] {
        let site = Site::new("[connections.c.adt]\npage_size = 2\n");
        let calm = site.gather(&by_mrn("MRN000003")).unwrap();
        site.sandbox.set_faults(FaultPlan::of([fault]).unwrap());
        let gathered = site.gather(&by_mrn("MRN000003")).unwrap();
        assert_eq!(gathered.counts(), calm.counts(), "{fault}");
        let waited = site.clock.now().duration_since(start()).unwrap();
        assert!(waited >= Duration::from_secs(least), "{fault}: {waited:?}");
        site.load(&[gathered]);
        assert!(site.stored("Patient", "p3").is_some());
    }
}

#[test]
fn what_lasts_is_told_apart_by_whether_it_may_pass() {
    use ErrorKind::{Authentication, Network, Server};
    for (fault, transient, kind) in [
        ("search:every:status=500", true, Server),
        ("search:every:status=429", true, Server),
        ("search:every:drop", true, Network),
        ("search:every:html", true, Server),
        ("token:every:status=503", true, Authentication),
        ("token:every:drop", true, Network),
        ("search:every:status=401", false, Authentication),
        ("search:every:status=403", false, Server),
        ("search:every:status=404", false, Server),
        ("read:every:status=403", false, Server),
    ] {
        let site = Site::new("[connections.c.http]\nretries = 2\n");
        site.sandbox.set_faults(FaultPlan::of([fault]).unwrap());
        let error = site.gather(&by_id("p1")).unwrap_err();
        assert_eq!(error.is_transient(), transient, "{fault}: {error}");
        assert!(!error.is_interrupted());
        assert_eq!(Error::from(error).kind(), kind, "{fault}");
    }
}

#[test]
fn a_full_or_missing_folder_may_pass() {
    let site = Site::new("");
    let options = ingest_pipeline::fetch::FetchOptions::new(site.folder.path().join("none"));
    let fetcher =
        ingest_pipeline::fetch::Fetcher::new(&site.settings, &site.around(), options).unwrap();
    let error = fetcher.gather(&by_id("p1"), &()).unwrap_err();
    assert!(matches!(error, FetchError::Spool { .. }) && error.is_transient());
    assert_eq!(Error::from(error).kind(), ErrorKind::Store);
}

#[test]
fn who_is_asked_to_stop_stops() {
    let site = Site::new("");
    let around = site.around();
    let options = ingest_pipeline::fetch::FetchOptions::new(site.folder.path());
    let fetcher = ingest_pipeline::fetch::Fetcher::new(&site.settings, &around, options).unwrap();
    around.interrupt.interrupt();
    let error = fetcher.gather(&by_id("p1"), &()).unwrap_err();
    assert!(error.is_interrupted() && error.is_transient(), "{error}");
    assert_eq!(Error::from(error).kind(), ErrorKind::Interrupted);
}

#[test]
fn no_more_requests_a_minute_than_configured() {
    let site = Site::new("[connections.c.http]\nrequests_per_minute = 5\n");
    site.gather(&by_id("p1")).unwrap();
    let requests = site.sandbox.requests().len() as u64;
    assert!(requests > 10, "{requests}");
    let waited = site.clock.now().duration_since(start()).unwrap();
    assert!(
        waited >= Duration::from_secs((requests - 1) / 5 * 60),
        "{waited:?}"
    );
}

#[test]
fn a_search_without_its_filter_takes_nothing_of_others() {
    // Practitioners belong to nobody; Group has no `patient`, and is not known
    // to be anybody's. A server that passes over the parameter gives all.
    let lines = [
        patient("a", "1", ""),
        patient("b", "2", ""),
        encounter("e", "b", ""),
        encounter("f", "a", ""),
    ];
    let site = Site::of(&lines, "");
    site.fetch_patient("a");
    assert!(site.stored("Encounter", "f").is_some());
    assert!(site.stored("Encounter", "e").is_none());
}

#[test]
fn tokens_are_for_what_is_read() {
    let site = Site::new("extra_scopes = [\"system/Group.rs\"]\ntypes = [\"Binary\"]\n");
    assert_eq!(
        site.settings.fetch_scopes(),
        [
            "system/Patient.rs",
            "system/Encounter.rs",
            "system/Observation.rs",
            "system/Condition.rs",
            "system/MedicationRequest.rs",
            "system/Practitioner.rs",
            "system/PractitionerRole.rs",
            "system/Organization.rs",
            "system/Location.rs",
            "system/Medication.rs",
            "system/DocumentReference.rs",
        ]
    );
    assert_eq!(
        site.settings.scopes,
        ["system/Binary.rs", "system/Group.rs"]
    );
    site.gather(&by_id("p1")).unwrap();
    assert!(site.sandbox.count(&Where::Search) > 4);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn logs_and_errors_name_no_patient() {
    const NAME: &str = "kanarienvogel";
    let lines = [
        patient(NAME, NAME, &format!(r#","name":[{{"family":"{NAME}"}}]"#)),
        patient("twin", "twins", ""),
        patient("twin2", "twins", ""),
        encounter(
            "e",
            NAME,
            &format!(r#","serviceProvider":{{"reference":"Organization/{NAME}"}}"#),
        ),
    ];
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let mut shown = String::new();
    tracing::subscriber::with_default(subscriber, || {
        // On this thread, which is the one that is listened to.
        let configuration =
            "[connections.c.adt]\nconcurrency = 1\n[connections.c.http]\nretries = 1\n";
        let site = Site::of(&lines, configuration);
        let request = FetchRequest {
            message: Some(TriggerMessage {
                control_id: "M".to_owned(),
                raw_key: "raw".to_owned(),
            }),
            merged: vec![mrn("twins"), PatientKey::Id("twin".to_owned())],
            ..by_mrn(NAME)
        };
        let gathered = site.gather(&request).unwrap();
        assert_eq!(gathered.counts().missing, 1);
        shown += &format!(
            "{request:?} {gathered:?} {:?}",
            site.load(std::slice::from_ref(&gathered))
        );
        for fault in [
            "read:every:status=404,body=outcome/not-found",
            "read:every:status=403",
            "read:every:status=500",
            "search:every:status=403",
            "search:every:status=500",
            "search:every:html",
            "search:every:cut=50",
            "search:every:drop",
        ] {
            site.sandbox.set_faults(FaultPlan::of([fault]).unwrap());
            for request in [by_id(NAME), by_mrn(NAME)] {
                if let Err(error) = site.gather(&request) {
                    shown += &format!("{error:?} {} {:?}", causes(&error), error.hint());
                }
            }
        }
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("is not given to us"), "the log is listened to");
    assert!(!log.contains(NAME), "{log}");
    assert!(shown.len() > 1000 && !shown.contains(NAME), "{shown}");
}
