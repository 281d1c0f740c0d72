//! The one writer of a run: batches into the store, counted.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use fhir_normalize::{IdHasher, Reason};
use fhir_provenance::ProvenanceIds;
use fhir_store::{Identifier, Put, PutOutcome, Remediation, Store, WriteContext};

use super::LoadOptions;
use super::aside::{Late, waiting};
use super::batch::{Batch, Content, Record, Resource};
use super::cause::{MergedPatient, Message, TriggerMessage};
use super::known::Accepted;
use super::lines::Guide;
use super::refuse::refused_by_server;
use super::spool::Spool;
use super::unproved::Standing;
use crate::clock::millis;
use crate::summary::Tally;
use crate::{Clock, Interrupt, Observer, Result};

/// Writes are committed after this many bytes of bodies, …
const COMMIT_BYTES: usize = 24 << 20;
/// … or records, …
const COMMIT_RECORDS: usize = 20_000;
/// … or milliseconds: a slow source must not keep readers waiting.
const COMMIT_MILLIS: i64 = 5_000;

/// Keys of waiting records that are remembered. Beyond it, a record that
/// waits and a later one of the same resource that doesn't are written in the
/// wrong order; memory stays flat.
const REMEMBERED: usize = 1 << 20;

pub(crate) struct Writer<'a> {
    pub(crate) store: &'a mut dyn Store,
    pub(crate) options: &'a LoadOptions,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) tally: Tally,
    /// The first file that could not be read or is not what was promised, and
    /// why; with it, the run is partial.
    pub(crate) refusal: Option<String>,
    pub(crate) ids: Ids,
    pub(crate) spool: Option<Spool>,
    /// Resources with a record in the spool; later records of theirs have to
    /// wait behind it.
    pub(crate) waiting: HashSet<u64>,
    /// Of these, the number of the last record of those with more than one.
    pub(crate) last: HashMap<u64, u64>,
    pub(crate) state: RandomState,
    pub(crate) late: Late,
    /// The file whose records come in, and the lines of it before the batch.
    pub(crate) file: String,
    pub(crate) line: u64,
    /// Whether all of the file can be had.
    pub(crate) standing: Standing,
    /// The message that they are loaded for.
    pub(crate) message: Option<Message>,
    /// All messages so far, by their number.
    pub(crate) messages: Vec<Arc<TriggerMessage>>,
    /// Patients to mark at the end, and the message that says so.
    pub(crate) merged: Vec<(MergedPatient, Option<Message>)>,
    pub(crate) accepted: Accepted,
    /// Tells the reader which lines may be known.
    pub(crate) guide: Arc<Guide>,
    uncommitted: (usize, usize),
    committed: i64,
    outcomes: Vec<PutOutcome>,
}

/// Makes the ids of Provenances like all hashed ids of the source.
pub(crate) struct Ids(pub(crate) IdHasher);

impl ProvenanceIds for Ids {
    fn id(&self, _: &str, target: &str) -> [u8; 32] {
        self.0.digest("Provenance", target)
    }
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        store: &'a mut dyn Store,
        options: &'a LoadOptions,
        clock: &'a dyn Clock,
        observer: &'a mut dyn Observer,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            store,
            options,
            clock,
            observer,
            interrupt,
            tally: Tally::default(),
            refusal: None,
            ids: Ids(IdHasher::new(&options.settings)),
            spool: None,
            waiting: HashSet::new(),
            last: HashMap::new(),
            state: RandomState::new(),
            late: Late::default(),
            file: String::new(),
            line: 0,
            standing: Standing::Proved,
            message: None,
            messages: Vec::new(),
            merged: Vec::new(),
            accepted: Accepted::default(),
            guide: Arc::default(),
            uncommitted: (0, 0),
            committed: millis(clock.now()),
            outcomes: Vec::new(),
        }
    }

    /// Writes the records of a batch, or puts them aside for the end.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<()> {
        let source_system = &self.options.settings.source_system;
        self.add_aliases(&batch.aliases)?;
        if !batch.patients.is_empty() {
            let patients: Vec<_> = batch.patients.iter().map(String::as_str).collect();
            self.store
                .add_patient_references(source_system, &patients)?;
        }
        let mut direct = Vec::with_capacity(batch.records.len());
        for record in &batch.records {
            let (resource_type, id) = match &record.content {
                Content::Refused {
                    reason,
                    detail,
                    resource_type,
                } => {
                    let bytes = &batch.data[record.place.bytes.clone()];
                    let resource_type = resource_type.unwrap_or("Unknown");
                    self.refuse(&record.place, resource_type, *reason, detail, bytes)?;
                    continue;
                }
                Content::Resource(resource) => {
                    let id = batch.text(&resource.id);
                    if !resource.conditional
                        && !self.waits(resource.resource_type, id)
                        && !self.is_doubtful(resource, id)?
                    {
                        direct.push((record, resource));
                        continue;
                    }
                    (resource.resource_type, id)
                }
                Content::Deletion {
                    resource_type, id, ..
                } => (*resource_type, batch.text(id)),
                Content::Known {
                    resource_type,
                    line,
                } => {
                    self.count(resource_type, PutOutcome::Unchanged, line.mended);
                    continue;
                }
            };
            // Records of one resource keep their order.
            let same = |(_, own): &(&Record, &Resource)| {
                own.resource_type == resource_type && batch.text(&own.id) == id
            };
            if direct.iter().any(same) {
                self.put(batch, &direct)?;
                direct.clear();
            }
            self.put_aside(batch, record)?;
        }
        self.put(batch, &direct)?;
        self.line += batch.lines;
        self.tally.bytes += batch.length;
        self.uncommitted.0 += batch.text.len();
        self.uncommitted.1 += batch.records.len();
        self.commit_if_due()
    }

    /// Takes note of patients that are known by their medical record number.
    pub(crate) fn add_aliases(&mut self, patients: &[String]) -> Result<()> {
        if patients.is_empty() {
            return Ok(());
        }
        let source_system = &self.options.settings.source_system;
        let patients: Vec<_> = patients.iter().map(String::as_str).collect();
        Ok(self.store.add_aliases(source_system, &patients)?)
    }

    /// Puts resources into the store and counts what became of them.
    fn put(&mut self, batch: &Batch, direct: &[(&Record, &Resource)]) -> Result<()> {
        let identifiers: Vec<_> = batch
            .identifiers
            .iter()
            .map(|(system, value)| Identifier {
                system: batch.text(system),
                value: batch.text(value),
            })
            .collect();
        let remediations: Vec<_> = batch
            .remediations
            .iter()
            .map(|(path, rule)| Remediation {
                path: batch.text(path),
                rule,
            })
            .collect();
        let message = self.message.clone();
        let puts: Vec<_> = direct
            .iter()
            .map(|(_, resource)| Put {
                resource_type: resource.resource_type,
                id: batch.text(&resource.id),
                source_id: batch.text(&resource.source_id),
                content_hash: resource.content_hash,
                body: batch.text(&resource.body),
                identifiers: part(&identifiers, &resource.identifiers),
                remediations: part(&remediations, &resource.remediations),
                message: message.as_ref().map(Message::borrowed),
                revert: false,
                line: resource.line,
            })
            .collect();
        let mut outcomes = std::mem::take(&mut self.outcomes);
        outcomes.clear();
        self.store.put(
            &context(self.options, self.clock, &self.ids),
            &puts,
            &mut outcomes,
        )?;
        let mut refusals = self.store.take_refusals().into_iter();
        for (index, ((record, resource), outcome)) in direct.iter().zip(&outcomes).enumerate() {
            let mended = !resource.remediations.is_empty();
            match outcome {
                PutOutcome::SeenBefore { .. } => {
                    // The content was there once and was changed since. The
                    // input may go through all its versions again, so the last
                    // one decides, when the run ends.
                    let put = &puts[index];
                    let again = puts[index + 1..].iter().any(|later| {
                        later.id == put.id && later.resource_type == put.resource_type
                    });
                    if again {
                        self.count(resource.resource_type, PutOutcome::Unchanged, mended);
                    } else {
                        self.put_aside(batch, record)?;
                    }
                }
                PutOutcome::Conflict => {
                    let bytes = &batch.data[record.place.bytes.clone()];
                    self.conflict(&record.place, resource.resource_type, bytes)?;
                }
                PutOutcome::Refused => {
                    let bytes = &batch.data[record.place.bytes.clone()];
                    let detail = refused_by_server(refusals.next());
                    let reason = Reason::StoreRefused;
                    let resource_type = resource.resource_type;
                    self.refuse(&record.place, resource_type, reason, &detail, bytes)?;
                }
                outcome => self.count(resource.resource_type, *outcome, mended),
            }
        }
        self.outcomes = outcomes;
        if let Some(position) = self.store.next_expected() {
            self.guide.show(position);
        }
        Ok(())
    }

    pub(crate) fn count(&mut self, resource_type: &'static str, outcome: PutOutcome, mended: bool) {
        let counts = self.tally.resource(resource_type);
        counts.remediated += u64::from(mended);
        match outcome {
            PutOutcome::Created => counts.created += 1,
            PutOutcome::Updated { .. } => counts.updated += 1,
            _ => counts.unchanged += 1,
        }
        let written = matches!(outcome, PutOutcome::Created | PutOutcome::Updated { .. });
        self.tally.provenance += u64::from(written);
    }

    /// Leaves a record for the end of the run.
    fn put_aside(&mut self, batch: &Batch, record: &Record) -> Result<()> {
        let Some(mut waiting) = waiting(batch, record, &self.file, self.line) else {
            return Ok(());
        };
        waiting.message = self.message.as_ref().map_or(0, |message| message.number);
        let key = self.key(waiting.resource_type, &waiting.id);
        let spool = match &mut self.spool {
            Some(spool) => spool,
            None => self.spool.insert(Spool::create(&self.options.spool)?),
        };
        let number = spool.len();
        spool.push(&waiting)?;
        if self.waiting.contains(&key) {
            self.last.insert(key, number);
        } else if self.waiting.len() < REMEMBERED {
            self.waiting.insert(key);
        }
        Ok(())
    }

    /// Whether a record of the resource waits for the end of the run.
    pub(crate) fn waits(&self, resource_type: &str, id: &str) -> bool {
        !self.waiting.is_empty() && self.waiting.contains(&self.key(resource_type, id))
    }

    pub(crate) fn key(&self, resource_type: &str, id: &str) -> u64 {
        self.state.hash_one((resource_type, id))
    }

    fn commit_if_due(&mut self) -> Result<()> {
        let now = millis(self.clock.now());
        let (bytes, records) = self.uncommitted;
        if bytes >= COMMIT_BYTES
            || records >= COMMIT_RECORDS
            || now - self.committed >= COMMIT_MILLIS
        {
            self.commit()?;
        }
        Ok(())
    }

    /// Commits what was written together with the counts of the run.
    pub(crate) fn commit(&mut self) -> Result<()> {
        self.store
            .update_run(&self.options.run, &self.proved_tally().counts())?;
        self.store.flush()?;
        self.uncommitted = (0, 0);
        self.committed = millis(self.clock.now());
        Ok(())
    }
}

/// On whose behalf, and when.
pub(crate) fn context<'c>(
    options: &'c LoadOptions,
    clock: &dyn Clock,
    ids: &'c Ids,
) -> WriteContext<'c> {
    WriteContext {
        source_system: &options.settings.source_system,
        organization: &options.organization,
        run: Some(&options.run),
        recorded: millis(clock.now()),
        ids,
    }
}

pub(crate) fn part<'p, T>(all: &'p [T], span: &std::ops::Range<u32>) -> &'p [T] {
    &all[span.start as usize..span.end as usize]
}
