//! Where credentials go, and where not.

use std::sync::Arc;

use fhir_http::Error;
use fhir_http::testing::Replay;
use http::{Method, Request};

use crate::util::{Tokens, answer, authorization, client, get, origin, redirect};

const HOME: &str = "https://ehr.example/fhir";

fn private(uri: &str, method: Method) -> Request<Vec<u8>> {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("accept", "application/fhir+ndjson")
        .header("range", "bytes=5-")
        .header("x-api-key", "callers-key")
        .header("cookie", "callers=cookie")
        .body(Vec::new())
        .unwrap()
}

/// (from, to): whether it is followed; whether the second request carries
/// credentials; whether it carries what the caller put in.
#[test]
fn redirects_and_credentials() {
    let cases = [
        // Home to home, in all spellings.
        (
            "https://ehr.example/a",
            "https://ehr.example/b",
            true,
            true,
            true,
        ),
        ("https://ehr.example/a", "/b", true, true, true),
        (
            "https://ehr.example/a",
            "https://EHR.example:443/b",
            true,
            true,
            true,
        ),
        // Away.
        (
            "https://ehr.example/a",
            "https://bucket.example/b?sig=x",
            true,
            false,
            false,
        ),
        (
            "https://ehr.example/a",
            "//bucket.example/b",
            true,
            false,
            false,
        ),
        (
            "https://ehr.example/a",
            "https://ehr.example:8443/b",
            true,
            false,
            false,
        ),
        (
            "https://ehr.example/a",
            "https://www.ehr.example/b",
            true,
            false,
            false,
        ),
        (
            "https://ehr.example/a",
            "https://ehr.example.evil.example/b",
            true,
            false,
            false,
        ),
        (
            "https://ehr.example/a",
            "https://127.0.0.1/b",
            true,
            false,
            false,
        ),
        // From elsewhere, back home: credentials, but nothing of the caller's.
        (
            "https://portal.example/a",
            "https://ehr.example/b",
            true,
            true,
            false,
        ),
        (
            "https://portal.example/a",
            "https://portal.example/b",
            true,
            false,
            true,
        ),
        (
            "http://127.0.0.1:1/a",
            "https://ehr.example/b",
            true,
            true,
            false,
        ),
        (
            "http://127.0.0.1:1/a",
            "http://127.0.0.1:2/b",
            true,
            false,
            false,
        ),
        // Not followed.
        (
            "https://ehr.example/a",
            "http://ehr.example/b",
            false,
            false,
            false,
        ),
        (
            "https://ehr.example/a",
            "http://127.0.0.1/b",
            false,
            false,
            false,
        ),
        (
            "http://127.0.0.1/a",
            "http://ehr.example/b",
            false,
            false,
            false,
        ),
        (
            "https://ehr.example/a",
            "https://user:pw@ehr.example/b",
            false,
            false,
            false,
        ),
        (
            "https://ehr.example/a",
            "ftp://ehr.example/b",
            false,
            false,
            false,
        ),
        ("https://ehr.example/a", "https://", false, false, false),
    ];
    for (from, to, followed, credentials, callers) in cases {
        for status in [301, 302, 303, 307, 308] {
            for with_credentials in [true, false] {
                let named = format!("{status} {from} {to} {with_credentials}");
                let replay = Replay::new()
                    .answer(redirect(status, to))
                    .answer(answer(200));
                let replay = Arc::new(replay);
                let (mut client, _) = client(&replay);
                if with_credentials {
                    client = client.authorized(origin(HOME), Arc::new(Tokens::default()));
                }
                let result = client.send(private(from, Method::GET));
                let requests = replay.requests();
                if !followed {
                    assert!(matches!(result, Err(Error::Redirect { .. })), "{named}");
                    assert_eq!(requests.len(), 1, "{named}");
                    continue;
                }
                assert_eq!(result.unwrap().status(), 200, "{named}");
                let second = &requests[1];
                let expected = if credentials && with_credentials {
                    "Bearer token-0"
                } else {
                    ""
                };
                assert_eq!(authorization(second), expected, "{named}");
                let added = second.headers().contains_key("epic-client-id");
                assert_eq!(added, credentials && with_credentials, "{named}");
                for name in ["x-api-key", "cookie"] {
                    assert_eq!(
                        second.headers().contains_key(name),
                        callers,
                        "{named} {name}"
                    );
                }
                for name in ["accept", "range", "user-agent"] {
                    assert!(second.headers().contains_key(name), "{named} {name}");
                }
            }
        }
    }
}

#[test]
fn a_callers_own_authorization_stays_with_its_origin() {
    let replay = Replay::new()
        .answer(redirect(307, "https://bucket.example/b"))
        .answer(redirect(307, "https://ehr.example/c"))
        .answer(answer(200));
    let replay = Arc::new(replay);
    let (client, _) = client(&replay);
    let mut request = get("https://ehr.example/a");
    request
        .headers_mut()
        .insert("authorization", "Basic callers".parse().unwrap());
    client.send(request).unwrap();
    let sent: Vec<_> = replay
        .requests()
        .iter()
        .map(|r| authorization(r).to_owned())
        .collect();
    assert_eq!(sent, ["Basic callers", "", ""]);
}

#[test]
fn other_methods_follow_within_their_origin_by_307_and_308() {
    let same = "https://ehr.example/b";
    let other = "https://other.example/b";
    let cases = [
        (Method::POST, 307, same, true),
        (Method::POST, 308, same, true),
        (Method::DELETE, 308, same, true),
        (Method::PUT, 307, same, true),
        (Method::POST, 301, same, false),
        (Method::POST, 302, same, false),
        (Method::POST, 303, same, false),
        (Method::POST, 307, other, false),
        (Method::DELETE, 307, other, false),
        (Method::HEAD, 307, other, true),
    ];
    for (method, status, to, followed) in cases {
        let named = format!("{method} {status} {to}");
        let replay = Arc::new(
            Replay::new()
                .answer(redirect(status, to))
                .answer(answer(200)),
        );
        let (client, _) = client(&replay);
        let mut request = private("https://ehr.example/a", method.clone());
        *request.body_mut() = b"content".to_vec();
        let result = client.send(request);
        assert_eq!(result.is_ok(), followed, "{named}");
        let requests = replay.requests();
        assert_eq!(requests.len(), if followed { 2 } else { 1 }, "{named}");
        if let Some(second) = requests.get(1) {
            assert_eq!(second.method(), method);
            let body: &[u8] = if to == same { b"content" } else { b"" };
            assert_eq!(second.body(), body, "{named}");
        }
    }
}

#[test]
fn loops_end() {
    let answers = (0..11).map(|n| redirect(302, &format!("/{n}")));
    let replay = Arc::new(answers.fold(Replay::new(), Replay::answer));
    let (client, _) = client(&replay);
    let error = client.send(get("https://ehr.example/a")).unwrap_err();
    assert!(matches!(error, Error::Redirect { .. }));
    assert_eq!(replay.requests().len(), 11);

    let answers = (0..10).map(|n| redirect(302, &format!("/{n}")));
    let replay = Arc::new(
        answers
            .fold(Replay::new(), Replay::answer)
            .answer(answer(200)),
    );
    let (client, _) = crate::util::client(&replay);
    assert!(client.send(get("https://ehr.example/a")).is_ok());
}

#[test]
fn a_redirect_without_a_location_is_an_error() {
    let replay = Arc::new(Replay::new().answer(answer(302)));
    let (client, _) = client(&replay);
    let error = client.send(get("https://ehr.example/a")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ehr.example:443 redirects without saying where to"
    );
}

#[test]
fn retries_begin_at_the_first_address() {
    let replay = Replay::new()
        .answer(redirect(307, "https://bucket.example/1?sig=old"))
        .answer(answer(503))
        .answer(redirect(307, "https://bucket.example/1?sig=new"))
        .answer(answer(200));
    let replay = Arc::new(replay);
    let (client, _) = client(&replay);
    let client = client.authorized(origin(HOME), Arc::new(Tokens::default()));
    client.send(get("https://ehr.example/file/1")).unwrap();
    let sent: Vec<_> = replay
        .requests()
        .iter()
        .map(|r| (r.uri().to_string(), authorization(r).to_owned()))
        .collect();
    let expected = [
        ("https://ehr.example/file/1", "Bearer token-0"),
        ("https://bucket.example/1?sig=old", ""),
        ("https://ehr.example/file/1", "Bearer token-0"),
        ("https://bucket.example/1?sig=new", ""),
    ];
    assert!(
        sent.iter()
            .map(|(u, a)| (u.as_str(), a.as_str()))
            .eq(expected),
        "{sent:?}"
    );
}

#[test]
fn a_401_after_a_redirect_renews_there() {
    let replay = Replay::new()
        .answer(redirect(302, "/b"))
        .answer(answer(401))
        .answer(answer(200));
    let replay = Arc::new(replay);
    let (client, _) = client(&replay);
    let client = client.authorized(origin(HOME), Arc::new(Tokens::default()));
    client.send(get("https://ehr.example/a")).unwrap();
    let sent: Vec<_> = replay
        .requests()
        .iter()
        .map(|r| (r.uri().path().to_owned(), authorization(r).to_owned()))
        .collect();
    assert_eq!(sent[2], ("/b".to_owned(), "Bearer token-1".to_owned()));
}
