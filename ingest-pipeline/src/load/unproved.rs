//! Files of which it is not known yet whether all of them can be had.

use std::sync::Arc;

use super::writer::Writer;
use crate::Event;
use crate::source::{FileRefused, Proof};
use crate::summary::Tally;

/// How the file stands whose records come in.
pub(crate) enum Standing {
    Proved,
    /// Only lines that are known have come, and they change nothing. Counts are
    /// as they were before, in case that it is damaged.
    Unproved(Arc<Proof>, Tally),
    /// The rest of it is passed over.
    Refused,
}

impl Standing {
    pub(crate) fn of(proof: Option<Arc<Proof>>, before: &Tally) -> Self {
        proof.map_or(Self::Proved, |proof| Self::Unproved(proof, before.clone()))
    }
}

impl Writer<'_> {
    /// Makes sure that the file may be written; whether it may.
    pub(crate) fn prove(&mut self) -> bool {
        if let Standing::Unproved(proof, _) = &self.standing {
            match proof.verdict() {
                Ok(()) => self.proved(),
                Err(FileRefused(reason)) => self.refuse_file(&reason),
            }
        }
        !self.is_refused()
    }

    pub(crate) fn proved(&mut self) {
        if matches!(self.standing, Standing::Unproved(..)) {
            self.standing = Standing::Proved;
        }
    }

    pub(crate) const fn is_refused(&self) -> bool {
        matches!(self.standing, Standing::Refused)
    }

    /// Counts without those of a file that may be damaged.
    pub(crate) const fn proved_tally(&self) -> &Tally {
        match &self.standing {
            Standing::Unproved(_, before) => before,
            _ => &self.tally,
        }
    }

    /// The file can't be had, or not all of it: the run is partial.
    pub(crate) fn refuse_file(&mut self, reason: &str) {
        match std::mem::replace(&mut self.standing, Standing::Refused) {
            Standing::Refused => return,
            Standing::Unproved(_, before) => self.tally = before,
            Standing::Proved => {}
        }
        self.tally.refused_files += 1;
        let first = || format!("{}: {reason}", self.file);
        self.refusal = self.refusal.take().or_else(|| Some(first()));
        self.observer.event(&Event::FileRefused {
            file: &self.file,
            reason,
        });
    }
}
