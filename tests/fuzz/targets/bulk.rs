use std::time::Duration;

use fhir_bulk::{ExportJob, ExportRequest, FileKind, PollPolicy, Step};
use fhir_http::testing::FakeRandom;
use http::Uri;

use super::exchange::{self, BASE, answers};
use super::{Entry, assert_silent, told};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, texts};

/// An export from its start to its manifest, with all pages.
pub(super) const JOB: Entry = Entry {
    target: Target {
        name: "bulk-manifest",
        check,
        grammar: Grammar {
            tokens: &[
                "\n===\n",
                "\n\n",
                "200\n",
                "202\n",
                "404\n",
                "429\n",
                "500\n",
                "503\n",
                "Content-Location: https://ehr.example/jobs/1\n",
                "Content-Location: ../jobs\n",
                "Retry-After: 120\n",
                "X-Progress: 50%\n",
                "X-Export-Status: 202 Accepted\n",
                "Expires: Fri, 02 Jan 2026 03:05:05 GMT\n",
                "\"transactionTime\":\"2026-01-02T03:04:05Z\"",
                "\"request\":\"a\"",
                "\"requiresAccessToken\":true",
                "\"requiresAccessToken\":\"false\"",
                "\"output\":[",
                "\"deleted\":[",
                "\"error\":[",
                "\"outcome\":[",
                "\"type\":\"Patient\"",
                "\"url\":\"https://ehr.example/f/1\"",
                "\"url\":\"/f/2\"",
                "\"count\":7",
                "\"fileSize\":\"9\"",
                "\"countSeverity\":{\"error\":1}",
                "\"continuesInFile\":\"b\"",
                "\"link\":[{\"relation\":\"next\",\"url\":\"?page=2\"}]",
                "\"outputOrganizedBy\":\"Patient\"",
                "null",
                "[]",
                "{}",
                "-1",
            ],
            separators: b"{}[],:\"\n",
            pairs: &[("[", "]"), ("{\"a\":", "}"), ("[{", "}]")],
        },
    },
    seeds: Seeds::written(|| {
        texts(&[
            concat!(
                "202\nContent-Location: https://ehr.example/jobs/Kanarienvogel-7\nRetry-After: 10\n\n",
                "\n===\n202\nX-Progress: 10%\n\n",
                "\n===\n200\nExpires: Fri, 02 Jan 2026 03:05:05 GMT\n\n",
                r#"{"transactionTime":"2026-01-02T03:04:05.678+01:00","request":"https://ehr.example/r4/Patient/$export?patient=Kanarienvogel-7","requiresAccessToken":true,"output":[{"type":"Patient","url":"https://ehr.example/f/1?token=Kanarienvogel-7","count":3},{"type":"Observation","url":"f/2","fileSize":"17"}],"deleted":[{"type":"Bundle","url":"https://ehr.example/f/3"}],"error":[{"type":"OperationOutcome","url":"https://ehr.example/f/4","countSeverity":[{"severity":"error","count":2}]}],"link":[{"relation":"next","url":"?page=2"}]}"#,
                "\n===\n200\n\n",
                r#"{"transactionTime":"2026-01-02T03:04:05Z","requiresAccessToken":"true","outputOrganizedBy":"Patient","output":[{"url":"https://files.example/5?sig=Kanarienvogel-7","continuesInFile":"https://files.example/6"}],"outcome":[],"extension":{"a":1}}"#,
            ),
            "429\nRetry-After: 30\n\n{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"code\":\"throttled\",\"diagnostics\":\"Kanarienvogel-7\"}]}\n===\n503\n\n<html>Kanarienvogel-7\n===\n202\nContent-Location: ../jobs/7\n\n\n===\n500\n\n{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"fatal\",\"code\":\"exception\"}]}",
        ])
    }),
    smoke: 4_000,
};

fn check(input: &[u8]) -> Outcome {
    let policy = PollPolicy::default();
    let request = ExportRequest::patient();
    let (mut job, mut sent) = ExportJob::kick_off(&request, BASE, policy).expect("a request");
    let mut now = exchange::now();
    let mut outcome = Outcome::new();
    for answer in answers(input) {
        assert!(is_absolute(sent.uri()), "a request to nowhere");
        let (parts, body) = answer.into_parts();
        // It goes on as it was when the process is started anew.
        let kept = serde_json::to_string(&job).expect("a job can be kept");
        let restored: ExportJob = serde_json::from_str(&kept).expect("and restored");
        // Byte for byte it is not: the URLs seen so far are a set.
        let again = serde_json::to_string(&restored).expect("and kept again");
        assert_eq!(again.len(), kept.len());
        job = restored;
        let random = FakeRandom::new(7);
        let step = job.on_response(now, parts.status, &parts.headers, &body, &random);
        assert_silent(&format!("{job:?}"));
        if let Some(url) = job.status_url() {
            assert!(url.parse().is_ok_and(|uri| is_absolute(&uri)));
        }
        match step {
            Err(error) => return outcome.text(&told(&error)),
            Ok(Step::Send(request)) => {
                outcome = outcome.with("send");
                sent = request;
            }
            Ok(Step::Wait(wait, progress)) => {
                assert!((policy.min..=policy.max).contains(&wait), "{wait:?}");
                let message = progress.message.unwrap_or_default();
                assert!(message.chars().count() <= 100 && !message.contains(char::is_control));
                outcome = outcome.with("wait").with(message.is_empty());
                now += wait + Duration::from_millis(1);
                sent = job.request().expect("there is something to ask again");
            }
            Ok(Step::Complete(manifest)) => {
                return outcome.with("complete").with(complete(&manifest));
            }
            Ok(_) => panic!("a step that is none"),
        }
    }
    outcome.with("open")
}

/// Checks a manifest, and gives what is in it.
fn complete(manifest: &fhir_bulk::ExportManifest) -> u64 {
    assert_silent(&format!("{manifest:?}"));
    assert!(!manifest.raw.is_empty() && manifest.pages() == manifest.raw.len());
    let kept = serde_json::to_string(manifest).expect("a manifest can be kept");
    let restored: fhir_bulk::ExportManifest = serde_json::from_str(&kept).expect("and restored");
    assert!(restored == *manifest);
    let kinds = [
        (FileKind::Output, &manifest.output),
        (FileKind::Deleted, &manifest.deleted),
        (FileKind::Outcome, &manifest.outcomes),
    ];
    let mut outcome = Outcome::new().size(manifest.pages());
    for (kind, files) in kinds {
        outcome = outcome.size(files.len());
        for (number, file) in (1..).zip(files) {
            assert_eq!((file.kind, file.number), (kind, number));
            assert!(
                file.url.parse().is_ok_and(|uri| is_absolute(&uri)),
                "a file that is nowhere"
            );
            assert_silent(&format!("{file:?} {}", file.id()));
            outcome = outcome
                .with((
                    file.count.is_some(),
                    file.file_size.is_some(),
                    file.requires_access_token,
                ))
                .with(file.continues_in_file.is_some())
                .size(file.count_severity.len());
        }
    }
    outcome.fingerprint()
}

fn is_absolute(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("https" | "http"))
        && uri.host().is_some_and(|host| !host.is_empty())
}
