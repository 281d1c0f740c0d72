//! Whether lines that are known can be taken as unchanged.

use std::collections::HashSet;

use super::batch::{Batch, Content};
use super::worker::Aliases;
use super::writer::Writer;
use crate::Result;

/// What the writer remembers of known lines.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// Some were taken as unchanged.
    any: bool,
    /// Aliases taken note of.
    seen: usize,
}

impl Accepted {
    /// Aliases that the store has already are no news.
    pub(crate) fn new(aliases: &Aliases) -> Self {
        let mut seen = 0;
        aliases.since(&mut seen, |_| ());
        Self { any: false, seen }
    }
}

impl Writer<'_> {
    /// Whether every line of the batch that is known would come out as it is
    /// stored. Where not, the batch has to be parsed.
    pub(crate) fn confirms(&mut self, batch: &Batch, aliases: &Aliases) -> Result<bool> {
        let known = batch
            .records
            .iter()
            .filter_map(|record| match &record.content {
                Content::Known {
                    resource_type,
                    line,
                } => Some((*resource_type, line)),
                _ => None,
            });
        let mut known = known.peekable();
        if known.peek().is_none() {
            if self.accepted.any {
                self.look_for_stale(aliases)?;
            }
            return Ok(true);
        }
        if self.look_for_stale(aliases)? {
            return Ok(false);
        }
        // Records of one resource are dealt with in their order.
        let others: HashSet<_> = batch
            .records
            .iter()
            .filter_map(|record| match &record.content {
                Content::Resource(resource) => {
                    Some((resource.resource_type, batch.text(&resource.id)))
                }
                Content::Deletion {
                    resource_type, id, ..
                } => Some((*resource_type, batch.text(id))),
                _ => None,
            })
            .collect();
        for (resource_type, line) in known {
            if others.contains(&(resource_type, &*line.id))
                || self.waits(resource_type, &line.id)
                || !self.store.still_current(line.sequence)?
            {
                return Ok(false);
            }
        }
        self.accepted.any = true;
        Ok(true)
    }

    /// Whether a patient turned out to be known by a medical record number to
    /// whom resources in the store refer under the id without.
    ///
    /// From then on every line is parsed, and what differs from what is stored
    /// waits for the end, like in a run that has parsed all lines before.
    pub(crate) fn look_for_stale(&mut self, aliases: &Aliases) -> Result<bool> {
        let mut new = Vec::new();
        aliases.since(&mut self.accepted.seen, |patient| {
            new.push(patient.to_owned());
        });
        let source_system = &self.options.settings.source_system;
        // Workers know them already, before their batch is here.
        self.add_aliases(&new)?;
        if (!new.is_empty() || !self.accepted.any)
            && !self.store.pending_repoints(source_system)?.is_empty()
        {
            self.late.find();
        }
        if self.late.is_found() {
            self.guide.stop();
        }
        Ok(self.late.is_found())
    }
}
