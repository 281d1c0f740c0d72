//! Object storage that refuses, fails or is something else.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fhir_http::Clock;
use http::Response;
use http_serve::Body;
use ingest_pipeline::archive::{RawArchive, S3Archive, S3Credentials};
use ingest_pipeline::{Error, ErrorKind, causes};

use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

use super::s3::sealed;
use super::storage::{BUCKET, Fault, Storage, credentials, refusal};
use super::{MESSAGE, kept, name_of};

fn archive(storage: &Storage) -> S3Archive {
    sealed(&storage.settings(), storage.client())
}

fn statuses(storage: &Storage) -> Vec<String> {
    let log = storage.log().into_iter();
    log.map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
        .collect()
}

#[test]
fn what_may_pass_is_tried_again_with_a_new_signature() {
    let storage = Storage::new();
    storage.fault(Fault::Answer(refusal(500, "InternalError")));
    for _ in 0..3 {
        let response = Response::builder().status(503).header("retry-after", "200");
        storage.fault(Fault::Answer(response.body(Body::empty()).unwrap()));
    }
    let began = storage.clock.now();
    archive(&storage).put(&name_of(MESSAGE), MESSAGE).unwrap();
    // The first signature would not be good any more.
    let took = storage.clock.now().duration_since(began).unwrap();
    assert_eq!(took, Duration::from_secs(600));
    assert_eq!(statuses(&storage), ["500", "503", "503", "503", "200"]);
    assert!(kept(&archive(&storage), MESSAGE));
}

#[test]
fn a_lost_answer_does_no_harm() {
    let storage = Storage::new();
    storage.fault(Fault::Cut);
    archive(&storage).put(&name_of(MESSAGE), MESSAGE).unwrap();
    assert_eq!(statuses(&storage), ["200", "412", "200"]);
    storage.fault(Fault::Cut);
    assert!(kept(&archive(&storage), MESSAGE));
    assert_eq!(statuses(&storage), ["200", "200"]);
}

#[test]
fn a_conflict_is_resolved_by_a_look() {
    let storage = Storage::new();
    let archive = archive(&storage);
    storage.fault(Fault::Answer(refusal(409, "ConditionalRequestConflict")));
    let text = causes(&archive.put(&name_of(MESSAGE), MESSAGE).unwrap_err());
    assert!(text.contains("ConditionalRequestConflict"), "{text}");
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
    storage.fault(Fault::Answer(refusal(409, "ConditionalRequestConflict")));
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
}

#[test]
fn refusals_say_why() {
    let page = || Response::new(Body::from("<html>Sign in</html>".to_owned()));
    let moved = || {
        let response = Response::builder()
            .status(307)
            .header("location", "https://evil.example/");
        response.body(Body::empty()).unwrap()
    };
    let empty = |status: u16| {
        Response::builder()
            .status(status)
            .body(Body::empty())
            .unwrap()
    };
    let odd = refusal(403, "see 77-Miller");
    let cases: [(Response<Body>, &str); 9] = [
        (refusal(403, "AccessDenied"), "(AccessDenied): "),
        (
            refusal(403, "SignatureDoesNotMatch"),
            "answered 403 Forbidden to PUT",
        ),
        (refusal(400, "ExpiredToken"), "(ExpiredToken)"),
        (refusal(404, "NoSuchBucket"), "(NoSuchBucket)"),
        (odd, "answered 403"),
        (page(), "without an ETag"),
        (empty(204), "status 204"),
        (empty(301), "redirects"),
        (moved(), "redirects"),
    ];
    let storage = Storage::new();
    let archive = archive(&storage);
    for (response, expected) in cases {
        storage.fault(Fault::Answer(response));
        let error = archive.put(&name_of(MESSAGE), MESSAGE).unwrap_err();
        assert!(matches!(error, Error::ArchiveBucket { .. }), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Store);
        let text = causes(&error);
        let start = format!("cannot write to the archive's bucket {BUCKET}");
        assert!(
            text.starts_with(&start) && text.contains(expected),
            "{text}"
        );
        for secret in ["kanarienvogel", "X-Amz", "Miller", "PID"] {
            assert!(!text.contains(secret), "{text}");
            assert!(!format!("{error:?}").contains(secret), "{error:?}");
        }
    }
    assert!(archive.get(&name_of(MESSAGE)).unwrap().is_none());
}

#[test]
fn a_bucket_that_is_not_there_is_no_missing_message() {
    let storage = Storage::new();
    let archive = sealed(
        &storage.settings_of("another", credentials()),
        storage.client(),
    );
    let text = causes(&archive.get(&name_of(MESSAGE)).unwrap_err());
    assert!(
        text.starts_with("cannot read from the archive's bucket another (NoSuchBucket)"),
        "{text}"
    );
    archive.check().unwrap_err();
    archive.put(&name_of(MESSAGE), MESSAGE).unwrap_err();
}

#[test]
fn a_wrong_secret_is_refused() {
    let storage = Storage::new();
    let wrong = S3Credentials::new("AKIDEXAMPLE", "wrong".to_owned());
    let settings = storage.settings_of(BUCKET, wrong);
    let error = sealed(&settings, storage.client()).check().unwrap_err();
    assert!(
        error.to_string().ends_with("(SignatureDoesNotMatch)"),
        "{error}"
    );
}

#[test]
fn nothing_secret_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let use_it = || {
        let storage = Storage::new();
        let archive = archive(&storage);
        storage.fault(Fault::Answer(refusal(503, "SlowDown")));
        archive.put(&name_of(MESSAGE), MESSAGE).unwrap();
        storage.fault(Fault::Answer(refusal(403, "AccessDenied")));
        archive.get(&name_of(MESSAGE)).unwrap_err();
    };
    // Whichever thread first comes by an event asks its own subscriber alone
    // about it, unless there are two.
    let _second = Dispatch::new(NoSubscriber::new());
    tracing::subscriber::with_default(subscriber, use_it);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("sends again") && log.contains("PUT"), "{log}");
    for secret in ["kanarienvogel", "X-Amz", "AKIDEXAMPLE", "PID"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
