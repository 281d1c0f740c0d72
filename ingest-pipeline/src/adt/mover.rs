//! Messages go from the state database into the archive.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::MessageArchive;
use crate::archive::RawKey;
use crate::state::State;
use crate::state::inbox::Unarchived;
use crate::{Result, causes};

/// Moves what is there, and from then on what comes, which `news` tells of.
/// At the end of `news` it moves what is left, unless the archive fails.
pub(super) fn run(path: &Path, messages: &MessageArchive, news: &Receiver<()>) {
    let mut state = None;
    // One line for each time that it goes wrong.
    let mut healthy = true;
    let mut goes_on = true;
    while goes_on {
        match move_all(path, &mut state, messages) {
            Ok(()) => {
                if !healthy {
                    tracing::info!("messages go into the archive again");
                }
                healthy = true;
                goes_on = news.recv().is_ok();
                wait_for_quiet(news);
            }
            Err(error) => {
                if healthy {
                    let error = causes(&error);
                    tracing::error!(
                        error,
                        "messages can't be archived, they stay in the state database until they can"
                    );
                }
                healthy = false;
                state = None;
                goes_on = !matches!(
                    news.recv_timeout(PAUSE),
                    Err(RecvTimeoutError::Disconnected)
                );
            }
        }
        // What has come meanwhile is moved in one go.
        while news.try_recv().is_ok() {}
    }
}

/// Those who wait for an acknowledgement go first: both want the disk.
fn wait_for_quiet(news: &Receiver<()>) {
    for _ in 0..MOST_WRITES {
        if news.recv_timeout(QUIET).is_err() {
            return;
        }
    }
}

fn move_all(path: &Path, kept: &mut Option<State>, messages: &MessageArchive) -> Result<()> {
    let mut state = match kept.take() {
        Some(state) => state,
        None => State::open(path)?,
    };
    loop {
        let batch = state.unarchived(BATCH)?;
        if batch.is_empty() {
            *kept = Some(state);
            return Ok(());
        }
        // The disk, or the network, takes several at a time.
        let share = batch.len().div_ceil(THREADS);
        let archived: Result<Vec<()>> = thread::scope(|scope| {
            let workers: Vec<_> = batch
                .chunks(share)
                .map(|part| scope.spawn(|| part.iter().try_for_each(|one| archive(one, messages))))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or(Ok(())))
                .collect()
        });
        archived?;
        state.archived(batch.iter().map(|one| one.key.as_str()))?;
    }
}

fn archive(one: &Unarchived, messages: &MessageArchive) -> Result<()> {
    let key = RawKey::parse(&one.key)?;
    let message = messages.open(&key, one.sealed.clone())?;
    messages.archive.put(&key, &message)
}

const BATCH: u32 = 256;
const THREADS: usize = 4;
/// Without a write to the inbox.
const QUIET: Duration = Duration::from_millis(50);
/// Writes to the inbox after which the archive has its turn all the same.
const MOST_WRITES: u32 = 2_000;
const PAUSE: Duration = Duration::from_secs(5);
