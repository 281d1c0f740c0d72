//! Servers that take writes otherwise.

use std::time::Duration;

use ehr_sandbox::{Data, Rejection, Sandbox, WriteSettings};
use http::StatusCode;
use serde_json::json;

use crate::bundles::{bundle, observation, put, statuses};
use crate::util::{clock, get, sandbox, send};
use crate::writes::{JSON, patient, write};

fn with(settings: WriteSettings) -> Sandbox {
    sandbox(|builder| builder.data(Data::default()).writes(settings))
}

fn set(change: impl FnOnce(&mut WriteSettings)) -> Sandbox {
    let mut settings = WriteSettings::default();
    change(&mut settings);
    with(settings)
}

#[test]
fn bundles_can_be_unsupported() {
    let entries = [put(&patient("a", "1"))];
    for (transactions, batches, status) in
        [(false, true, 501), (false, false, 400), (true, false, 501)]
    {
        let sandbox = set(|settings| {
            settings.transactions = transactions;
            settings.batches = batches;
            settings.unsupported = status;
        });
        for (kind, supported) in [("transaction", transactions), ("batch", batches)] {
            let answer = bundle(&sandbox, kind, &entries);
            let expected = if supported { 200 } else { status };
            assert_eq!(answer.status.as_u16(), expected, "{kind}");
            if !supported {
                assert_eq!(answer.issue(), "not-supported");
            }
            let statement = get(&sandbox, "/metadata").json();
            let told = statement["rest"][0]["interaction"].to_string();
            assert_eq!(told.contains(&format!("\"{kind}\"")), supported);
        }
    }
}

#[test]
fn references_can_be_checked() {
    for status in [400, 409, 422] {
        let sandbox = set(|settings| settings.dangling_references = Some(status));
        let alone = write(
            &sandbox,
            "PUT",
            "/Observation/o",
            &observation("o", "Patient/a"),
        );
        assert_eq!(alone.status.as_u16(), status);
        assert_eq!(
            alone.json()["issue"][0]["expression"],
            json!(["Observation.subject"])
        );
        let both = [put(&observation("o", "Patient/a")), put(&patient("a", "1"))];
        let short = bundle(&sandbox, "transaction", &both[..1]);
        assert_eq!(short.status.as_u16(), status);
        assert_eq!(
            short.json()["issue"][0]["expression"],
            json!(["Bundle.entry[0].resource.subject"])
        );
        let one_by_one = statuses(&bundle(&sandbox, "batch", &both));
        assert_eq!(one_by_one, [&*status.to_string(), "201"]);
        let later = [
            put(&observation("o", "Patient/b")),
            put(&patient("b", "2")),
            put(&observation("p", "Patient/a")),
        ];
        let whole = bundle(&sandbox, "transaction", &later);
        assert_eq!(statuses(&whole), ["201", "201", "201"]);
        let referred = send(&sandbox, "DELETE", "/Patient/a", &[], "");
        assert_eq!(
            (referred.status, referred.issue().as_str()),
            (StatusCode::CONFLICT, "conflict")
        );
        let delete = |url: &str| json!({"request": {"method": "DELETE", "url": url}});
        let gone = bundle(
            &sandbox,
            "transaction",
            &[delete("Patient/a"), delete("Observation/p")],
        );
        assert_eq!(gone.status, StatusCode::OK);
        for elsewhere in ["#x", "http://other.example/Patient/1", "urn:uuid:1"] {
            let answer = write(
                &sandbox,
                "PUT",
                "/Observation/o",
                &observation("o", elsewhere),
            );
            assert!(answer.status.is_success(), "{elsewhere}");
        }
        let absolute = format!("{}/Patient/none", sandbox.base());
        let answer = write(
            &sandbox,
            "PUT",
            "/Observation/o",
            &observation("o", &absolute),
        );
        assert_eq!(answer.status.as_u16(), status);
    }
    let sandbox = set(|_| ());
    let dangling = write(
        &sandbox,
        "PUT",
        "/Observation/o",
        &observation("o", "Patient/a"),
    );
    assert_eq!(dangling.status, StatusCode::CREATED);
}

#[test]
fn ids_can_be_the_servers_own() {
    let sandbox = set(|settings| settings.client_ids = false);
    let refused = write(&sandbox, "PUT", "/Patient/a", &patient("a", "1"));
    assert_eq!(
        (refused.status, refused.issue().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "not-supported")
    );
    let created = write(&sandbox, "POST", "/Patient", &patient("a", "1"));
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    let updated = write(
        &sandbox,
        "PUT",
        &format!("/Patient/{id}"),
        &patient(&id, "2"),
    );
    assert_eq!(updated.status, StatusCode::OK);

    let numeric = |id: &str| id.bytes().all(|byte| byte.is_ascii_digit());
    let sandbox = with(WriteSettings::default().refuse_ids(numeric));
    let put = |id: &str| {
        write(
            &sandbox,
            "PUT",
            &format!("/Patient/{id}"),
            &patient(id, "1"),
        )
        .status
    };
    assert_eq!(put("123"), StatusCode::BAD_REQUEST);
    assert_eq!(put("a123"), StatusCode::CREATED);
}

#[test]
fn rules_reject_resources() {
    let no_birth_date = |resource: &ehr_sandbox::Resource| {
        let missing =
            resource.resource_type() == "Patient" && !resource.json().contains("birthDate");
        missing.then(|| Rejection::new("required", "Patient.birthDate"))
    };
    let sandbox = with(WriteSettings::default().reject(no_birth_date));
    let rejected = write(&sandbox, "PUT", "/Patient/a", &patient("a", "1"));
    assert_eq!(rejected.status, StatusCode::UNPROCESSABLE_ENTITY);
    let issue = &rejected.json()["issue"][0];
    assert_eq!(
        (&issue["code"], &issue["expression"]),
        (&json!("required"), &json!(["Patient.birthDate"]))
    );
    let entries = [put(&observation("o", "Patient/a")), put(&patient("a", "1"))];
    let rejected = bundle(&sandbox, "transaction", &entries);
    assert_eq!(rejected.status, StatusCode::UNPROCESSABLE_ENTITY);
    let issue = &rejected.json()["issue"][0];
    assert_eq!(
        issue["expression"],
        json!(["Bundle.entry[1].resource.birthDate"])
    );
    assert_eq!(
        statuses(&bundle(&sandbox, "batch", &entries)),
        ["201", "422"]
    );
    let mut good = patient("a", "1");
    good["birthDate"] = json!("2000-01-01");
    assert_eq!(
        write(&sandbox, "PUT", "/Patient/a", &good).status,
        StatusCode::CREATED
    );
    let shown = format!("{:?}", WriteSettings::default().reject(no_birth_date));
    assert!(shown.contains("rules: 1"));
}

#[test]
fn limits_are_kept() {
    let body = patient("a", "1");
    let length = body.to_string().len();
    let sandbox = set(|settings| settings.longest_body = length - 1);
    let long = write(&sandbox, "PUT", "/Patient/a", &body);
    assert_eq!(
        (long.status, long.issue().as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "too-costly")
    );
    let sandbox = set(|settings| settings.longest_body = length);
    assert_eq!(
        write(&sandbox, "PUT", "/Patient/a", &body).status,
        StatusCode::CREATED
    );

    let clock = clock();
    let mut settings = WriteSettings::default();
    settings.rate = Some((2, Duration::from_secs(10)));
    let builder = Sandbox::builder()
        .open()
        .clock(clock.clone())
        .writes(settings);
    let sandbox = builder.data(Data::default()).in_process().expect("one");
    let put = || write(&sandbox, "PUT", "/Patient/a", &body);
    assert_eq!(put().status, StatusCode::CREATED);
    clock.advance(Duration::from_millis(3500));
    assert_eq!(put().status, StatusCode::OK);
    let refused = put();
    assert_eq!(
        (refused.status, refused.issue().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "throttled")
    );
    assert_eq!(refused.header("retry-after"), "7");
    assert_eq!(get(&sandbox, "/Patient/a").header("etag"), "W/\"2\"");
    clock.advance(Duration::from_secs(7));
    assert_eq!(put().status, StatusCode::OK);
    assert_eq!(put().status, StatusCode::TOO_MANY_REQUESTS);
}

#[test]
fn versions_can_be_kept_and_conflicts_differ() {
    let sandbox = set(|settings| {
        settings.skip_unchanged = true;
        settings.mismatch = 409;
    });
    let put = |text: &str| send(&sandbox, "PUT", "/Basic/a", &[JSON], text);
    let etag = |text: &str| put(text).header("etag").to_owned();
    assert_eq!(
        etag(r#"{"resourceType":"Basic","id":"a","x":1.50}"#),
        "W/\"1\""
    );
    assert_eq!(
        etag(r#"{ "resourceType":"Basic","id":"a","x":1.50, "meta":{"versionId":"7"} }"#),
        "W/\"1\""
    );
    assert_eq!(
        etag(r#"{"resourceType":"Basic","id":"a","x":1.5}"#),
        "W/\"2\""
    );
    let headers = [JSON, ("if-match", "W/\"1\"")];
    let stale = send(
        &sandbox,
        "PUT",
        "/Basic/a",
        &headers,
        r#"{"resourceType":"Basic","id":"a"}"#,
    );
    assert_eq!(
        (stale.status, stale.issue().as_str()),
        (StatusCode::CONFLICT, "conflict")
    );
}
