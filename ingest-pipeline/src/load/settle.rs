//! The end of a run: what needed all of the input first.

use fhir_normalize::{Conditional, IdMode, Normalizer, Reason, Rejected, Rewritten};
use fhir_store::{
    Amend, Delete, DeleteOutcome, Identifier, Put, PutOutcome, Refusal, Remediation, Stored,
};

use super::cause::Message;
use super::refuse::{CONFLICT, refused_by_server};
use super::spool::Waiting;
use super::worker::Aliases;
use super::writer::{Writer, context};
use crate::matches::Matches;
use crate::{Event, Result};

/// Bodies looked at between two writes.
const SLICE: usize = 4 << 20;

impl Writer<'_> {
    /// Corrects stored references to patients that were found to be known by
    /// their medical record number after the referring resource was written.
    ///
    /// Versions of a run that has not finished are corrected in place, so that
    /// the same input finds all of them again; of resources of older runs, the
    /// current version gets a successor.
    pub(crate) fn repoint(&mut self, aliases: &Aliases) -> Result<()> {
        let source_system = &self.options.settings.source_system;
        if self.options.settings.id_mode != IdMode::Preserve {
            return Ok(());
        }
        if !self.store.pending_repoints(source_system)?.is_empty() {
            let mut normalizer = self.normalizer(aliases);
            let unfinished = self.store.unfinished_runs()?;
            let mut after = 0;
            loop {
                let slice = self.store.scan(None, after, SLICE)?;
                let Some(last) = slice.last() else { break };
                after = last.sequence;
                for stored in &slice {
                    if stored.version > 1 {
                        let earlier = self.store.history(&stored.resource_type, &stored.id)?;
                        for stored in earlier.iter().filter(|own| own.version < stored.version) {
                            self.repoint_one(stored, false, &mut normalizer, &unfinished)?;
                        }
                    }
                    self.repoint_one(stored, true, &mut normalizer, &unfinished)?;
                }
                self.commit()?;
            }
        }
        self.store.settle_aliases(source_system)?;
        self.commit()
    }

    fn repoint_one(
        &mut self,
        stored: &Stored,
        is_current: bool,
        normalizer: &mut Normalizer,
        unfinished: &[String],
    ) -> Result<()> {
        let Some(body) = &stored.body else {
            return Ok(());
        };
        let run = stored.run.as_ref();
        let in_place = run.is_some_and(|run| unfinished.contains(run));
        if !(in_place || is_current)
            || stored.source_system != self.options.settings.source_system
            || memchr::memmem::find(body.as_bytes(), b"Patient").is_none()
        {
            return Ok(());
        }
        // What is stored was normalized once, so it can be read again.
        let Ok(rewritten) = normalizer.rewrite(body.as_bytes(), |_| None) else {
            return Ok(());
        };
        if !rewritten.changed {
            return Ok(());
        }
        if in_place {
            let amend = Amend {
                resource_type: &stored.resource_type,
                id: &stored.id,
                version: stored.version,
                content_hash: rewritten.content_hash,
                body: rewritten.body,
                identifiers: &identifiers(&rewritten),
                keeps_line: true,
            };
            self.store.amend(&[amend])?;
            return Ok(());
        }
        self.correct(stored, &rewritten, None)
    }

    /// Writes another version of what is stored, which no record asks for.
    pub(crate) fn correct(
        &mut self,
        stored: &Stored,
        rewritten: &Rewritten<'_>,
        message: Option<&Message>,
    ) -> Result<()> {
        let resource_type = stored.resource_type.as_str();
        let (outcome, refusal) = self.put_one(Put {
            resource_type,
            id: &stored.id,
            source_id: &stored.source_id,
            content_hash: rewritten.content_hash,
            body: rewritten.body,
            identifiers: &identifiers(rewritten),
            remediations: &[],
            message: message.map(Message::borrowed),
            revert: true,
            line: None,
        })?;
        if let Some(refusal) = refusal {
            let reason = refusal.to_string();
            tracing::warn!(
                resource_type,
                reason,
                "the server of the store does not take a corrected version; the one before stays"
            );
        }
        if let (Some(outcome), Some(name)) = (outcome, fhir_normalize::resource_type(resource_type))
        {
            self.count(name, outcome, false);
        }
        Ok(())
    }

    fn put_one(&mut self, put: Put<'_>) -> Result<(Option<PutOutcome>, Option<Refusal>)> {
        let context = context(self.options, self.clock, &self.ids);
        let mut outcomes = Vec::new();
        self.store.put(&context, &[put], &mut outcomes)?;
        Ok((outcomes.pop(), self.store.take_refusals().pop()))
    }

    /// Writes the records that waited, in their order. Content that was there
    /// before counts only where it is the last of its resource: an input that
    /// goes through the versions of a resource again must not repeat them.
    pub(crate) fn settle(&mut self, aliases: &Aliases) -> Result<()> {
        let Some(mut spool) = self.spool.take() else {
            return Ok(());
        };
        self.observer.event(&Event::Settling {
            records: spool.len(),
        });
        let mut normalizer = self.normalizer(aliases);
        let mut matches = Matches::default();
        spool.each(|_, record| {
            if let Some(body) = &record.body {
                matches.want(body, &mut normalizer);
            }
            Ok(())
        })?;
        if !matches.is_empty() {
            matches.offer_all(|resource_type, system, value| {
                self.store
                    .find_by_identifier(resource_type, system, value, 2)
            })?;
            spool.each(|_, record| {
                for (system, value) in &record.identifiers {
                    matches.offer(record.resource_type, system, value, &record.id);
                }
                Ok(())
            })?;
        }
        let mut uncommitted = 0;
        spool.each(|number, record| {
            // What is left waits again in the next run.
            if self.interrupt.is_interrupted() {
                return Ok(());
            }
            let key = self.key(record.resource_type, &record.id);
            let is_last = self.last.get(&key).is_none_or(|last| *last == number);
            uncommitted += record.received.len();
            self.write_waiting(&record, is_last, &mut normalizer, &matches)?;
            if uncommitted > SLICE {
                uncommitted = 0;
                self.commit()?;
            }
            Ok(())
        })
    }

    /// Tells the store's server what is left. What it refuses now was counted
    /// as written before.
    pub(crate) fn settle_store(&mut self) -> Result<()> {
        for own in self.store.settle_writes(&self.options.run)? {
            if let Some(name) = fhir_normalize::resource_type(&own.resource_type) {
                self.tally.take_back(name, own.created);
            }
        }
        self.commit()
    }

    fn write_waiting(
        &mut self,
        record: &Waiting,
        is_last: bool,
        normalizer: &mut Normalizer,
        matches: &Matches,
    ) -> Result<()> {
        let rejected = match &record.body {
            None if !is_last => {
                self.tally.resource(record.resource_type).unchanged += 1;
                None
            }
            None => self.delete_waiting(record)?,
            Some(body) => self.put_waiting(record, body, is_last, normalizer, matches)?,
        };
        if let Some(rejected) = rejected {
            self.quarantine(
                &record.file,
                record.line,
                record.offset,
                record.resource_type,
                rejected.reason,
                &rejected.detail,
                &record.received,
            )?;
        }
        Ok(())
    }

    /// Why the record can't be written, if so.
    fn put_waiting(
        &mut self,
        record: &Waiting,
        body: &str,
        is_last: bool,
        normalizer: &mut Normalizer,
        matches: &Matches,
    ) -> Result<Option<Rejected>> {
        if is_last && self.would_unmark(record, body, normalizer)? {
            self.tally.resource(record.resource_type).unchanged += 1;
            return Ok(None);
        }
        let find = |conditional: &Conditional<'_>| matches.one(conditional);
        let rewritten = match normalizer.rewrite(body.as_bytes(), find) {
            Ok(rewritten) => rewritten,
            Err(rejected) => return Ok(Some(rejected)),
        };
        self.tally.unresolved_references += rewritten.unresolved as u64;
        let pair = |(system, value)| Identifier { system, value };
        let identifiers: Vec<_> = record
            .identifiers
            .iter()
            .map(|(a, b)| pair((a.as_str(), b.as_str())))
            .collect();
        let remediations: Vec<_> = record
            .remediations
            .iter()
            .map(|(path, rule)| Remediation { path, rule })
            .collect();
        let message = self.message(record.message);
        let put = Put {
            resource_type: record.resource_type,
            id: &record.id,
            source_id: &record.source_id,
            content_hash: rewritten.content_hash,
            body: rewritten.body,
            identifiers: &identifiers,
            remediations: &remediations,
            message: message.as_ref().map(Message::borrowed),
            revert: is_last,
            line: None,
        };
        let (outcome, refusal) = self.put_one(put)?;
        match outcome {
            Some(PutOutcome::Conflict) => return Ok(Some(conflict())),
            Some(PutOutcome::Refused) => {
                let detail = refused_by_server(refusal);
                return Ok(Some(Rejected::new(Reason::StoreRefused, detail)));
            }
            Some(outcome) => {
                self.count(record.resource_type, outcome, !remediations.is_empty());
            }
            None => {}
        }
        Ok(None)
    }

    /// Why the record can't be written, if so.
    fn delete_waiting(&mut self, record: &Waiting) -> Result<Option<Rejected>> {
        let message = self.message(record.message);
        let delete = Delete {
            resource_type: record.resource_type,
            id: &record.id,
            source_id: &record.source_id,
            message: message.as_ref().map(Message::borrowed),
        };
        let mut outcomes = Vec::new();
        self.store.delete(
            &context(self.options, self.clock, &self.ids),
            &[delete],
            &mut outcomes,
        )?;
        match outcomes.first() {
            Some(DeleteOutcome::Conflict) => return Ok(Some(conflict())),
            Some(DeleteOutcome::Deleted { .. }) => {
                self.tally.resource(record.resource_type).deleted += 1;
                self.tally.provenance += 1;
            }
            _ => self.tally.resource(record.resource_type).unchanged += 1,
        }
        Ok(None)
    }

    /// A normalizer that knows all patients known by now.
    pub(crate) fn normalizer(&self, aliases: &Aliases) -> Normalizer {
        let mut normalizer = Normalizer::new(self.options.settings.clone());
        aliases.since(&mut 0, |patient| normalizer.note_mrn_patient(patient));
        normalizer
    }
}

fn identifiers<'a>(rewritten: &Rewritten<'a>) -> Vec<Identifier<'a>> {
    let pair = |own: &'a fhir_normalize::Identifier| Identifier {
        system: &own.system,
        value: &own.value,
    };
    rewritten.identifiers.iter().map(pair).collect()
}

fn conflict() -> Rejected {
    Rejected::new(Reason::IdConflict, CONFLICT)
}
