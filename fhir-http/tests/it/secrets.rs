//! What must not be in any message: queries, bodies, tokens, ids.

use std::error::Error as _;
use std::sync::Arc;

use fhir_http::testing::Replay;
use fhir_http::{Body, Client, Error, FhirClient, Search, TransportError};
use http::{Request, Response};

use crate::util::{Tokens, client, json, origin, redirect};

const CANARIES: [&str; 5] = ["canary", "token-", "Bearer", "pat-77", "Miller"];
const BODY: &str = "{\"resourceType\":\"Patient\",\"name\":\"Miller\",canary";

fn all(error: &Error) -> String {
    let mut text = format!("{error} | {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(" | {error} | {error:?}");
        cause = error.source();
    }
    text
}

fn request() -> Request<Vec<u8>> {
    Request::post("https://ehr.example/fhir/Patient/pat-77?name=canary")
        .header("x-api-key", "canary")
        .body(BODY.as_bytes().to_vec())
        .unwrap()
}

type Act = fn(&Client) -> Result<(), Error>;

#[test]
fn messages_hold_no_secrets() {
    let send: Act = |client| client.send(request()).map(drop);
    let fetch: Act = |client| client.fetch(request(), 10).map(drop);
    let succeed: Act = |client| client.expect_success(client.send(request())?).map(drop);
    let json_only: Act = |client| client.expect_json(client.fetch(request(), 1000)?).map(drop);
    let read: Act = |client| {
        let server = FhirClient::new(client.clone(), "https://ehr.example/fhir")?;
        server.read("Patient", "pat-77").map(drop)
    };
    let search: Act = |client| {
        let server = FhirClient::new(client.clone(), "https://ehr.example/fhir")?;
        let search = Search::new("Patient").param("name", "canary");
        let mut pages = server.search(&search)?;
        let shown = format!("{search:?} {pages:?} {server:?} {client:?}");
        assert!(!shown.contains("canary"), "{shown}");
        pages.next().unwrap().map(|page| {
            let shown = format!("{page:?}");
            assert!(
                !shown.contains("canary") && !shown.contains("pat-77"),
                "{shown}"
            );
        })
    };
    let transaction: Act = |client| {
        let server = FhirClient::new(client.clone(), "https://ehr.example/fhir")?;
        server.transaction(BODY.into()).map(drop)
    };
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"code":"Miller",
        "diagnostics":"canary Miller pat-77"}]}"#;
    let next = |url: &str| {
        let link = format!(r#"[{{"relation":"next","url":"{url}"}}]"#);
        json(
            200,
            &format!(r#"{{"resourceType":"Bundle","link":{link}}}"#),
        )
    };
    let gzip = Response::builder()
        .header("content-encoding", "gzip")
        .body(BODY.as_bytes().to_vec());
    let cases = [
        (
            send,
            Some(redirect(302, "https://evil.example/canary?t=canary")),
        ),
        (
            send,
            Some(redirect(307, "http://ehr.example/canary?t=canary")),
        ),
        (send, Some(redirect(307, "canary://[canary"))),
        (send, None),
        (fetch, Some(json(200, BODY))),
        (fetch, Some(gzip.unwrap())),
        (succeed, Some(json(404, outcome))),
        (succeed, Some(json(400, BODY))),
        (json_only, Some(json(200, "canary Miller"))),
        (json_only, Some(json(200, "<html>canary"))),
        (read, Some(json(200, BODY))),
        (read, Some(json(404, outcome))),
        (read, Some(json(200, r#"{"resourceType":"canary"}"#))),
        (search, Some(json(200, BODY))),
        (search, Some(json(200, outcome))),
        (search, Some(next("https://evil.example/?t=canary"))),
        (search, Some(next("canary:[]"))),
        (transaction, Some(json(200, BODY))),
    ];
    for (number, (act, answer)) in cases.into_iter().enumerate() {
        let replay = match answer {
            Some(answer) => Replay::new().answer(answer),
            None => Replay::new().fail(TransportError::Protocol("not HTTP".into())),
        };
        let (client, _) = client(&Arc::new(replay));
        let client = client.authorized(origin("https://ehr.example"), Arc::new(Tokens::default()));
        let error = act(&client).expect_err(&format!("case {number}"));
        // `path` is a field for whom it concerns; messages show its shape.
        let text = match &error {
            Error::Status { .. } => error.to_string(),
            _ => all(&error),
        };
        for canary in CANARIES {
            assert!(!text.contains(canary), "case {number}: {text}");
        }
    }
}

#[test]
fn types_do_not_show_content() {
    let page = r#"{"resourceType":"Bundle","link":[{"relation":"self","url":"?name=canary"}],
        "entry":[{"fullUrl":"https://ehr.example/pat-77","resource":{"resourceType":"Patient","id":"pat-77"}}]}"#;
    let replay = Arc::new(Replay::new().answer(json(200, page)));
    let (client, _) = client(&replay);
    let server = FhirClient::new(client, "https://ehr.example/fhir").unwrap();
    let page = server
        .search(&Search::new("Patient"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let shown = format!("{page:?} {:?}", Body::from(b"canary".to_vec()));
    assert!(
        !shown.contains("canary") && !shown.contains("pat-77"),
        "{shown}"
    );
}
