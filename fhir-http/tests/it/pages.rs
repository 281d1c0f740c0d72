//! Searches and their pages.

use fhir_http::{Error, Search, SearchMode, Severity};
use http::Method;

use crate::fhir::{replay, server, uris};

const PAGE: &str = r#"{"resourceType":"Bundle","type":"searchset","total":3,
    "link":[{"relation":"self","url":"https://ehr.example/fhir/R4/Patient?name=x"},
            {"relation":"next","url":"NEXT"}],
    "entry":[
      {"fullUrl":"https://ehr.example/fhir/R4/Patient/1","resource":{"resourceType":"Patient", "id":"1","x":1.00},"search":{"mode":"match"}},
      {"resource":{"resourceType":"Organization","id":"2"},"search":{"mode":"include"}},
      {"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"not-supported"}]},"search":{"mode":"outcome"}},
      {"resource":{"resourceType":"OperationOutcome","issue":[]}},
      {"fullUrl":"urn:uuid:1"},
      {"resource":{"resourceType":"Patient","id":"3"}}]}"#;
const LAST: &str =
    r#"{"resourceType":"Bundle","total":"many","link":[{"relation":"next","url":""}]}"#;

fn page(next: &str) -> String {
    PAGE.replace("NEXT", next)
}

#[test]
fn pages_are_followed() {
    let cases = [
        (
            "https://ehr.example/fhir/R4?_getpages=a-b&_offset=2",
            "https://ehr.example/fhir/R4?_getpages=a-b&_offset=2",
        ),
        (
            "/other/path?page=2",
            "https://ehr.example/other/path?page=2",
        ),
        (
            "Patient?page=2",
            "https://ehr.example/fhir/R4/Patient?page=2",
        ),
        ("?page=2", "https://ehr.example/fhir/R4/Patient?page=2"),
        (
            "https://EHR.example:443/fhir/R4/Patient?p=a%7Cb",
            "https://EHR.example:443/fhir/R4/Patient?p=a%7Cb",
        ),
    ];
    for post in [false, true] {
        for (link, expected) in cases {
            let replay = replay(&[&page(link), LAST]);
            let mut search = Search::new("Patient").param("name", "x y").count(2);
            if post {
                search = search.post();
            }
            let pages: Result<Vec<_>, _> = server(&replay).search(&search).unwrap().collect();
            let pages = pages.unwrap();
            assert_eq!(pages.len(), 2, "{link}");
            let requests = replay.requests();
            if post {
                assert_eq!(
                    requests[0].uri(),
                    "https://ehr.example/fhir/R4/Patient/_search"
                );
                assert_eq!(requests[0].method(), Method::POST);
                assert_eq!(requests[0].body(), b"name=x%20y&_count=2");
                let media_type = &requests[0].headers()["content-type"];
                assert_eq!(media_type, "application/x-www-form-urlencoded");
            } else {
                let first = "https://ehr.example/fhir/R4/Patient?name=x%20y&_count=2";
                assert_eq!(requests[0].uri(), first);
            }
            assert_eq!(requests[1].method(), Method::GET);
            assert!(requests[1].body().is_empty());
            assert_eq!(requests[1].uri().to_string(), expected);
        }
    }
}

#[test]
fn entries_are_sorted_by_why_they_are_there() {
    let replay = replay(&[&page("")]);
    let mut pages = server(&replay).search(&Search::new("Patient")).unwrap();
    let page = pages.next().unwrap().unwrap();
    assert!(pages.next().is_none());
    let entries: Vec<_> = page
        .entries
        .iter()
        .map(|e| (e.mode, e.resource_type.as_str(), e.resource.get()))
        .collect();
    assert_eq!(
        entries,
        [
            (
                SearchMode::Match,
                "Patient",
                r#"{"resourceType":"Patient", "id":"1","x":1.00}"#
            ),
            (
                SearchMode::Include,
                "Organization",
                r#"{"resourceType":"Organization","id":"2"}"#
            ),
            (
                SearchMode::Match,
                "Patient",
                r#"{"resourceType":"Patient","id":"3"}"#
            ),
        ]
    );
    assert_eq!(
        page.entries[0].full_url.as_deref(),
        Some("https://ehr.example/fhir/R4/Patient/1")
    );
    assert_eq!(page.outcomes.len(), 2);
    assert_eq!(page.outcomes[0].issues[0].severity, Severity::Warning);
    assert_eq!(page.total, Some(3));
    assert_eq!(
        page.self_link.as_deref(),
        Some("https://ehr.example/fhir/R4/Patient?name=x")
    );
    assert_eq!(uris(&replay), ["https://ehr.example/fhir/R4/Patient"]);
}

#[test]
fn links_that_are_not_followed() {
    let first = "https://ehr.example/fhir/R4/Patient";
    let elsewhere = [
        "https://evil.example/fhir/R4/Patient?page=2",
        "http://ehr.example/fhir/R4/Patient?page=2",
        "https://ehr.example:8443/fhir/R4/Patient?page=2",
        "//evil.example/x",
        "http://127.0.0.1/x",
        "urn:uuid:1",
    ];
    for link in elsewhere.into_iter().chain([first, "Patient"]) {
        let replay = replay(&[&page(link)]);
        let mut pages = server(&replay).search(&Search::new("Patient")).unwrap();
        let error = pages.next().unwrap().unwrap_err();
        assert!(matches!(error, Error::Paging { .. }), "{link}: {error}");
        assert!(pages.next().is_none());
        assert_eq!(replay.requests().len(), 1);
    }
}

#[test]
fn searches_end() {
    // a → b → a
    let replay = replay(&[&page("?page=a"), &page("?page=b"), &page("?page=a")]);
    let results: Vec<_> = server(&replay)
        .search(&Search::new("Patient"))
        .unwrap()
        .collect();
    assert_eq!(results.len(), 3);
    assert!(matches!(results[2], Err(Error::Paging { .. })));

    let answers: Vec<String> = (0..5).map(|n| page(&format!("?page={n}"))).collect();
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    let replay = crate::fhir::replay(&answers);
    let server = server(&replay).page_limit(5);
    let results: Vec<_> = server.search(&Search::new("Patient")).unwrap().collect();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 5);
    assert!(matches!(results[5], Err(Error::Paging { .. })));
}

#[test]
fn pages_that_are_none() {
    let cases = [
        (
            r#"{"resourceType":"OperationOutcome"}"#,
            "is an OperationOutcome, not a Bundle",
        ),
        (r#"{"resourceType":"Patient"}"#, "is no Bundle"),
        (
            r#"{"resourceType":"Bundle","entry":[{"resource":"canary"}]}"#,
            "is a Bundle with an entry that is no resource",
        ),
        (
            r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"canary 7"}}]}"#,
            "is a Bundle with an entry that is no resource",
        ),
        (
            r#"{"resourceType":"Bundle","entry":[{"resource":{},"resource":{}}]}"#,
            "is no Bundle that can be read: line 1, column 59",
        ),
        (
            r#"{"resourceType":"Bundle","entry":[{"#,
            "is no Bundle that can be read: line 1, column 35",
        ),
    ];
    for (body, expected) in cases {
        let replay = replay(&[body]);
        let mut pages = server(&replay).search(&Search::new("Patient")).unwrap();
        let error = pages.next().unwrap().unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with(expected), "{text}");
    }
    assert!(server(&replay(&[])).search(&Search::new("$x")).is_err());
}

#[test]
fn long_documents_are_refused() {
    let replay = replay(&[&page("")]);
    let server = server(&replay).document_limit(100);
    let error = server
        .search(&Search::new("Patient"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err();
    assert!(matches!(error, Error::TooLong { limit: 100, .. }));
}
