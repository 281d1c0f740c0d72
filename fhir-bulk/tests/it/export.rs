use std::time::Duration;

use fhir_bulk::{BulkClient, Error, Event, ExportJob, ExportRequest, PollPolicy};
use fhir_http::testing::Replay;
use fhir_http::{Interrupt, TransportError};

use crate::support::{answer, replayed};

const BASE: &str = "https://ehr.example/fhir";
const DONE: &str =
    r#"{"transactionTime":"2026-01-31T08:00:00Z","output":[{"type":"Patient","url":"a"}]}"#;

fn accepted() -> http::Response<Vec<u8>> {
    answer(202, &[("content-location", "/jobs/1")], "")
}

#[test]
fn an_export_from_start_to_end() {
    let replay = Replay::new()
        .answer(answer(429, &[("retry-after", "3")], ""))
        .answer(accepted())
        .answer(answer(
            202,
            &[("retry-after", "60"), ("x-progress", "half")],
            "",
        ))
        .fail(TransportError::Connect("reset".into()))
        .answer(answer(503, &[], "<html>"))
        .answer(answer(200, &[], DONE));
    let (client, replay, clock) = replayed(replay);
    let mut heard = Vec::new();
    let (job, manifest) = BulkClient::new(client)
        .export(
            &ExportRequest::patient(),
            BASE,
            PollPolicy::default(),
            &mut |event| {
                heard.push(match event {
                    Event::Accepted(job) => job.status_url().unwrap().to_owned(),
                    Event::Waiting(progress) => {
                        format!("{:?} {:?}", progress.status, progress.message)
                    }
                    other => format!("{other:?}"),
                });
                Ok(())
            },
        )
        .unwrap();
    assert_eq!(manifest.output.len(), 1);
    assert_eq!(job.status_url(), Some("https://ehr.example/jobs/1"));
    assert_eq!(
        heard,
        [
            "Some(429) None",
            "https://ehr.example/jobs/1",
            "Some(202) None",
            "Some(202) Some(\"half\")",
            "None None",
            "Some(503) None",
        ]
    );
    let slept: Duration = clock.slept().into_iter().sum();
    // 3 and 60 as asked; 1, 1.5 and 2.25 of our own.
    assert_eq!(slept, Duration::from_millis(67_750));
    let paths: Vec<_> = replay
        .requests()
        .iter()
        .map(|request| request.uri().path().to_owned())
        .collect();
    assert_eq!(paths[..2], ["/fhir/Patient/$export"; 2]);
    assert_eq!(paths[2..], ["/jobs/1"; 4]);
}

#[test]
fn a_job_that_cannot_be_kept_is_not_polled() {
    let (client, replay, _) = replayed(Replay::new().answer(accepted()));
    let stopped = BulkClient::new(client).export(
        &ExportRequest::patient(),
        BASE,
        PollPolicy::default(),
        &mut |_| Err("disk full".into()),
    );
    assert!(matches!(stopped, Err(Error::Event(_))));
    assert_eq!(replay.requests().len(), 1);
}

#[test]
fn a_job_goes_on_after_an_interruption() {
    let replay = Replay::new()
        .answer(accepted())
        .answer(answer(202, &[], ""))
        .answer(answer(200, &[], DONE));
    let (client, _, _) = replayed(replay);
    let bulk = BulkClient::new(client.clone());
    let mut job = bulk
        .kick_off(&ExportRequest::patient(), BASE, PollPolicy::default())
        .unwrap();

    let interrupt = Interrupt::new();
    let stopped = BulkClient::new(client.interrupt(interrupt.clone())).wait(&mut job, &mut |_| {
        interrupt.interrupt();
        Ok(())
    });
    assert!(matches!(stopped, Err(Error::Interrupted)));

    let kept = serde_json::to_string(&job).unwrap();
    let mut job: ExportJob = serde_json::from_str(&kept).unwrap();
    assert_eq!(
        bulk.wait(&mut job, &mut |_| Ok(())).unwrap().output.len(),
        1
    );
}

#[test]
fn failures_without_a_response() {
    let mut policy = PollPolicy::default();
    policy.failures = 3;
    let mut replay = Replay::new();
    for _ in 0..3 {
        replay = replay.fail(TransportError::Timeout("first byte"));
    }
    let (client, _, _) = replayed(replay);
    let mut job = ExportJob::resume("https://ehr.example/jobs/1", policy).unwrap();
    let error = BulkClient::new(client)
        .wait(&mut job, &mut |_| Ok(()))
        .unwrap_err();
    assert!(matches!(
        error,
        Error::Unreachable {
            failures: 3,
            source: Some(_),
            ..
        }
    ));

    let (client, replay, _) = replayed(Replay::new().fail(TransportError::Tls("x".into())));
    let error = BulkClient::new(client)
        .wait(&mut job, &mut |_| Ok(()))
        .unwrap_err();
    assert!(matches!(error, Error::Http(_)));
    assert_eq!(replay.requests().len(), 1);
}

#[test]
fn deleting() {
    for (status, fine) in [
        (202, true),
        (200, true),
        (204, true),
        (404, true),
        (410, true),
        (403, false),
    ] {
        let (client, replay, _) = replayed(Replay::new().answer(answer(status, &[], "")));
        let job = ExportJob::resume("https://ehr.example/jobs/1", PollPolicy::default()).unwrap();
        assert_eq!(
            BulkClient::new(client).delete(&job).is_ok(),
            fine,
            "{status}"
        );
        let request = &replay.requests()[0];
        assert_eq!(
            (request.method().as_str(), request.uri().path()),
            ("DELETE", "/jobs/1")
        );
    }
}
