//! Servers that can't be trusted, or that don't trust us.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fhir_http::{Clock as _, SystemClock};
use http::{Request, Response};
use http_serve::{Body, Certificates, Limits, Server};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use serde_json::json;

use super::assert_rows;
use crate::bulk::site::key;
use crate::util::Sandbox;

/// An authority of a hospital.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// A server with a certificate for this name, valid in these years.
    fn server(&self, name: &str, from: i32, to: i32) -> Server {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let chain = params.signed_by(&key, &self.issuer).expect("a certificate");
        let pair = Certificates::from_pem(chain.pem().as_bytes(), key.serialize_pem().as_bytes());
        serve(
            Some(pair.expect("a pair")),
            |_| Response::new(Body::empty()),
        )
    }
}

fn serve(
    tls: Option<Certificates>,
    handler: impl Fn(Request<Vec<u8>>) -> Response<Body> + Send + Sync + 'static,
) -> Server {
    let address = "127.0.0.1:0".parse().expect("an address");
    let bound = Server::bind(address, Limits::default()).expect("a port");
    let bound = match tls {
        Some(certificates) => bound.tls(certificates),
        None => bound,
    };
    bound.serve(Arc::new(handler)).expect("a server")
}

/// A folder with a connection to this origin.
fn folder(origin: &str, http: &str) -> Sandbox {
    let folder = Sandbox::new();
    folder.write("client.pem", key().0);
    folder.write(
        "ingest.toml",
        format!(
            "[tenants.t]\n[connections.a]\nfhir_base = \"{origin}/fhir\"\nclient_id = \"x\"\n\
             signing_key = {{ file = \"client.pem\" }}\nlevel = \"system\"\n\
             [connections.a.http]\nretries = 0\n{http}\n"
        ),
    );
    folder
}

#[test]
fn certificates_that_can_not_be_trusted() {
    let authority = Authority::new("Mercy");
    let other = |name| Authority::new(name).pem;
    let ours = || authority.pem.clone();
    let (expired, early) = (("localhost", 2001, 2002), ("localhost", 2998, 2999));
    let (right, elsewhere) = (("localhost", 2001, 2999), ("other.example", 2001, 2999));
    for ((name, from, to), ca, words) in [
        (expired, ours(), ["has expired", "the clock here"]),
        (early, ours(), ["is not valid yet", "the clock here"]),
        (
            elsewhere,
            ours(),
            ["is for another host name", "check the address"],
        ),
        (
            right,
            other("Saint"),
            ["is not trusted here", "http.ca_file"],
        ),
        (
            right,
            other("Mercy"),
            ["has that been renewed", "http.ca_file"],
        ),
    ] {
        let server = authority.server(name, from, to);
        let host = format!("localhost:{}", server.local_addr().port());
        let folder = folder(&format!("https://{host}"), "ca_file = \"ca.pem\"");
        folder.write("ca.pem", ca);
        let told = [&words[..], &[host.as_str()]].concat();
        assert_rows(&folder, &[(&["bulk", "a"], 6, &told)]);
        let report = folder.run(["test", "a"]).exits(6).text();
        assert!(told.iter().all(|word| report.contains(word)), "{report}");
    }
}

#[test]
fn files_of_certificates_that_are_none() {
    let authority = Authority::new("Mercy");
    let key = KeyPair::generate().expect("a key").serialize_pem();
    let (begin, end) = (
        "-----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\n",
    );
    let cut = &authority.pem[..200];
    let odd = format!("{begin}MAAA\n{end}");
    let format = "-----BEGIN CERTIFICATE-----";
    for (content, words) in [
        ("", ["its PEM holds no certificate", format]),
        ("no certificate", ["its PEM holds no certificate", format]),
        (&key, ["its PEM holds no certificate", format]),
        (cut, ["number 1", "END line is missing"]),
        (&odd, ["number 1", "no X.509 certificate"]),
    ] {
        let folder = folder("https://localhost:1", "ca_file = \"ca.pem\"");
        folder.write("ca.pem", content);
        let told = [&words[..], &["http.ca_file (ca.pem) can't be used"]].concat();
        let rows: [super::Row<'_>; 3] = [
            (&["bulk", "a"], 4, &told),
            (&["fetch", "a", "--mrn", "1"], 4, &told),
            (&["test", "a"], 4, &told),
        ];
        assert_rows(&folder, &rows);
        folder.write(
            "store.toml",
            "[store]\nfhir = \"https://localhost:1\"\nhttp = { ca_file = \"ca.pem\" }\n",
        );
        let load = ["load", "--config", "store.toml", "client.pem"];
        assert_rows(&folder, &[(&load, 4, &told)]);
    }
    for (http, file) in [
        ("ca_file = \"no.pem\"", "no.pem"),
        ("ca_file = \".\"", "."),
        (
            "client_certificate = { cert_file = \"no.pem\", key_file = \"client.pem\" }",
            "no.pem",
        ),
    ] {
        let folder = folder("https://localhost:1", http);
        let told = [&format!("cannot read {file}")[..], "check the path"];
        assert_rows(&folder, &[(&["bulk", "a"], 4, &told)]);
    }
    let folder = folder(
        "https://localhost:1",
        "client_certificate = { cert_file = \"ca.pem\", key_file = \"client.pem\" }",
    );
    folder.write("ca.pem", &authority.pem);
    let told = [
        "http.client_certificate (ca.pem, client.pem)",
        "not the certificate's",
    ];
    assert_rows(&folder, &[(&["bulk", "a"], 4, &told)]);
}

/// A server that refuses our assertion, and says what time it is there.
fn refusing(date: Option<&'static str>) -> Server {
    serve(None, move |request| {
        let host = request.headers()["host"].to_str().unwrap_or_default();
        let endpoint = format!("http://{host}/token");
        let (status, body) = match request.uri().path() {
            "/token" => (400, json!({ "error": "invalid_client" })),
            _ => (
                200,
                json!({ "token_endpoint": endpoint, "capabilities": [] }),
            ),
        };
        let mut response = Response::builder()
            .status(status)
            .header("content-type", "application/json");
        if let Some(date) = date {
            response = response.header("date", date);
        }
        let body = Body::from(body.to_string());
        response.body(body).expect("a response")
    })
}

#[test]
fn clocks_that_are_apart() {
    // The second of each date, since the Unix epoch.
    for (date, second, side) in [
        ("Sun, 09 Sep 2001 01:46:40 GMT", 1_000_000_000, "ahead of"),
        ("Tue, 02 Oct 2096 07:06:40 GMT", 4_000_000_000, "behind"),
    ] {
        let server = refusing(Some(date));
        let folder = folder(&format!("http://{}", server.local_addr()), "");
        let side = format!("s {side} the server's: set it");
        let words = ["invalid_client", "the clock of this machine is ", &side];
        assert_rows(&folder, &[(&["bulk", "a"], 5, &words)]);
        let report = folder.run(["test", "a"]).exits(5).text();
        let (_, told) = report.split_once(words[1]).expect("a difference");
        let seconds = told.split(' ').next().and_then(|text| text.parse().ok());
        let seconds: u64 = seconds.expect("seconds");
        let server = Duration::from_secs(second);
        let now = SystemClock.now().duration_since(SystemTime::UNIX_EPOCH);
        let apart = now.expect("after 1970").abs_diff(server).as_secs();
        assert!(apart.abs_diff(seconds) < 120, "{apart}: {report}");
    }
    for (date, says) in [
        (None, None),
        (
            Some("yesterday"),
            Some("check too that the clock of this machine is right"),
        ),
    ] {
        let server = refusing(date);
        let folder = folder(&format!("http://{}", server.local_addr()), "");
        let ran = folder.run(["bulk", "a"]).exits(5);
        let words = says.unwrap_or("JWKS URL");
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert_eq!(
            ran.stderr.contains("clock"),
            says.is_some(),
            "{}",
            ran.stderr
        );
    }
}
