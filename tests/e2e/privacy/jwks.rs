//! Key sets, as files and as they are served.

use fhir_http::{HttpClient as _, UreqClient, UreqConfig};
use http::Request;

use super::audit::LEVELS;
use super::canary;
use super::keys::audit;
use super::serving::{Serving, certificate};

/// The head of a request that is full of secrets.
fn head(first: &str) -> String {
    let all = canary::all();
    format!(
        "{first} HTTP/1.1\r\nHost: keys.example\r\nAuthorization: Bearer {all}\r\n\
         Cookie: a={all}\r\nIf-None-Match: \"{all}\"\r\nConnection: close\r\n"
    )
}

/// Requests that are answered.
fn whole() -> Vec<String> {
    let all = canary::all();
    let joined = all.replace(' ', "-");
    let heads = [
        format!("GET /jwks/acme.json?{joined}"),
        format!("HEAD /.well-known/jwks.json?{joined}"),
        format!("GET /jwks/{joined}.json"),
        format!("GET /{joined}"),
        format!("DELETE /jwks/acme.json?{joined}"),
        format!("{joined} /jwks/acme.json"),
        format!("GET https://{joined}/jwks/acme.json"),
    ];
    let mut requests: Vec<_> = heads.iter().map(|own| head(own) + "\r\n").collect();
    let post = head("POST /jwks/acme.json");
    let length = all.len();
    requests.push(format!("{post}Content-Length: {length}\r\n\r\n{all}"));
    requests.push(format!("{post}X-Long: {}\r\n\r\n", all.repeat(50)));
    requests
}

/// What is no request, or not all of one.
fn broken() -> Vec<String> {
    let all = canary::all();
    let post = head("POST /jwks/acme.json");
    vec![
        format!("{post}Content-Length: 9999\r\n\r\n{all}"),
        format!("{post}{all}"),
        format!("{all}\r\n\r\n"),
        all,
    ]
}

#[test]
fn key_sets_tell_nothing_of_keys_and_of_clients() {
    for (number, level) in LEVELS.iter().enumerate() {
        let audit = audit(number);
        audit.run(&["keys", "import", "client.pem"]).exits(0);
        let export = ["jwks", "export"];
        audit.run(&[&export, *level].concat()).exits(0);
        let files = ["--out", "site", "--json"];
        audit.run(&[&export[..], &files, level].concat()).exits(0);
        audit.is_public("site");

        let (tls, authority) = certificate(&audit);
        let (scheme, tls) = match number % 2 {
            0 => ("http", &[][..]),
            _ => ("https", &tls[..]),
        };
        let serve = [&["jwks", "serve"][..], tls, level].concat();
        let serving = Serving::start(&audit, &serve);
        for request in whole() {
            let answer = serving.ask(request.as_bytes());
            canary::assert_none("an answer", &answer);
            let is_http = answer.starts_with(b"HTTP/1.1 ");
            assert_eq!(is_http, tls.is_empty(), "{request}");
        }
        for bytes in broken() {
            canary::assert_none("an answer", &serving.send(bytes.as_bytes()));
        }
        let port = serving.address.port();
        let request = Request::get(format!("{scheme}://localhost:{port}/jwks/acme.json"))
            .header("authorization", format!("Bearer {}", canary::TOKEN))
            .body(Vec::new());
        let config = UreqConfig::default().root_certificates(authority);
        let client = UreqClient::new(&config).expect("a client");
        let answer = client.send(request.expect("a request"));
        assert_eq!(answer.expect("an answer").status(), 200);
        serving.stop();
        audit.assert_disk();
    }
}
