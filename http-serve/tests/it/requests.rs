use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::{Request, Response, StatusCode, Version};
use http_serve::{Body, Limits, Peer};

use crate::client::{Client, echo, serve, stream};

#[test]
fn requests_follow_each_other_on_one_connection() {
    let server = serve(Limits::default(), echo);
    let mut client = Client::connect(&server);
    assert_eq!(client.get("/a?b=c").text(), "GET /a?b=c ");
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(client.answer().unwrap().text(), "POST / abc");
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: x\r\n\r\n");
    assert_eq!(client.answer().unwrap().text(), "PUT / abc");
    client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer().unwrap().text(), "GET / ");
    assert!(client.is_closed());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = serve(Limits::default(), echo);
    let mut client = Client::connect(&server);
    let requests: String = (0..50)
        .map(|number| format!("GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n"))
        .collect();
    client.send(requests);
    for number in 0..50 {
        let answer = client.answer().unwrap();
        assert_eq!(answer.text(), format!("GET /{number} "));
    }
}

#[test]
fn the_handler_knows_its_peer() {
    let server = serve(Limits::default(), |request: Request<Vec<u8>>| {
        let Peer(address) = request.extensions().get().unwrap();
        Response::new(Body::from(address.to_string()))
    });
    let mut client = Client::connect(&server);
    let address = client.0.get_ref().local_addr().unwrap();
    assert_eq!(client.get("/").text(), address.to_string());
}

#[test]
fn head_has_headers_only() {
    let read = Arc::new(AtomicBool::new(false));
    let was_read = Arc::clone(&read);
    let server = serve(Limits::default(), move |request: Request<Vec<u8>>| {
        let reader = ReadMark(Arc::clone(&read));
        match request.uri().path() {
            "/bytes" => Response::new(Body::from("four".to_owned())),
            "/stream" => stream(reader, Some(7)),
            "/chunks" => stream(reader, None),
            "/own" => Response::builder()
                .header("content-length", "9")
                .body(Body::empty())
                .unwrap(),
            _ => Response::new(Body::empty()),
        }
    });
    let mut client = Client::connect(&server);
    for (path, length) in [
        ("/bytes", Some("4")),
        ("/stream", Some("7")),
        ("/chunks", None),
        ("/own", Some("9")),
        ("/none", None),
    ] {
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let head = client.head().unwrap();
        assert_eq!(head.status, 200, "{path}");
        assert_eq!(head.header("content-length"), length, "{path}");
        assert_eq!(head.header("transfer-encoding"), None, "{path}");
    }
    // On the same connection, so that none of them had a body.
    assert_eq!(client.get("/bytes").text(), "four");
    assert!(!was_read.load(Ordering::Relaxed));
}

#[test]
fn a_panic_is_answered_500() {
    let server = serve(Limits::default(), |request: Request<Vec<u8>>| {
        assert_ne!(request.uri().path(), "/panic", "as the test wants");
        echo(request)
    });
    let mut client = Client::connect(&server);
    for _ in 0..40 {
        assert_eq!(client.get("/panic").status, 500);
    }
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn what_a_handler_gets_wrong_does_not_reach_the_wire() {
    let server = serve(Limits::default(), |request: Request<Vec<u8>>| {
        let response = Response::builder();
        let body = Body::from("four".to_owned());
        match request.uri().path() {
            "/length" => response.header("content-length", "3").body(body),
            "/coding" => response.header("transfer-encoding", "gzip").body(body),
            "/interim" => response.status(StatusCode::PROCESSING).body(body),
            "/upgrade" => response.status(StatusCode::SWITCHING_PROTOCOLS).body(body),
            "/version" => response.version(Version::HTTP_09).body(body),
            "/204" => response
                .status(204)
                .header("content-length", "4")
                .body(body),
            "/304" => response.status(304).body(body),
            _ => response.body(body),
        }
        .unwrap()
    });
    let mut client = Client::connect(&server);
    for (path, status, body) in [
        ("/length", 200, "four"),
        ("/coding", 200, "four"),
        ("/interim", 500, ""),
        ("/upgrade", 500, ""),
        ("/version", 200, "four"),
        ("/204", 204, ""),
        ("/", 200, "four"),
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.text()), (status, body), "{path}");
        assert_eq!(answer.header("transfer-encoding"), None);
    }
    client.send("GET /304 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().unwrap().status, 304);
    assert_eq!(client.get("/").text(), "four");
}

#[test]
fn requests_that_are_none_are_refused() {
    let handled = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&handled);
    let server = serve(Limits::default(), move |request: Request<Vec<u8>>| {
        seen.lock().unwrap().push(request.uri().to_string());
        echo(request)
    });
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        ("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        ("G T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n",
            400,
        ),
    ] {
        let mut client = Client::connect(&server);
        client.send(request);
        assert_eq!(client.answer().unwrap().status, status, "{request}");
        assert!(client.is_closed(), "{request}");
    }
    assert_eq!(*handled.lock().unwrap(), Vec::<String>::new());
    let mut client = Client::connect(&server);
    client.send("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().unwrap().text(), "GET /old ");
}

/// Two lengths in one request are how requests are smuggled past a proxy.
#[test]
fn a_request_with_two_lengths_ends_the_connection() {
    let server = serve(Limits::default(), echo);
    let mut client = Client::connect(&server);
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.answer().unwrap().text(), "POST / a");
    assert!(client.is_closed());
}

struct ReadMark(Arc<AtomicBool>);

impl std::io::Read for ReadMark {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.0.store(true, Ordering::Relaxed);
        Ok(0)
    }
}
