use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::Received;

#[derive(Default)]
pub(super) struct Counts {
    accepted: AtomicU64,
    ignored: AtomicU64,
    duplicates: AtomicU64,
    rejected: AtomicU64,
    dead_letters: AtomicU64,
    queued_fetches: AtomicU64,
}

/// What was received since the [`Receiver`](super::Receiver) was made.
/// `received = accepted + ignored + duplicates + rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReceiveSummary {
    /// Messages.
    pub received: u64,
    /// Taken.
    pub accepted: u64,
    /// Of no interest.
    pub ignored: u64,
    /// The same message once more.
    pub duplicates: u64,
    /// Not taken: dead letters, and what could not be kept.
    pub rejected: u64,
    /// Among the rejected, those that are kept as dead letters.
    pub dead_letters: u64,
    /// Fetches that were not waiting before.
    pub queued_fetches: u64,
}

impl Counts {
    pub(super) fn add(&self, received: Received) {
        let add = |count: &AtomicU64, by: u64| count.fetch_add(by, Ordering::Relaxed);
        match received {
            Received::Accepted { queued } => {
                add(&self.accepted, 1);
                add(&self.queued_fetches, queued);
            }
            Received::Ignored => _ = add(&self.ignored, 1),
            Received::Duplicate => _ = add(&self.duplicates, 1),
            Received::Dead { .. } => {
                add(&self.rejected, 1);
                add(&self.dead_letters, 1);
            }
            Received::Failed => _ = add(&self.rejected, 1),
        }
    }

    pub(super) fn summary(&self) -> ReceiveSummary {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (accepted, ignored) = (read(&self.accepted), read(&self.ignored));
        let (duplicates, rejected) = (read(&self.duplicates), read(&self.rejected));
        ReceiveSummary {
            received: accepted + ignored + duplicates + rejected,
            accepted,
            ignored,
            duplicates,
            rejected,
            dead_letters: read(&self.dead_letters),
            queued_fetches: read(&self.queued_fetches),
        }
    }
}
