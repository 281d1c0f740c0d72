//! Many senders share one write to the disk.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::{self, JoinHandle};

use super::{MessageArchive, mover};
use crate::state::State;
use crate::state::inbox::{Arrival, Recorded};
use crate::{Error, Result};

/// Records messages in the inbox of a state database. Whoever records waits
/// until the message is on the disk; those that come meanwhile share the next
/// write. Messages go on into the archive from there.
///
/// Dropped, it moves what is left into the archive before it ends.
pub struct Inbox {
    messages: MessageArchive,
    arrivals: Option<Sender<Waiting>>,
    threads: Vec<JoinHandle<()>>,
}

struct Waiting {
    arrival: Arrival,
    answer: SyncSender<std::result::Result<Recorded, String>>,
}

impl Inbox {
    /// Opens the state database at `path`.
    ///
    /// # Errors
    /// When that fails.
    pub fn open(path: &Path, messages: MessageArchive) -> Result<Self> {
        // Opened once here, so that what is wrong with it is told at once.
        let state = State::open(path)?;
        let (arrivals, queue) = mpsc::channel();
        let (tell, news) = mpsc::channel();
        let (own, others) = (path.to_owned(), path.to_owned());
        let (archive, failed) = (messages.clone(), |source| Error::StateFile {
            path: path.to_owned(),
            source,
        });
        let mover = thread::Builder::new()
            .name("archive".to_owned())
            .spawn(move || mover::run(&others, &archive, &news))
            .map_err(failed)?;
        let writer = thread::Builder::new()
            .name("inbox".to_owned())
            .spawn(move || write(state, &own, &queue, &tell))
            .map_err(failed)?;
        Ok(Self {
            messages,
            arrivals: Some(arrivals),
            threads: vec![writer, mover],
        })
    }

    /// Where its messages are.
    #[must_use]
    pub const fn messages(&self) -> &MessageArchive {
        &self.messages
    }

    /// Records a message. When this returns, it survives a loss of power.
    ///
    /// # Errors
    /// [`Error::Inbox`]: nothing of it is kept, and the next one may work.
    pub fn record(&self, arrival: Arrival) -> Result<Recorded> {
        let (answer, answered) = mpsc::sync_channel(1);
        let sent = self
            .arrivals
            .as_ref()
            .is_some_and(|arrivals| arrivals.send(Waiting { arrival, answer }).is_ok());
        match answered.recv() {
            Ok(recorded) if sent => recorded.map_err(|problem| Error::Inbox { problem }),
            _ => Err(Error::Inbox {
                problem: "it was stopped".to_owned(),
            }),
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        drop(self.arrivals.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

fn write(state: State, path: &Path, queue: &Receiver<Waiting>, tell: &Sender<()>) {
    let mut kept = Some(state);
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(MOST - 1));
        let (arrivals, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|waiting| (waiting.arrival, waiting.answer))
            .unzip();
        // After a fault the database is opened anew: a disk that was full, or a
        // folder that could not be written, needs no restart.
        let state = match kept.take() {
            Some(open) => Ok(open),
            None => State::open(path),
        };
        let recorded = state.and_then(|mut state| {
            let recorded = state.record(&arrivals)?;
            kept = Some(state);
            Ok(recorded)
        });
        // Whoever waited may be gone, and the mover with its archive.
        match recorded {
            Ok(recorded) => {
                for (answer, recorded) in answers.iter().zip(recorded) {
                    let _ = answer.send(Ok(recorded));
                }
                let _ = tell.send(());
            }
            Err(error) => {
                let problem = crate::causes(&error);
                for answer in &answers {
                    let _ = answer.send(Err(problem.clone()));
                }
            }
        }
    }
}

/// Messages in one write: more would make the first of them wait.
const MOST: usize = 512;
