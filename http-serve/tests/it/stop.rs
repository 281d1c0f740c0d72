use std::io;
use std::net::TcpStream;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use http::Request;
use http_serve::{Limits, Server};

use crate::client::{Client, PATIENCE, echo, serve, stream};

/// A server whose handler says that it began, and waits to be let go.
struct Held {
    server: Server,
    entered: mpsc::Receiver<()>,
    leave: mpsc::Sender<()>,
}

fn held() -> Held {
    let (enter, entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel();
    let may_leave = Mutex::new(may_leave);
    let server = serve(Limits::default(), move |request: Request<Vec<u8>>| {
        if request.uri().path() == "/held" {
            let _ = enter.send(());
            let _ = may_leave.lock().unwrap().recv();
        }
        echo(request)
    });
    Held {
        server,
        entered,
        leave,
    }
}

#[test]
fn stop_lets_a_request_finish_and_closes_the_idle() {
    let Held {
        server,
        entered,
        leave,
    } = held();
    let address = server.local_addr();
    let mut idle = Client::connect(&server);
    idle.get("/");
    let mut client = Client::connect(&server);
    client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    entered.recv_timeout(PATIENCE).unwrap();

    let stopping = thread::spawn(move || server.stop(PATIENCE));
    assert!(idle.is_closed());
    assert!(TcpStream::connect(address).is_err());
    leave.send(()).unwrap();
    let answer = client.answer().unwrap();
    assert_eq!(answer.text(), "GET /held ");
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(stopping.join().unwrap(), 0);
}

#[test]
fn stop_lets_a_body_finish() {
    let (pieces, receiver) = mpsc::channel::<Vec<u8>>();
    let receiver = Mutex::new(Some(receiver));
    let server = serve(
        Limits::default(),
        move |request: Request<Vec<u8>>| match request.uri().path() {
            "/body" => stream(Pieces(receiver.lock().unwrap().take().unwrap()), None),
            _ => echo(request),
        },
    );
    let mut idle = Client::connect(&server);
    idle.get("/");
    let mut client = Client::connect(&server);
    client.send("GET /body HTTP/1.1\r\nHost: x\r\n\r\n");
    client.head().unwrap();
    let stopping = thread::spawn(move || server.stop(PATIENCE));
    assert!(idle.is_closed());
    pieces.send(b"late".to_vec()).unwrap();
    let mut body = Vec::new();
    assert!(client.chunk(&mut body).unwrap());
    drop(pieces);
    assert!(!client.chunk(&mut body).unwrap());
    assert_eq!(body, b"late");
    assert_eq!(stopping.join().unwrap(), 0);
}

#[test]
fn grace_ends() {
    let Held {
        server,
        entered,
        leave,
    } = held();
    let mut client = Client::connect(&server);
    client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    entered.recv_timeout(PATIENCE).unwrap();
    // The handler is still held when this returns.
    assert_eq!(server.stop(Duration::from_millis(50)), 1);
    assert!(client.is_closed());
    drop(leave);
}

#[test]
fn dropping_cuts() {
    let Held {
        server,
        entered,
        leave,
    } = held();
    let address = server.local_addr();
    let mut client = Client::connect(&server);
    client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    entered.recv_timeout(PATIENCE).unwrap();
    drop(server);
    assert!(client.is_closed());
    assert!(TcpStream::connect(address).is_err());
    drop(leave);
}

struct Pieces(mpsc::Receiver<Vec<u8>>);

impl io::Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.0.recv().unwrap_or_default();
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}
