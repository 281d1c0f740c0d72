use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time;

#[cfg(feature = "tls")]
use crate::Certificates;
use crate::race::{First, first};
use crate::slots::{Full, Slots};
use crate::{Handler, Limits, Observer, connection};

/// What all connections have in common.
pub(crate) struct Shared {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) limits: Limits,
    pub(crate) slots: Arc<Slots>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    #[cfg(feature = "tls")]
    pub(crate) certificates: Option<Certificates>,
}

/// Accepts connections until it is told to stop. Returns how many had to be cut.
pub(crate) async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<Duration>,
) -> usize {
    let mut stopped = pin!(stopped);
    let mut connections = JoinSet::new();
    let (closing, closed) = watch::channel(false);
    // One warning for each time that it goes wrong, not for each connection.
    let mut healthy = true;
    let grace = loop {
        let accepted = match first(stopped.as_mut(), listener.accept()).await {
            First::Left(grace) => break grace.unwrap_or(Duration::ZERO),
            First::Right(accepted) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                if healthy {
                    tracing::warn!(%error, "can't accept connections, will try again");
                }
                healthy = false;
                match first(stopped.as_mut(), time::sleep(ACCEPT_PAUSE)).await {
                    First::Left(grace) => break grace.unwrap_or(Duration::ZERO),
                    First::Right(()) => continue,
                }
            }
        };
        match shared.slots.take(peer.ip()) {
            Ok(slot) => {
                healthy = true;
                let shared = Arc::clone(&shared);
                connections.spawn(connection::run(stream, peer, slot, shared, closed.clone()));
            }
            Err(Full::Address) => tracing::debug!("a client has too many connections"),
            Err(Full::Server) => {
                if healthy {
                    tracing::warn!("too many connections, more are closed at once");
                }
                healthy = false;
            }
        }
    };
    drop(listener);
    closing.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = time::timeout(grace, drained).await;
    let cut = connections.len();
    connections.shutdown().await;
    cut
}

/// Whether the connection failed that was to be accepted, and not the accepting.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Out of file descriptors or memory: some come back when others close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
