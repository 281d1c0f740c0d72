//! A server for one test: TLS or not, with whatever faults its handler makes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// What becomes of the connection after an answer.
#[derive(PartialEq)]
pub(crate) enum Then {
    Keep,
    Close,
}

type Handler = dyn Fn(&str, &mut dyn Stream) -> Then + Send + Sync;

pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) connections: Arc<AtomicUsize>,
    /// Heads of the requests so far.
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn plain(
        handler: impl Fn(&str, &mut dyn Stream) -> Then + Send + Sync + 'static,
    ) -> Self {
        Self::start(None, Arc::new(handler))
    }

    pub(crate) fn tls(
        config: ServerConfig,
        handler: impl Fn(&str, &mut dyn Stream) -> Then + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(Arc::new(config)), Arc::new(handler))
    }

    /// Its threads end with the test's process.
    fn start(config: Option<Arc<ServerConfig>>, handler: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (count, seen) = (connections.clone(), heads.clone());
        thread::spawn(move || {
            for socket in listener.incoming() {
                let socket = socket.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (config, handler, seen) = (config.clone(), handler.clone(), seen.clone());
                thread::spawn(move || serve(socket, config, &*handler, &seen));
            }
        });
        Self {
            port,
            connections,
            heads,
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(
    socket: TcpStream,
    config: Option<Arc<ServerConfig>>,
    handler: &Handler,
    heads: &Mutex<Vec<String>>,
) {
    match config {
        None => exchange(&mut { socket }, handler, heads),
        Some(config) => {
            let connection = ServerConnection::new(config).unwrap();
            exchange(&mut StreamOwned::new(connection, socket), handler, heads);
        }
    }
}

fn exchange(stream: &mut dyn Stream, handler: &Handler, heads: &Mutex<Vec<String>>) {
    while let Some(head) = read_head(stream) {
        heads.lock().unwrap().push(head.clone());
        let then = handler(&head, stream);
        let _ = stream.flush();
        if then == Then::Close {
            return;
        }
    }
}

fn read_head(stream: &mut dyn Stream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8(head).unwrap())
}

/// A private CA and what it signed.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

/// A certificate and its key, PEM.
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (pem, root) = (certificate.pem(), certificate.der().clone());
        Self {
            pem,
            root,
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        self.identity_of(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    fn identity_of(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Of a server named `name`; with `clients`, only for those it signed.
    pub(crate) fn server(&self, name: &str, clients: Option<&Self>) -> ServerConfig {
        let identity = self.identity(name);
        Self::server_with(&identity, clients)
    }

    /// Of a server whose certificate is valid in these years.
    pub(crate) fn server_of_years(&self, name: &str, from: i32, to: i32) -> ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        Self::server_with(&self.identity_of(params), None)
    }

    fn server_with(identity: &Identity, clients: Option<&Self>) -> ServerConfig {
        use rustls_pki_types::pem::PemObject;

        let certificate = CertificateDer::from_pem_slice(identity.chain.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.root.clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
        };
        builder.with_single_cert(vec![certificate], key).unwrap()
    }
}
