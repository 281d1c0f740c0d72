//! Buffers that go round.

use std::sync::{Mutex, PoisonError};

use super::batch::Batch;

/// Buffers that go round: with them, a run allocates only at its beginning.
#[derive(Default)]
pub(super) struct Pool {
    batches: Mutex<Vec<Batch>>,
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// Larger ones are given back to the system: one long line must not be
    /// paid for until the end of the run.
    const KEPT: usize = 4 << 20;

    pub(super) fn take(&self) -> Batch {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.pop().unwrap_or_default()
    }

    pub(super) fn buffer(&self) -> Vec<u8> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_default()
    }

    pub(super) fn put(&self, mut batch: Batch) {
        self.put_buffer(std::mem::take(&mut batch.data));
        if batch.text.capacity() <= Self::KEPT {
            self.batches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(batch);
        }
    }

    pub(super) fn put_buffer(&self, data: Vec<u8>) {
        if data.capacity() <= Self::KEPT {
            self.buffers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(data);
        }
    }
}
