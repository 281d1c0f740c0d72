use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::registry::{Full, Registry};
use super::{Certificates, Handler, Limits, WhenFull, connection};

/// What all connections have in common.
pub(super) struct Shared {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) limits: Limits,
    pub(super) registry: Arc<Registry>,
    pub(super) certificates: Option<Certificates>,
}

/// Accepts connections until the registry stops.
pub(super) fn run(listener: &TcpListener, shared: &Arc<Shared>) {
    // One warning for each time that it goes wrong, not for each connection.
    let (mut was_full, mut was_failing) = (false, false);
    let registry = &shared.registry;
    while !registry.is_stopping() {
        let is_full = registry.is_full();
        if is_full && !was_full {
            tracing::warn!("all connections are taken, more wait or are closed");
        }
        was_full = is_full;
        if is_full && shared.limits.when_full == WhenFull::Wait {
            registry.wait_for_room();
            continue;
        }
        let admitted = listener
            .accept()
            .and_then(|(stream, address)| admit(stream, address, shared));
        match admitted {
            Ok(()) => was_failing = false,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if !was_failing {
                    tracing::warn!(%error, "can't accept connections, will try again");
                }
                was_failing = true;
                registry.pause(ACCEPT_PAUSE);
            }
        }
    }
}

fn admit(stream: TcpStream, address: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let entry = match shared.registry.enter(stream, address.ip()) {
        Ok(entry) => entry,
        Err(Full::Address) => {
            tracing::debug!("a client has too many connections");
            return Ok(());
        }
        Err(Full::Listener | Full::Stopping) => return Ok(()),
    };
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name("mllp connection".to_owned())
        .spawn(move || connection::run(&entry, address, &shared))?;
    Ok(())
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

/// Out of file descriptors, threads or memory: some come back when others close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
