use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::accept::{self, Shared};
use super::registry::Registry;
use super::{Certificates, Error, Handler, Limits, Result};

/// Receives messages over MLLP, on threads of its own.
///
/// Dropping it cuts every connection at once; [`Listener::stop`] is the friendly way.
#[must_use = "a listener that is dropped stops"]
pub struct Listener {
    address: SocketAddr,
    registry: Arc<Registry>,
    /// Gone when it stops.
    acceptor: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens on `address`; port 0 takes a free one. Nobody is answered before
    /// [`Bound::serve`].
    ///
    /// # Errors
    /// [`Error::Limit`] and [`Error::Bind`].
    pub fn bind(address: SocketAddr, limits: Limits) -> Result<Bound> {
        limits.check()?;
        let bind = || {
            let listener = TcpListener::bind(address)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bind().map_err(|source| Error::Bind { address, source })?;
        Ok(Bound {
            listener,
            address,
            limits,
            certificates: None,
        })
    }

    /// Where it listens, with the port it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no connection any more and closes those between messages. The
    /// others get `grace` to send the rest of their message and to have it, and
    /// what has been read behind it, answered; then they are cut. Returns how
    /// many were cut.
    ///
    /// A handler that still runs then is not waited for, and its answer is
    /// lost. A message that was not answered is not told to the handler as cut:
    /// its sender has it.
    pub fn stop(mut self, grace: Duration) -> usize {
        self.end(grace)
    }

    fn end(&mut self, grace: Duration) -> usize {
        let Some(acceptor) = self.acceptor.take() else {
            return 0;
        };
        self.registry.stop();
        let mut woken = self.wake();
        let cut = self.registry.drain(grace);
        if !woken {
            // There may have been no file descriptor for it.
            woken = self.wake();
        }
        if woken || acceptor.is_finished() {
            let _ = acceptor.join();
        } else {
            tracing::warn!("the listener's port stays open until the next connection");
        }
        cut
    }

    /// The acceptor looks up when it gets a connection. Whether it does.
    fn wake(&self) -> bool {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
                SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            });
        }
        TcpStream::connect_timeout(&address, WAKE).is_ok()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A listening socket whose connections wait for [`Bound::serve`].
#[derive(Debug)]
#[must_use = "it answers nobody before `serve`"]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    certificates: Option<Certificates>,
}

impl Bound {
    /// Where it listens, with the port it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Speaks MLLP over TLS, and that only.
    pub fn tls(mut self, certificates: Certificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Starts to receive, and to ask `handler` for answers.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn serve(self, handler: Arc<dyn Handler>) -> Result<Listener> {
        let registry = Arc::new(Registry::new(&self.limits));
        let shared = Arc::new(Shared {
            handler,
            limits: self.limits,
            registry: Arc::clone(&registry),
            certificates: self.certificates,
        });
        let acceptor = thread::Builder::new()
            .name("mllp listener".to_owned())
            .spawn(move || accept::run(&self.listener, &shared))
            .map_err(Error::Start)?;
        Ok(Listener {
            address: self.address,
            registry,
            acceptor: Some(acceptor),
        })
    }
}

const WAKE: Duration = Duration::from_secs(1);
