//! The client for a FHIR server that is the store: who it is, what it asks for,
//! where its token goes, and the test of it.

use std::sync::Arc;

use ehr_sandbox::{Builder, FaultPlan, RegisteredClient, Where};
use fhir_http::testing::{FakeClock, Replay};
use http::{Request, Response};
use ingest_pipeline::config::{Config, StoreServer};
use ingest_pipeline::connect::{Connected, ConnectedStore};
use ingest_pipeline::probe::{Fault, ProbeReport, StepStatus, probe_store};
use ingest_pipeline::{Error, ErrorKind};
use serde_json::json;

use crate::site::{CANARY, Files, Site, around, env, start, works};

const CLIENT: &str = "client_id = \"writer\"\nclient_secret = { env = \"SECRET\" }\n";

/// The store of a configuration in this folder.
fn settings(files: &Files, base: &str, lines: &str) -> StoreServer {
    let text = format!("[store]\nfhir = \"{base}\"\n{lines}\n");
    files.write("ingest.toml", &text);
    let config = Config::read(&files.path("ingest.toml")).expect(lines);
    config.store_server().expect(lines).expect("a server")
}

fn writer() -> RegisteredClient {
    let secret = env("SECRET").unwrap();
    let client = RegisteredClient::new("writer").secret(secret.trim());
    client.scopes("system/*.cruds")
}

fn site(build: impl FnOnce(Builder) -> Builder) -> Site {
    Site::new(|builder| build(builder.writable()))
}

fn connect(site: &Site, lines: &str) -> ConnectedStore {
    let settings = settings(&site.files, &site.sandbox.base(), lines);
    ConnectedStore::new(&settings, &site.around()).expect(lines)
}

/// Writes a patient: the status.
fn write(site: &Site, store: &ConnectedStore) -> u16 {
    let request = Request::put(format!("{}/Patient/p", site.sandbox.base()))
        .header("content-type", "application/fhir+json")
        .body(br#"{"resourceType":"Patient","id":"p"}"#.to_vec());
    let response = store.fhir.send(request.unwrap()).unwrap();
    response.status().as_u16()
}

fn answer(status: u16, body: impl ToString) -> Response<String> {
    Response::builder()
        .status(status)
        .body(body.to_string())
        .unwrap()
}

/// What a client sends in order to get a token: the id in `Authorization`, and
/// the scopes.
fn asked(connect: impl FnOnce(Arc<Replay>)) -> (String, String) {
    let document = json!({ "token_endpoint": "https://auth.example/token" });
    let token = json!({ "access_token": CANARY, "token_type": "bearer", "expires_in": 60 });
    let replay = Replay::new()
        .answer(answer(200, document))
        .answer(answer(200, token))
        .answer(answer(200, json!({ "resourceType": "Bundle" })));
    let replay = Arc::new(replay);
    connect(replay.clone());
    let requests = replay.requests();
    let token = &requests[1];
    assert_eq!(token.uri(), "https://auth.example/token");
    let form = String::from_utf8(token.body().clone()).unwrap();
    let scope = form.split('&').find_map(|pair| pair.strip_prefix("scope="));
    let scope = scope
        .expect("a scope")
        .replace("%2F", "/")
        .replace("%2A", "*");
    let basic = token.headers()["authorization"].to_str().unwrap();
    (basic.to_owned(), scope.replace('+', " "))
}

#[test]
fn the_store_and_an_ehr_are_asked_for_tokens_by_different_clients() {
    let files = Files::new();
    let clock = Arc::new(FakeClock::new(start()));
    let get = |client: &fhir_http::Client, base: &str| {
        let request = Request::get(format!("{base}/Patient")).body(Vec::new());
        client.send(request.unwrap()).unwrap();
    };
    let base = "https://store.example/fhir";
    let as_store = |lines: &str| {
        let settings = settings(&files, base, &format!("{CLIENT}{lines}"));
        asked(|replay| {
            let store = ConnectedStore::new(&settings, &around(&clock, Some(replay)));
            get(&store.unwrap().fhir, base);
        })
    };
    let (writer, scope) = as_store("");
    assert_eq!(scope, "system/*.cruds");
    assert_eq!(
        as_store("scope_syntax = \"v1\"").1,
        "system/*.read system/*.write"
    );

    let lines = "client_id = \"reader\"\nclient_secret = { env = \"SECRET\" }\n";
    let ehr = files.settings("https://ehr.example/r4", lines);
    let (reader, scope) = asked(|replay| {
        let ehr = Connected::new(&ehr, &around(&clock, Some(replay))).unwrap();
        get(&ehr.fhir, "https://ehr.example/r4");
    });
    assert_eq!(scope, "system/Patient.rs");
    assert_ne!(writer, reader, "they have one secret, and different ids");
}

#[test]
fn an_open_server_is_written_to_without_a_token() {
    let site = site(Builder::open);
    let store = connect(&site, "");
    assert!(store.auth.is_none());
    assert_eq!(write(&site, &store), 201);
    assert!(store.client().is_ok());
    assert!(site.sandbox.requests().iter().all(|seen| !seen.authorized));
}

#[test]
fn its_token_lets_it_write_and_goes_to_its_origin_only() {
    let site = site(|builder| builder.client(writer()));
    let store = connect(&site, CLIENT);
    assert_eq!(write(&site, &store), 201);
    assert!(works(&site, &store.fhir));
    assert_eq!(site.sandbox.count(&Where::Token), 1, "one for all requests");

    let plan = FaultPlan::of(["search:every:redirect", "write:every:redirect"]);
    site.sandbox.set_faults(plan.unwrap());
    assert!(works(&site, &store.fhir), "what is read may be elsewhere");
    let request = Request::put(format!("{}/Patient/p", site.sandbox.base()));
    let body = br#"{"resourceType":"Patient","id":"p","active":true}"#.to_vec();
    assert!(store.fhir.send(request.body(body).unwrap()).is_err());
    let requests = site.sandbox.requests();
    let elsewhere: Vec<_> = requests.iter().filter(|seen| seen.elsewhere).collect();
    assert!(!elsewhere.is_empty());
    for seen in elsewhere {
        assert!(!seen.authorized, "a token at the other origin");
        assert_eq!(seen.method, "GET", "data at the other origin");
    }
}

#[test]
fn a_client_that_is_not_let_in_is_told_without_its_secret() {
    let site = site(|builder| builder.client(writer().secret("another")));
    let store = connect(&site, CLIENT);
    let error = Error::from(store.auth.unwrap().token().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Authentication);
    let settings = settings(&site.files, &site.sandbox.base(), CLIENT);
    let shown = format!("{error:?} {:?} {settings:?}", error.hint());
    assert!(!shown.contains(CANARY), "{shown}");
}

fn probed(site: &Site, lines: &str) -> ProbeReport {
    let settings = settings(&site.files, &site.sandbox.base(), lines);
    let report = probe_store(&settings, &site.around()).expect(lines);
    let document = serde_json::to_value(&report).unwrap();
    let shown = format!("{report:?} {document}");
    assert!(!shown.contains(CANARY), "{shown}");
    assert_eq!(document["connection"], "store");
    assert_eq!(site.sandbox.count(&Where::Write), 0, "only tried");
    report
}

fn states(report: &ProbeReport) -> Vec<(&str, StepStatus)> {
    let steps = report.steps.iter();
    steps.map(|step| (step.name, step.status)).collect()
}

#[test]
fn the_test_of_a_store_goes_step_by_step() {
    use StepStatus::{Failed, Ok, Skipped, Warning};
    let narrow = || writer().scopes("system/*.rs");
    for (client, fault, expected, of) in [
        (writer(), "", [Ok, Ok, Ok, Ok], None),
        (narrow(), "", [Ok, Ok, Warning, Ok], None),
        (
            writer().secret("another"),
            "",
            [Ok, Ok, Failed, Skipped],
            Some(Fault::Authentication),
        ),
        (
            writer(),
            "discovery:every:status=404",
            [Failed, Skipped, Skipped, Skipped],
            Some(Fault::Authentication),
        ),
        (
            writer(),
            "metadata:every:drop",
            [Ok, Ok, Ok, Failed],
            Some(Fault::Network),
        ),
    ] {
        let site = site(|builder| builder.client(client));
        let texts = [fault].into_iter().filter(|text| !text.is_empty());
        site.sandbox.set_faults(FaultPlan::of(texts).unwrap());
        let report = probed(&site, CLIENT);
        let names = ["discovery", "assertion", "token", "metadata"];
        let expected: Vec<_> = names.into_iter().zip(expected).collect();
        assert_eq!((states(&report), report.fault), (expected, of), "{fault}");
    }
    let site = site(Builder::open);
    let report = probed(&site, "");
    let skipped = report.steps[..3].iter().all(|step| step.status == Skipped);
    assert!(skipped && report.fault.is_none(), "{report:?}");
    assert!(report.steps[3].detail.contains("FHIR 4.0.1"), "{report:?}");
}
