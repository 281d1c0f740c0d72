use std::io::{self, Read};
use std::net::IpAddr;
use std::sync::{Arc, mpsc};

use http::{Request, Response, StatusCode};
use http_serve::{Body, Exchange, Limits, Server};

use crate::client::{Client, PATIENCE, loopback, stream};

#[test]
fn every_request_is_told_of() {
    let (sender, told) = mpsc::channel();
    let (entered, is_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let may_leave = std::sync::Mutex::new(may_leave);
    let server = Server::bind(loopback(), Limits::default())
        .unwrap()
        .observe(Arc::new(move |exchange: &Exchange<'_>| {
            assert_eq!(exchange.network, IpAddr::from([127, 0, 0, 0]));
            let request = format!("{} {}", exchange.method, exchange.path);
            let status = exchange.status.map(|status| status.as_u16());
            let _ = sender.send((request, status, exchange.sent, exchange.complete));
        }))
        .serve(Arc::new(move |request: Request<Vec<u8>>| {
            match request.uri().path() {
                "/bytes" => Response::new(Body::from("four".to_owned())),
                "/stream" => stream(io::repeat(b'x').take(100_000), None),
                "/early" => stream(io::repeat(b'x').take(3), Some(4)),
                "/blocks" => {
                    entered.send(()).unwrap();
                    let _ = may_leave.lock().unwrap().recv();
                    Response::new(Body::empty())
                }
                _ => {
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = StatusCode::NOT_FOUND;
                    response
                }
            }
        }))
        .unwrap();

    for (request, status, sent, complete) in [
        ("GET /bytes", Some(200), 4, true),
        ("HEAD /bytes", Some(200), 0, true),
        ("GET /stream", Some(200), 100_000, true),
        ("GET /early", Some(200), 3, false),
        ("GET /nothing", Some(404), 0, true),
        ("POST /large", Some(413), 0, true),
        ("GET /blocks", None, 0, false),
    ] {
        let mut client = Client::connect(&server);
        let length = if request.starts_with("POST") {
            99_999_999
        } else {
            0
        };
        client.send(format!(
            "{request}?secret=1 HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        ));
        if status.is_none() {
            is_entered.recv_timeout(PATIENCE).unwrap();
            drop(client);
        } else if request.starts_with("HEAD") {
            client.head().unwrap();
        } else {
            assert_eq!(client.answer().is_ok(), complete);
        }
        let expected = (request.to_owned(), status, sent, complete);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), expected);
    }
    drop(leave);
}

#[test]
fn a_request_that_waits_is_not_handled_for_a_client_that_is_gone() {
    let (sender, told) = mpsc::channel();
    let (entered, is_entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel::<()>();
    let may_leave = std::sync::Mutex::new(may_leave);
    let limits = Limits {
        threads: 1,
        ..Limits::default()
    };
    let server = Server::bind(loopback(), limits)
        .unwrap()
        .observe(Arc::new(move |exchange: &Exchange<'_>| {
            let _ = sender.send(exchange.path.to_owned());
        }))
        .serve(Arc::new(move |request: Request<Vec<u8>>| {
            entered.send(request.uri().path().to_owned()).unwrap();
            let _ = may_leave.lock().unwrap().recv();
            Response::new(Body::empty())
        }))
        .unwrap();
    let mut first = Client::connect(&server);
    first.send("GET /first HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(is_entered.recv_timeout(PATIENCE).unwrap(), "/first");
    let mut gone = Client::connect(&server);
    gone.send("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n");
    drop(gone);
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "/gone");
    drop(leave);
    assert_eq!(first.answer().unwrap().status, 200);
    assert_eq!(first.get("/second").status, 200);
    let handled: Vec<String> = is_entered.try_iter().collect();
    assert_eq!(handled, ["/second"]);
}
