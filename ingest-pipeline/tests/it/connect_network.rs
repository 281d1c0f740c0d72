//! What a configuration says about certificates, proxies, headers and limits.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ehr_sandbox::{Builder, FaultPlan, Where};
use fhir_http::Clock;
use fhir_http::testing::FakeClock;
use http::Request;
use ingest_pipeline::auth::Secret;
use ingest_pipeline::connect::{Connected, Surroundings};
use ingest_pipeline::{Error, ErrorKind, causes};

use crate::site::{BASE, CANARY, Files, RSA, Site, around, env, refused, start, works};

#[test]
fn certificates_are_read_when_the_connection_is_made() {
    let files = Files::new();
    files.write("bad.pem", CANARY);
    for (http, is_file) in [
        ("ca_file = \"missing.pem\"", true),
        ("ca_file = \"bad.pem\"", false),
        (
            "client_certificate = { cert_file = \"bad.pem\", key_file = \"missing.pem\" }",
            true,
        ),
        (
            "client_certificate = { cert_file = \"missing.pem\", key_file = \"bad.pem\" }",
            true,
        ),
        (
            "client_certificate = { cert_file = \"bad.pem\", key_file = \"bad.pem\" }",
            false,
        ),
    ] {
        let error = refused(&files, &format!("http.{http}"));
        assert_eq!(
            matches!(error, Error::File { .. }),
            is_file,
            "{http}: {error:?}"
        );
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let file = if is_file { "missing.pem" } else { "bad.pem" };
        let text = causes(&error);
        assert!(text.contains(file) && !text.contains(CANARY), "{text}");
    }
    #[cfg(unix)]
    {
        let folder = files.path("folder.pem");
        std::fs::create_dir(&folder).unwrap();
        let error = refused(&files, "http.ca_file = \"folder.pem\"");
        assert!(matches!(error, Error::File { .. }), "{error:?}");
    }
}

#[test]
fn the_proxy_gets_its_credentials_whatever_is_in_them() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = proxy.local_addr().unwrap().port();
    let head = std::thread::spawn(move || {
        let (mut socket, _) = proxy.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        let _ = socket.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        String::from_utf8(head).unwrap()
    });
    let files = Files::new();
    let settings = files.settings(
        BASE,
        &format!(
            "http = {{ proxy = \"http://127.0.0.1:{port}\", proxy_credentials = {{ env = \"PROXY\" }}, retries = 0 }}"
        ),
    );
    let connected = Connected::new(&settings, &Surroundings::system(env)).unwrap();
    let request = Request::get(BASE).body(Vec::new()).unwrap();
    let error = Error::from(connected.fhir.send(request).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Network);
    let shown = format!("{error:?} {} {settings:?}", causes(&error));
    assert!(!shown.contains(CANARY), "{shown}");
    let head = head.join().unwrap();
    assert!(head.starts_with("CONNECT ehr.example:443 "), "{head}");
    // printf 'us/er:kanarienvogel@:%%41#' | base64
    let expected = "Basic dXMvZXI6a2FuYXJpZW52b2dlbEA6JTQxIw==";
    assert!(head.contains(expected), "{head}");
}

#[test]
fn headers_with_secrets_go_to_the_server_alone() {
    let site = Site::new(Builder::open);
    let headers = "http.headers = { X-Site = \"{client_id}m\" }\n\
        http.secret_headers = { Ocp-Apim-Subscription-Key = { file = \"gateway\" } }";
    site.files.write("gateway", &format!("{CANARY}\n"));
    let settings = site.settings(headers);
    let connected = Connected::new(&settings, &site.around()).unwrap();
    assert!(works(&site, &connected.fhir));
    let elsewhere = format!("{}/fhir/Patient", site.sandbox.other_origin());
    let request = Request::get(&elsewhere).body(Vec::new()).unwrap();
    let _ = connected.fhir.send(request);
    // Where exports have a base of their own, that one is the server too.
    let other = site.sandbox.other_origin();
    let connected = site.connect(&format!("{headers}\nbulk.base = \"{other}/fhir\""));
    let request = Request::get(&elsewhere).body(Vec::new()).unwrap();
    let _ = connected.bulk.send(request);

    let requests = site.sandbox.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|request| request.headers.get("ocp-apim-subscription-key").is_some())
        .collect();
    assert_eq!(seen, [true, false, true]);
    assert_eq!(requests[0].headers["ocp-apim-subscription-key"], CANARY);
    assert_eq!(requests[0].headers["x-site"], "m");
    let shown = format!("{settings:?} {:?}", requests[0].headers);
    assert!(!shown.contains(CANARY), "{shown}");

    let files = Files::new();
    let error = refused(
        &files,
        "http.secret_headers = { X-Key = { env = \"TWO_LINES\" } }",
    );
    assert!(
        matches!(&error, Error::Header { name } if name == "x-key"),
        "{error:?}"
    );
}

#[test]
fn a_throttled_connection_waits() {
    let site = Site::new(Builder::open);
    let connected = site.connect("http.requests_per_minute = 2");
    for _ in 0..3 {
        assert!(works(&site, &connected.fhir));
    }
    assert_eq!(site.clock.now(), start() + Duration::from_secs(60));
}

#[test]
fn requests_are_repeated_as_often_as_configured() {
    for (lines, sent) in [("http.retries = 0", 1), ("http.retries = 2", 3), ("", 6)] {
        let site = Site::new(|builder| {
            builder
                .open()
                .faults(FaultPlan::of(["search:every:status=503"]).unwrap())
        });
        assert!(!works(&site, &site.connect(lines).fhir));
        assert_eq!(site.sandbox.count(&Where::Search), sent, "{lines}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
#[test]
fn a_private_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;

    // With one subscriber alone, an event that another thread meets first is
    // registered for good as of no interest to anybody.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let secret = Secret::new(RSA);
    for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        let files = Files::new();
        files.write("client.pem", secret.expose());
        let path = files.path("client.pem");
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&path, mode);
        let settings = files.settings(
            BASE,
            "client_id = \"c\"\nsigning_key = { file = \"client.pem\" }",
        );
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let clock = Arc::new(FakeClock::new(start()));
        let connect = || {
            Connected::new(&settings, &around(&clock, None)).expect("it is used all the same");
        };
        tracing::subscriber::with_default(subscriber, connect);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.contains("WARN"), warned, "{mode:o}: {text}");
        assert_eq!(
            text.matches("client.pem").count(),
            usize::from(warned),
            "{text}"
        );
        assert!(!text.contains("MII"), "{text}");
    }
}
