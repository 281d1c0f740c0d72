use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::{Method, Request, Response, StatusCode};
use http_serve::{Body, Certificates, Exchange, Handler, Limits, Server};

use crate::{Error, Publisher, Reload, Result};

/// Answers for `publisher` in an [`http_serve::Server`].
pub fn handler(publisher: Arc<Publisher>) -> Arc<dyn Handler> {
    Arc::new(move |mut request: Request<Vec<u8>>| {
        // The server leaves the body of an answer to HEAD away by itself, and
        // takes its length.
        if request.method() == Method::HEAD {
            *request.method_mut() = Method::GET;
        }
        let (parts, body) = publisher.respond(&request).into_parts();
        Response::from_parts(parts, Body::from(body))
    })
}

/// Limits for a server of key sets that faces the internet: its answers are
/// small and quick, and what clients send is smaller.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        handshake: Duration::from_secs(10),
        head: Duration::from_secs(10),
        request: Duration::from_secs(10),
        idle: Duration::from_secs(30),
        write_stall: Duration::from_secs(10),
        connections: 1024,
        head_bytes: 8 * 1024,
        headers: 64,
        body_bytes: 1024,
        ..Limits::default()
    }
}

/// Files of a server's certificate, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and what its issuer's chain needs.
    pub chain: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

/// A server of key sets that keeps up with changes of their rings and of its
/// certificate.
pub struct Service {
    server: Server,
    reload: Reload,
    tls: Option<Tls>,
}

struct Tls {
    files: TlsFiles,
    certificates: Certificates,
    /// What is in use; nothing where the last look failed.
    seen: Mutex<Option<[FileStamp; 2]>>,
}

type FileStamp = (u64, Option<SystemTime>);

impl Service {
    /// Listens on `address`, with TLS where there are files for it; without
    /// them it is for loopback addresses only. Every request is told to
    /// `tracing`, with the network of its client in place of the address.
    ///
    /// # Errors
    /// [`Error::Plain`], [`Error::Serve`], and [`Error::File`] for a file of the
    /// certificate.
    pub fn start(
        address: SocketAddr,
        limits: Limits,
        tls: Option<TlsFiles>,
        publisher: Arc<Publisher>,
        reload: Reload,
    ) -> Result<Self> {
        if tls.is_none() && !address.ip().is_loopback() {
            return Err(Error::Plain { address });
        }
        let tls = tls.map(Tls::new).transpose()?;
        let mut bound = Server::bind(address, limits).map_err(served)?;
        if let Some(tls) = &tls {
            bound = bound.tls(tls.certificates.clone());
        }
        let server = bound
            .observe(Arc::new(log))
            .serve(handler(publisher))
            .map_err(served)?;
        Ok(Self {
            server,
            reload,
            tls,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Takes up what has changed of the rings and of the certificate. It is to
    /// be called now and then, such as once a second. A certificate that can't
    /// be used is told once, and the one before stays.
    pub fn look(&self) {
        self.reload.look();
        if let Some(tls) = &self.tls {
            tls.look();
        }
    }

    /// Accepts no connection any more, and lets requests finish for as long as
    /// `grace`. Returns how many connections were cut then.
    pub fn stop(self, grace: Duration) -> usize {
        self.server.stop(grace)
    }
}

impl Tls {
    fn new(files: TlsFiles) -> Result<Self> {
        let seen = files.stamps();
        let (chain, key) = files.read()?;
        Ok(Self {
            certificates: Certificates::from_pem(&chain, &key).map_err(served)?,
            files,
            seen: Mutex::new(seen),
        })
    }

    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self.files.stamps();
        if stamps == *seen {
            return;
        }
        *seen = stamps;
        let replaced = self.files.read().and_then(|(chain, key)| {
            let replaced = self.certificates.replace(&chain, &key);
            replaced.map_err(served)
        });
        match replaced {
            Ok(()) => tracing::info!("serves with a new certificate"),
            // Between the two files being replaced they may not fit.
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "the certificate can't be replaced, the old one stays");
            }
        }
    }
}

impl TlsFiles {
    fn read(&self) -> Result<(Vec<u8>, zeroize::Zeroizing<Vec<u8>>)> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| Error::File {
                action: "read",
                path: path.clone(),
                source,
            })
        };
        Ok((read(&self.chain)?, read(&self.key)?.into()))
    }

    fn stamps(&self) -> Option<[FileStamp; 2]> {
        let stamp = |path: &PathBuf| -> io::Result<FileStamp> {
            let metadata = fs::metadata(path)?;
            Ok((metadata.len(), metadata.modified().ok()))
        };
        Some([stamp(&self.chain).ok()?, stamp(&self.key).ok()?])
    }
}

fn log(exchange: &Exchange<'_>) {
    // What a stranger asks for besides may hold anything, as a request for a FHIR
    // server that came here does.
    let is_ours = exchange
        .status
        .is_some_and(|status| status.is_success() || matches!(status, StatusCode::NOT_MODIFIED));
    tracing::info!(
        method = exchange.method_name(),
        path = is_ours.then_some(exchange.path),
        status = exchange.status.map(|status| status.as_u16()),
        elapsed_us = u64::try_from(exchange.elapsed.as_micros()).unwrap_or(u64::MAX),
        network = %exchange.network,
        "request"
    );
}

fn served(error: http_serve::Error) -> Error {
    Error::Serve(Box::new(error))
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("server", &self.server)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}
