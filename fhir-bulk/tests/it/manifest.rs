use fhir_bulk::{Error, ExportJob, ExportManifest, PollPolicy, Result, Step};
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;

use crate::support::{Nought, now};

/// The manifest in one response to a status request.
fn parse(body: &[u8]) -> Result<Step> {
    let policy = PollPolicy::default();
    let mut job = ExportJob::resume("https://ehr.example/jobs/1/status?x=1", policy).unwrap();
    job.on_response(now(), StatusCode::OK, &HeaderMap::new(), body, &Nought)
}

fn complete(body: &str) -> ExportManifest {
    match parse(body.as_bytes()) {
        Ok(Step::Complete(manifest)) => *manifest,
        other => panic!("{other:?}"),
    }
}

#[test]
fn version_2() {
    let manifest = complete(
        r#"{"transactionTime":"2026-01-31T08:00:00.000+00:00","request":"https://ehr.example/fhir/$export",
        "requiresAccessToken":"true","extension":{"https://example.org/x":1},
        "output":[{"type":"Patient","url":"https://files.example/1?sig=a","count":10},
                  {"type":"Patient","url":"../files/2#part","count":"7"},
                  {"type":"Patient","url":"https://files.example/1?sig=a"}],
        "deleted":[{"type":"Bundle","url":"/d"}],
        "error":[{"type":"OperationOutcome","url":"e"}]}"#,
    );
    assert_eq!(
        manifest.transaction_time.as_str(),
        "2026-01-31T08:00:00.000+00:00"
    );
    assert!(manifest.requires_access_token);
    let files: Vec<_> = manifest
        .files()
        .map(|file| (file.id().to_string(), file.url.as_str(), file.count))
        .collect();
    assert_eq!(
        files,
        [
            (
                "Patient file 1".to_owned(),
                "https://files.example/1?sig=a",
                Some(10)
            ),
            (
                "Patient file 2".to_owned(),
                "https://ehr.example/jobs/files/2",
                Some(7)
            ),
            ("deleted file 1".to_owned(), "https://ehr.example/d", None),
            (
                "outcome file 1".to_owned(),
                "https://ehr.example/jobs/1/e",
                None
            ),
        ]
    );
    assert!(manifest.raw[0].contains("https://example.org/x"));
    let json = serde_json::to_string(&manifest).unwrap();
    assert!(serde_json::from_str::<ExportManifest>(&json).unwrap() == manifest);
    assert!(!format!("{manifest:?}").contains("sig=a"));
}

#[test]
fn ballot_of_version_4() {
    let manifest = complete(
        r#"{"manifestType":"x","transactionTime":"2026-01-31T08:00:00Z","requiresAccessToken":false,
        "outputOrganizedBy":"Patient","extension":[{"url":"x"}],
        "output":[{"url":"a","fileSize":12,"continuesInFile":"b"},{"url":"b"}],
        "outcome":[{"url":"o","countSeverity":{"error":1,"information":2}},
                   {"url":"p","countSeverity":[{"severity":"fatal","count":3}]}]}"#,
    );
    assert!(!manifest.requires_access_token);
    assert!(
        manifest
            .output
            .iter()
            .all(|file| file.organized && !file.requires_access_token)
    );
    let first = &manifest.output[0];
    assert_eq!(
        (first.resource_type.as_deref(), first.file_size),
        (None, Some(12))
    );
    assert_eq!(
        first.continues_in_file.as_deref(),
        Some("https://ehr.example/jobs/1/b")
    );
    let severities: Vec<_> = manifest
        .outcomes
        .iter()
        .flat_map(|file| &file.count_severity)
        .collect();
    assert_eq!(
        severities,
        [
            &("error".into(), 1),
            &("information".into(), 2),
            &("fatal".into(), 3)
        ]
    );
}

#[test]
fn missing_members() {
    let manifest = complete(r#"{"transactionTime":"2026-01-31T08:00:00Z","output":null}"#);
    assert_eq!(manifest.files().count(), 0);
    assert!(manifest.requires_access_token);
    let bom = "\u{feff}{\"transactionTime\":\"2026-01-31T08:00:00Z\"}";
    assert_eq!(complete(bom).pages(), 1);
}

#[test]
fn manifests_that_would_lose_data() {
    for body in [
        r#"{"output":[]}"#,
        r#"{"transactionTime":7}"#,
        r#"{"transactionTime":"yesterday"}"#,
        r#"{"transactionTime":"2026-01-31T08:00:00Z","output":{}}"#,
        r#"{"transactionTime":"2026-01-31T08:00:00Z","output":["a"]}"#,
        r#"{"transactionTime":"2026-01-31T08:00:00Z","output":[{"type":"Patient"}]}"#,
        r#"{"transactionTime":"2026-01-31T08:00:00Z","link":[{"relation":"next"}]}"#,
        r#"{"transactionTime":"2026-01-31T08:00:00Z","link":{}}"#,
    ] {
        assert!(
            matches!(parse(body.as_bytes()), Err(Error::Manifest(_))),
            "{body}"
        );
    }
}

#[test]
fn urls_that_nothing_is_fetched_from() {
    for url in ["s:", "file:///etc/passwd", "data:,x", "ftp://x.example/a"] {
        for body in [
            format!(r#""output":[{{"url":"{url}"}}]"#),
            format!(r#""output":[{{"url":"a","continuesInFile":"{url}"}}]"#),
            format!(r#""link":[{{"relation":"next","url":"{url}"}}]"#),
        ] {
            let body = format!(r#"{{"transactionTime":"2026-01-31T08:00:00Z",{body}}}"#);
            assert!(
                matches!(parse(body.as_bytes()), Err(Error::Url { .. })),
                "{body}"
            );
        }
    }
}

proptest! {
    #[test]
    fn nothing_panics(
        words in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ":", ",", "\"transactionTime\"", "\"2026-01-31T08:00:00Z\"",
            "\"output\"", "\"url\"", "\"https://x.example/a\"", "\"link\"", "\"relation\"",
            "\"next\"", "1", "null", "\"\"", "é",
        ]), 0..24),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let _ = parse(words.concat().as_bytes());
        let framed = format!("{{\"transactionTime\":\"2026-01-31T08:00:00Z\",{}}}", words.concat());
        let _ = parse(framed.as_bytes());
        let _ = parse(&bytes);
    }

    #[test]
    fn members_of_any_type_do_not_panic(
        name in prop::sample::select(vec![
            "output", "deleted", "error", "outcome", "link", "request", "requiresAccessToken",
            "transactionTime", "outputOrganizedBy",
        ]),
        value in prop::sample::select(vec![
            "1", "null", "\"\"", "\":\"", "[]", "{}", "[1]", "[{\"url\":1}]", "[{\"url\":\"::\"}]",
            "[{\"relation\":\"next\",\"url\":\"http://[\"}]", "-1e99", "true",
        ]),
    ) {
        let body = format!("{{\"transactionTime\":\"2026-01-31T08:00:00Z\",\"{name}\":{value}}}");
        let _ = parse(body.as_bytes());
    }
}
