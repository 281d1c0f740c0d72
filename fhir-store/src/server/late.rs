//! What is sent when nobody waits for its outcome any more.

use super::deliver::Delivery;
use super::write::Write;
use super::{ServerStore, body, outbox};
use crate::{Refusal, Refused, ResourceStore as _, Result, RunStore as _, Stored, TakenBack};

impl ServerStore {
    /// Tells the server what an earlier run could not, before anything else.
    pub(super) fn recover(&mut self) -> Result<()> {
        if self.recovered {
            return Ok(());
        }
        let mut after = 0;
        loop {
            let versions = self
                .local
                .look(|connection| outbox::list(connection, false, after, STEP))?;
            let Some(&last) = versions.last() else { break };
            after = last;
            self.deliver_late(&versions)?;
        }
        self.recovered = true;
        Ok(())
    }

    /// Tells the server all that it can be told.
    pub(super) fn tell_all(&mut self) -> Result<()> {
        self.ready()?;
        self.release()?;
        self.read_back()
    }

    /// Looks at what the server was too slow with: the request that was given up may have been carried out after the one that took its place.
    fn read_back(&mut self) -> Result<()> {
        let mut slow: Vec<_> = std::mem::take(&mut self.slow).into_iter().collect();
        slow.sort_unstable();
        let mut again = Vec::new();
        for (resource_type, id) in slow {
            let current = self.local.get(&resource_type, &id)?;
            let Some(Stored {
                sequence,
                deleted,
                body: Some(body),
                ..
            }) = current
            else {
                continue;
            };
            let seq = sequence as i64;
            let name = self
                .local
                .look(|connection| outbox::name(connection, seq))?;
            let found = self.read(&resource_type, &id, None)?;
            if deleted || found.as_ref().is_some_and(|found| found.version == name) {
                continue;
            }
            let is_same = found
                .as_ref()
                .is_some_and(|found| body::is_same(&found.body, &body));
            let name = found.and_then(|found| found.version);
            self.local.change(|connection| {
                outbox::rename(connection, seq, name.as_deref())?;
                match is_same {
                    true => Ok(()),
                    false => outbox::add(connection, [seq].into_iter()),
                }
            })?;
            again.extend((!is_same).then_some(seq));
        }
        self.local.flush()?;
        self.deliver_late(&again).map(drop)
    }

    /// Tries again what was held, as long as that helps.
    pub(super) fn release(&mut self) -> Result<()> {
        loop {
            let versions = self.releasable()?;
            if versions.is_empty() {
                return Ok(());
            }
            let mut told = 0;
            for step in versions.chunks(STEP as usize) {
                told += self.deliver_late(step)?;
            }
            if told == 0 {
                return Ok(());
            }
        }
    }

    /// Tells the server of versions for which nobody waits any more, and quarantines what it refuses. How many fewer there are.
    pub(super) fn deliver_late(&mut self, versions: &[i64]) -> Result<usize> {
        let mut delivery = Delivery {
            late: true,
            ..Delivery::default()
        };
        self.deliver(versions, &mut delivery)?;
        Ok(delivery.told + delivery.refused.len())
    }

    /// What of a run was refused after it was counted.
    pub(super) fn taken_back(&mut self, run: &str) -> Vec<TakenBack> {
        let taken_back = self.taken_back.remove(run).unwrap_or_default();
        self.report.refused_late -= taken_back.len() as u64;
        taken_back
    }

    pub(super) fn note_taken_back(&mut self, write: &Write) {
        self.report.refused_late += 1;
        let run = write.run.clone().unwrap_or_default();
        self.taken_back.entry(run).or_default().push(TakenBack {
            resource_type: write.resource_type.clone(),
            created: write.created,
        });
    }

    /// Keeps what was refused where there is no outcome any more to say so.
    pub(super) fn keep_refused(&mut self, write: &Write, refusal: &Refusal) -> Result<()> {
        let record = Refused {
            file: OUTBOX,
            line: None,
            byte_offset: None,
            reason: "store-refused",
            detail: &refusal.to_string(),
            body: write.body.as_deref().unwrap_or_default().as_bytes(),
        };
        let run = write.run.as_deref().unwrap_or_default();
        self.local.quarantine(run, &record).map(drop)
    }
}

/// Versions that are read from the outbox at a time.
const STEP: i64 = 250;

/// Where a record stood whose file is no longer known.
const OUTBOX: &str = "(outbox)";
