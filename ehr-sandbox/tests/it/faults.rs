//! Each fault does what it says.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::time::Duration;

use ehr_sandbox::{ExportSettings, FaultPlan, Sandbox};
use fhir_http::testing::FakeClock;
use flate2::read::MultiGzDecoder;
use http::StatusCode;
use serde_json::Value;

use crate::util::{ASYNC, Answer, clock, get, send, try_send, urls};

/// A sandbox with a finished export, and what it answers without faults.
pub(crate) struct Scene {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: std::sync::Arc<FakeClock>,
    pub(crate) status_url: String,
    pub(crate) file_url: String,
    file: Answer,
    pub(crate) bearer: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let clock = clock();
        let mut settings = ExportSettings::default();
        settings.polls = 0;
        settings.resources_per_file = 25;
        let builder = Sandbox::builder()
            .clock(clock.clone())
            .export(settings)
            .writable();
        let sandbox = builder.in_process().expect("a sandbox");
        let bearer = format!("Bearer {}", sandbox.issue_token("a", "system/*.cruds"));
        let authorized = [ASYNC, ("authorization", &*bearer)];
        let kick_off = send(&sandbox, "GET", "/$export", &authorized, "");
        let status_url = kick_off.header("content-location").to_owned();
        let manifest = send(&sandbox, "GET", &status_url, &authorized, "").json();
        let file_url = urls(&manifest, "output").remove(0);
        let file = send(&sandbox, "GET", &file_url, &authorized, "");
        Self {
            sandbox,
            clock,
            status_url,
            file_url,
            file,
            bearer,
        }
    }

    fn plan(&self, faults: &[&str]) {
        self.sandbox
            .set_faults(FaultPlan::of(faults).expect("faults"));
    }

    fn ask(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        let bearer = ("authorization", &*self.bearer);
        let headers: Vec<_> = headers.iter().copied().chain([ASYNC, bearer]).collect();
        send(&self.sandbox, "GET", url, &headers, "")
    }

    fn manifest(&self) -> Value {
        self.ask(&self.status_url, &[]).json()
    }

    fn download(&self, headers: &[(&str, &str)]) -> Answer {
        self.ask(&self.file_url, headers)
    }
}

#[test]
fn hits_are_counted_for_each_fault() {
    let scene = Scene::new();
    let statuses = |count: usize| -> Vec<u16> {
        (0..count)
            .map(|_| scene.ask("/Patient/p1", &[]).status.as_u16())
            .collect()
    };
    scene.plan(&["read:2:status=503"]);
    assert_eq!(statuses(3), [200, 503, 200]);
    scene.plan(&["read:first-2:status=503"]);
    assert_eq!(statuses(3), [503, 503, 200]);
    scene.plan(&["read:every:status=503"]);
    assert_eq!(statuses(3), [503, 503, 503]);
    scene.plan(&["file/2:every:status=503"]);
    assert_eq!(scene.download(&[]).status, StatusCode::OK);
    scene.plan(&["file/1:every:status=503"]);
    assert_eq!(scene.download(&[]).status, StatusCode::SERVICE_UNAVAILABLE);
    let kind = scene
        .file_url
        .rsplit('/')
        .next()
        .and_then(|f| f.split('.').nth(1))
        .expect("a type");
    scene.plan(&[
        &format!("file/{kind}:every:status=503"),
        "file/Basic:every:drop",
    ]);
    assert_eq!(scene.download(&[]).status, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn answers_are_replaced() {
    let scene = Scene::new();
    let ask = |fault: &str| {
        scene.plan(&[fault]);
        scene.ask("/Patient/p1", &[])
    };
    let answer = ask("read:1:status=429,body=outcome/throttled,retry-after=soon");
    assert_eq!(
        (answer.status.as_u16(), answer.header("retry-after")),
        (429, "soon")
    );
    assert_eq!(answer.issue(), "throttled");
    let answer = ask("read:1:status=502,body=html");
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (502, "text/html; charset=utf-8")
    );
    assert!(ask("read:1:status=400").body.is_empty());
    let answer = ask("read:1:html");
    assert!(answer.status == StatusCode::OK && answer.text().starts_with("<!DOCTYPE html>"));
    let answer = ask("read:1:transient");
    assert_eq!(
        (answer.status.as_u16(), answer.issue().as_str()),
        (500, "transient")
    );
    let answer = ask("read:1:content-type=text/plain");
    assert_eq!(answer.header("content-type"), "text/plain");
    assert_eq!(answer.json()["id"], "p1");
    let answer = ask("read:1:retry-after=1767323045678");
    assert_eq!(
        (answer.status.as_u16(), answer.header("retry-after")),
        (200, "1767323045678")
    );
    scene.plan(&["file:1:expired=410"]);
    assert_eq!(scene.download(&[]).status, StatusCode::GONE);

    scene.plan(&["read:1:delay=250"]);
    assert_eq!(scene.ask("/Patient/p1", &[]).status, StatusCode::OK);
    assert_eq!(scene.clock.slept(), [Duration::from_millis(250)]);

    scene.plan(&["read:1:drop"]);
    let url = scene.sandbox.base() + "/Patient/p1";
    assert!(try_send(&scene.sandbox.transport(), "GET", &url, &[], "").is_err());
    scene.plan(&["read:1:expire-token"]);
    assert_eq!(
        scene.ask("/Patient/p1", &[]).status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        scene.ask("/Patient/p1", &[]).status,
        StatusCode::UNAUTHORIZED
    );
}

#[test]
fn redirects_lead_to_the_other_origin_and_no_further() {
    let scene = Scene::new();
    for (fault, url) in [
        ("read:every:redirect", "/Patient/p1"),
        ("search:every:redirect", "/Patient?_id=p1"),
        ("file:every:redirect", &scene.file_url),
        ("status:every:redirect", &scene.status_url),
        ("manifest:every:redirect", &scene.status_url),
    ] {
        scene.plan(&[fault]);
        let answer = scene.ask(url, &[]);
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{fault}");
        let target = answer.header("location");
        assert!(target.starts_with(&scene.sandbox.other_origin()), "{fault}");
        assert_eq!(
            scene.ask(target, &[]).status,
            StatusCode::BAD_REQUEST,
            "{fault}: with a token"
        );
        scene.plan(&[&fault.replace("manifest", "status")]);
        let there = get(&scene.sandbox, target);
        assert_eq!(there.status, StatusCode::OK, "{fault}: {}", there.text());
    }
}

#[test]
fn bodies_are_cut() {
    let scene = Scene::new();
    for (fault, kept) in [
        ("file:1:cut=0", 0),
        ("file:1:cut=700", 700),
        ("file:1:cut=700,chunked", 700),
        ("file:1:cut=999999999", scene.file.body.len() - 1),
    ] {
        scene.plan(&[fault]);
        let cut = scene.download(&[]);
        assert_eq!(
            (cut.status, cut.body.len()),
            (StatusCode::OK, kept),
            "{fault}"
        );
        assert!(
            cut.broken.is_some() && scene.file.body.starts_with(&cut.body),
            "{fault}"
        );
    }
    scene.plan(&["file:2:cut=10"]);
    scene.download(&[]);
    let part = scene.download(&[("range", "bytes=100-")]);
    assert_eq!(
        (part.status, part.body.len()),
        (StatusCode::PARTIAL_CONTENT, 10),
        "of a range too"
    );
}

#[test]
fn files_are_spoiled() {
    let scene = Scene::new();
    let count = |answer: &Answer| answer.text().lines().count();
    scene.plan(&["file:1:short=2"]);
    let short = scene.download(&[]);
    assert!(short.broken.is_none() && scene.file.body.starts_with(&short.body));
    assert_eq!(count(&short) + 2, count(&scene.file));
    scene.plan(&["file:1:wrong-type"]);
    let wrong = scene.download(&[]);
    assert_eq!(count(&wrong), count(&scene.file));
    assert!(
        wrong
            .text()
            .lines()
            .all(|line| line.contains("\"resourceType\":\"Basic\""))
    );

    let gzip = ("accept-encoding", "gzip");
    scene.plan(&["file:1:gzip-cut=100"]);
    let cut = scene.download(&[gzip]);
    assert!(cut.broken.is_none(), "for HTTP it is whole");
    assert_eq!(cut.body.len(), 100);
    assert!(
        MultiGzDecoder::new(&*cut.body)
            .read_to_end(&mut Vec::new())
            .is_err()
    );
    assert!(
        MultiGzDecoder::new(&*scene.download(&[gzip]).body)
            .read_to_end(&mut Vec::new())
            .is_ok()
    );

    scene.plan(&["file:every:no-range"]);
    let whole = scene.download(&[("range", "bytes=10-")]);
    assert_eq!(
        (whole.status, whole.header("accept-ranges")),
        (StatusCode::OK, "")
    );

    scene.plan(&["file:2:changed-etag"]);
    let etag = scene.download(&[]).header("etag").to_owned();
    let changed = scene.download(&[("range", "bytes=10-"), ("if-range", &etag)]);
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(changed.header("etag"), etag);
}

#[test]
fn manifests_are_spoiled() {
    let scene = Scene::new();
    let good = scene.manifest();
    let with = |fault: &str| {
        scene.plan(&[&format!("manifest:1:{fault}")]);
        scene.manifest()
    };
    let counts = |manifest: &Value| -> Vec<i64> {
        let files = manifest["output"].as_array().expect("files");
        files
            .iter()
            .map(|file| file["count"].as_i64().expect("a count"))
            .collect()
    };
    for (fault, off) in [("count=+2", 2), ("count=-1", -1)] {
        let expected: Vec<_> = counts(&good).iter().map(|count| count + off).collect();
        assert_eq!(counts(&with(fault)), expected);
    }
    assert_eq!(with("no-error-key").get("error"), None);
    let twice = urls(&with("duplicate-url"), "output");
    assert_eq!(twice.len(), urls(&good, "output").len() + 1);
    assert_eq!(twice.iter().collect::<BTreeSet<_>>().len(), twice.len() - 1);
    let relative = with("relative-urls");
    assert!(
        urls(&relative, "output")
            .iter()
            .all(|url| url.starts_with("/bulk/"))
    );

    let mut manifest = with("next-link");
    let (mut found, mut pages) = (urls(&manifest, "output"), 1);
    while let Some(url) = manifest["link"][0]["url"].as_str() {
        manifest = scene.ask(url, &[]).json();
        found.extend(urls(&manifest, "output"));
        pages += 1;
    }
    assert!(pages > 1);
    assert_eq!(found, urls(&good, "output"));

    let errors = urls(&with("outcome-errors"), "error");
    let outcome = scene.ask(&errors[0], &[]).json();
    assert_eq!(outcome["issue"][0]["severity"], "error");
    scene.plan(&["manifest:1:status=500,body=html"]);
    assert_eq!(
        scene.ask(&scene.status_url, &[]).status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[test]
fn exports_go_wrong() {
    let scene = Scene::new();
    scene.plan(&["status:every:stuck"]);
    for _ in 0..5 {
        assert_eq!(
            scene.ask(&scene.status_url, &[]).status,
            StatusCode::ACCEPTED
        );
    }
    scene.plan(&["status:1:expired=404"]);
    assert_eq!(
        scene.ask(&scene.status_url, &[]).status,
        StatusCode::NOT_FOUND
    );
    scene.plan(&[
        "kick-off:1:relative-urls",
        "discovery:1:relative-urls",
        "search:1:relative-urls",
    ]);
    let location = scene
        .ask("/$export", &[])
        .header("content-location")
        .to_owned();
    assert!(location.starts_with("/fhir/$export-status/"), "{location}");
    let discovery = scene.ask("/.well-known/smart-configuration", &[]).json();
    assert_eq!(discovery["token_endpoint"], "/auth/token");
    let bundle = scene.ask("/Observation", &[]).json();
    assert_eq!(bundle["link"][1]["url"], "Observation?_offset=20");
}
