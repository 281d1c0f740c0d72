//! Servers that answer otherwise than the sandbox does.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ehr_sandbox::InProcess;
use fhir_http::testing::FakeClock;
use fhir_http::{Body, HttpClient, SystemRandom, TransportError};
use http::{Request, Response};
use ingest_pipeline::Interrupt;
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::fetch::{self, FetchError, FetchOptions, Fetcher};
use ingest_pipeline::store::{InMemoryStore, ResourceStore as _};

use super::site::{Site, by_id, by_mrn, encounter, patient};
use crate::site::{BASE, Files, start};

/// Passes over a parameter, as if it was never sent.
struct Deaf(InProcess, &'static str);

impl HttpClient for Deaf {
    fn send(&self, mut request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let uri = request.uri().to_string();
        if let Some((path, query)) = uri.split_once('?') {
            let start = format!("{}=", self.1);
            let heard: Vec<_> = query
                .split('&')
                .filter(|pair| !pair.starts_with(&start))
                .collect();
            *request.uri_mut() = format!("{path}?{}", heard.join("&")).parse().unwrap();
        }
        self.0.send(request)
    }
}

fn fetcher_by(site: &Site, transport: Arc<dyn HttpClient>) -> Fetcher {
    let around = Surroundings {
        transport: Some(transport),
        ..site.around()
    };
    let options = FetchOptions::new(site.folder.path());
    Fetcher::new(&site.settings, &around, options).unwrap()
}

#[test]
fn a_parameter_that_is_passed_over_is_told_and_nobody_elses_record_is_taken() {
    let lines = [
        patient("a", "1", ""),
        patient("b", "2", ""),
        encounter("e", "b", ""),
        encounter("f", "a", ""),
    ];
    for (parameter, resource_type, hint) in [
        ("patient", "Encounter", "take the type out of adt.types"),
        ("identifier", "Patient", "fetch the patient by id"),
    ] {
        let site = Site::of(&lines, "");
        let deaf = Arc::new(Deaf(site.sandbox.transport(), parameter));
        let error = fetcher_by(&site, deaf)
            .gather(&by_mrn("1"), &())
            .unwrap_err();
        assert!(
            matches!(&error, FetchError::Unfiltered { parameter: p, resource_type: t, .. }
                if *p == parameter && t == resource_type),
            "{error}"
        );
        assert!(!error.is_transient());
        assert!(error.hint().unwrap().contains(hint));
    }
    // Where there are no others, nothing is wrong.
    let site = Site::of(&[patient("a", "1", ""), encounter("f", "a", "")], "");
    let deaf = Arc::new(Deaf(site.sandbox.transport(), "patient"));
    let gathered = fetcher_by(&site, deaf).gather(&by_mrn("1"), &()).unwrap();
    assert_eq!(gathered.counts().resources, 2);
}

#[test]
fn lists_of_ids_that_are_passed_over_don_t_bring_a_directory() {
    let mut lines = vec![patient("a", "1", "")];
    for n in 0..300 {
        let id = format!("o{n}");
        lines.push(format!(r#"{{"resourceType":"Organization","id":"{id}"}}"#));
        if n % 100 == 99 {
            let provider = format!(r#","serviceProvider":{{"reference":"Organization/{id}"}}"#);
            lines.push(encounter(&format!("e{n}"), "a", &provider));
        }
    }
    let site = Site::of(&lines, "");
    let deaf = Arc::new(Deaf(site.sandbox.transport(), "_id"));
    let fetcher = fetcher_by(&site, deaf);
    for _ in 0..2 {
        let gathered = fetcher.gather(&by_id("a"), &()).unwrap();
        assert_eq!(
            (gathered.counts().resources, gathered.counts().missing),
            (7, 0)
        );
    }
    assert_eq!(site.searches("Organization").len(), 1, "one page, once");
    assert_eq!(site.reads("Organization").len(), 6);
}

/// Passes over a parameter and says that it didn't.
struct Liar(Deaf);

impl HttpClient for Liar {
    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let response = self.0.send(request)?;
        let (parts, mut body) = response.into_parts();
        let mut text = String::new();
        body.read_to_string(&mut text).unwrap();
        let text = text.replace("?_count=", &format!("?{}=x&_count=", self.0.1));
        Ok(Response::from_parts(parts, Body::from(text.into_bytes())))
    }
}

#[test]
fn a_server_that_repeats_what_it_passes_over_is_seen_through_before_long() {
    let mut lines = vec![patient("a", "1", "")];
    for n in 0..2_000 {
        lines.push(patient(&format!("p{n}"), &format!("m{n}"), ""));
        lines.push(encounter(&format!("e{n}"), &format!("p{n}"), ""));
    }
    for (parameter, request) in [("identifier", by_mrn("none")), ("patient", by_id("a"))] {
        let site = Site::of(&lines, "[connections.c.adt]\nconcurrency = 1\n");
        let liar = Arc::new(Liar(Deaf(site.sandbox.transport(), parameter)));
        let error = fetcher_by(&site, liar).gather(&request, &()).unwrap_err();
        assert!(
            matches!(&error, FetchError::Unfiltered { parameter: p, .. } if *p == parameter),
            "{error}"
        );
        assert!(site.sandbox.requests().len() < 8, "{parameter}");
    }
}

/// Answers by path and query.
struct Canned(BTreeMap<&'static str, String>);

impl HttpClient for Canned {
    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let uri = request.uri().to_string();
        let name = uri
            .strip_prefix(BASE)
            .unwrap_or_default()
            .trim_start_matches('/');
        let name = name.split("&_count").next().unwrap();
        let (status, body) = match self.0.get(name) {
            Some(body) => (200, body.clone()),
            None if name.contains('?') => (200, bundle(name, "")),
            None => (404, String::new()),
        };
        let response = Response::builder()
            .status(status)
            .header("content-type", "application/fhir+json");
        Ok(response.body(Body::from(body.into_bytes())).unwrap())
    }
}

fn bundle(name: &str, entries: &str) -> String {
    format!(
        r#"{{"resourceType":"Bundle","type":"searchset","link":[{{"relation":"self","url":"{BASE}/{name}"}}],"entry":[{entries}]}}"#
    )
}

#[test]
fn entries_are_taken_as_they_are_and_for_what_they_are() {
    let encounters = r#"
        {"resource":
            {
              "resourceType" : "Encounter", "z": 1.00,
              "id" : "e",
              "status":"finished","class":{"code":"A\/B"},
              "subject":{"reference":"Patient\/a"},
              "location":[{"location":{"reference":"Location/l"}}]
            },
         "search":{"mode":"match"}},
        {"resource":{"resourceType":"Practitioner","id":"dr"},"search":{"mode":"include"}},
        {"resource":{"resourceType":"Encounter","id":"e","status":"unknown","class":{}},"search":{"mode":"match"}},
        {"resource":{"resourceType":"OperationOutcome","issue":[]},"search":{"mode":"outcome"}},
        {"resource":{"resourceType":"OperationOutcome","issue":[]}},
        {"fullUrl":"urn:x","search":{"mode":"match"}}"#;
    let answers = BTreeMap::from([
        (
            "Patient/a",
            r#"{"resourceType":"Patient","id":"a"}"#.to_owned(),
        ),
        (
            "Encounter?patient=a",
            bundle("Encounter?patient=a", encounters),
        ),
    ]);
    let files = Files::new();
    files.write(
        "ingest.toml",
        &format!("[connections.c]\nfhir_base = \"{BASE}\"\n"),
    );
    let config = ingest_pipeline::config::Config::read(&files.path("ingest.toml")).unwrap();
    let clock = Arc::new(FakeClock::new(start()));
    let around = Surroundings {
        clock: clock.clone(),
        random: Arc::new(SystemRandom),
        interrupt: Interrupt::new(),
        env: |_| None,
        transport: Some(Arc::new(Canned(answers))),
    };
    let settings = config.connection("c").unwrap();
    let fetcher = Fetcher::new(&settings, &around, FetchOptions::new(files.path(""))).unwrap();
    let gathered = fetcher.gather(&by_id("a"), &()).unwrap();
    assert_eq!(
        (gathered.counts().resources, gathered.counts().missing),
        (3, 1)
    );
    let mut store = InMemoryStore::new();
    let summary = fetch::load(fetcher.load_options(around.run_id()), &[gathered])
        .run(&mut store, &*clock, &mut ())
        .unwrap();
    assert_eq!((summary.created, summary.quarantined), (3, 0));
    let encounter = store.get("Encounter", "e").unwrap().unwrap().body.unwrap();
    // Members keep their order, digits and escapes; the first of two counts.
    assert_eq!(
        encounter,
        r#"{"resourceType":"Encounter","z":1.00,"id":"e","status":"finished","class":{"code":"A\/B"},"subject":{"reference":"Patient\/a"},"location":[{"location":{"reference":"Location/l"}}]}"#
    );
    assert!(store.get("Practitioner", "dr").unwrap().is_some());
}

/// Holds reads back until as many as there may be have met, and counts requests
/// at a time.
struct Crowd {
    inner: InProcess,
    limit: usize,
    inside: AtomicUsize,
    most: AtomicUsize,
    readers: Mutex<usize>,
    more: Condvar,
}

impl HttpClient for Crowd {
    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        // Only for a gate that lets too few in.
        const TOO_LONG: Duration = Duration::from_secs(20);
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        if request.uri().path().contains("/Patient/") {
            let mut readers = self.readers.lock().unwrap();
            *readers += 1;
            self.more.notify_all();
            let too_few = |readers: &mut usize| *readers < self.limit;
            let met = self.more.wait_timeout_while(readers, TOO_LONG, too_few);
            assert!(!met.unwrap().1.timed_out(), "fewer at a time than allowed");
        }
        let response = self.inner.send(request);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        response
    }
}

#[test]
fn requests_at_a_time_are_limited_for_all_threads_of_a_connection() {
    for limit in [1, 3] {
        let site = Site::new(&format!("[connections.c.adt]\nconcurrency = {limit}\n"));
        let crowd = Arc::new(Crowd {
            inner: site.sandbox.transport(),
            limit,
            inside: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            readers: Mutex::new(0),
            more: Condvar::new(),
        });
        let fetcher = fetcher_by(&site, crowd.clone());
        std::thread::scope(|scope| {
            for number in 1..=4 {
                let fetcher = &fetcher;
                scope.spawn(move || {
                    let request = by_id(&format!("p{number}"));
                    fetcher.gather(&request, &()).unwrap()
                });
            }
        });
        assert_eq!(crowd.most.load(Ordering::SeqCst), limit, "{limit}");
    }
}
