//! Transactions and batches.

use ehr_sandbox::{Data, Sandbox, Where};
use http::StatusCode;
use serde_json::{Value, json};

use crate::util::{Answer, get, sandbox, send};
use crate::writes::{JSON, patient, write};

fn empty() -> Sandbox {
    sandbox(|builder| builder.data(Data::default()).writable())
}

pub(crate) fn observation(id: &str, subject: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "subject": {"reference": subject}})
}

pub(crate) fn put(resource: &Value) -> Value {
    let text = |name: &str| resource[name].as_str().expect("text").to_owned();
    let url = format!("{}/{}", text("resourceType"), text("id"));
    json!({"resource": resource, "request": {"method": "PUT", "url": url}})
}

fn post(full_url: &str, resource: &Value, condition: Option<&str>) -> Value {
    let url = &resource["resourceType"];
    let mut request = json!({"method": "POST", "url": url});
    if let Some(condition) = condition {
        request["ifNoneExist"] = json!(condition);
    }
    json!({"fullUrl": full_url, "resource": resource, "request": request})
}

pub(crate) fn bundle(sandbox: &Sandbox, kind: &str, entries: &[Value]) -> Answer {
    let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    write(sandbox, "POST", "", &bundle)
}

pub(crate) fn statuses(answer: &Answer) -> Vec<String> {
    let bundle = answer.json();
    let entries = bundle["entry"].as_array().expect("entries");
    let status = |entry: &Value| entry["response"]["status"].as_str().expect("one")[..3].to_owned();
    entries.iter().map(status).collect()
}

#[test]
fn a_transaction_is_carried_out_as_a_whole() {
    let sandbox = empty();
    write(&sandbox, "PUT", "/Patient/old", &patient("old", "0"));
    let uuid = "urn:uuid:3b7b1a5c-0000-4000-8000-000000000001";
    let provenance = json!({"resourceType": "Provenance", "target": [{"reference": uuid}, {"reference": "Patient?identifier=urn:mrn|7"}]});
    let answer = bundle(
        &sandbox,
        "transaction",
        &[
            put(&observation("o", uuid)),
            post("urn:uuid:2", &provenance, None),
            post(uuid, &patient("x", "1"), Some("identifier=urn:mrn|1")),
            put(&patient("seven", "7")),
            json!({"request": {"method": "DELETE", "url": "Patient/old"}}),
            json!({"resource": patient("z", "8"), "request": {"method": "PUT", "url": "Patient?identifier=urn:mrn|8"}}),
        ],
    );
    // A conditional reference is resolved among what is there by then.
    assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED);
    let issue = &answer.json()["issue"][0];
    assert_eq!(
        issue["expression"],
        json!(["Bundle.entry[1].resource.target[1]"])
    );
    assert_eq!(
        get(&sandbox, "/Patient/old").status,
        StatusCode::OK,
        "nothing happened"
    );
    assert_eq!(sandbox.data().resources().count(), 1);

    write(&sandbox, "PUT", "/Patient/seven", &patient("seven", "7"));
    let answer = bundle(
        &sandbox,
        "transaction",
        &[
            put(&observation("o", uuid)),
            post("urn:uuid:2", &provenance, None),
            post(uuid, &patient("x", "1"), Some("identifier=urn:mrn|1")),
            json!({"request": {"method": "DELETE", "url": "Patient/old"}}),
            json!({"resource": patient("z", "8"), "request": {"method": "PUT", "url": "Patient?identifier=urn:mrn|8"}}),
        ],
    );
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.json()["type"], "transaction-response");
    assert_eq!(statuses(&answer), ["201", "201", "201", "204", "201"]);
    let location = answer.json()["entry"][2]["response"]["location"].clone();
    let location = location.as_str().expect("a location").to_owned();
    let name = location.strip_suffix("/_history/1").expect("a version");
    let observation = get(&sandbox, "/Observation/o").json();
    assert_eq!(observation["subject"]["reference"], name);
    let provenance = get(&sandbox, "/Provenance").json();
    let targets = &provenance["entry"][0]["resource"]["target"];
    assert_eq!(
        *targets,
        json!([{"reference": name}, {"reference": "Patient/seven"}])
    );
    assert_eq!(get(&sandbox, "/Patient/old").status, StatusCode::GONE);
    assert_eq!(get(&sandbox, "/Patient/z").status, StatusCode::OK);

    // The same again is found.
    let again = bundle(
        &sandbox,
        "transaction",
        &[post(uuid, &patient("x", "1"), Some("identifier=urn:mrn|1"))],
    );
    assert_eq!(statuses(&again), ["200"]);
    assert_eq!(again.json()["entry"][0]["response"]["location"], location);
    assert_eq!(sandbox.count(&Where::Write), 5);
}

#[test]
fn a_transaction_is_undone_as_a_whole() {
    let sandbox = empty();
    write(&sandbox, "PUT", "/Patient/a", &patient("a", "1"));
    let stale = json!({"resource": patient("b", "1"), "request": {"method": "PUT", "url": "Patient/b", "ifMatch": "W/\"4\""}});
    let taken = json!({"resource": patient("a", "1"), "request": {"method": "PUT", "url": "Patient/a", "ifNoneMatch": "*"}});
    let no_request = json!({"resource": patient("b", "1")});
    let no_resource = json!({"request": {"method": "PUT", "url": "Patient/b"}});
    let cases = [
        (stale, StatusCode::PRECONDITION_FAILED),
        (taken, StatusCode::PRECONDITION_FAILED),
        (no_request, StatusCode::BAD_REQUEST),
        (no_resource, StatusCode::BAD_REQUEST),
        (put(&patient("c", "1")), StatusCode::BAD_REQUEST),
        (
            put(&observation("o", "urn:uuid:none")),
            StatusCode::BAD_REQUEST,
        ),
        (
            put(&json!({"resourceType": "Nonsense", "id": "1"})),
            StatusCode::BAD_REQUEST,
        ),
        (
            json!({"request": {"method": "DELETE", "url": "Patient/none"}}),
            StatusCode::NOT_FOUND,
        ),
        (
            json!({"request": {"method": "GET", "url": "Patient/a"}}),
            StatusCode::BAD_REQUEST,
        ),
    ];
    let before: Vec<_> = sandbox
        .data()
        .resources()
        .map(|r| r.json().to_owned())
        .collect();
    for (entry, status) in cases {
        let good = [put(&patient("c", "1")), put(&patient("a", "2"))];
        let entries = match entry["request"]["url"] == "Patient/a" {
            true => vec![good[0].clone(), entry.clone()],
            false => vec![good[0].clone(), entry.clone(), good[1].clone()],
        };
        let answer = bundle(&sandbox, "transaction", &entries);
        assert_eq!(answer.status, status, "{entry}");
        let issue = &answer.json()["issue"][0];
        let place = issue["expression"][0].as_str().expect("a place");
        assert!(place.starts_with("Bundle.entry[1]"), "{place}");
        let after: Vec<_> = sandbox
            .data()
            .resources()
            .map(|r| r.json().to_owned())
            .collect();
        assert_eq!(before, after, "{entry}");
        assert_eq!(get(&sandbox, "/Patient/a/_history").json()["total"], 1);
    }
    for body in [
        "",
        "{}",
        r#"{"resourceType":"Bundle","type":"collection"}"#,
        r#"{"resourceType":"List","type":"batch"}"#,
    ] {
        let answer = send(&sandbox, "POST", "", &[JSON], body);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let nothing = send(
        &sandbox,
        "POST",
        "",
        &[JSON],
        r#"{"resourceType":"Bundle","type":"batch"}"#,
    );
    assert_eq!(
        nothing.text(),
        r#"{"resourceType":"Bundle","type":"batch-response"}"#
    );
}

#[test]
fn a_batch_is_carried_out_one_by_one() {
    let sandbox = empty();
    let entries = [
        put(&patient("a", "1")),
        json!({"resource": patient("a", "1"), "request": {"method": "PUT", "url": "Patient/a", "ifMatch": "W/\"9\""}}),
        put(&patient("a", "2")),
        json!({"request": {"method": "DELETE", "url": "Patient/none"}}),
        json!({}),
    ];
    let answer = bundle(&sandbox, "batch", &entries);
    assert_eq!(answer.json()["type"], "batch-response");
    assert_eq!(statuses(&answer), ["201", "412", "200", "404", "400"]);
    let outcome = &answer.json()["entry"][1]["response"]["outcome"];
    assert_eq!(outcome["issue"][0]["code"], "conflict");
    assert_eq!(answer.json()["entry"][2]["response"]["etag"], "W/\"2\"");
    assert_eq!(answer.json()["entry"][0].get("resource"), None);
    let whole =
        json!({"resourceType": "Bundle", "type": "batch", "entry": [put(&patient("b", "1"))]});
    let headers = [JSON, ("prefer", "return=representation")];
    let answer = send(&sandbox, "POST", "", &headers, &whole.to_string());
    assert_eq!(answer.json()["entry"][0]["resource"]["id"], "b");

    // Scopes are those of each entry.
    let bearer = format!("Bearer {}", sandbox.issue_token("app", "system/Patient.u"));
    let mixed = json!({"resourceType": "Bundle", "type": "batch", "entry": [put(&patient("c", "1")), put(&observation("o", "Patient/c"))]});
    let headers = [JSON, ("authorization", &*bearer)];
    let answer = send(&sandbox, "POST", "", &headers, &mixed.to_string());
    assert_eq!(statuses(&answer), ["201", "403"]);
}
