//! Who may write, and what goes wrong then.

use std::time::Duration;

use ehr_sandbox::{Data, FaultPlan, Sandbox, Where};
use http::StatusCode;
use serde_json::json;

use crate::util::{clock, get, sandbox, send, try_send};
use crate::writes::{JSON, patient, write};

#[test]
fn scopes_bind_writers() {
    let sandbox = Sandbox::builder()
        .clock(clock())
        .writable()
        .in_process()
        .expect("one");
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": patient("p1", "1"), "request": {"method": "PUT", "url": "Patient/p1"}},
    ]});
    let requests = [
        ("POST", "/Patient", patient("x", "1")),
        ("PUT", "/Patient/p1", patient("p1", "1")),
        ("DELETE", "/Patient/p9", json!({})),
        ("POST", "", bundle),
    ];
    let cases = [
        ("system/*.cruds", [true, true, true, true]),
        ("system/Patient.write", [true, true, true, true]),
        ("system/Patient.cu", [true, true, false, true]),
        ("system/Patient.c", [true, false, false, false]),
        ("system/Patient.u", [false, true, false, true]),
        ("system/Observation.cud", [false; 4]),
        ("system/*.rs", [false; 4]),
    ];
    for (scopes, allowed) in cases {
        let bearer = format!("Bearer {}", sandbox.issue_token("app", scopes));
        for ((method, url, body), allowed) in requests.iter().zip(allowed) {
            let headers = [JSON, ("authorization", &*bearer)];
            let answer = send(&sandbox, method, url, &headers, &body.to_string());
            let refused = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(
                refused, !allowed,
                "{scopes} {method} {url} {}",
                answer.status
            );
        }
    }
    assert_eq!(
        write(&sandbox, "POST", "", &json!({})).status,
        StatusCode::UNAUTHORIZED
    );
}

#[test]
fn nothing_is_written_where_that_is_not_wanted() {
    let sandbox = sandbox(|builder| builder);
    let url = get(&sandbox, "/metadata");
    assert!(!url.text().contains("transaction"));
    for (method, url, expected) in [
        ("PUT", "/Patient/p1", StatusCode::METHOD_NOT_ALLOWED),
        ("POST", "/Patient", StatusCode::METHOD_NOT_ALLOWED),
        ("POST", "", StatusCode::METHOD_NOT_ALLOWED),
        ("GET", "/Patient/p1/_history", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(
            write(&sandbox, method, url, &patient("p1", "1")).status,
            expected
        );
    }
    assert_eq!(sandbox.count(&Where::Write), 0);
}

#[test]
fn faults_come_before_and_after() {
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": patient("b", "2"), "request": {"method": "PUT", "url": "Patient/b"}},
    ]});
    let requests = [
        ("PUT", "/Patient/a", patient("a", "1")),
        ("POST", "", bundle),
    ];
    let cases = [
        ("status=503", 0, Some(503)),
        ("status=409,body=outcome/conflict", 0, Some(409)),
        ("drop", 0, None),
        ("html", 0, Some(200)),
        ("cut=10", 1, Some(200)),
        ("after=status=504", 1, Some(504)),
        ("after=drop", 1, None),
        ("after=html", 1, Some(200)),
        ("after=transient", 1, Some(500)),
    ];
    for (fault, written, status) in cases {
        let builder = Sandbox::builder().open().data(Data::default());
        let sandbox = builder.writable().in_process().expect("one");
        for (number, (method, url, body)) in (1..).zip(&requests) {
            let plan = FaultPlan::of([format!("write:1:{fault}")]).expect("a plan");
            sandbox.set_faults(plan);
            let url = format!("{}{url}", sandbox.base());
            let answer = try_send(
                &sandbox.transport(),
                method,
                &url,
                &[JSON],
                &body.to_string(),
            );
            let seen = answer.ok().map(|answer| {
                let cut = answer.broken.is_some();
                assert_eq!(cut, fault.starts_with("cut"), "{fault}");
                // A cut answer keeps the status that it has.
                if cut { 200 } else { answer.status.as_u16() }
            });
            assert_eq!(seen, status, "{fault} {method}");
            let there = sandbox.data().resources().count();
            assert_eq!(there, written * number, "{fault} {method}");
        }
        assert_eq!(sandbox.count(&Where::Write), 2);
    }
    let clock = clock();
    let builder = Sandbox::builder().open().clock(clock.clone()).writable();
    let plan = FaultPlan::of(["write:1:after=delay=20"]).expect("a plan");
    let sandbox = builder
        .data(Data::default())
        .faults(plan)
        .in_process()
        .expect("one");
    let created = write(&sandbox, "PUT", "/Patient/a", &patient("a", "1"));
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(clock.slept(), [Duration::from_millis(20)]);
    assert!(
        created.text().contains("2026-01-02T00:00:00.000Z"),
        "before the delay"
    );
}

#[test]
fn writes_are_counted_by_type() {
    let sandbox = sandbox(|builder| builder.writable());
    write(&sandbox, "PUT", "/Patient/p1", &patient("p1", "1"));
    write(
        &sandbox,
        "POST",
        "/Basic",
        &json!({"resourceType": "Basic"}),
    );
    let batch = json!({"resourceType": "Bundle", "type": "batch"});
    for url in ["", "/"] {
        assert_eq!(write(&sandbox, "POST", url, &batch).status, StatusCode::OK);
    }
    get(&sandbox, "/Patient/p1/_history");
    let requests = sandbox.requests();
    let types: Vec<_> = requests
        .iter()
        .map(|request| request.resource_type())
        .collect();
    let expected = [Some("Patient"), Some("Basic"), None, None, Some("Patient")];
    assert_eq!(types, expected);
    assert_eq!(sandbox.count(&Where::Write), 4);
    assert_eq!(sandbox.count(&Where::Read), 1);
}

#[test]
fn clients_are_granted_what_they_are_registered_with() {
    for writable in [true, false] {
        let client = ehr_sandbox::RegisteredClient::new("app")
            .secret("s")
            .scopes("system/*.cruds");
        let builder = Sandbox::builder().clock(clock()).client(client);
        let builder = if writable {
            builder.writable()
        } else {
            builder
        };
        let sandbox = builder.in_process().expect("one");
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let body = "grant_type=client_credentials&client_id=app&client_secret=s&scope=system/Patient.cruds";
        let granted = send(&sandbox, "POST", &sandbox.token_url(), &form, body).json();
        let expected = if writable {
            "system/Patient.cruds"
        } else {
            "system/Patient.rs"
        };
        assert_eq!(granted["scope"], expected);
        let discovery = get(&sandbox, "/.well-known/smart-configuration");
        assert_eq!(discovery.text().contains("cruds"), writable);
    }
}
