//! Discovery, metadata, read, search.

use std::collections::BTreeSet;
use std::time::Duration;

use ehr_sandbox::{Data, Sandbox};
use http::StatusCode;
use serde_json::{Value, json};

use crate::util::{clock, get, sandbox, send};

#[test]
fn discovery_is_under_the_base_and_wants_no_token() {
    let sandbox = Sandbox::builder()
        .clock(clock())
        .in_process()
        .expect("a sandbox");
    let document = get(&sandbox, "/.well-known/smart-configuration").json();
    assert_eq!(document["token_endpoint"], sandbox.token_url());
    let algorithms = document["token_endpoint_auth_signing_alg_values_supported"].to_string();
    assert!(algorithms.contains("RS384") && algorithms.contains("ES384"));
    let host_root = sandbox
        .base()
        .replace("/fhir", "/.well-known/smart-configuration");
    assert_eq!(get(&sandbox, &host_root).status, StatusCode::NOT_FOUND);

    let statement = get(&sandbox, "/metadata").json();
    assert_eq!(statement["fhirVersion"], "4.0.1");
    let types = statement["rest"][0]["resource"].as_array().expect("types");
    let group = types.iter().find(|t| t["type"] == "Group").expect("Group");
    assert!(group["operation"].to_string().contains("group-export"));
    assert_eq!(
        get(&sandbox, "/Patient/p1").status,
        StatusCode::UNAUTHORIZED
    );
}

#[test]
fn tokens_expire_and_scopes_bind() {
    let clock = clock();
    let builder = Sandbox::builder()
        .clock(clock.clone())
        .token_lifetime(Duration::from_secs(60));
    let sandbox = builder.in_process().expect("a sandbox");
    let bearer = format!("bearer {}", sandbox.issue_token("app", "system/Patient.r"));
    let ask = |path| send(&sandbox, "GET", path, &[("authorization", &bearer)], "");
    assert_eq!(ask("/Patient/p1").status, StatusCode::OK);
    for path in ["/Patient?_id=p1", "/Observation/ob1-1-0"] {
        let answer = ask(path);
        assert_eq!(
            (answer.status, answer.issue().as_str()),
            (StatusCode::FORBIDDEN, "forbidden")
        );
        assert!(
            answer
                .header("www-authenticate")
                .contains("insufficient_scope")
        );
    }
    clock.advance(Duration::from_secs(60));
    let answer = ask("/Patient/p1");
    assert_eq!(
        (answer.status, answer.issue().as_str()),
        (StatusCode::UNAUTHORIZED, "expired")
    );
    for value in ["Basic eA==", "Bearer", "Bearer x", ""] {
        let answer = send(
            &sandbox,
            "GET",
            "/Patient/p1",
            &[("authorization", value)],
            "",
        );
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
    }
}

#[test]
fn reads_give_the_bytes_of_the_data() {
    let sandbox = sandbox(|builder| builder);
    let answer = get(&sandbox, "/Observation/ob1-1-0");
    let expected = sandbox.data();
    let expected = expected.resource("Observation", "ob1-1-0").expect("one");
    assert_eq!(answer.text(), expected.json());
    assert_eq!(answer.header("content-type"), "application/fhir+json");
    assert_eq!(answer.header("etag"), "W/\"1\"");
    let group = get(&sandbox, "/Group/half").json();
    assert_eq!(group["member"].as_array().map(Vec::len), Some(5));
    for path in [
        "/Patient/none",
        "/Group/none",
        "/Nonsense/1",
        "/Patient/p1/x",
    ] {
        let answer = get(&sandbox, path);
        assert_eq!(
            (answer.status, answer.issue().as_str()),
            (StatusCode::NOT_FOUND, "not-found")
        );
    }
    assert_eq!(
        send(&sandbox, "PUT", "/Patient/p1", &[], "{}").status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[test]
fn searches_find_what_they_should() {
    let sandbox = sandbox(|builder| builder);
    let system = Data::MRN_SYSTEM;
    type Case<'a> = (&'a str, fn(&Value) -> bool);
    let cases: &[Case<'_>] = &[
        ("/Patient?_id=p1,p2", |r| r["id"] == "p1" || r["id"] == "p2"),
        ("/Patient?identifier=MRN000003", |r| r["id"] == "p3"),
        (&format!("/Patient?identifier={system}|MRN000003"), |r| {
            r["id"] == "p3"
        }),
        ("/Patient?identifier=urn:other|MRN000003", |_| false),
        ("/Observation?patient=p1", |r| {
            r["subject"]["reference"] == "Patient/p1"
        }),
        ("/Observation?subject=Patient/p1", |r| {
            r["subject"]["reference"] == "Patient/p1"
        }),
        ("/Observation?status=amended", |r| r["status"] == "amended"),
        ("/Observation?_lastUpdated=ge2025-01-01", |r| {
            r["meta"]["lastUpdated"].as_str() >= Some("2025-01-01")
        }),
        ("/Group?_id=half", |r| r["id"] == "half"),
    ];
    for (path, belongs) in cases {
        let bundle = get(&sandbox, &format!("{path}&_count=1000")).json();
        let resource_type = path[1..].split('?').next().expect("a type");
        let found: BTreeSet<String> = ids(&bundle).into_iter().collect();
        let data = sandbox.data();
        let mut expected: BTreeSet<String> = data
            .resources()
            .filter(|r| r.resource_type() == resource_type)
            .filter(|r| belongs(&serde_json::from_str(r.json()).expect("JSON")))
            .map(|r| r.id().to_owned())
            .collect();
        if resource_type == "Group" {
            expected.insert("half".to_owned());
        }
        assert_eq!(found, expected, "{path}");
        assert_eq!(bundle["total"], found.len(), "{path}");
    }
    let empty = get(&sandbox, "/Patient?_id=none").json();
    assert_eq!((&empty["total"], empty.get("entry")), (&json!(0), None));
    assert_eq!(
        get(&sandbox, "/Patient?_count=x").status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        get(&sandbox, "/Patient?_lastUpdated=soon").status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(get(&sandbox, "/Patient?nonsense=1").status, StatusCode::OK);
    let strict = [("prefer", "handling=strict")];
    assert_eq!(
        send(&sandbox, "GET", "/Patient?nonsense=1", &strict, "").status,
        StatusCode::BAD_REQUEST
    );
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let posted = send(&sandbox, "POST", "/Patient/_search", &form, "_id=p4").json();
    assert_eq!(ids(&posted), ["p4"]);
}

#[test]
fn pages_hold_everything_once() {
    for relative in [false, true] {
        let sandbox = sandbox(|builder| {
            let builder = builder.page_size(7);
            if relative {
                builder.relative_links()
            } else {
                builder
            }
        });
        let mut found = Vec::new();
        let mut next = Some("/Observation?status=final".to_owned());
        while let Some(url) = next {
            let bundle = get(&sandbox, &url).json();
            let page = ids(&bundle);
            assert!((1..=7).contains(&page.len()));
            found.extend(page);
            let links = bundle["link"].as_array().expect("links");
            let link = links.iter().find(|link| link["relation"] == "next");
            next = link.map(|link| link["url"].as_str().expect("a URL").to_owned());
            if let Some(url) = &mut next {
                assert_eq!(url.starts_with("http"), !relative);
                if relative {
                    url.insert(0, '/');
                }
            }
        }
        let data = sandbox.data();
        let finals = data.resources().filter(|r| {
            r.resource_type() == "Observation" && r.json().contains("\"status\":\"final\"")
        });
        assert!(finals.map(|r| r.id()).eq(found.iter().map(String::as_str)));
    }
}

fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .map(|e| e["resource"]["id"].as_str().expect("an id").to_owned())
        .collect()
}
