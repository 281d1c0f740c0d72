use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch as signal;

use crate::accept::Shared;
use crate::race::{First, first};
use crate::slots::Slot;
use crate::socket::{Io, Socket};
use crate::watch::Watch;
use crate::{Limits, exchange};

/// What the requests of one connection have in common.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) peer: SocketAddr,
    requests: AtomicUsize,
    closing: signal::Receiver<bool>,
}

impl Connection {
    /// Counts a request.
    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there will be no further request.
    pub(crate) fn ends(&self) -> bool {
        let requests = self.requests.load(Ordering::Relaxed);
        requests >= self.shared.limits.requests_per_connection || *self.closing.borrow()
    }

    /// Waits until the server closes, or is gone.
    async fn is_to_close(&self) {
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }
}

/// Serves one connection until it ends, is too slow, or the server closes.
pub(crate) async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    slot: Slot,
    shared: Arc<Shared>,
    closing: signal::Receiver<bool>,
) {
    let _slot = slot;
    // Answers are written whole: waiting for more only makes them late.
    let _ = stream.set_nodelay(true);
    let watch = Arc::new(Watch::new(&shared.limits));
    let socket = Socket::new(stream, Arc::clone(&watch));
    let connection = Arc::new(Connection {
        shared,
        watch: Arc::clone(&watch),
        peer,
        requests: AtomicUsize::new(0),
        closing,
    });
    if watch.guard(converse(connection, socket)).await.is_err() {
        tracing::debug!("a connection was too slow and has been cut");
    }
}

async fn converse(connection: Arc<Connection>, socket: Socket) {
    #[cfg(feature = "tls")]
    if let Some(certificates) = &connection.shared.certificates {
        let handshake = certificates.acceptor().accept(socket);
        match first(connection.is_to_close(), handshake).await {
            First::Left(()) => {}
            First::Right(Ok(stream)) => speak_http(&connection, stream).await,
            First::Right(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        }
        return;
    }
    speak_http(&connection, socket).await;
}

async fn speak_http(connection: &Arc<Connection>, stream: impl AsyncRead + AsyncWrite + Unpin) {
    connection.watch.open();
    let protocol = protocol(&connection.shared.limits);
    let service = service_fn(|request| exchange::answer(Arc::clone(connection), request));
    let mut http = pin!(protocol.serve_connection(Io::new(stream), service));
    let ended = match first(http.as_mut(), connection.is_to_close()).await {
        First::Left(ended) => ended,
        First::Right(()) => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn protocol(limits: &Limits) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        // `Watch` has the deadlines.
        .header_read_timeout(None)
        .max_header_size(limits.head_bytes)
        .max_headers(limits.headers)
        .max_buf_size(limits.head_bytes.max(BUFFER_BYTES));
    protocol
}

/// Of a response on its way to the socket, at the least hyper's minimum.
const BUFFER_BYTES: usize = 128 * 1024;
