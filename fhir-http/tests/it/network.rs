//! The transport against a server on loopback.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fhir_http::{
    Body, Client, Error, HttpClient, Roots, SystemClock, TransportError, UreqClient, UreqConfig,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Request, Response};

use crate::server::{Authority, Server, Stream, Then};
use crate::util::get;

const SHORT: Duration = Duration::from_millis(300);

pub(crate) fn ok(_: &str, stream: &mut dyn Stream) -> Then {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    Then::Keep
}

pub(crate) fn local() -> UreqConfig {
    UreqConfig::default().roots(Roots::None)
}

pub(crate) fn send(config: &UreqConfig, uri: &str) -> Result<Response<Body>, TransportError> {
    UreqClient::new(config).unwrap().send(get(uri))
}

pub(crate) fn read(response: Response<Body>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response.into_body().read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn cut_bodies_are_errors() {
    let authority = Authority::new();
    let cut = |head: &str, stream: &mut dyn Stream| {
        let answer: &[u8] = if head.contains("/chunked") {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
        };
        let _ = stream.write_all(answer);
        Then::Close
    };
    let plain = Server::plain(cut);
    let tls = Server::tls(authority.server("localhost", None), cut);
    let config = local().root_certificates(authority.pem);
    for base in [
        format!("http://localhost:{}", plain.port),
        format!("https://localhost:{}", tls.port),
    ] {
        for path in ["/chunked", "/length"] {
            let response = send(&config, &format!("{base}{path}")).unwrap();
            assert!(fhir_http::is_delimited(response.headers()));
            let error = read(response).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{base}{path}");
        }
    }
}

#[test]
fn stalls_are_cut_and_steady_bodies_are_not() {
    let server = Server::plain(|head, stream| {
        if head.contains("/silent") {
            // Until the client gives up.
            let _ = stream.read(&mut [0]);
            return Then::Close;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
        let _ = stream.flush();
        let _ = stream.read(&mut [0]);
        Then::Close
    });
    let base = format!("http://127.0.0.1:{}", server.port);
    let config = local().idle_timeout(SHORT);
    let error = read(send(&config, &format!("{base}/body")).unwrap()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(Error::body("h", error).is_transient());

    let error = send(&config, &format!("{base}/silent")).unwrap_err();
    assert!(
        matches!(error, TransportError::Timeout("no byte came")),
        "{error:?}"
    );
    let error = send(&local().response_timeout(SHORT), &format!("{base}/silent")).unwrap_err();
    assert!(
        matches!(error, TransportError::Timeout("waiting for the response")),
        "{error:?}"
    );
}

#[test]
fn shutdown_ends_what_waits() {
    let server = Server::plain(|_, stream| {
        let _ = stream.read(&mut [0]);
        Then::Close
    });
    let client = UreqClient::new(&local()).unwrap();
    let uri = format!("http://127.0.0.1:{}/", server.port);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client.send(get(&uri)));
        while server.heads.lock().unwrap().is_empty() {
            thread::yield_now();
        }
        client.shutdown();
        assert!(waiting.join().unwrap().is_err());
    });
    assert!(client.send(get(&uri)).is_err());
}

#[test]
fn gzip_comes_as_it_is_and_a_bomb_is_capped() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&vec![b'{'; 4 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let sent = bomb.clone();
    let server = Server::plain(move |_, stream| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
            sent.len()
        );
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&sent);
        Then::Keep
    });
    let transport = Arc::new(UreqClient::new(&local()).unwrap());
    let client = Client::new(transport, Arc::new(SystemClock));
    let uri = format!("http://127.0.0.1:{}/", server.port);
    let response = client.send(get(&uri)).unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(read(response).unwrap(), bomb);
    let error = client.fetch(get(&uri), 1 << 20).unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooLong {
                limit: 1_048_576,
                ..
            }
        ),
        "{error}"
    );
    let heads = server.heads.lock().unwrap();
    assert!(
        !heads[0].to_ascii_lowercase().contains("accept-encoding"),
        "{}",
        heads[0]
    );
    assert!(
        heads[1]
            .to_ascii_lowercase()
            .contains("accept-encoding: gzip")
    );
}

#[test]
fn connections_are_used_again_and_a_dead_one_is_replaced() {
    let served = AtomicUsize::new(0);
    let server = Server::plain(
        move |head, stream| match served.fetch_add(1, Ordering::SeqCst) {
            // Takes the request on the pooled connection and goes away.
            2 => Then::Close,
            _ => ok(head, stream),
        },
    );
    let transport = Arc::new(UreqClient::new(&local()).unwrap());
    let client = Client::new(transport, Arc::new(SystemClock))
        .random(Arc::new(fhir_http::testing::FakeRandom::new(0)));
    let uri = format!("http://127.0.0.1:{}/", server.port);
    for _ in 0..3 {
        assert_eq!(client.fetch(get(&uri), 10).unwrap().body(), b"{}");
    }
    assert_eq!(server.connections(), 2);
    assert_eq!(server.heads.lock().unwrap().len(), 4);
}

#[test]
fn faults_are_told_apart() {
    let garbage = Server::plain(|_, stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n\r\n");
        Then::Close
    });
    let error = send(&local(), "http://127.0.0.1:1/").unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error:?}");
    let error = send(&local(), &format!("http://127.0.0.1:{}/", garbage.port)).unwrap_err();
    assert!(matches!(error, TransportError::Protocol(_)), "{error:?}");
    let error = send(&local(), "http://ehr.example/").unwrap_err();
    assert!(matches!(error, TransportError::Refused(_)), "{error:?}");
    // Plain HTTP where TLS is expected.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        // Until the client gives up.
        let _ = io::copy(&mut socket, &mut io::sink());
    });
    let error = send(&local(), &format!("https://localhost:{port}/")).unwrap_err();
    assert!(matches!(error, TransportError::Tls(_)), "{error:?}");
    server.join().unwrap();
    // A label longer than any name may have fails without a network.
    let error = send(&local(), &format!("https://{}.example/", "x".repeat(64))).unwrap_err();
    assert!(matches!(error, TransportError::Resolve(_)), "{error:?}");
}

#[test]
fn loopback_is_not_proxied_and_all_else_is() {
    let proxy = Server::plain(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        Then::Close
    });
    let target = Server::plain(ok);
    let config = local().proxy(format!("http://user:canary@127.0.0.1:{}", proxy.port));
    assert!(send(&config, &format!("http://127.0.0.1:{}/", target.port)).is_ok());
    assert_eq!(proxy.connections(), 0);
    let error = send(&config, "https://ehr.example/Patient/canary").unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("canary"));
    assert!(proxy.heads.lock().unwrap()[0].starts_with("CONNECT ehr.example:443 "));
}

#[test]
fn requests_are_sent_as_they_are() {
    let server = Server::plain(|head, stream| {
        let length = head.to_ascii_lowercase();
        let length = length
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let head =
            format!("HTTP/1.1 302 Found\r\nLocation: /away\r\nContent-Length: {length}\r\n\r\n");
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&body);
        Then::Keep
    });
    let client = UreqClient::new(&local()).unwrap();
    let uri = format!("http://127.0.0.1:{}/a?b=c%20d", server.port);
    for (method, body) in [("POST", "x=1"), ("PUT", "{}"), ("POST", ""), ("DELETE", "")] {
        let request = Request::builder()
            .method(method)
            .uri(&uri)
            .body(body.as_bytes().to_vec());
        let response = client.send(request.unwrap()).unwrap();
        assert_eq!(
            response.status(),
            302,
            "redirects are the client's business"
        );
        assert_eq!(read(response).unwrap(), body.as_bytes());
    }
    let heads = server.heads.lock().unwrap();
    assert!(
        heads[0].starts_with("POST /a?b=c%20d HTTP/1.1\r\n"),
        "{}",
        heads[0]
    );
    assert!(
        heads[2].to_ascii_lowercase().contains("content-length: 0"),
        "{}",
        heads[2]
    );
    assert!(
        !heads[0].to_ascii_lowercase().contains("user-agent"),
        "only what the caller set"
    );
}
