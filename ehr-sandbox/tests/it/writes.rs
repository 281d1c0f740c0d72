//! Create, update, delete, versions.

use std::time::Duration;

use ehr_sandbox::{Builder, Data, Level, Sandbox, Where};
use http::StatusCode;
use serde_json::{Value, json};

use crate::util::{Answer, NOW, at, clock, get, sandbox, send};

pub(crate) const JSON: (&str, &str) = ("content-type", "application/fhir+json");

fn empty() -> Sandbox {
    sandbox(|builder| builder.data(Data::default()).writable())
}

pub(crate) fn patient(id: &str, mrn: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "id": id,
        "identifier": [{"system": "urn:mrn", "value": mrn}],
    })
}

pub(crate) fn write(sandbox: &Sandbox, method: &str, url: &str, body: &Value) -> Answer {
    send(sandbox, method, url, &[JSON], &body.to_string())
}

fn put_if(sandbox: &Sandbox, header: (&str, &str), body: &Value) -> Answer {
    let headers = [JSON, header];
    send(sandbox, "PUT", "/Patient/a", &headers, &body.to_string())
}

#[test]
fn a_put_creates_and_updates() {
    let clock = clock();
    let builder = Sandbox::builder().open().clock(clock.clone()).writable();
    let sandbox = builder.data(Data::default()).in_process().expect("one");
    let body = "{ \"resourceType\":\"Patient\",\n \"id\":\"a\", \"x\":1.50, \"t\":\"a \\\" \\\\\", \"meta\":{\"source\":\"s\"}}";
    let created = send(&sandbox, "PUT", "/Patient/a", &[JSON], body);
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("etag"), "W/\"1\"");
    assert_eq!(
        created.header("last-modified"),
        "Fri, 02 Jan 2026 00:00:00 GMT"
    );
    let location = format!("{}/Patient/a/_history/1", sandbox.base());
    assert_eq!(created.header("location"), location);
    let kept = r#"{"resourceType":"Patient","id":"a","x":1.50,"t":"a \" \\","meta":{"lastUpdated":"2026-01-02T00:00:00.000Z","source":"s","versionId":"1"}}"#;
    assert_eq!(created.text(), kept);
    assert_eq!(get(&sandbox, "/Patient/a").text(), kept);

    clock.advance(Duration::from_secs(5));
    let updated = write(&sandbox, "PUT", "/Patient/a", &patient("a", "1"));
    assert_eq!(
        (updated.status, updated.header("etag")),
        (StatusCode::OK, "W/\"2\"")
    );
    let read = get(&sandbox, "/Patient/a");
    assert_eq!(read.header("etag"), "W/\"2\"");
    assert_eq!(
        read.json()["meta"]["lastUpdated"],
        "2026-01-02T00:00:05.000Z"
    );
    assert_eq!(get(&sandbox, &location).text(), kept);
    assert_eq!(
        get(&sandbox, "/Patient?identifier=urn:mrn|1").json()["total"],
        1
    );
    assert_eq!(
        get(&sandbox, "/Patient/a/_history/3").status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get(&sandbox, "/Patient/b/_history").status,
        StatusCode::NOT_FOUND
    );

    let minimal = put_if(&sandbox, ("prefer", "return=minimal"), &patient("a", "2"));
    assert_eq!((minimal.status, minimal.body.len()), (StatusCode::OK, 0));
    assert_eq!(minimal.header("etag"), "W/\"3\"");
    assert_eq!(sandbox.count(&Where::Write), 3);
    assert_eq!(sandbox.data().resources().count(), 1);
}

#[test]
fn deletions_are_versions_too() {
    let sandbox = empty();
    write(&sandbox, "PUT", "/Patient/a", &patient("a", "1"));
    let delete = || send(&sandbox, "DELETE", "/Patient/a", &[], "").status;
    assert_eq!([delete(), delete()], [StatusCode::NO_CONTENT; 2]);
    let gone = get(&sandbox, "/Patient/a");
    assert_eq!(
        (gone.status, gone.issue().as_str()),
        (StatusCode::GONE, "deleted")
    );
    assert_eq!(
        get(&sandbox, "/Patient/a/_history/2").status,
        StatusCode::GONE
    );
    assert_eq!(get(&sandbox, "/Patient").json()["total"], 0);
    assert_eq!(
        sandbox.data().expected_deletions(at(NOW - 1)),
        ["Patient/a"]
    );
    assert_eq!(sandbox.data().group(Data::ALL), Some(&[][..]));
    let missing = send(&sandbox, "DELETE", "/Patient/b", &[], "");
    assert_eq!(missing.status, StatusCode::NOT_FOUND);

    let back = write(&sandbox, "PUT", "/Patient/a", &patient("a", "1"));
    assert_eq!(
        (back.status, back.header("etag")),
        (StatusCode::CREATED, "W/\"3\"")
    );
    let history = get(&sandbox, "/Patient/a/_history").json();
    assert_eq!(
        (&history["type"], &history["total"]),
        (&json!("history"), &json!(3))
    );
    let entries = history["entry"].as_array().expect("entries");
    let methods: Vec<_> = entries
        .iter()
        .map(|entry| entry["request"]["method"].clone())
        .collect();
    assert_eq!(methods, ["PUT", "DELETE", "PUT"]);
    assert_eq!(entries[1].get("resource"), None);
    assert_eq!(entries[2]["resource"]["meta"]["versionId"], "1");
    assert_eq!(entries[2]["response"]["etag"], "W/\"1\"");
}

#[test]
fn what_was_there_before_has_a_history() {
    let sandbox = sandbox(Builder::writable);
    let mut patient = get(&sandbox, "/Patient/p1").json();
    patient["active"] = json!(false);
    let updated = write(&sandbox, "PUT", "/Patient/p1", &patient);
    assert_eq!(
        (updated.status, updated.header("etag")),
        (StatusCode::OK, "W/\"2\"")
    );
    let first = get(&sandbox, "/Patient/p1/_history/1").json();
    assert_eq!(first["active"], true);
    let untouched = get(&sandbox, "/Patient/p2/_history").json();
    assert_eq!(untouched["total"], 1);
    // A change that did not come as a request has the next number.
    sandbox.change_data(1, 100, at(NOW));
    let version: u32 = get(&sandbox, "/Patient/p1").header("etag")[3..4]
        .parse()
        .expect("one");
    let updated = write(&sandbox, "PUT", "/Patient/p1", &patient);
    assert_eq!(updated.header("etag"), format!("W/\"{}\"", version + 1));
    let level = Level::Patient;
    let newest = sandbox
        .data()
        .expected_resources(&level, &["Patient"], Some(at(NOW - 1)));
    assert!(newest.iter().any(|resource| resource.id() == "p1"));
}

#[test]
fn conditions_are_kept() {
    let sandbox = empty();
    let body = patient("a", "1");
    let none = ("if-none-match", "*");
    assert_eq!(
        put_if(&sandbox, ("if-match", "W/\"1\""), &body).status,
        StatusCode::PRECONDITION_FAILED
    );
    assert_eq!(put_if(&sandbox, none, &body).status, StatusCode::CREATED);
    let taken = put_if(&sandbox, none, &body);
    assert_eq!(
        (taken.status, taken.issue().as_str()),
        (StatusCode::PRECONDITION_FAILED, "conflict")
    );
    assert_eq!(
        put_if(&sandbox, ("if-match", "W/\"1\""), &body).status,
        StatusCode::OK
    );
    for stale in ["W/\"1\"", "\"2\"", "2", "*"] {
        let answer = put_if(&sandbox, ("if-match", stale), &body);
        assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED, "{stale}");
    }
    let stale = [("if-match", "W/\"1\"")];
    let kept = send(&sandbox, "DELETE", "/Patient/a", &stale, "");
    assert_eq!(kept.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(get(&sandbox, "/Patient/a").header("etag"), "W/\"2\"");
}

#[test]
fn creates_get_ids_and_can_be_conditional() {
    let sandbox = empty();
    let create = |condition: &str, body: &Value| {
        let condition = ("if-none-exist", condition);
        send(
            &sandbox,
            "POST",
            "/Patient",
            &[JSON, condition],
            &body.to_string(),
        )
    };
    let by_mrn = "identifier=urn:mrn|1";
    let first = create(by_mrn, &patient("ignored", "1"));
    assert_eq!(first.status, StatusCode::CREATED);
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    assert_ne!(id, "ignored");
    let again = create(by_mrn, &patient("ignored", "1"));
    assert_eq!(
        (again.status, again.header("etag")),
        (StatusCode::OK, "W/\"1\"")
    );
    assert_eq!(again.json()["id"], json!(id));
    let plain = write(&sandbox, "POST", "/Patient", &patient("x", "1"));
    assert_eq!(plain.status, StatusCode::CREATED);
    let several = create(by_mrn, &patient("x", "1"));
    assert_eq!(several.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(several.issue(), "multiple-matches");
    for condition in ["_count=1", "nonsense=1", ""] {
        let answer = create(condition, &patient("x", "9"));
        assert_eq!(
            answer.status,
            StatusCode::PRECONDITION_FAILED,
            "{condition}"
        );
    }
    assert_eq!(sandbox.data().resources().count(), 2);
}

#[test]
fn updates_can_be_conditional() {
    let sandbox = empty();
    let update =
        |query: &str, body: &Value| write(&sandbox, "PUT", &format!("/Patient?{query}"), body);
    let mut body = patient("a", "1");
    let created = update("identifier=urn:mrn|1", &body);
    assert_eq!(
        (created.status, &created.json()["id"]),
        (StatusCode::CREATED, &json!("a"))
    );
    let other = update("identifier=urn:mrn|1", &patient("b", "1"));
    assert_eq!(other.status, StatusCode::BAD_REQUEST);
    body.as_object_mut().expect("an object").remove("id");
    let updated = update("identifier=urn:mrn|1", &body);
    assert_eq!(
        (updated.status, &updated.json()["id"]),
        (StatusCode::OK, &json!("a"))
    );
    let made = update("identifier=urn:mrn|2", &body);
    assert_eq!(
        (made.status, &made.json()["id"]),
        (StatusCode::CREATED, &json!("new-1"))
    );
    let several = update("identifier=urn:mrn|1", &body);
    assert_eq!(several.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(update("", &body).status, StatusCode::BAD_REQUEST);
}

#[test]
fn wrong_bodies_are_refused() {
    let sandbox = empty();
    let good = patient("a", "1").to_string();
    let put = |content_type: &str, body: &str| {
        let headers = [("content-type", content_type)];
        send(&sandbox, "PUT", "/Patient/a", &headers, body).status
    };
    let json = "application/fhir+json; charset=utf-8";
    let cases = [
        (json, &*good, StatusCode::CREATED),
        ("text/plain", &good, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("", &good, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (json, "", StatusCode::BAD_REQUEST),
        (json, "[]", StatusCode::BAD_REQUEST),
        (
            json,
            r#"{"resourceType":"Group","id":"a"}"#,
            StatusCode::BAD_REQUEST,
        ),
        (
            json,
            r#"{"resourceType":"Patient","id":"b"}"#,
            StatusCode::BAD_REQUEST,
        ),
        (
            json,
            r#"{"resourceType":"Patient"}"#,
            StatusCode::BAD_REQUEST,
        ),
        (json, r#"{"id":"a"}"#, StatusCode::BAD_REQUEST),
    ];
    for (content_type, body, expected) in cases {
        assert_eq!(put(content_type, body), expected, "{content_type} {body}");
    }
    let long = "x".repeat(65);
    for (id, expected) in [
        ("a_b", StatusCode::BAD_REQUEST),
        (&*long, StatusCode::BAD_REQUEST),
        (&long[1..], StatusCode::CREATED),
    ] {
        let answer = write(
            &sandbox,
            "PUT",
            &format!("/Patient/{id}"),
            &patient(id, "1"),
        );
        assert_eq!(answer.status, expected, "{id}");
    }
    let packed = [JSON, ("content-encoding", "gzip")];
    let answer = send(&sandbox, "PUT", "/Patient/a", &packed, &good);
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for (method, url) in [
        ("DELETE", "/Patient"),
        ("PATCH", "/Patient/a"),
        ("POST", "/Patient/a"),
    ] {
        assert_eq!(
            write(&sandbox, method, url, &json!({})).status,
            StatusCode::METHOD_NOT_ALLOWED,
            "{method} {url}"
        );
    }
}
