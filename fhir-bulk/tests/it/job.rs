use std::time::Duration;

use fhir_bulk::{
    Error, ExportJob, ExportManifest, ExportRequest, PollPolicy, Progress, Result, Step,
};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::support::{Nought, now};

const DONE: &str =
    r#"{"transactionTime":"2026-01-31T08:00:00Z","output":[{"type":"Patient","url":"a"}]}"#;
const HTML: &str = "<html><body>Bad gateway</body></html>";

fn outcome(code: &str) -> String {
    format!(
        r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{code}","diagnostics":"Jane Doe"}}]}}"#
    )
}

fn respond(job: &mut ExportJob, status: u16, headers: &[(&str, &str)], body: &str) -> Result<Step> {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    let status = StatusCode::from_u16(status).unwrap();
    job.on_response(now(), status, &headers, body.as_bytes(), &Nought)
}

fn started() -> ExportJob {
    let request = ExportRequest::patient();
    ExportJob::kick_off(&request, "https://ehr.example/fhir", PollPolicy::default())
        .unwrap()
        .0
}

fn polling() -> ExportJob {
    ExportJob::resume("https://ehr.example/jobs/1", PollPolicy::default()).unwrap()
}

#[track_caller]
fn waits(step: Result<Step>) -> (Duration, Progress) {
    match step {
        Ok(Step::Wait(wait, progress)) => (wait, progress),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn completes(step: Result<Step>) -> ExportManifest {
    match step {
        Ok(Step::Complete(manifest)) => *manifest,
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_the_status_is() {
    for (location, url) in [
        ("https://jobs.example/1?k=v", "https://jobs.example/1?k=v"),
        ("/jobs/1", "https://ehr.example/jobs/1"),
        ("jobs/1", "https://ehr.example/fhir/Patient/jobs/1"),
        ("?job=1", "https://ehr.example/fhir/Patient/$export?job=1"),
    ] {
        for status in [202, 200, 201] {
            let mut job = started();
            waits(respond(
                &mut job,
                status,
                &[("content-location", location)],
                "",
            ));
            assert_eq!(job.status_url(), Some(url));
            assert_eq!(job.request().unwrap().uri(), url);
        }
    }
    assert!(matches!(
        respond(&mut started(), 202, &[], ""),
        Err(Error::Protocol(_))
    ));
    let plain = [("content-location", "http://ehr.example/jobs/1")];
    assert!(matches!(
        respond(&mut started(), 202, &plain, ""),
        Err(Error::Url { .. })
    ));
}

#[test]
fn kick_offs_that_are_answered_at_once() {
    completes(respond(&mut started(), 200, &[], DONE));
    let headers = [("x-export-status", "200"), ("content-location", "/jobs/1")];
    completes(respond(&mut started(), 200, &headers, DONE));
    let headers = [("x-export-status", "202"), ("content-location", "/jobs/1")];
    waits(respond(&mut started(), 200, &headers, ""));
    let refused = respond(
        &mut started(),
        200,
        &[("x-export-status", "400")],
        &outcome("invalid"),
    );
    assert!(matches!(refused, Err(Error::Refused { status: 400, .. })));
    assert!(matches!(
        respond(&mut started(), 200, &[], HTML),
        Err(Error::Protocol(_))
    ));
}

#[test]
fn kick_offs_that_are_refused() {
    for status in [400, 401, 403, 404, 422, 501] {
        let error = respond(&mut started(), status, &[], &outcome("not-supported")).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{status}: {error}");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("not-supported") && !text.contains("Jane"),
            "{text}"
        );
    }
    let error = respond(&mut started(), 409, &[], &outcome("duplicate")).unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { status: 409, .. }));

    let attempts = PollPolicy::default().kick_off_attempts;
    for (status, body) in [
        (429, ""),
        (503, ""),
        (500, HTML),
        (400, &*outcome("transient")),
    ] {
        let mut job = started();
        for _ in 1..attempts {
            let (_, progress) = waits(respond(&mut job, status, &[], body));
            assert_eq!(progress.status, Some(status));
            assert_eq!(job.request().unwrap().uri().path(), "/fhir/Patient/$export");
        }
        let error = respond(&mut job, status, &[("retry-after", "7")], body).unwrap_err();
        match error {
            Error::AlreadyRunning { retry_after, .. } => {
                assert_eq!((status, retry_after), (429, Some(Duration::from_secs(7))));
            }
            Error::Refused { .. } => assert_ne!(status, 429),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn what_retry_after_makes_us_wait() {
    for (value, seconds) in [
        ("10", 10),
        ("0", 1),
        ("18000", 300),
        ("1769846400000", 300),
        ("Sat, 31 Jan 2026 08:00:30 GMT", 30),
        ("Sat, 31 Jan 2026 23:00:00 GMT", 300),
        ("Sat, 31 Jan 2026 07:00:00 GMT", 1),
        ("soon", 1),
        ("", 1),
    ] {
        for status in [202, 429, 503] {
            let (wait, _) = waits(respond(
                &mut polling(),
                status,
                &[("retry-after", value)],
                "",
            ));
            assert_eq!(wait, Duration::from_secs(seconds), "{value:?}");
        }
    }
}

#[test]
fn backoff_grows_to_its_limit_and_starts_anew_with_the_job() {
    let mut job = polling();
    let waits: Vec<_> = (0..30)
        .map(|_| waits(respond(&mut job, 202, &[], "")).0)
        .collect();
    assert_eq!(waits[0], Duration::from_secs(1));
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
    assert_eq!(waits[2], Duration::from_millis(2250));
    assert_eq!(waits[29], PollPolicy::default().max);
}

#[test]
fn progress() {
    let long = "x".repeat(200);
    for (value, message) in [
        ("50%", Some("50%")),
        ("  a\tb ", Some("ab")),
        (&*long, Some(&long[..100])),
        ("", None),
    ] {
        let (_, progress) = waits(respond(&mut polling(), 202, &[("x-progress", value)], ""));
        assert_eq!(progress.message.as_deref(), message);
    }
}

#[test]
fn failures_that_may_pass() {
    let policy = PollPolicy::default();
    let stubborn = [
        (502, HTML),
        (500, ""),
        (504, ""),
        (200, HTML),
        (200, "{\"transac"),
    ];
    for (status, body) in stubborn {
        let mut job = polling();
        for _ in 1..policy.failures {
            waits(respond(&mut job, status, &[], body));
        }
        // One answer makes good.
        waits(respond(&mut job, 202, &[], ""));
        for _ in 1..policy.failures {
            waits(respond(&mut job, status, &[], body));
        }
        match respond(&mut job, status, &[], body) {
            Err(Error::Unreachable {
                failures,
                status: Some(last),
                ..
            }) => {
                assert_eq!((failures, last), (policy.failures, status));
            }
            other => panic!("{other:?}"),
        }
        // It can be asked again.
        completes(respond(&mut job, 200, &[], DONE));
    }
    let mut job = polling();
    for _ in 1..policy.soft_failures {
        waits(respond(&mut job, 500, &[], &outcome("exception")));
    }
    let error = respond(&mut job, 500, &[], &outcome("exception"));
    assert!(matches!(
        error,
        Err(Error::Failed {
            status: 500,
            outcome: Some(_)
        })
    ));
    // As long as the server says so, or that we ask too often.
    for (status, body) in [
        (500, outcome("transient")),
        (400, outcome("transient")),
        (429, String::new()),
    ] {
        let mut job = polling();
        for _ in 0..100 {
            waits(respond(&mut job, status, &[], &body));
        }
    }
}

#[test]
fn failures_that_do_not_pass() {
    for status in [404, 410] {
        let error = respond(&mut polling(), status, &[], "").unwrap_err();
        assert!(matches!(error, Error::JobGone { .. }));
    }
    for status in [400, 401, 403, 422, 501] {
        let error = respond(&mut polling(), status, &[], &outcome("processing")).unwrap_err();
        assert!(matches!(error, Error::Failed { .. }), "{status}");
    }
    assert!(matches!(
        respond(&mut polling(), 204, &[], ""),
        Err(Error::Protocol(_))
    ));
    let error = respond(&mut polling(), 200, &[], &outcome("exception"));
    assert!(matches!(error, Err(Error::Failed { status: 200, .. })));
}

#[test]
fn separate_status() {
    let asked = |code| [("x-export-status", code)];
    waits(respond(&mut polling(), 200, &asked("202"), ""));
    waits(respond(&mut polling(), 200, &asked("202 Accepted"), "{}"));
    completes(respond(&mut polling(), 200, &asked("200"), DONE));
    let failed = respond(&mut polling(), 200, &asked("422"), &outcome("processing"));
    assert!(matches!(failed, Err(Error::Failed { status: 422, .. })));
    // The status of another layer.
    waits(respond(&mut polling(), 503, &asked("200"), DONE));
}

#[test]
fn the_deadline() {
    let mut policy = PollPolicy::default();
    policy.deadline = Duration::from_secs(20);
    let mut job = ExportJob::resume("https://ehr.example/jobs/1", policy).unwrap();
    let headers = HeaderMap::new();
    let mut at = now();
    let mut polls = 0;
    let waited = loop {
        match job.on_response(at, StatusCode::ACCEPTED, &headers, b"", &Nought) {
            Ok(Step::Wait(wait, _)) => at += wait,
            Err(Error::Deadline { waited }) => break waited,
            other => panic!("{other:?}"),
        }
        polls += 1;
    };
    assert_eq!(polls, 5);
    assert!(waited <= policy.deadline);
}

#[test]
fn pages_are_put_together() {
    let page = |number: u32, next: &str| {
        format!(
            r#"{{"transactionTime":"2026-01-31T08:00:0{number}Z","output":[{{"type":"Patient","url":"f{number}"}}],
            "link":[{{"relation":"self","url":"x"}},{{"relation":"next","url":"{next}"}}]}}"#
        )
    };
    let mut job = polling();
    let step = respond(
        &mut job,
        200,
        &[("expires", "Sat, 31 Jan 2026 09:00:00 GMT")],
        &page(2, "p2"),
    );
    assert!(matches!(&step, Ok(Step::Send(next)) if next.uri() == "https://ehr.example/jobs/p2"));

    // It can be kept here too, and goes on where it was.
    let kept = serde_json::to_string(&job).unwrap();
    let mut job: ExportJob = serde_json::from_str(&kept).unwrap();
    waits(respond(&mut job, 503, &[], ""));
    assert_eq!(job.request().unwrap().uri(), "https://ehr.example/jobs/p2");
    let circle = respond(
        &mut job.clone(),
        200,
        &[],
        &page(1, "https://ehr.example/jobs/1"),
    );
    assert!(matches!(circle, Err(Error::Manifest(_))));
    for status in [404, 403] {
        let lost = respond(&mut job.clone(), status, &[], "");
        assert!(matches!(
            lost,
            Err(Error::IncompleteManifest { page: 2, .. })
        ));
    }
    let last = r#"{"output":[{"type":"Patient","url":"f9"},{"type":"Patient","url":"f2"}]}"#;
    let manifest = completes(respond(&mut job, 200, &[], last));
    assert_eq!(manifest.pages(), 2);
    let files: Vec<_> = manifest
        .output
        .iter()
        .map(|file| (&*file.url, file.number))
        .collect();
    assert_eq!(
        files,
        [
            ("https://ehr.example/jobs/f2", 1),
            ("https://ehr.example/jobs/f9", 2)
        ]
    );
    assert_eq!(
        manifest.expires.as_deref(),
        Some("Sat, 31 Jan 2026 09:00:00 GMT")
    );
    assert_eq!(job.request().unwrap().uri(), "https://ehr.example/jobs/1");
}

#[test]
fn jobs_do_not_leak() {
    let request = ExportRequest::group("secret");
    let (mut job, _) =
        ExportJob::kick_off(&request, "https://ehr.example", PollPolicy::default()).unwrap();
    assert!(!format!("{job:?}").contains("secret"));
    waits(respond(
        &mut job,
        202,
        &[("content-location", "/jobs/secret")],
        "",
    ));
    assert!(!format!("{job:?}").contains("secret"));
}
