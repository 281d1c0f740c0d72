use std::io::{self, Read, Write};
use std::sync::Arc;

use fhir_http::testing::Replay;
use fhir_http::{Body, Error, is_delimited, is_html};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Response};

use crate::util::{answer, client, get, json};

const URL: &str = "https://ehr.example/fhir/Patient/pat-77?name=canary";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encoded(encoding: &str, body: Vec<u8>) -> Response<Vec<u8>> {
    Response::builder()
        .header("content-encoding", encoding)
        .body(body)
        .unwrap()
}

#[test]
fn bodies_are_decoded() {
    let text = b"{\"a\":1}".repeat(1000);
    let two = [gzip(&text[..10]), gzip(&text[10..])].concat();
    let cases = [
        ("gzip", gzip(&text), &text[..]),
        ("x-gzip", gzip(&text), &text),
        ("GZIP", two, &text),
        ("identity, gzip", gzip(&text), &text),
        ("identity", text.clone(), &text),
        ("", text.clone(), &text),
        ("gzip", Vec::new(), b""),
    ];
    for (encoding, body, expected) in cases {
        let replay = Arc::new(Replay::new().answer(encoded(encoding, body)));
        let (client, _) = client(&replay);
        let response = client.fetch(get(URL), 1 << 20).unwrap();
        assert_eq!(response.body(), expected, "{encoding}");
        assert!(!response.headers().contains_key("content-encoding"));
        assert_eq!(replay.requests()[0].headers()["accept-encoding"], "gzip");
    }
}

#[test]
fn other_encodings_are_refused() {
    for encoding in ["br", "zstd", "gzip, gzip", "gzip, br"] {
        let replay = Arc::new(Replay::new().answer(encoded(encoding, b"x".to_vec())));
        let (client, _) = client(&replay);
        let error = client.fetch(get(URL), 1 << 20).unwrap_err();
        let Error::Body { source, .. } = error else {
            panic!("{encoding}: {error}")
        };
        assert_eq!(source.kind(), io::ErrorKind::Unsupported);
    }
}

#[test]
fn the_cap_is_on_decoded_bytes() {
    let bomb = gzip(&vec![b' '; 4 << 20]);
    assert!(bomb.len() < 64 << 10);
    let replay = Replay::new()
        .answer(encoded("gzip", bomb))
        .answer(encoded("gzip", gzip(b"12345678")))
        .answer(encoded("identity", b"123456789".to_vec()));
    let (client, _) = client(&Arc::new(replay));
    assert!(matches!(
        client.fetch(get(URL), 1 << 20),
        Err(Error::TooLong {
            limit: 1_048_576,
            ..
        })
    ));
    assert_eq!(client.fetch(get(URL), 8).unwrap().body(), b"12345678");
    assert!(matches!(
        client.fetch(get(URL), 8),
        Err(Error::TooLong { limit: 8, .. })
    ));
}

#[test]
fn a_capped_body_streams_up_to_the_cap() {
    let headers = HeaderMap::from_iter([(
        http::header::CONTENT_ENCODING,
        http::HeaderValue::from_static("gzip"),
    )]);
    // A body without an end: only streaming gets to the cap.
    let endless = io::Read::chain(io::Cursor::new(gzip(b"{}")), io::repeat(0));
    let mut body = Body::new(endless).decoded(&headers, 1 << 20).unwrap();
    let mut start = [0; 2];
    body.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"{}");

    let plain = Body::new(io::repeat(b'x'))
        .decoded(&HeaderMap::new(), 1000)
        .unwrap();
    let error = io::copy(&mut { plain }, &mut io::sink()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(
        Error::body("ehr.example:443", error).to_string(),
        "the response of ehr.example:443 is longer than 1000 bytes"
    );
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[test]
fn a_body_that_breaks_off_is_fetched_again() {
    let cut = |_: &_| {
        Ok(Response::new(Body::new(
            io::Cursor::new(b"{\"a\"").chain(Broken),
        )))
    };
    let replay = Replay::new()
        .answer_with(cut)
        .answer(json(200, "{\"a\":1}"));
    let replay = Arc::new(replay);
    let (whole, _) = client(&replay);
    assert_eq!(whole.fetch(get(URL), 100).unwrap().body(), b"{\"a\":1}");

    let mut cut_gzip = gzip(b"{\"a\":1}");
    cut_gzip.truncate(12);
    let replay = Replay::new()
        .answer(encoded("gzip", cut_gzip))
        .answer(json(200, "{}"));
    let (whole, _) = client(&Arc::new(replay));
    assert_eq!(whole.fetch(get(URL), 100).unwrap().body(), b"{}");

    let replay = (0..6).fold(Replay::new(), |replay, _| replay.answer_with(cut));
    let (cut, _) = client(&Arc::new(replay));
    let error = cut.fetch(get(URL), 100).unwrap_err();
    assert!(matches!(error, Error::Body { .. }) && error.is_transient());
}

#[test]
fn refusals_carry_the_outcome() {
    const OUTCOME: &str = r#"{"resourceType":"OperationOutcome","issue":[
        {"severity":"error","code":"not-found","diagnostics":"no Patient pat-77"}]}"#;
    let cases = [
        (404, OUTCOME, Some(1), " (not-found)"),
        (404, "", None, ""),
        (500, "<html><body>pat-77</body></html>", None, ""),
        (400, "{\"resourceType\":\"Oper", None, ""),
        (403, "{\"resourceType\":\"OperationOutcome\"}", Some(0), ""),
    ];
    for (status, body, issues, codes) in cases {
        for streamed in [true, false] {
            let mut policy = fhir_http::RetryPolicy::default();
            policy.attempts = 1;
            let replay = Arc::new(Replay::new().answer(json(status, body)));
            let (client, _) = client(&replay);
            let client = client.retry(policy);
            let error = if streamed {
                client
                    .expect_success(client.send(get(URL)).unwrap())
                    .unwrap_err()
            } else {
                client
                    .expect_success(client.fetch(get(URL), 1000).unwrap())
                    .unwrap_err()
            };
            assert_eq!(error.status().unwrap(), status);
            assert_eq!(error.is_transient(), status == 500);
            let reason = http::StatusCode::from_u16(status).unwrap();
            let expected =
                format!("ehr.example:443 answered {reason} to GET /fhir/Patient/…{codes}");
            assert_eq!(error.to_string(), expected);
            let Error::Status { outcome, path, .. } = error else {
                panic!()
            };
            assert_eq!(path, "/fhir/Patient/pat-77");
            assert_eq!(outcome.map(|outcome| outcome.issues.len()), issues);
        }
    }
}

#[test]
fn refusals_carry_what_was_asked_to_wait() {
    let body = encoded(
        "gzip",
        gzip(b"{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"code\":\"throttled\"}]}"),
    );
    let (mut parts, body) = body.into_parts();
    parts.status = http::StatusCode::CONFLICT;
    parts
        .headers
        .insert("retry-after", "18000".parse().unwrap());
    let replay = Replay::new().answer(Response::from_parts(parts, body));
    let (client, _) = client(&Arc::new(replay));
    let error = client
        .expect_success(client.send(get(URL)).unwrap())
        .unwrap_err();
    let Error::Status {
        retry_after,
        outcome,
        ..
    } = error
    else {
        panic!()
    };
    assert_eq!(retry_after.unwrap().as_secs(), 300);
    assert_eq!(outcome.unwrap().codes(), ["throttled"]);
}

#[test]
fn successes_pass() {
    for status in [200, 202, 204, 304] {
        let replay = Replay::new().answer(answer(status));
        let (client, _) = client(&Arc::new(replay));
        let response = client.expect_success(client.send(get(URL)).unwrap());
        assert_eq!(response.unwrap().status(), status);
    }
}

#[test]
fn what_is_no_json_is_named() {
    let cases = [
        ("{}", None),
        ("\u{feff} \r\n{\"a\":1}", None),
        ("", Some("empty, not JSON")),
        (" \n", Some("empty, not JSON")),
        ("<!DOCTYPE html><p>Sign in", Some("an HTML page, not JSON")),
        ("\n<HTML lang=en>", Some("an HTML page, not JSON")),
        (
            "<Patient xmlns='http://hl7.org/fhir'/>",
            Some("XML, not JSON"),
        ),
        ("[]", Some("no JSON object")),
        ("Service unavailable", Some("no JSON object")),
    ];
    for (body, what) in cases {
        let (client, _) = client(&Arc::new(Replay::new().answer(json(200, body))));
        let result = client.expect_json(client.fetch(get(URL), 1000).unwrap());
        let message = result.err().map(|error| error.to_string());
        let expected = what.map(|what| format!("the response of ehr.example:443 is {what}"));
        assert_eq!(message, expected, "{body}");
    }
}

#[test]
fn html_is_told_by_its_bytes_first() {
    let cases = [
        ("text/html; charset=utf-8", "Sign in", true),
        ("text/html", "", true),
        ("text/html", "{\"resourceType\":\"Patient\"}", false),
        ("application/fhir+ndjson", "<!doctype HTML>", true),
        ("application/fhir+ndjson", "{}", false),
        ("application/fhir+json", "<htm", false),
    ];
    for (media_type, start, expected) in cases {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", media_type.parse().unwrap());
        assert_eq!(
            is_html(&headers, start.as_bytes()),
            expected,
            "{media_type} {start}"
        );
    }
    assert!(!is_html(&HeaderMap::new(), b"Sign in"));
}

#[test]
fn delimited_responses() {
    let cases: [(&[(&str, &str)], bool); 5] = [
        (&[("content-length", "5")], true),
        (&[("transfer-encoding", "gzip, Chunked")], true),
        (&[("transfer-encoding", "chunked, gzip")], false),
        (&[("connection", "close")], false),
        (&[], false),
    ];
    for (fields, expected) in cases {
        let fields = fields.iter().map(|(name, value)| {
            (
                http::HeaderName::try_from(*name).unwrap(),
                http::HeaderValue::from_str(value).unwrap(),
            )
        });
        let headers = HeaderMap::from_iter(fields);
        assert_eq!(is_delimited(&headers), expected, "{headers:?}");
    }
}
