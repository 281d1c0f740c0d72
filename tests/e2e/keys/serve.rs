use std::fs;

use super::site::Site;

/// The rings are looked at once a second.
fn until(mut done: impl FnMut() -> bool) {
    use fhir_http::{Clock as _, SystemClock};
    let from = SystemClock.now();
    while !done() {
        let waited = SystemClock.now().duration_since(from).unwrap_or_default();
        assert!(waited.as_secs() < 30, "it does not come");
        SystemClock.sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn rotations_are_served_without_a_restart() {
    let site = Site::new();
    site.keys(&["generate", "--alg", "ES384"]);
    let served = site.serve(&[]);
    let (head, body) = served.ask("GET /.well-known/jwks.json HTTP/1.1");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(
        head.contains("content-type: application/jwk-set+json"),
        "{head}"
    );
    assert!(
        head.contains("cache-control: public, max-age=300"),
        "{head}"
    );
    let tag = head
        .lines()
        .find_map(|line| line.strip_prefix("etag: "))
        .expect("a tag");
    // Tags are told apart by their case.
    let (_, tagged) = served.ask("HEAD /jwks/acme.json HTTP/1.1");
    assert_eq!(tagged, "");
    assert_eq!(served.ask("GET /jwks/acme.json HTTP/1.1").1, body);
    assert!(!tag.starts_with("w/"));
    let (cached, nothing) = served.ask("GET /jwks/acme.json HTTP/1.1\r\nIf-None-Match: \"x\", *");
    assert!(
        cached.starts_with("http/1.1 200 "),
        "`*` is not a member of a list: {cached}"
    );
    assert!(!nothing.is_empty());
    let (cached, nothing) = served.ask("GET /jwks/acme.json HTTP/1.1\r\nIf-None-Match: *");
    assert!(
        cached.starts_with("http/1.1 304 ") && nothing.is_empty(),
        "{cached}"
    );
    for path in [
        "/jwks/%2e%2e.json",
        "/jwks/..%2f..%2fetc%2fpasswd.json",
        "/jwks/ACME.json",
        "/keys/acme/ring.json",
    ] {
        let (head, _) = served.ask(&format!("GET {path} HTTP/1.1"));
        assert!(head.starts_with("http/1.1 404 "), "{path}: {head}");
    }
    let (head, _) = served.ask("POST /jwks/acme.json HTTP/1.1\r\nContent-Length: 0");
    assert!(
        head.starts_with("http/1.1 405 ") && head.contains("allow: get, head"),
        "{head}"
    );
    assert!(
        served
            .ask("GET /healthz HTTP/1.1")
            .0
            .starts_with("http/1.1 200 ")
    );
    assert!(
        served
            .ask("GET /readyz HTTP/1.1")
            .0
            .starts_with("http/1.1 200 ")
    );

    let keys = || {
        served
            .ask("GET /jwks/acme.json HTTP/1.1")
            .1
            .matches("\"kid\"")
            .count()
    };
    assert_eq!(keys(), 1);
    site.keys(&["rotate"]);
    until(|| keys() == 2);
    site.keys(&["rotate", "--grace", "0"]);
    until(|| keys() == 2 && !served.ask("GET /jwks/acme.json HTTP/1.1").1.is_empty());

    // A ring that is damaged is served as it was.
    let path = site.0.path("keys/acme/ring.json");
    let ring = fs::read(&path).expect("a ring");
    fs::write(&path, "damaged").expect("a file");
    until(|| {
        served
            .ask("GET /readyz HTTP/1.1")
            .0
            .starts_with("http/1.1 503 ")
    });
    assert_eq!(keys(), 2);
    fs::write(&path, ring).expect("a file");
    until(|| {
        served
            .ask("GET /readyz HTTP/1.1")
            .0
            .starts_with("http/1.1 200 ")
    });

    let (code, log) = served.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.contains("request") && log.contains("/jwks/acme.json"),
        "{log}"
    );
    assert!(
        log.contains("127.0.0.0") && !log.contains("127.0.0.1"),
        "{log}"
    );
    assert!(log.contains("a key ring can't be read"), "{log}");
}

#[test]
fn several_tenants_have_a_set_each() {
    let site = Site::new();
    site.0.write(
        "ingest.toml",
        "[tenants.acme]\nkeys = \"keys/acme\"\n[tenants.other]\nkeys = \"keys/other\"\n[tenants.none]\n",
    );
    for tenant in ["acme", "other"] {
        site.keys(&["--tenant", tenant, "generate", "--alg", "ES384"]);
    }
    let served = site.serve(&[]);
    let (head, _) = served.ask("GET /.well-known/jwks.json HTTP/1.1");
    assert!(
        head.starts_with("http/1.1 404 "),
        "none of them is the default: {head}"
    );
    let other = served.ask("GET /jwks/other.json HTTP/1.1").1;
    assert_ne!(served.ask("GET /jwks/acme.json HTTP/1.1").1, other);
    assert!(
        served
            .ask("GET /jwks/none.json HTTP/1.1")
            .0
            .starts_with("http/1.1 404 ")
    );
    let served = site.serve(&["--tenant", "other"]);
    assert_eq!(served.ask("GET /.well-known/jwks.json HTTP/1.1").1, other);
}
