use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use http::Request;
use http_serve::Limits;

use crate::client::{Client, PATIENCE, echo, serve, stream};

const MIB: u64 = 1024 * 1024;

#[test]
fn a_large_body_is_read_no_faster_than_the_client_reads() {
    const LENGTH: u64 = 256 * MIB;
    for length in [Some(LENGTH), None] {
        let produced = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&produced);
        let server = serve(Limits::default(), move |_: Request<Vec<u8>>| {
            let count = Arc::clone(&count);
            stream(
                Counter {
                    count,
                    left: LENGTH,
                },
                length,
            )
        });
        let mut client = Client::connect(&server);
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let head = client.head().unwrap();
        let expected = length.map(|length| length.to_string());
        assert_eq!(head.header("content-length"), expected.as_deref());

        let mut received = 0;
        let mut ahead = 0;
        let mut piece = Vec::new();
        loop {
            let more = match length {
                Some(length) => {
                    piece.resize(usize::try_from(MIB.min(length - received)).unwrap(), 0);
                    client.0.read_exact(&mut piece).unwrap();
                    !piece.is_empty()
                }
                None => {
                    piece.clear();
                    client.chunk(&mut piece).unwrap()
                }
            };
            if !more {
                break;
            }
            assert_eq!(piece, pattern(received, piece.len()));
            received += piece.len() as u64;
            ahead = ahead.max(produced.load(Ordering::Relaxed) - received);
        }
        assert_eq!(received, LENGTH);
        // Nearly all of it is in the buffers of the system.
        assert!(ahead < 32 * MIB, "{ahead} bytes ahead");
        assert!(ahead > 0);
        assert_eq!(client.get("/again").status, 200);
    }
}

#[test]
fn a_client_that_does_not_read_holds_no_thread() {
    let limits = Limits {
        threads: 1,
        ..Limits::default()
    };
    let server = serve(limits, |request: Request<Vec<u8>>| {
        match request.uri().path() {
            "/endless" => stream(io::repeat(b'x'), None),
            _ => echo(request),
        }
    });
    let mut lazy = Vec::new();
    for _ in 0..3 {
        let mut client = Client::connect(&server);
        client.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
        client.head().unwrap();
        lazy.push(client);
    }
    let mut other = Client::connect(&server);
    for _ in 0..20 {
        assert_eq!(other.get("/").status, 200);
    }
}

#[test]
fn a_body_that_fails_is_seen_as_not_whole() {
    let server = serve(Limits::default(), |request: Request<Vec<u8>>| {
        let some = io::repeat(b'x').take(100_000);
        match request.uri().path() {
            "/error/length" => stream(some.chain(Broken), Some(200_000)),
            "/error/chunks" => stream(some.chain(Broken), None),
            "/panic/chunks" => stream(some.chain(Panicking), None),
            "/end/length" => stream(some, Some(100_001)),
            path => panic!("{path}"),
        }
    });
    for (path, protocol) in [
        ("/error/length", "HTTP/1.1"),
        ("/error/chunks", "HTTP/1.1"),
        ("/panic/chunks", "HTTP/1.1"),
        ("/end/length", "HTTP/1.1"),
        ("/error/length", "HTTP/1.0"),
        // Here only a reset tells.
        ("/error/chunks", "HTTP/1.0"),
    ] {
        let mut client = Client::connect(&server);
        client.send(format!("GET {path} {protocol}\r\nHost: x\r\n\r\n"));
        let error = client.answer().map(|answer| answer.body.len()).unwrap_err();
        let cut = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        assert!(cut.contains(&error.kind()), "{path} {protocol}: {error}");
    }
}

#[test]
fn a_reader_is_not_read_beyond_the_length() {
    let server = serve(Limits::default(), |request: Request<Vec<u8>>| {
        let length = request.uri().path()[1..].parse().unwrap();
        stream(io::repeat(b'x'), Some(length))
    });
    let mut client = Client::connect(&server);
    for length in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let answer = client.get(&format!("/{length}"));
        assert_eq!(answer.body, vec![b'x'; length]);
    }
}

#[test]
fn what_a_reader_gave_is_sent_before_it_gives_more() {
    let (pieces, receiver) = mpsc::channel::<&'static [u8]>();
    let receiver = std::sync::Mutex::new(Some(receiver));
    let server = serve(Limits::default(), move |_: Request<Vec<u8>>| {
        stream(Pieces(receiver.lock().unwrap().take().unwrap()), None)
    });
    let mut client = Client::connect(&server);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.head().unwrap();
    for piece in [b"one".as_slice(), b"two", b"three"] {
        pieces.send(piece).unwrap();
        let mut chunk = Vec::new();
        assert!(client.chunk(&mut chunk).unwrap());
        assert_eq!(chunk, piece);
    }
    drop(pieces);
    assert!(!client.chunk(&mut Vec::new()).unwrap());
}

#[test]
fn a_reader_is_dropped_when_the_client_is_gone() {
    let (sender, dropped) = mpsc::channel();
    let server = serve(Limits::default(), move |_: Request<Vec<u8>>| {
        stream(io::repeat(b'x').chain(OnDrop(sender.clone())), None)
    });
    let mut client: Client<TcpStream> = Client::connect(&server);
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.head().unwrap();
    drop(client);
    dropped.recv_timeout(PATIENCE).unwrap();
}

/// The bytes of the large body, so that a lost or doubled chunk shows.
fn pattern(start: u64, length: usize) -> Vec<u8> {
    let period: Vec<u8> = (0..=250).collect();
    let skip = usize::try_from(start % 251).unwrap();
    let mut bytes = period[skip..].to_vec();
    bytes.extend(period.repeat(length / 251 + 1));
    bytes.truncate(length);
    bytes
}

/// Bytes of a pattern, counted as they are made.
struct Counter {
    count: Arc<AtomicU64>,
    left: u64,
}

impl Read for Counter {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(usize::try_from(self.left).unwrap());
        let start = self.count.fetch_add(length as u64, Ordering::Relaxed);
        buffer[..length].copy_from_slice(&pattern(start, length));
        self.left -= length as u64;
        Ok(length)
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("as the test wants"))
    }
}

struct Panicking;

impl Read for Panicking {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("as the test wants")
    }
}

struct Pieces(mpsc::Receiver<&'static [u8]>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.0.recv().unwrap_or_default();
        buffer[..piece.len()].copy_from_slice(piece);
        Ok(piece.len())
    }
}

struct OnDrop(mpsc::Sender<()>);

impl Read for OnDrop {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
