use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use fhir_http::{Clock, Interrupt};

use crate::Result;
use crate::clock::millis;
use crate::state::{Lease, State};

/// Renews a lease until it is dropped. When another process has taken the
/// lease over, the run is asked to stop.
pub(crate) struct Heartbeat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<Option<Lease>>>,
    lost: Arc<Mutex<bool>>,
}

impl Heartbeat {
    pub(crate) fn start(
        path: &Path,
        lease: Lease,
        clock: Arc<dyn Clock>,
        interrupt: Interrupt,
    ) -> Result<Self> {
        let mut state = State::open(path)?;
        let (stop, stopped) = mpsc::channel::<()>();
        let lost = Arc::new(Mutex::new(false));
        let mark = Arc::clone(&lost);
        let thread = thread::spawn(move || {
            loop {
                match stopped.recv_timeout(Lease::RENEWAL) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return Some(lease),
                }
                // A database that fails once may work the next time, well
                // before the lease has expired.
                if let Ok(false) = state.renew(&lease, millis(clock.now())) {
                    *mark.lock().unwrap_or_else(PoisonError::into_inner) = true;
                    interrupt.interrupt();
                    return None;
                }
            }
        });
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
            lost,
        })
    }

    /// Whether another process has taken the lease over.
    pub(crate) fn is_lost(&self) -> bool {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it and gives the lease back, if it is still ours.
    pub(crate) fn stop(mut self) -> Option<Lease> {
        drop(self.stop.take());
        self.thread
            .take()
            .and_then(|thread| thread.join().ok().flatten())
    }
}
