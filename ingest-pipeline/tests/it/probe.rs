//! The test of a connection, with each step failing in turn.

use std::sync::Arc;

use ehr_sandbox::{Builder, FaultPlan, RegisteredClient, Where};
use fhir_http::TransportError;
use fhir_http::testing::{FakeClock, Replay};
use http::Response;
use ingest_pipeline::auth::{Algorithm, PrivateKey};
use ingest_pipeline::probe::{Fault, ProbeReport, Step, StepStatus, probe};
use serde_json::json;

use crate::site::{CANARY, Files, RSA, Site, around, env, jwks, rsa, start};

const KEY: &str = "client_id = \"app\"\nsigning_key = { file = \"rsa.pem\" }\n";

fn registered() -> RegisteredClient {
    RegisteredClient::new("app").jwks(jwks(&rsa()))
}

fn site(build: impl FnOnce(Builder) -> Builder) -> Site {
    let site = Site::new(build);
    site.files.write("rsa.pem", RSA);
    site
}

fn test(site: &Site, lines: &str) -> ProbeReport {
    checked(probe(&site.settings(lines), &site.around()).expect(lines))
}

/// Over prepared answers.
fn replayed(replay: Replay, lines: &str) -> ProbeReport {
    let files = Files::new();
    files.write("rsa.pem", RSA);
    let settings = files.settings("https://ehr.example/r4", lines);
    let clock = Arc::new(FakeClock::new(start()));
    checked(probe(&settings, &around(&clock, Some(Arc::new(replay)))).expect(lines))
}

/// Whatever happened, nothing secret is told, and the form is that of the
/// contract.
fn checked(report: ProbeReport) -> ProbeReport {
    let document = serde_json::to_value(&report).unwrap();
    let shown = format!("{report:?} {document}");
    // An assertion begins with a header in base64url.
    for secret in [CANARY, "eyJ", "MII", "Bearer", "Basic "] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let members = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(members(&document), ["connection", "elapsed_ms", "steps"]);
    assert_eq!(document["connection"], "c");
    for step in document["steps"].as_array().unwrap() {
        assert_eq!(
            members(step),
            ["detail", "elapsed_ms", "hint", "name", "status"]
        );
    }
    let names: Vec<_> = report.steps.iter().map(|step| step.name).collect();
    assert_eq!(names, ["discovery", "assertion", "token", "metadata"]);
    report
}

/// The first letters of the four states: ok, warning, failed, skipped.
fn states(report: &ProbeReport) -> String {
    let letter = |step: &Step| match step.status {
        StepStatus::Ok => 'o',
        StepStatus::Warning => 'w',
        StepStatus::Failed => 'f',
        StepStatus::Skipped => 's',
    };
    report.steps.iter().map(letter).collect()
}

fn hint(report: &ProbeReport, step: usize) -> &str {
    report.steps[step].hint.as_deref().expect("a hint")
}

fn answer(status: u16, body: impl ToString) -> Response<String> {
    Response::builder()
        .status(status)
        .body(body.to_string())
        .unwrap()
}

fn document() -> Response<String> {
    answer(
        200,
        json!({ "token_endpoint": "https://ehr.example/token" }),
    )
}

fn token() -> Response<String> {
    answer(
        200,
        json!({ "access_token": CANARY, "token_type": "bearer" }),
    )
}

#[test]
fn a_connection_that_works_is_described() {
    let site = site(|builder| {
        let slow = FaultPlan::of(["token:1:delay=20", "metadata:1:delay=300"]);
        builder.client(registered()).faults(slow.unwrap())
    });
    let report = test(&site, &format!("{KEY}types = [\"Patient\"]"));
    assert_eq!((&*states(&report), report.fault), ("oooo", None));
    assert!(report.steps.iter().all(|step| step.hint.is_none()));
    let [discovery, assertion, token, metadata] = &report.steps[..] else {
        panic!("{report:?}");
    };
    assert!(discovery.detail.contains(&site.sandbox.token_url()));
    let kid = rsa().public_jwk().kid().to_owned();
    assert_eq!(assertion.detail, format!("RS384, kid {kid}"));
    assert_eq!(token.detail, "valid for 300 s, granted: system/Patient.rs");
    assert!(metadata.detail.starts_with("ehr-sandbox "), "{metadata:?}");
    assert!(metadata.detail.contains("FHIR 4.0.1"), "{metadata:?}");
    assert_eq!((token.elapsed_ms, metadata.elapsed_ms), (20, 300));
    assert_eq!(report.elapsed_ms, 320);
}

#[test]
fn what_a_connection_does_not_need_is_skipped() {
    let open = site(Builder::open);
    let report = test(&open, "");
    assert_eq!((&*states(&report), report.fault), ("ssso", None));
    assert!(report.steps[2].detail.contains("open server"));

    let secret = env("SECRET").unwrap();
    let site = site(|builder| builder.client(RegisteredClient::new("app").secret(secret.trim())));
    let lines = format!(
        "client_id = \"app\"\nclient_secret = {{ env = \"SECRET\" }}\ntoken_endpoint = \"{}\"",
        site.sandbox.token_url()
    );
    let report = test(&site, &lines);
    assert_eq!((&*states(&report), report.fault), ("oooo", None));
    for (step, says) in [
        (0, "the token endpoint is configured"),
        (1, "a client secret"),
    ] {
        assert!(report.steps[step].detail.contains(says), "{report:?}");
    }
    assert_eq!(site.sandbox.count(&Where::Discovery), 0);
}

#[test]
fn without_a_token_endpoint_nothing_else_is_tried() {
    for (fault, expected, says) in [
        ("status=404", Fault::Authentication, "404 Not Found"),
        ("html", Fault::Authentication, "an HTML page"),
        ("drop", Fault::Network, ""),
    ] {
        let plan = FaultPlan::of([format!("discovery:every:{fault}")]).unwrap();
        let site = site(|builder| builder.client(registered()).faults(plan));
        let report = test(&site, KEY);
        assert_eq!(
            (&*states(&report), report.fault),
            ("fsss", Some(expected)),
            "{fault}"
        );
        let detail = &report.steps[0].detail;
        assert!(detail.contains(says), "{fault}: {detail}");
        assert_eq!(site.sandbox.count(&Where::Token), 0, "{fault}");
        assert_eq!(site.sandbox.count(&Where::Metadata), 0, "{fault}");
        assert!(
            site.sandbox.count(&Where::Discovery) <= 2,
            "{fault}: it answers soon"
        );
        if expected == Fault::Network {
            assert!(hint(&report, 0).contains("network"), "{report:?}");
        }
    }
}

#[test]
fn an_algorithm_that_the_server_does_not_list_is_a_warning() {
    let listed = json!({
        "token_endpoint": "https://ehr.example/token",
        "token_endpoint_auth_signing_alg_values_supported": ["ES384"],
    });
    let replay = Replay::new()
        .answer(answer(200, listed))
        .answer(token())
        .answer(answer(403, ""));
    let report = replayed(replay, KEY);
    assert_eq!((&*states(&report), report.fault), ("owow", None));
    assert!(
        hint(&report, 1).contains("does not list RS384"),
        "{report:?}"
    );
}

#[test]
fn a_key_that_is_not_registered_is_told_with_its_likely_causes() {
    let other = PrivateKey::generate_p384().unwrap();
    let other = other.signing_key(Algorithm::Es384).unwrap();
    let site = site(|builder| builder.client(RegisteredClient::new("app").jwks(jwks(&other))));
    let report = test(&site, KEY);
    assert_eq!(
        (&*states(&report), report.fault),
        ("oofs", Some(Fault::Authentication))
    );
    assert!(
        report.steps[2].detail.contains("invalid_client"),
        "{report:?}"
    );
    for says in ["JWKS URL is registered", "same environment", "stale JWKS"] {
        assert!(hint(&report, 2).contains(says), "{report:?}");
    }
    assert_eq!(site.sandbox.count(&Where::Token), 1, "a refusal is final");
}

#[test]
fn refused_scopes_are_told() {
    let site = site(|builder| builder.client(registered().scopes("system/Encounter.rs")));
    let report = test(&site, KEY);
    assert_eq!(
        (&*states(&report), report.fault),
        ("oofs", Some(Fault::Authentication))
    );
    assert!(
        report.steps[2].detail.contains("invalid_scope"),
        "{report:?}"
    );
    assert!(hint(&report, 2).contains("system/Patient.rs"), "{report:?}");

    let refusal = answer(
        400,
        json!({ "error": "unauthorized_client", "error_description": CANARY }),
    );
    let report = replayed(Replay::new().answer(document()).answer(refusal), KEY);
    assert_eq!(&*states(&report), "oofs");
    assert!(hint(&report, 2).contains("system/Patient.rs"), "{report:?}");
}

#[test]
fn a_token_endpoint_that_fails_is_asked_twice_at_most() {
    for (fault, expected, tries) in [
        ("status=400", Fault::Authentication, 1),
        ("status=503,body=html", Fault::Authentication, 2),
        ("html", Fault::Authentication, 1),
        ("drop", Fault::Network, 2),
    ] {
        let plan = FaultPlan::of([format!("token:every:{fault}")]).unwrap();
        let site = site(|builder| builder.client(registered()).faults(plan));
        let report = test(&site, KEY);
        assert_eq!(
            (&*states(&report), report.fault),
            ("oofs", Some(expected)),
            "{fault}"
        );
        assert_eq!(site.sandbox.count(&Where::Token), tries, "{fault}");
        assert!(
            report.steps[3].detail.contains("without a token"),
            "{report:?}"
        );
    }
}

#[test]
fn scopes_that_were_not_granted_are_a_warning() {
    let site = site(|builder| builder.client(registered().scopes("system/Patient.rs")));
    let mut settings = site.settings(KEY);
    settings.scopes.push("system/Encounter.read".to_owned());
    let report = checked(probe(&settings, &site.around()).unwrap());
    assert_eq!((&*states(&report), report.fault), ("oowo", None));
    assert!(
        report.steps[2]
            .detail
            .ends_with("granted: system/Patient.rs")
    );
    assert!(
        hint(&report, 2).contains("did not grant: system/Encounter.read;"),
        "{report:?}"
    );
}

#[test]
fn refused_metadata_is_a_warning() {
    for status in ["403,body=outcome/forbidden", "401", "404,body=html", "503"] {
        let plan = FaultPlan::of([format!("metadata:every:status={status}")]).unwrap();
        let site = site(|builder| builder.client(registered()).faults(plan));
        let report = test(&site, KEY);
        assert_eq!(
            (&*states(&report), report.fault),
            ("ooow", None),
            "{status}"
        );
        assert!(report.steps[3].detail.contains(&status[..3]), "{report:?}");
        assert!(
            hint(&report, 3).contains("authentication worked"),
            "{report:?}"
        );
    }
}

#[test]
fn metadata_that_does_not_come_or_is_none_is_a_failure() {
    for fault in ["drop", "html"] {
        let plan = FaultPlan::of([format!("metadata:every:{fault}")]).unwrap();
        let site = site(|builder| builder.client(registered()).faults(plan));
        let report = test(&site, KEY);
        assert_eq!(&*states(&report), "ooof", "{fault}");
        assert!(report.fault.is_some(), "{fault}");
    }
    let replay = Replay::new()
        .answer(document())
        .answer(token())
        .fail(TransportError::Tls("untrusted".into()));
    let report = replayed(replay, KEY);
    assert_eq!(
        (&*states(&report), report.fault),
        ("ooof", Some(Fault::Network))
    );
    assert!(hint(&report, 3).contains("http.ca_file"), "{report:?}");
}

#[test]
fn metadata_that_does_not_fit_the_configuration_is_a_warning() {
    let site = site(|builder| builder.client(registered()));
    let report = test(&site, &format!("{KEY}types = [\"Patient\", \"Basic\"]"));
    assert_eq!((&*states(&report), report.fault), ("ooow", None));
    assert!(hint(&report, 3).ends_with("metadata: Basic"), "{report:?}");

    let r5 = json!({ "resourceType": "CapabilityStatement", "fhirVersion": "5.0.0" });
    let replay = Replay::new()
        .answer(document())
        .answer(token())
        .answer(answer(200, r5));
    let report = replayed(replay, KEY);
    assert_eq!(&*states(&report), "ooow");
    assert!(hint(&report, 3).contains("5.0.0"), "{report:?}");
}
