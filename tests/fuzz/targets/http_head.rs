use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use http::{Request, Response};
use http_serve::{Body, Limits, Server};

use super::Entry;
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, texts};

/// Requests to our server, over loopback.
pub(super) const HEAD: Entry = Entry {
    target: Target {
        name: "http-head",
        check,
        grammar: Grammar {
            tokens: &[
                "GET",
                "HEAD",
                "POST",
                "OPTIONS",
                "CONNECT",
                "PRI",
                " ",
                "/",
                "*",
                "HTTP/1.1\r\n",
                "HTTP/1.0\r\n",
                "HTTP/2.0\r\n",
                "\r\n",
                "\n",
                "\r",
                "\r\n\r\n",
                "Host: a\r\n",
                "Content-Length: 3\r\n",
                "Content-Length: 99999999999\r\n",
                "Content-Length: -1\r\n",
                "Transfer-Encoding: chunked\r\n",
                "Transfer-Encoding: identity\r\n",
                "0\r\n\r\n",
                "3\r\nabc\r\n",
                "ffffffffffffffff\r\n",
                "Connection: close\r\n",
                "Connection: upgrade\r\nUpgrade: h2c\r\n",
                "Expect: 100-continue\r\n",
                " : ",
                ":",
                "If-None-Match: \"a\"\r\n",
                "a: b\r\n",
                "\t",
                "//",
                "http://a/",
                "?",
                "#",
                "%00",
            ],
            separators: b"\r\n :/",
            pairs: &[("a: ", "\r\n"), ("\"", "\"")],
        },
    },
    seeds: Seeds::written(|| {
        texts(&[
            "GET /keys HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /a?b=c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ])
    }),
    smoke: 5_000,
};

fn limits() -> Limits {
    Limits {
        head: Duration::from_secs(2),
        request: Duration::from_secs(2),
        idle: Duration::from_secs(2),
        head_bytes: 2048,
        headers: 16,
        body_bytes: 1024,
        ..Limits::default()
    }
}

/// Who takes longer neither answers nor closes.
const PATIENCE: Duration = Duration::from_secs(10);

fn check(stream: &[u8]) -> Outcome {
    static SERVER: LazyLock<Server> = LazyLock::new(|| {
        let address = ([127, 0, 0, 1], 0).into();
        let bound = Server::bind(address, limits()).expect("a free port");
        bound.serve(Arc::new(answer)).expect("a server")
    });
    let mut socket = match TcpStream::connect(SERVER.local_addr()) {
        Ok(socket) => socket,
        // Ports of connections that have ended come back a minute later.
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return Outcome::new(),
        Err(error) => panic!("the server is gone: {error}"),
    };
    socket
        .set_read_timeout(Some(PATIENCE))
        .expect("a time limit");
    // It may have closed before all of it was sent.
    let _ = socket.write_all(stream);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answers = Vec::new();
    if let Err(error) = socket.read_to_end(&mut answers) {
        let closed = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(
            closed.contains(&error.kind()),
            "neither answered nor closed: {error}"
        );
    }
    let mut outcome = Outcome::new().with(answers.is_empty());
    if answers.is_empty() {
        return outcome;
    }
    let first = String::from_utf8_lossy(&answers);
    let code = first
        .strip_prefix("HTTP/1.1 ")
        .or(first.strip_prefix("HTTP/1.0 "));
    let code: u16 = code
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .expect("an answer in HTTP");
    assert!(
        (100..500).contains(&code) || code == 501 || code == 505,
        "answered {code}"
    );
    let heads = first.matches("HTTP/1.1 ").count();
    outcome = outcome.with(code).size(heads);
    for answer in first.split("x-seen: ").skip(1).take(3) {
        outcome = outcome.text(answer.split('\r').next().unwrap_or_default());
    }
    outcome
}

/// Answers every request, if it is within the limits.
fn answer(request: Request<Vec<u8>>) -> Response<Body> {
    let limits = limits();
    let headers = request.headers();
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    let uri = request.uri().to_string();
    let within = headers.len() <= limits.headers
        && bytes + uri.len() <= limits.head_bytes
        && request.body().len() <= limits.body_bytes;
    let seen = format!(
        "{} {:?} host={} body={} query={}",
        request.method().as_str().len(),
        request.version(),
        request.uri().host().is_some(),
        request.body().is_empty(),
        request.uri().query().is_some(),
    );
    Response::builder()
        .status(if within { 200 } else { 599 })
        .header("x-seen", seen)
        .body(Body::empty())
        .expect("a response")
}
