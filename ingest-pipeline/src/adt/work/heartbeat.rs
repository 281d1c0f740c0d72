use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use crate::Result;
use crate::clock::millis;
use crate::connect::Surroundings;
use crate::state::State;
use crate::state::inbox::Worker;

/// Says that the worker is still at what it has, until it is dropped.
pub(super) struct Heartbeat {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Heartbeat {
    pub(super) fn start(path: &Path, worker: &str, around: &Surroundings) -> Result<Self> {
        let mut state = State::open(path)?;
        let (worker, clock) = (worker.to_owned(), around.clock.clone());
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(Worker::RENEWAL) == Err(RecvTimeoutError::Timeout) {
                // A database that fails once may work the next time.
                let _ = state.renew_fetches(&worker, millis(clock.now()));
            }
        });
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
