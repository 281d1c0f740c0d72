//! Records that can't be written before all of the input is read.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::batch::{Batch, Content, Record, Resource};
use super::spool::Waiting;
use super::worker::Aliases;
use super::writer::{Writer, part};
use crate::Result;

/// Tells when a patient is found to be known by a medical record number after
/// records that refer to it have been written.
///
/// From then on, two copies of a record may differ in that reference alone,
/// by which of them came first. Hashes are kept, a few bytes a patient.
#[derive(Debug, Default)]
pub(crate) struct Late {
    referenced: Hashes,
    renamed: HashSet<u64>,
    /// Aliases taken note of.
    seen: usize,
    found: bool,
}

impl Late {
    /// Whether a patient was renamed after records that refer to it.
    pub(crate) const fn is_found(&self) -> bool {
        self.found
    }

    /// Notes that there is such a patient.
    pub(crate) const fn find(&mut self) {
        self.found = true;
    }

    /// Takes note of a batch that is about to be written, and of all patients
    /// whose new id may be in it.
    pub(crate) fn watch(&mut self, state: &RandomState, batch: &Batch, aliases: &Aliases) {
        for patient in &batch.patients {
            let patient = state.hash_one(patient.as_str());
            self.found |= self.renamed.contains(&patient);
            self.referenced.insert(patient);
        }
        let Self {
            referenced,
            renamed,
            seen,
            found,
        } = self;
        aliases.since(seen, |patient| {
            let patient = state.hash_one(patient);
            *found |= referenced.contains(patient);
            renamed.insert(patient);
        });
    }
}

/// A set of hashes in parts: each grows by itself, so that a large one does not
/// take its memory once and a half.
#[derive(Debug, Default)]
struct Hashes([HashSet<u64>; 16]);

impl Hashes {
    fn insert(&mut self, hash: u64) {
        self.0[Self::part(hash)].insert(hash);
    }

    fn contains(&self, hash: u64) -> bool {
        self.0[Self::part(hash)].contains(&hash)
    }

    const fn part(hash: u64) -> usize {
        (hash >> 60) as usize
    }
}

impl Writer<'_> {
    /// Whether a resource may differ from the stored one in nothing but a
    /// reference that has yet to be corrected, in one of them.
    pub(crate) fn is_doubtful(&mut self, resource: &Resource, id: &str) -> Result<bool> {
        if !self.late.found {
            return Ok(false);
        }
        let stored = self.store.get(resource.resource_type, id)?;
        Ok(stored.is_some_and(|stored| stored.content_hash != resource.content_hash))
    }
}

/// A resource or deletion as it waits; `line` is that of the batch.
pub(crate) fn waiting(batch: &Batch, record: &Record, file: &str, line: u64) -> Option<Waiting> {
    let text = |span| batch.text(span).to_owned();
    let place = Waiting {
        file: file.to_owned(),
        line: record.place.line.map(|own| line + own + 1),
        offset: record.place.offset,
        received: batch.data[record.place.bytes.clone()].to_owned(),
        ..Waiting::default()
    };
    match &record.content {
        Content::Resource(resource) => Some(Waiting {
            body: Some(text(&resource.body)),
            resource_type: resource.resource_type,
            id: text(&resource.id),
            source_id: text(&resource.source_id),
            identifiers: part(&batch.identifiers, &resource.identifiers)
                .iter()
                .map(|(system, value)| (text(system), text(value)))
                .collect(),
            remediations: part(&batch.remediations, &resource.remediations)
                .iter()
                .map(|(path, rule)| (text(path), (*rule).to_owned()))
                .collect(),
            ..place
        }),
        Content::Deletion {
            resource_type,
            id,
            source_id,
        } => Some(Waiting {
            resource_type,
            id: text(id),
            source_id: text(source_id),
            ..place
        }),
        Content::Known { .. } | Content::Refused { .. } => None,
    }
}
