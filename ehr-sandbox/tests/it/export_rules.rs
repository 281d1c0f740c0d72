//! Exports: what is refused, and how manifests and answers differ.

use ehr_sandbox::{ManifestStyle, Sandbox};
use fhir_http::Severity;
use http::StatusCode;
use serde_json::json;

use crate::export::settings;
use crate::util::{ASYNC, clock, export, finish, get, lines, sandbox, send, urls};

#[test]
fn bad_requests_are_refused_with_an_outcome() {
    let sandbox = sandbox(|b| b);
    let accept = |value| [ASYNC, ("accept", value)];
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);
    let cases: &[Case<'_>] = &[
        ("/$export", &[], 400),
        ("/$export", &[("prefer", "return=minimal")], 400),
        ("/$export", &accept("text/html"), 406),
        ("/$export?_since=2020-01-01", &[ASYNC], 400),
        ("/$export?_since=2020-01-01T00:00:00+01:00", &[ASYNC], 400),
        ("/$export?_type=Nonsense", &[ASYNC], 400),
        ("/$export?_outputFormat=csv", &[ASYNC], 400),
        ("/$export?_typeFilter=Observation?date=2020", &[ASYNC], 400),
        ("/$export?organizeOutputBy=Patient", &[ASYNC], 400),
        ("/$export?nonsense=1", &[ASYNC], 400),
        ("/Patient/$export?patient=p1", &[ASYNC], 400),
    ];
    for (url, headers, status) in cases {
        let answer = send(&sandbox, "GET", url, headers, "");
        assert_eq!(answer.status.as_u16(), *status, "{url} {headers:?}");
        answer.issue();
    }
    for value in [
        "application/fhir+json",
        "*/*",
        "text/html, application/json;q=0.9",
    ] {
        assert_eq!(
            send(&sandbox, "GET", "/$export", &accept(value), "").status,
            StatusCode::ACCEPTED
        );
    }
    // Lenient handling goes on, and says what was left out.
    let headers = [("prefer", "respond-async, handling=lenient")];
    let url = "/$export?_type=Patient,Nonsense&organizeOutputBy=Patient";
    let answer = send(&sandbox, "GET", url, &headers, "");
    let manifest = finish(&sandbox, answer.header("content-location")).json();
    let outcomes = lines(&sandbox, &manifest, "error");
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes[1].contains("organizeOutputBy"));
}

#[test]
fn manifests_differ_as_those_of_servers_do() {
    let with = |style| {
        sandbox(|b| {
            b.export(settings(|s| {
                s.manifest = style;
                s.outcomes = vec![Severity::Error, Severity::Warning, Severity::Warning];
            }))
        })
    };
    let sandbox = with(ManifestStyle::V4);
    let manifest = export(&sandbox, "/$export?_type=Patient").json();
    assert_eq!(
        (manifest.get("request"), manifest.get("error")),
        (None, None)
    );
    assert_eq!(
        manifest["outcome"][0]["countSeverity"],
        json!({"error": 1, "warning": 2})
    );
    let file = &manifest["output"][0];
    let body = get(&sandbox, file["url"].as_str().expect("a URL")).body;
    assert_eq!(file["fileSize"], body.len());
    let list = json!({"resourceType": "Parameters", "parameter": [
        {"name": "_type", "valueString": "Patient,Condition"}]});
    let answer = send(&sandbox, "POST", "/$export", &[ASYNC], &list.to_string());
    assert_eq!(
        answer.status,
        StatusCode::BAD_REQUEST,
        "values are repeated, not joined"
    );

    let sandbox = with(ManifestStyle::StringBooleans);
    assert_eq!(
        export(&sandbox, "/$export").json()["requiresAccessToken"],
        "true"
    );

    let sandbox =
        crate::util::sandbox(|b| b.export(settings(|s| s.manifest = ManifestStyle::Minimal)));
    let manifest = export(&sandbox, "/$export?_type=Basic").json();
    let members: Vec<_> = manifest
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        members,
        ["request", "requiresAccessToken", "transactionTime"]
    );
    let manifest = export(&sandbox, "/$export?_type=Patient").json();
    assert_eq!(manifest["output"][0].get("count"), None);
}

#[test]
fn the_status_can_be_told_apart_from_the_request() {
    let sandbox = sandbox(|b| b);
    let headers = [("prefer", "respond-async, separate-export-status")];
    let answer = send(&sandbox, "GET", "/$export?_type=Patient", &headers, "");
    assert_eq!(
        answer.header("preference-applied"),
        "separate-export-status"
    );
    let status = |expected: &str| {
        let answer = get(&sandbox, answer.header("content-location"));
        assert_eq!(
            (answer.status, answer.header("x-export-status")),
            (StatusCode::OK, expected)
        );
        answer.body.is_empty()
    };
    assert!(status("202"));
    assert!(!status("200"));
}

#[test]
fn exports_belong_to_their_client() {
    let builder = Sandbox::builder()
        .clock(clock())
        .export(settings(|s| s.one_job = true));
    let sandbox = builder.in_process().expect("a sandbox");
    let bearer = |client, scopes| format!("Bearer {}", sandbox.issue_token(client, scopes));
    let (own, foreign) = (bearer("a", "system/*.rs"), bearer("b", "system/Patient.rs"));
    let ask = |method, url: &str, bearer: &str| {
        send(
            &sandbox,
            method,
            url,
            &[ASYNC, ("authorization", bearer)],
            "",
        )
    };
    let kick_off = ask("GET", "/$export", &own);
    assert_eq!(kick_off.status, StatusCode::ACCEPTED);
    let again = ask("GET", "/$export", &own);
    assert_eq!(
        (again.status, again.issue().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "throttled")
    );
    assert_eq!(again.header("retry-after"), "1");
    let url = kick_off.header("content-location");
    assert_eq!(ask("GET", url, &foreign).status, StatusCode::NOT_FOUND);
    assert_eq!(ask("DELETE", url, &foreign).status, StatusCode::NOT_FOUND);
    assert_eq!(get(&sandbox, url).status, StatusCode::UNAUTHORIZED);

    // Scopes decide what is exported where no types are named.
    assert_eq!(
        ask("GET", "/$export?_type=Condition", &foreign).status,
        StatusCode::FORBIDDEN
    );
    let kick_off = ask("GET", "/$export", &foreign);
    let location = kick_off.header("content-location");
    ask("GET", location, &foreign);
    let manifest = ask("GET", location, &foreign).json();
    let types: Vec<_> = manifest["output"]
        .as_array()
        .expect("files")
        .iter()
        .map(|f| &f["type"])
        .collect();
    assert_eq!(types, ["Patient"]);
    let file = urls(&manifest, "output").remove(0);
    assert_eq!(ask("GET", &file, &foreign).status, StatusCode::OK);
    assert_eq!(ask("GET", &file, &own).status, StatusCode::NOT_FOUND);
}
