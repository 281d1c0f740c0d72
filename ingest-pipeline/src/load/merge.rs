//! Patients who turned out to be others.

use fhir_normalize::Normalizer;

use super::cause::{MergedPatient, Message};
use super::ids::StoreIds;
use super::link::{last_updated, with_link, without_links};
use super::spool::Waiting;
use super::worker::Aliases;
use super::writer::Writer;
use crate::Result;

impl Writer<'_> {
    /// Adds the link to patients who were merged into others, and whose record
    /// the input did not have.
    pub(crate) fn mark_merged(&mut self, aliases: &Aliases) -> Result<()> {
        let merged = std::mem::take(&mut self.merged);
        if merged.is_empty() {
            return Ok(());
        }
        let mut known = Vec::new();
        aliases.since(&mut 0, |patient| known.push(patient.to_owned()));
        let ids = StoreIds::new(&self.options.settings, known);
        let mut normalizer = self.normalizer(aliases);
        for (patient, message) in merged {
            self.mark(&patient, message, &ids, &mut normalizer)?;
        }
        self.commit()
    }

    fn mark(
        &mut self,
        patient: &MergedPatient,
        message: Option<Message>,
        ids: &StoreIds,
        normalizer: &mut Normalizer,
    ) -> Result<()> {
        let Some(stored) = self.store.get("Patient", &patient.id)? else {
            return Ok(());
        };
        let Some(body) = &stored.body else {
            return Ok(());
        };
        let survivor = ids.id("Patient", &patient.survivor);
        if stored.source_system != self.options.settings.source_system || stored.id == survivor {
            return Ok(());
        }
        let Some(marked) = with_link(body, &format!("Patient/{survivor}")) else {
            self.tally.resource("Patient").unchanged += 1;
            return Ok(());
        };
        // What is stored was normalized once, so it can be read again.
        let Ok(rewritten) = normalizer.rewrite(marked.as_bytes(), |_| None) else {
            return Ok(());
        };
        self.correct(&stored, &rewritten, message.as_ref())
    }

    /// Whether a record says nothing new, but would take away the link that
    /// says who has replaced the patient. Servers that know nothing of a merge
    /// go on giving the record as it was; only one that they have changed
    /// since tells that the patient is nobody else after all.
    pub(crate) fn would_unmark(
        &mut self,
        record: &Waiting,
        body: &str,
        normalizer: &mut Normalizer,
    ) -> Result<bool> {
        if record.resource_type != "Patient" {
            return Ok(false);
        }
        let stored = self.store.get("Patient", &record.id)?;
        let Some(stored) = stored.and_then(|stored| stored.body) else {
            return Ok(false);
        };
        let Some(unmarked) = without_links(&stored) else {
            return Ok(false);
        };
        let mut hash = |body: &str| {
            let rewritten = normalizer.rewrite(body.as_bytes(), |_| None);
            rewritten.ok().map(|rewritten| rewritten.content_hash)
        };
        let is_newer = match (last_updated(body), last_updated(&stored)) {
            (Some(new), Some(old)) => new > old,
            _ => false,
        };
        Ok(!is_newer && hash(&unmarked) == hash(body))
    }
}
