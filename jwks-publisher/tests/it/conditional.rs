//! Conditional requests (RFC 9110, 13), as a table.

use http::{Method, Request, StatusCode, header};
use jwks_publisher::{KeyRing, KeyStore as _, MemoryStore, Publisher, Tenant};

use crate::support::{at, key};

fn publisher() -> Publisher {
    let store = MemoryStore::new();
    store.generate("test", at(0), key(0)).unwrap();
    let publisher = Publisher::new(|| at(0));
    publisher.publish(Tenant::parse("acme").unwrap(), store.load().unwrap());
    publisher.publish(Tenant::parse("empty").unwrap(), KeyRing::new());
    publisher
}

#[test]
fn entity_tags_are_compared_as_the_rfc_says() {
    let publisher = publisher();
    let get = |lines: &[(header::HeaderName, String)], method: Method| {
        let mut request = Request::builder().method(method).uri("/jwks/acme.json");
        for (name, value) in lines {
            request = request.header(name, value.as_bytes());
        }
        publisher.respond(&request.body(()).unwrap())
    };
    let first = get(&[], Method::GET);
    let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert!(
        tag.starts_with('"') && tag.ends_with('"') && tag.len() > 20,
        "strong: {tag}"
    );
    let bare = tag.trim_matches('"').to_owned();

    let none = |value: &str| vec![(header::IF_NONE_MATCH, value.to_owned())];
    let only = |value: &str| vec![(header::IF_MATCH, value.to_owned())];
    let cases: Vec<(Vec<(header::HeaderName, String)>, u16)> = vec![
        (none(&tag), 304),
        (none(&format!("W/{tag}")), 304),
        (none("*"), 304),
        (none(" * "), 304),
        (none(&format!("\"other\", {tag}")), 304),
        (none(&format!("\"other\",W/\"more\" ,{tag}")), 304),
        (none(&format!("{tag},")), 304),
        (none(&format!(",, ,{tag}")), 304),
        (none(&format!("\"a,b\", {tag}")), 304),
        (none(&format!("nonsense, {tag}")), 304),
        (none(&format!("w/{tag}, {tag}")), 304),
        ([none("\"other\""), none(&tag)].concat(), 304),
        (none("\"other\""), 200),
        (none("\"\""), 200),
        (none(""), 200),
        (none(&bare), 200),
        (none(&format!("\"{bare}")), 200),
        (none(&format!("{bare}\"")), 200),
        (none(&format!("w/{tag}")), 200),
        (none(&format!("W/ {tag}")), 200),
        (none(&format!("{tag}x")), 200),
        (none(&format!("\"x,{bare}\"")), 200),
        (none("**"), 200),
        (none("\"*\""), 200),
        (none("\u{e9}\u{fffd}"), 200),
        (none(&",".repeat(5_000)), 200),
        (only(&tag), 200),
        (only("*"), 200),
        (only(&format!("\"other\", {tag}")), 200),
        (only(&format!("W/{tag}")), 412),
        (only("\"other\""), 412),
        (only("nonsense"), 412),
        // The first is looked at first.
        ([only("\"other\""), none(&tag)].concat(), 412),
        ([only(&tag), none(&tag)].concat(), 304),
        // Dates play no part: there is no `Last-Modified`.
        (
            vec![(
                header::IF_MODIFIED_SINCE,
                "Fri, 01 Jan 2038 00:00:00 GMT".to_owned(),
            )],
            200,
        ),
        (vec![(header::RANGE, "bytes=0-1".to_owned())], 200),
    ];
    for (lines, status) in cases {
        for method in [Method::GET, Method::HEAD] {
            let response = get(&lines, method.clone());
            assert_eq!(response.status(), status, "{method} {lines:?}");
            let headers = response.headers();
            assert_eq!(headers[header::ETAG], tag.as_str());
            assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=300");
            let is_sent = response.status() == StatusCode::OK && method == Method::GET;
            assert_eq!(!response.body().is_empty(), is_sent, "{method} {lines:?}");
            if response.status() == StatusCode::NOT_MODIFIED {
                assert!(!headers.contains_key(header::CONTENT_TYPE));
                assert!(!headers.contains_key(header::CONTENT_LENGTH));
            }
        }
    }
}

#[test]
fn head_is_get_without_a_body() {
    let publisher = publisher();
    for path in [
        "/jwks/acme.json",
        "/jwks/empty.json",
        "/jwks/nobody.json",
        "/healthz",
        "/readyz",
    ] {
        let ask = |method: Method| {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .body(())
                .unwrap();
            publisher.respond(&request)
        };
        let (get, head) = (ask(Method::GET), ask(Method::HEAD));
        assert_eq!(get.status(), head.status(), "{path}");
        assert_eq!(get.headers(), head.headers(), "{path}");
        let length = head.headers()[header::CONTENT_LENGTH].to_str().unwrap();
        assert_eq!(length, get.body().len().to_string(), "{path}");
        assert!(head.body().is_empty(), "{path}");
    }
}
