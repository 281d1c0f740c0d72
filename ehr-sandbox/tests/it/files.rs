//! Downloads: ranges, compression, another origin, any size.

use std::io::Read as _;

use ehr_sandbox::{Data, ExportSettings, Sandbox};
use fhir_http::HttpClient as _;
use flate2::read::MultiGzDecoder;
use http::{Request, StatusCode};

use crate::util::{Answer, clock, export, get, sandbox, send, urls};

fn first_file(sandbox: &Sandbox) -> String {
    urls(
        &export(sandbox, "/$export?_type=Observation").json(),
        "output",
    )
    .remove(0)
}

#[test]
fn ranges_are_parts_of_the_file() {
    let sandbox = sandbox(|b| b);
    let url = first_file(&sandbox);
    for coding in ["identity", "gzip"] {
        let ask = |headers: &[(&str, &str)]| {
            let headers: Vec<_> = headers
                .iter()
                .copied()
                .chain([("accept-encoding", coding)])
                .collect();
            send(&sandbox, "GET", &url, &headers, "")
        };
        let whole = ask(&[]);
        assert_eq!(
            (whole.status, whole.header("accept-ranges")),
            (StatusCode::OK, "bytes")
        );
        let (length, etag) = (whole.body.len(), whole.header("etag").to_owned());
        let range = |text: &str, start: usize, end: usize| {
            let answer = ask(&[("range", text), ("if-range", &etag)]);
            assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{text}");
            assert_eq!(
                answer.header("content-range"),
                format!("bytes {start}-{}/{length}", end - 1)
            );
            assert_eq!(answer.body, whole.body[start..end], "{text}");
            assert_eq!(answer.header("etag"), etag);
        };
        range("bytes=0-", 0, length);
        range("bytes=100-", 100, length);
        range("bytes=5-9", 5, 10);
        range("bytes=-7", length - 7, length);
        range("bytes=5-99999999", 5, length);
        let is_whole =
            |answer: &Answer| answer.status == StatusCode::OK && answer.body == whole.body;
        for text in ["bytes=9-5", "bytes=0-1,3-4", "lines=1-", "bytes=x-"] {
            assert!(is_whole(&ask(&[("range", text)])), "{text}");
        }
        assert!(is_whole(&ask(&[
            ("range", "bytes=5-"),
            ("if-range", "\"other\"")
        ])));
        let beyond = ask(&[("range", &format!("bytes={length}-"))]);
        assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(beyond.header("content-range"), format!("bytes */{length}"));
    }
}

#[test]
fn gzip_is_for_those_who_accept_it() {
    let sandbox = sandbox(|b| b);
    let url = first_file(&sandbox);
    let plain = get(&sandbox, &url);
    assert_eq!(plain.header("content-encoding"), "");
    for accepted in ["gzip", "br, gzip;q=0.5"] {
        let packed = send(&sandbox, "GET", &url, &[("accept-encoding", accepted)], "");
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert_ne!(packed.header("etag"), plain.header("etag"));
        let mut text = Vec::new();
        MultiGzDecoder::new(&*packed.body)
            .read_to_end(&mut text)
            .expect("gzip");
        assert_eq!(text, plain.body);
    }
    let refused = send(
        &sandbox,
        "GET",
        &url,
        &[("accept-encoding", "gzip;q=0")],
        "",
    );
    assert_eq!(refused.body, plain.body);
}

#[test]
fn files_elsewhere_want_no_token() {
    let mut settings = ExportSettings::default();
    settings.files_elsewhere = true;
    let sandbox = Sandbox::builder()
        .clock(clock())
        .export(settings)
        .in_process()
        .expect("one");
    let bearer = format!("Bearer {}", sandbox.issue_token("a", "system/*.rs"));
    let with_token = [("authorization", &*bearer), ("prefer", "respond-async")];
    let kick_off = send(&sandbox, "GET", "/$export?_type=Patient", &with_token, "");
    let status = kick_off.header("content-location");
    send(&sandbox, "GET", status, &with_token, "");
    let manifest = send(&sandbox, "GET", status, &with_token, "").json();
    assert_eq!(manifest["requiresAccessToken"], false);
    let url = urls(&manifest, "output").remove(0);
    assert!(url.starts_with(&sandbox.other_origin()));
    assert_eq!(get(&sandbox, &url).status, StatusCode::OK);
    let leaked = send(&sandbox, "GET", &url, &with_token, "");
    assert_eq!(leaked.status, StatusCode::BAD_REQUEST);
    let elsewhere: Vec<_> = sandbox
        .requests()
        .iter()
        .filter(|r| r.elsewhere)
        .map(|r| (r.authorized, r.status.as_u16()))
        .collect();
    assert_eq!(elsewhere, [(false, 200), (true, 400)]);
    assert!(
        sandbox
            .requests()
            .iter()
            .all(|r| r.headers.get("authorization").is_none())
    );
}

#[test]
fn a_huge_file_takes_no_memory() {
    // Five gigabytes: reading all of them would take minutes, and holding them
    // more than there is.
    let bytes = 5_000_000_000_u64;
    let sandbox = sandbox(|b| b.data(Data::huge(bytes)));
    let manifest = export(&sandbox, "/$export").json();
    let count = manifest["output"][0]["count"].as_u64().expect("a count");
    let url = urls(&manifest, "output").remove(0);

    let start = bytes - 1000;
    let range = [("range", &*format!("bytes={start}-"))];
    let tail = send(&sandbox, "GET", &url, &range, "");
    assert_eq!(tail.status, StatusCode::PARTIAL_CONTENT);
    let last = tail.text().lines().last().expect("a line");
    assert!(last.contains(&format!("huge-{:016}", count - 1)), "{last}");

    let request = |coding| {
        Request::get(&url)
            .header("accept-encoding", coding)
            .body(Vec::new())
    };
    let head = |coding| {
        let request = request(coding).expect("a request");
        let response = sandbox.transport().send(request).expect("an answer");
        let mut head = vec![0; 100_000];
        match coding {
            "gzip" => MultiGzDecoder::new(response.into_body()).read_exact(&mut head),
            _ => response.into_body().read_exact(&mut head),
        }
        .expect("a long body");
        head
    };
    assert_eq!(head("gzip"), head("identity"));
}
