use std::collections::{BTreeMap, BTreeSet};

use super::InMemoryStore;
use crate::{
    Counts, Error, NewRun, QuarantineRecord, Refused, Result, RunRecord, RunState, RunStore,
};

/// What runs left behind.
#[derive(Default)]
pub(super) struct Runs {
    records: Vec<RunRecord>,
    refused: Vec<QuarantineRecord>,
    /// Source system and patient, to whether the alias is settled.
    aliases: BTreeMap<(String, String), bool>,
    references: BTreeSet<(String, String)>,
}

impl Runs {
    fn record(&mut self, id: &str) -> Result<&mut RunRecord> {
        let mut records = self.records.iter_mut();
        records.find(|run| run.id == id).ok_or(Error::UnknownRun)
    }
}

impl RunStore for InMemoryStore {
    fn start_run(&mut self, run: &NewRun<'_>) -> Result<()> {
        if self.runs.record(run.id).is_ok() {
            return Err(Error::DuplicateRun);
        }
        self.runs.records.push(RunRecord {
            id: run.id.to_owned(),
            connection: run.connection.map(str::to_owned),
            kind: run.kind.to_owned(),
            source_system: run.source_system.to_owned(),
            state: RunState::Running,
            started: run.started,
            finished: None,
            counts: Counts::default(),
            error: None,
            summary: None,
        });
        Ok(())
    }

    fn update_run(&mut self, id: &str, counts: &Counts) -> Result<()> {
        self.runs.record(id)?.counts = *counts;
        Ok(())
    }

    fn finish_run(
        &mut self,
        id: &str,
        state: RunState,
        finished: i64,
        counts: &Counts,
        error: Option<&str>,
        summary: Option<&str>,
    ) -> Result<()> {
        let run = self.runs.record(id)?;
        run.state = state;
        run.finished = Some(finished);
        run.counts = *counts;
        run.error = error.map(str::to_owned);
        run.summary = summary.map(str::to_owned);
        Ok(())
    }

    fn interrupt_stale_runs(&mut self, now: i64) -> Result<u64> {
        let mut interrupted = 0;
        for run in &mut self.runs.records {
            if run.state == RunState::Running {
                run.state = RunState::Interrupted;
                run.finished = Some(now);
                interrupted += 1;
            }
        }
        Ok(interrupted)
    }

    fn runs(&mut self, limit: usize) -> Result<Vec<RunRecord>> {
        let newest = self.runs.records.iter().rev();
        Ok(newest.take(limit).cloned().collect())
    }

    fn run(&mut self, id: &str) -> Result<Option<RunRecord>> {
        Ok(self.runs.record(id).ok().map(|run| run.clone()))
    }

    fn unfinished_runs(&mut self) -> Result<Vec<String>> {
        let records = self.runs.records.iter();
        Ok(records
            .filter(|run| {
                matches!(
                    run.state,
                    RunState::Running | RunState::Interrupted | RunState::Failed
                )
            })
            .map(|run| run.id.clone())
            .collect())
    }

    fn quarantine(&mut self, run: &str, record: &Refused<'_>) -> Result<bool> {
        let known = self.runs.refused.iter().any(|known| {
            known.file == record.file
                && known.line == record.line
                && known.byte_offset == record.byte_offset
                && known.reason == record.reason
                && known.body == record.body
        });
        if !known {
            self.runs.refused.push(QuarantineRecord {
                id: self.runs.refused.len() as u64 + 1,
                run: run.to_owned(),
                file: record.file.to_owned(),
                line: record.line,
                byte_offset: record.byte_offset,
                reason: record.reason.to_owned(),
                detail: record.detail.to_owned(),
                body: record.body.to_vec(),
            });
        }
        Ok(!known)
    }

    fn quarantined(
        &mut self,
        run: Option<&str>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<QuarantineRecord>> {
        let records = self.runs.refused.iter();
        Ok(records
            .filter(|record| record.id > after && run.is_none_or(|run| run == record.run))
            .take(limit)
            .cloned()
            .collect())
    }

    fn quarantine_record(&mut self, id: u64) -> Result<Option<QuarantineRecord>> {
        let mut records = self.runs.refused.iter();
        Ok(records.find(|record| record.id == id).cloned())
    }

    fn add_aliases(&mut self, source_system: &str, patients: &[&str]) -> Result<()> {
        for patient in patients {
            let key = (source_system.to_owned(), (*patient).to_owned());
            self.runs.aliases.entry(key).or_insert(false);
        }
        Ok(())
    }

    fn aliases(&mut self, source_system: &str) -> Result<Vec<String>> {
        let aliases = self.runs.aliases.keys();
        Ok(aliases
            .filter(|(source, _)| source == source_system)
            .map(|(_, patient)| patient.clone())
            .collect())
    }

    fn add_patient_references(&mut self, source_system: &str, patients: &[&str]) -> Result<()> {
        for patient in patients {
            let key = (source_system.to_owned(), (*patient).to_owned());
            self.runs.references.insert(key);
        }
        Ok(())
    }

    fn pending_repoints(&mut self, source_system: &str) -> Result<Vec<String>> {
        let aliases = self.runs.aliases.iter();
        Ok(aliases
            .filter(|((source, _), settled)| source == source_system && !**settled)
            .filter(|(key, _)| self.runs.references.contains(*key))
            .map(|((_, patient), _)| patient.clone())
            .collect())
    }

    fn settle_aliases(&mut self, source_system: &str) -> Result<()> {
        for (key, settled) in &mut self.runs.aliases {
            if key.0 == source_system {
                *settled = true;
                self.runs.references.remove(key);
            }
        }
        Ok(())
    }
}
