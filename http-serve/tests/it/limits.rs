use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use http::Request;
use http_serve::{Exchange, Limits, Server};

use crate::client::{Client, PATIENCE, SHORT, echo, loopback, serve, stream};

#[test]
fn a_slow_head_is_cut_and_nobody_else_notices() {
    let server = serve(
        Limits {
            head: SHORT,
            ..Limits::default()
        },
        echo,
    );
    let mut silent = Client::connect(&server);
    let mut stuck = Client::connect(&server);
    stuck.send("GET / HTTP/1.1\r\nHost: x\r\n");
    let mut second = Client::connect(&server);
    second.get("/first");
    second.send("GET /second");
    let mut other = Client::connect(&server);
    for _ in 0..20 {
        assert_eq!(other.get("/").status, 200);
    }
    let mut dripping = Client::connect(&server);
    let taken = dripping.drip(std::iter::repeat_n(b'A', 1000));
    assert!(taken.is_some_and(|count| count < 200), "{taken:?}");
    for slow in [&mut silent, &mut stuck, &mut second] {
        assert!(slow.is_closed());
    }
    // It has been idle for longer than the deadline of a head.
    assert_eq!(other.get("/").status, 200);
}

#[test]
fn a_slow_body_is_answered_408() {
    let server = serve(
        Limits {
            request: SHORT,
            ..Limits::default()
        },
        echo,
    );
    for head in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let mut client = Client::connect(&server);
        client.send(format!("POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n"));
        let taken = client.drip(std::iter::repeat_n(b'1', 1000));
        assert!(taken.is_some_and(|count| count < 200), "{head}: {taken:?}");
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, 408, "{head}");
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let server = serve(
        Limits {
            idle: SHORT,
            ..Limits::default()
        },
        echo,
    );
    let mut client = Client::connect(&server);
    for _ in 0..3 {
        assert_eq!(client.get("/").status, 200);
    }
    assert!(client.is_closed());
}

#[test]
fn the_time_of_a_handler_is_not_limited() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let limits = Limits {
        head: SHORT,
        idle: SHORT,
        request: SHORT,
        write_stall: SHORT,
        ..Limits::default()
    };
    let server = serve(limits, move |request: Request<Vec<u8>>| {
        // Four deadlines long.
        let _ = wait.lock().unwrap().recv_timeout(4 * SHORT);
        echo(request)
    });
    assert_eq!(Client::connect(&server).get("/").status, 200);
    drop(go);
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let (sender, exchanges) = mpsc::channel();
    let limits = Limits {
        write_stall: SHORT,
        ..Limits::default()
    };
    let server = Server::bind(loopback(), limits)
        .unwrap()
        .observe(std::sync::Arc::new(move |exchange: &Exchange<'_>| {
            let _ = sender.send((exchange.sent, exchange.complete));
        }))
        .serve(std::sync::Arc::new(|_: Request<Vec<u8>>| {
            stream(std::io::repeat(b'x'), None)
        }))
        .unwrap();
    let mut client = Client::connect(&server);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let (sent, complete) = exchanges.recv_timeout(PATIENCE).unwrap();
    assert!(sent > 0 && !complete);
}

/// A whole answer can wait in buffers of the server when its client stalls.
#[test]
fn an_answer_on_its_way_is_not_idle() {
    let limits = Limits {
        idle: SHORT,
        ..Limits::default()
    };
    let body = vec![b'x'; 32 * 1024 * 1024];
    let expected = body.len();
    let server = serve(limits, move |_: Request<Vec<u8>>| {
        http::Response::new(http_serve::Body::from(body.clone()))
    });
    let mut client = Client::connect(&server);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.head().unwrap();
    let (_keep, never) = mpsc::channel::<()>();
    assert!(never.recv_timeout(3 * SHORT).is_err());
    let mut received = vec![0; expected];
    std::io::Read::read_exact(&mut client.0, &mut received).unwrap();
    // It is idle from here on.
    client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().unwrap().status, 200);
}

#[test]
fn too_many_connections_are_closed() {
    for (limits, most) in [
        (
            Limits {
                connections: 2,
                ..Limits::default()
            },
            2,
        ),
        (
            Limits {
                connections_per_address: 3,
                exempt_loopback: false,
                ..Limits::default()
            },
            3,
        ),
        (
            Limits {
                connections_per_address: 1,
                ..Limits::default()
            },
            5,
        ),
    ] {
        let server = serve(limits, echo);
        let mut open: Vec<_> = (0..most)
            .map(|_| {
                let mut client = Client::connect(&server);
                assert_eq!(client.get("/").status, 200);
                client
            })
            .collect();
        if most < 5 {
            assert!(Client::connect(&server).is_closed());
        }
        for client in &mut open {
            assert_eq!(client.get("/").status, 200);
        }
        open.clear();
        // The server takes a moment to see that they are gone.
        let is_served = (0..10_000).any(|_| {
            let mut client = Client::connect(&server);
            let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
            client.0.get_mut().write_all(request).is_ok() && client.answer().is_ok()
        });
        assert!(is_served);
    }
}

#[test]
fn a_connection_has_its_number_of_requests() {
    let limits = Limits {
        requests_per_connection: 3,
        ..Limits::default()
    };
    let server = serve(limits, echo);
    let mut client = Client::connect(&server);
    for expected in [None, None, Some("close")] {
        assert_eq!(client.get("/").header("connection"), expected);
    }
    assert!(client.is_closed());
}

#[test]
fn heads_over_the_limit_are_answered_431() {
    let limits = Limits {
        head_bytes: 4096,
        headers: 10,
        ..Limits::default()
    };
    let server = serve(limits, echo);
    let many = |count| "A: b\r\n".repeat(count);
    let long = |bytes| format!("A: {}\r\n", "b".repeat(bytes));
    for (headers, status) in [
        (many(9), 200),
        (many(10), 431),
        (long(4000), 200),
        (long(4096), 431),
        (long(1_000_000), 431),
    ] {
        let mut client = Client::connect(&server);
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        client.send(request);
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, status, "{} bytes", headers.len());
    }
}

#[test]
fn bodies_over_the_limit_are_answered_413() {
    let limits = Limits {
        body_bytes: 1000,
        ..Limits::default()
    };
    let server = serve(limits, echo);
    let sized = |bytes: usize| format!("Content-Length: {bytes}\r\n\r\n{}", "b".repeat(bytes));
    let chunked = |bytes: usize| {
        let body = "b".repeat(bytes);
        format!("Transfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n")
    };
    for (rest, status) in [
        (sized(1000), 200),
        (sized(1001), 413),
        (chunked(1000), 200),
        (chunked(1001), 413),
    ] {
        let mut client = Client::connect(&server);
        client.send(format!("POST / HTTP/1.1\r\nHost: x\r\n{rest}"));
        assert_eq!(client.answer().unwrap().status, status);
    }
}

#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    let server = serve(Limits::default(), echo);
    let mut client = Client::connect(&server);
    let mut sender = client.0.get_ref().try_clone().unwrap();
    let sending = thread::spawn(move || {
        let _ = sender.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
        let piece = [0; 64 * 1024];
        (0..100).all(|_| sender.write_all(&piece).is_ok())
    });
    assert_eq!(client.answer().unwrap().status, 413);
    assert!(sending.join().unwrap());
}

#[test]
fn a_body_that_is_refused_is_not_asked_for() {
    let server = serve(Limits::default(), echo);
    for (length, status) in [(3, 100), (99_999_999, 413)] {
        let mut client = Client::connect(&server);
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        ));
        assert_eq!(client.head().unwrap().status, status);
        if status == 100 {
            client.send("abc");
            assert_eq!(client.answer().unwrap().text(), "POST / abc");
        }
    }
}

#[test]
fn limits_that_never_end_are_fine() {
    let forever = Limits {
        handshake: Duration::MAX,
        head: Duration::MAX,
        request: Duration::MAX,
        idle: Duration::MAX,
        write_stall: Duration::MAX,
        connections: usize::MAX,
        connections_per_address: usize::MAX,
        exempt_loopback: false,
        requests_per_connection: usize::MAX,
        head_bytes: 1024 * 1024,
        headers: 1000,
        body_bytes: usize::MAX,
        ..Limits::default()
    };
    let server = serve(forever, echo);
    let mut client = Client::connect(&server);
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(client.answer().unwrap().text(), "POST / abc");
}
