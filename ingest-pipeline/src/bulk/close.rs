//! How a run ended, for those who look at it later.

use std::time::SystemTime;

use fhir_store::{Counts, NewRun, RunState};

use super::BulkSummary;
use super::run::Bulk;
use crate::access::StoreAccess;
use crate::clock::millis;
use crate::state::{BulkState, State};
use crate::{ErrorKind, Result};

impl Bulk<'_> {
    /// Enters how the run ended, here and in the store.
    pub(super) fn close(
        &self,
        store: &dyn StoreAccess,
        state: &mut State,
        result: &Result<BulkSummary>,
        started: SystemTime,
    ) -> Result<()> {
        let now = millis(self.around.clock.now());
        let run = self.options.run.as_str();
        match result {
            Ok(summary) => {
                let (end, error) = match summary.run.state {
                    RunState::Completed => (BulkState::Completed, None),
                    RunState::Interrupted => (BulkState::Interrupted, None),
                    RunState::Partial => (BulkState::Partial, summary.run.error.as_deref()),
                    _ => (BulkState::Failed, summary.run.error.as_deref()),
                };
                state.enter(run, end, error, now)
            }
            Err(error) => {
                let end = match error.kind() {
                    ErrorKind::Interrupted => BulkState::Interrupted,
                    _ => BulkState::Failed,
                };
                let text = crate::causes(error);
                state.enter(run, end, Some(&text), now)?;
                self.record(store, end, &text, started, now);
                Ok(())
            }
        }
    }

    /// A run that came to nothing is in the store's list too, where that can
    /// be written.
    fn record(
        &self,
        store: &dyn StoreAccess,
        end: BulkState,
        error: &str,
        started: SystemTime,
        now: i64,
    ) {
        let Ok(mut store) = store.open() else { return };
        let new = NewRun {
            id: &self.options.run,
            connection: Some(&self.settings.name),
            kind: "bulk",
            source_system: &self.settings.source_system,
            started: millis(started),
        };
        let end = match end {
            BulkState::Interrupted => RunState::Interrupted,
            _ => RunState::Failed,
        };
        // It fails where the load has entered it already.
        if store.start_run(&new).is_ok() {
            let none = Counts::default();
            let closed = store.finish_run(&self.options.run, end, now, &none, Some(error), None);
            if let Err(error) = closed {
                tracing::warn!(%error, "the run is not in the store's list");
            }
        }
    }
}
