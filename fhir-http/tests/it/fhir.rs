use std::sync::Arc;

use fhir_http::testing::Replay;
use fhir_http::{CapabilityStatement, Error, FhirClient};
use http::Method;

use crate::util::{answer, client, json};

pub(crate) fn server(replay: &Arc<Replay>) -> FhirClient {
    FhirClient::new(client(replay).0, "https://ehr.example/fhir/R4/").unwrap()
}

pub(crate) fn replay(answers: &[&str]) -> Arc<Replay> {
    Arc::new(
        answers
            .iter()
            .fold(Replay::new(), |replay, body| replay.answer(json(200, body))),
    )
}

pub(crate) fn uris(replay: &Replay) -> Vec<String> {
    replay
        .requests()
        .iter()
        .map(|request| request.uri().to_string())
        .collect()
}

#[test]
fn bases() {
    let (client, _) = client(&Arc::new(Replay::new()));
    let base = FhirClient::new(client.clone(), "https://ehr.example/fhir//").unwrap();
    assert_eq!(base.base(), "https://ehr.example/fhir");
    let refused = [
        "",
        "/fhir",
        "http://ehr.example/fhir",
        "https://ehr.example/fhir?tenant=1",
        "https://ehr.example/fhir#x",
        "https://user:canary@ehr.example/fhir",
        "https://ehr example/",
    ];
    for base in refused {
        let error = FhirClient::new(client.clone(), base).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Url {
                    what: "the FHIR base",
                    ..
                }
            ),
            "{base}"
        );
        assert!(!error.to_string().contains("canary"));
    }
}

#[test]
fn resources_are_read_byte_for_byte() {
    let body = r#"{ "resourceType":"Observation","id":"a_1", "valueQuantity":{"value":1.00, "x":1e2},"é":"\u00e9" }"#;
    let replay = replay(&[body, &format!("\u{feff}{body}\n")]);
    let server = server(&replay);
    assert_eq!(server.read("Observation", "a_1").unwrap().get(), body);
    assert_eq!(
        server.read("Observation", "a/../1?x#y %").unwrap().get(),
        body
    );
    assert_eq!(
        uris(&replay),
        [
            "https://ehr.example/fhir/R4/Observation/a_1",
            "https://ehr.example/fhir/R4/Observation/a%2F..%2F1%3Fx%23y%20%25",
        ]
    );
    assert_eq!(
        replay.requests()[0].headers()["accept"],
        "application/fhir+json"
    );
}

#[test]
fn reads_that_can_not_be_sent() {
    let replay = replay(&[]);
    let server = server(&replay);
    for (kind, id) in [
        ("Patient", ""),
        ("Patient", ".."),
        ("Patient", "."),
        ("", "1"),
        ("../x", "1"),
        ("Patient?", "1"),
    ] {
        assert!(
            matches!(server.read(kind, id), Err(Error::Request { .. })),
            "{kind} {id}"
        );
    }
}

#[test]
fn answers_that_are_not_the_resource() {
    let cases = [
        ("<html>Sign in</html>", "is an HTML page, not JSON"),
        (r#"{"resourceType":"Bundle"}"#, "is no Patient"),
        (r#"{"id":"1"}"#, "is no Patient"),
        (
            r#"{"resourceType":"Patient","name":canary}"#,
            "is no JSON that can be read: line 1, column 34",
        ),
    ];
    for (body, expected) in cases {
        let error = server(&replay(&[body])).read("Patient", "1").unwrap_err();
        let text = error.to_string();
        assert!(
            text.ends_with(expected) && !text.contains("canary"),
            "{text}"
        );
    }
    for status in [404, 410] {
        let replay = Arc::new(Replay::new().answer(answer(status)));
        let error = server(&replay).read("Patient", "1").unwrap_err();
        assert_eq!(error.status().unwrap(), status);
    }
}

#[test]
fn capabilities() {
    let replay = replay(&[
        r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1",
        "software":{"name":"EHR","version":"May 2026"},
        "rest":[{"mode":"client","resource":[{"type":"Wrong"}]},
          {"mode":"server","resource":[
            {"type":"Patient","interaction":[{"code":"read"},{"code":"search-type"},{}],
             "searchParam":[{"name":"identifier","type":"token"},{"name":7}]},
            {"type":"Group","operation":[{"name":"$group-export","definition":"http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"}]},
            {"type":null}, 7],
           "operation":[{"name":"export","definition":{"reference":"http://x"}},{"definition":"y"}]}]}"#,
    ]);
    let statement = server(&replay).capabilities().unwrap();
    assert_eq!(uris(&replay), ["https://ehr.example/fhir/R4/metadata"]);
    assert_eq!(statement.software_name.as_deref(), Some("EHR"));
    assert_eq!(statement.software_version.as_deref(), Some("May 2026"));
    assert_eq!(statement.fhir_version.as_deref(), Some("4.0.1"));
    let types: Vec<_> = statement
        .resources
        .iter()
        .map(|r| r.resource_type.as_str())
        .collect();
    assert_eq!(types, ["Patient", "Group"]);
    let patient = statement.resource("Patient").unwrap();
    assert_eq!(patient.interactions, ["read", "search-type"]);
    assert_eq!(patient.search_params, ["identifier"]);
    assert_eq!(
        statement.resource("Group").unwrap().operations[0].name,
        "group-export"
    );
    assert_eq!(statement.operations.len(), 1);
    assert_eq!(
        statement.operations[0].definition.as_deref(),
        Some("http://x")
    );

    let bare = CapabilityStatement::from_json(br#"{"resourceType":"CapabilityStatement"}"#);
    assert_eq!(bare, Some(CapabilityStatement::default()));
    let error = server(&self::replay(&["{}"])).capabilities().unwrap_err();
    assert!(matches!(error, Error::Unexpected { .. }));
}

#[test]
fn transactions_and_batches() {
    let response = |kind: &str| {
        format!(
            r#"{{"resourceType":"Bundle","type":"{kind}-response","entry":[
            {{"response":{{"status":"201 Created","location":"Patient/1/_history/1","etag":"W/\"1\""}}}},
            {{"response":{{"status":"404","outcome":{{"resourceType":"OperationOutcome","issue":[{{"code":"not-found"}}]}}}}}}]}}"#
        )
    };
    let bundle = |kind: &str| {
        format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[]}}"#).into_bytes()
    };
    for kind in ["transaction", "batch"] {
        let replay = replay(&[
            &response(kind),
            &response("history"),
            r#"{"resourceType":"Bundle","type":"x-response"}"#,
        ]);
        let server = server(&replay);
        let process = |bundle| match kind {
            "batch" => server.batch(bundle),
            _ => server.transaction(bundle),
        };
        let responses = process(bundle(kind)).unwrap();
        assert_eq!(responses.len(), 2);
        assert_eq!(responses[0].status, 201);
        assert_eq!(
            responses[0].location.as_deref(),
            Some("Patient/1/_history/1")
        );
        assert_eq!(responses[0].etag.as_deref(), Some("W/\"1\""));
        assert_eq!(responses[1].status, 404);
        assert_eq!(
            responses[1].outcome.as_ref().unwrap().codes(),
            ["not-found"]
        );
        let request = &replay.requests()[0];
        assert_eq!(request.uri(), "https://ehr.example/fhir/R4");
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.headers()["content-type"], "application/fhir+json");
        assert_eq!(*request.body(), bundle(kind));

        assert!(matches!(
            process(bundle(kind)),
            Err(Error::Unexpected { .. })
        ));
        let other = if kind == "batch" {
            "transaction"
        } else {
            "batch"
        };
        for wrong in [
            bundle(other),
            bundle("collection"),
            b"{}".to_vec(),
            b"x".to_vec(),
        ] {
            assert!(matches!(process(wrong), Err(Error::Request { .. })));
        }
        assert_eq!(replay.requests().len(), 2);
    }
    let unread = r#"{"resourceType":"Bundle","type":"batch-response","entry":[{"response":{}}]}"#;
    let error = server(&replay(&[unread]))
        .batch(bundle("batch"))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("is a batch-response with an entry without a status")
    );
}
