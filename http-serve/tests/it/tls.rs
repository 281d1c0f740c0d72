use std::io::{self, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use http::Request;
use http_serve::{Certificates, Error, Limits, Server};
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::client::{Client, PATIENCE, SHORT, echo, loopback, stream};

/// A certificate that signed itself, and its key, in PEM.
struct Pair {
    chain: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            chain: pair.cert.pem(),
            key: pair.signing_key.serialize_pem(),
        }
    }

    fn certificates(&self) -> Certificates {
        Certificates::from_pem(self.chain.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// A client that trusts the one certificate and nothing else.
fn connect(address: SocketAddr, trusted: &Pair) -> io::Result<TlsClient> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(trusted.chain.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut socket)?;
    }
    let stream = StreamOwned::new(connection, socket);
    Ok(Client(BufReader::new(stream)))
}

fn serve_tls(limits: Limits, certificates: Certificates) -> Server {
    let handler = |request: Request<Vec<u8>>| match request.uri().path() {
        "/large" => stream(io::Read::take(io::repeat(b'x'), 10_000_000), None),
        "/early" => stream(io::Read::take(io::repeat(b'x'), 100_000), Some(100_001)),
        "/early/1.0" => stream(Failing(0), None),
        _ => echo(request),
    };
    let bound = Server::bind(loopback(), limits).unwrap();
    bound.tls(certificates).serve(Arc::new(handler)).unwrap()
}

#[test]
fn requests_are_answered_over_tls() {
    let pair = Pair::new();
    let server = serve_tls(Limits::default(), pair.certificates());
    let mut client = connect(server.local_addr(), &pair).unwrap();
    assert_eq!(client.get("/a").text(), "GET /a ");
    assert_eq!(client.get("/large").body, vec![b'x'; 10_000_000]);
    assert_eq!(client.get("/b").text(), "GET /b ");
    // Idle connections over TLS are closed with a word, not cut.
    let closing = std::thread::spawn(move || io::Read::read(&mut client.0, &mut [0]).unwrap());
    assert_eq!(server.stop(PATIENCE), 0);
    assert_eq!(closing.join().unwrap(), 0);
}

#[test]
fn a_cut_body_is_seen_over_tls() {
    let pair = Pair::new();
    let server = serve_tls(Limits::default(), pair.certificates());
    for (path, protocol) in [("/early", "HTTP/1.1"), ("/early/1.0", "HTTP/1.0")] {
        let mut client = connect(server.local_addr(), &pair).unwrap();
        client.send(format!("GET {path} {protocol}\r\nHost: x\r\n\r\n"));
        assert!(client.answer().is_err(), "{path}");
    }
}

#[test]
fn certificates_are_replaced_while_it_runs() {
    let (old, new) = (Pair::new(), Pair::new());
    let certificates = old.certificates();
    let server = serve_tls(Limits::default(), certificates.clone());
    let address = server.local_addr();
    let mut before = connect(address, &old).unwrap();
    before.get("/");
    assert!(connect(address, &new).is_err());

    certificates
        .replace(new.chain.as_bytes(), new.key.as_bytes())
        .unwrap();
    assert_eq!(connect(address, &new).unwrap().get("/").status, 200);
    assert!(connect(address, &old).is_err());
    assert_eq!(before.get("/").status, 200);

    // A pair that can't be used leaves the one in use alone.
    let mixed = certificates.replace(new.chain.as_bytes(), old.key.as_bytes());
    assert!(matches!(mixed, Err(Error::KeyPair(_))));
    assert_eq!(connect(address, &new).unwrap().get("/").status, 200);
}

#[test]
fn what_is_no_pair_is_an_error_without_the_key() {
    let pair = Pair::new();
    let cut_key = pair.key.replace("-----END", "-----ENT");
    let cut_chain = format!(
        "{}{}",
        pair.chain,
        pair.chain.replace("-----END", "-----ENT")
    );
    type Is = fn(&Error) -> bool;
    let cases: [(&str, &str, Is); 5] = [
        ("", &pair.key, |error| matches!(error, Error::NoCertificate)),
        (&pair.key, &pair.key, |error| {
            matches!(error, Error::NoCertificate)
        }),
        (&cut_chain, &pair.key, |error| {
            matches!(error, Error::Certificate { index: 2, .. })
        }),
        (&pair.chain, &cut_key, |error| {
            matches!(error, Error::PrivateKey)
        }),
        (&pair.chain, "", |error| matches!(error, Error::PrivateKey)),
    ];
    for (chain, key, expected) in cases {
        let error = Certificates::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(expected(&error), "{error}");
        let shown = format!("{error:?}");
        assert!(key.lines().nth(1).is_none_or(|line| !shown.contains(line)));
    }
    assert_eq!(format!("{:?}", pair.certificates()), "Certificates(…)");
}

#[test]
fn a_slow_handshake_is_cut() {
    let pair = Pair::new();
    let limits = Limits {
        handshake: SHORT,
        ..Limits::default()
    };
    let server = serve_tls(limits, pair.certificates());
    let mut silent = Client::connect_to(server.local_addr());
    let mut other = connect(server.local_addr(), &pair).unwrap();
    let mut dripping = Client::connect_to(server.local_addr());
    // The record of a long ClientHello.
    let hello = [0x16, 3, 1, 0x20, 0, 1, 0, 0x1f, 0xfc].into_iter();
    let taken = dripping.drip(hello.chain(std::iter::repeat_n(3, 1000)));
    assert!(
        taken.is_some_and(|count| (9..200).contains(&count)),
        "{taken:?}"
    );
    assert!(silent.is_closed());
    assert_eq!(other.get("/").status, 200);
}

#[test]
fn a_slow_head_is_cut_over_tls() {
    let pair = Pair::new();
    let limits = Limits {
        head: SHORT,
        ..Limits::default()
    };
    let server = serve_tls(limits, pair.certificates());
    for request in ["", "GET / HTTP/1.1\r\n"] {
        let mut client = connect(server.local_addr(), &pair).unwrap();
        client.send(request);
        let end = io::Read::read(&mut client.0, &mut [0]);
        assert!(end.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock));
    }
}

#[test]
fn plain_http_is_not_answered_on_a_port_of_https() {
    let server = serve_tls(Limits::default(), Pair::new().certificates());
    let mut client = Client::connect_to(server.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(client.answer().is_err());
}

/// Bytes, then an error.
struct Failing(usize);

impl io::Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0 += 1;
        match self.0 {
            1..5 => {
                buffer.fill(b'x');
                Ok(buffer.len())
            }
            _ => Err(io::ErrorKind::Other.into()),
        }
    }
}
