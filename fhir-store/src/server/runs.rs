//! Runs, quarantine and renamed patients are in the state alone.

use super::{ServerStore, outbox};
use crate::{
    Counts, NewRun, QuarantineRecord, Refused, ResourceStore as _, Result, RunRecord, RunState,
    RunStore, StoreReport, TakenBack,
};

impl RunStore for ServerStore {
    fn start_run(&mut self, run: &NewRun<'_>) -> Result<()> {
        self.elsewhere.clear();
        self.local.start_run(run)
    }

    fn update_run(&mut self, id: &str, counts: &Counts) -> Result<()> {
        self.local.update_run(id, counts)
    }

    /// A run that read all of its input is over when the server was told all that it can be told.
    fn finish_run(
        &mut self,
        id: &str,
        state: RunState,
        finished: i64,
        counts: &Counts,
        error: Option<&str>,
        summary: Option<&str>,
    ) -> Result<()> {
        let is_whole = matches!(state, RunState::Completed | RunState::Partial);
        match is_whole {
            true => self.tell_all()?,
            // Whoever ends a run early knows.
            false => self.failure = None,
        }
        self.local
            .finish_run(id, state, finished, counts, error, summary)?;
        if is_whole {
            let last = self.local.last_sequence();
            let mut after = 0;
            while self
                .local
                .change(|connection| outbox::forget_bodies(connection, &mut after, last))?
            {
                self.local.flush()?;
            }
        }
        self.local.flush()
    }

    fn interrupt_stale_runs(&mut self, now: i64) -> Result<u64> {
        self.local.interrupt_stale_runs(now)
    }

    fn runs(&mut self, limit: usize) -> Result<Vec<RunRecord>> {
        self.local.runs(limit)
    }

    fn run(&mut self, id: &str) -> Result<Option<RunRecord>> {
        self.local.run(id)
    }

    fn unfinished_runs(&mut self) -> Result<Vec<String>> {
        self.local.unfinished_runs()
    }

    fn quarantine(&mut self, run: &str, record: &Refused<'_>) -> Result<bool> {
        self.local.quarantine(run, record)
    }

    fn quarantined(
        &mut self,
        run: Option<&str>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<QuarantineRecord>> {
        self.local.quarantined(run, after, limit)
    }

    fn quarantine_record(&mut self, id: u64) -> Result<Option<QuarantineRecord>> {
        self.local.quarantine_record(id)
    }

    fn add_aliases(&mut self, source_system: &str, patients: &[&str]) -> Result<()> {
        self.local.add_aliases(source_system, patients)
    }

    fn aliases(&mut self, source_system: &str) -> Result<Vec<String>> {
        self.local.aliases(source_system)
    }

    fn add_patient_references(&mut self, source_system: &str, patients: &[&str]) -> Result<()> {
        self.local.add_patient_references(source_system, patients)
    }

    fn pending_repoints(&mut self, source_system: &str) -> Result<Vec<String>> {
        self.local.pending_repoints(source_system)
    }

    fn settle_aliases(&mut self, source_system: &str) -> Result<()> {
        self.local.settle_aliases(source_system)
    }

    fn settle_writes(&mut self, run: &str) -> Result<Vec<TakenBack>> {
        self.tell_all()?;
        Ok(self.taken_back(run))
    }

    fn report(&mut self) -> Result<StoreReport> {
        self.report_now()
    }
}
