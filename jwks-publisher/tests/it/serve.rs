use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use http_serve::{Limits, Server};
use jwks_publisher::{KeyStore, MemoryStore, Publisher, Tenant, handler};

use crate::support::{at, key};

#[test]
fn the_server_answers_as_the_function_does() {
    let store = MemoryStore::new();
    store.generate("test", at(0), key(0)).unwrap();
    let publisher = Arc::new(Publisher::new(|| at(0)));
    publisher.publish(Tenant::parse("acme").unwrap(), store.load().unwrap());
    let bound = Server::bind("127.0.0.1:0".parse().unwrap(), Limits::default()).unwrap();
    let server = bound.serve(handler(publisher.clone())).unwrap();
    let ask = |head: &str| {
        let mut client = TcpStream::connect(server.local_addr()).unwrap();
        let request = format!("{head} HTTP/1.1\r\nHost: keys.example\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    };
    let (head, body) = ask("GET /jwks/acme.json");
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/jwk-set+json"));
    let request = http::Request::get("/jwks/acme.json").body(()).unwrap();
    assert_eq!(body.as_bytes(), publisher.respond(&request).body());
    let (bare, none) = ask("HEAD /jwks/acme.json");
    let without_date = |head: &str| {
        let lines = head.lines().filter(|line| !line.starts_with("date:"));
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(without_date(&bare), without_date(&head));
    assert!(bare.contains(&format!("content-length: {}", body.len())));
    assert_eq!(none, "");
    let (missing, _) = ask("GET /jwks/%2e%2e.json");
    assert!(missing.starts_with("http/1.1 404 "), "{missing}");
    server.stop(Duration::from_secs(1));
}
