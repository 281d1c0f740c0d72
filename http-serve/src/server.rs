use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

#[cfg(feature = "tls")]
use crate::Certificates;
use crate::accept::{self, Shared};
use crate::slots::Slots;
use crate::{Error, Handler, Limits, Observer, Result};

/// An HTTP/1.1 server that runs on a thread of its own.
///
/// Dropping it cuts every connection at once; [`Server::stop`] is the friendly way.
#[derive(Debug)]
#[must_use = "a server that is dropped stops"]
pub struct Server {
    address: SocketAddr,
    /// Gone when it stops.
    running: Option<(oneshot::Sender<Duration>, JoinHandle<usize>)>,
}

impl Server {
    /// Listens on `address`; port 0 takes a free one. Nothing is answered
    /// before [`Bound::serve`].
    ///
    /// # Errors
    /// [`Error::Limit`] and [`Error::Bind`].
    pub fn bind(address: SocketAddr, limits: Limits) -> Result<Bound> {
        limits.check()?;
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = bind().map_err(|source| Error::Bind { address, source })?;
        Ok(Bound {
            listener,
            address,
            limits,
            observer: None,
            #[cfg(feature = "tls")]
            certificates: None,
        })
    }

    /// Where it listens, with the port it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no connection any more, closes those that are idle, lets the
    /// others finish their request for as long as `grace`, then cuts them.
    /// Returns how many were cut.
    ///
    /// A handler that still runs then is not waited for, and its answer is
    /// lost.
    pub fn stop(mut self, grace: Duration) -> usize {
        self.end(grace)
    }

    fn end(&mut self, grace: Duration) -> usize {
        let Some((stop, thread)) = self.running.take() else {
            return 0;
        };
        // Fails when the thread has ended, which `join` tells as well.
        let _ = stop.send(grace);
        thread.join().unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// A listening socket whose connections wait for [`Bound::serve`].
#[must_use = "it answers nothing before `serve`"]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    observer: Option<Arc<dyn Observer>>,
    #[cfg(feature = "tls")]
    certificates: Option<Certificates>,
}

impl Bound {
    /// Where it listens, with the port it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Speaks HTTPS, and HTTPS only.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, certificates: Certificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Tells `observer` of every request that was answered or given up.
    pub fn observe(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Starts to answer with `handler`.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn serve(self, handler: Arc<dyn Handler>) -> Result<Server> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(self.limits.threads)
            .thread_name("http-serve worker")
            .build()
            .map_err(Error::Start)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(self.listener).map_err(Error::Start)?
        };
        let shared = Arc::new(Shared {
            handler,
            slots: Arc::new(Slots::new(&self.limits)),
            limits: self.limits,
            observer: self.observer,
            #[cfg(feature = "tls")]
            certificates: self.certificates,
        });
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("http-serve".to_owned())
            .spawn(move || run(runtime, listener, shared, stopped))
            .map_err(Error::Start)?;
        Ok(Server {
            address: self.address,
            running: Some((stop, thread)),
        })
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("address", &self.address)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

fn run(
    runtime: Runtime,
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<Duration>,
) -> usize {
    let cut = runtime.block_on(accept::run(listener, shared, stopped));
    // A handler may block for ever: it must not hold up the one who stops.
    runtime.shutdown_background();
    cut
}
