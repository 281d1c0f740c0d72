use std::borrow::Cow;
use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::entry::CREATE;
use super::inserts::VersionInserts;
use super::keys::Key;
use crate::{LineDigest, Result};

/// First versions and identifiers that are written but not yet in their tables.
///
/// Ids are random, so every row alone would touch another page of the index, and the pages of a large index don't fit the cache.
/// Sorted, neighbours share the pages they touch, which takes about a quarter off a first load.
/// Bodies don't wait here, only what is small.
#[derive(Default)]
pub(super) struct Pending {
    versions: Vec<NewVersion<'static>>,
    /// Hashes of the types and ids of `versions`.
    hashes: HashSet<u64>,
    identifiers: Vec<NewIdentifier>,
}

/// A row of `version`.
pub(super) struct NewVersion<'a> {
    pub(super) type_id: i64,
    pub(super) id: Cow<'a, str>,
    pub(super) seq: i64,
    pub(super) version: i64,
    pub(super) activity: i64,
    pub(super) hash: [u8; 32],
    pub(super) context: i64,
    pub(super) source_id: Option<Cow<'a, str>>,
    pub(super) recorded: i64,
    pub(super) provenance: [u8; 32],
    pub(super) message: Option<i64>,
    pub(super) remediations: Option<Box<str>>,
    pub(super) line: Option<LineDigest>,
}

/// A row of `identifier`; sorts like its primary key.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct NewIdentifier {
    pub(super) type_id: i64,
    pub(super) system: i64,
    pub(super) value: Box<str>,
    pub(super) seq: i64,
    pub(super) amended: i64,
}

impl Pending {
    /// Adds the first version of a resource.
    pub(super) fn add_version(&mut self, key: &Key<'_>, version: NewVersion<'_>) {
        self.hashes.insert(key.hash);
        self.versions.push(version.into_owned());
    }

    pub(super) fn add_identifier(&mut self, identifier: NewIdentifier) {
        self.identifiers.push(identifier);
    }

    /// `false` where no such resource waits here.
    pub(super) fn may_contain(&self, key: &Key<'_>) -> bool {
        self.hashes.contains(&key.hash)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.identifiers.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.versions.len() + self.identifiers.len() >= MOST_ROWS
    }

    /// Writes everything to the tables.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<()> {
        self.hashes.clear();
        if !self.versions.is_empty() {
            self.versions
                .sort_unstable_by(|a, b| (a.type_id, &a.id).cmp(&(b.type_id, &b.id)));
            let mut insert = VersionInserts::new(connection)?;
            for version in self.versions.drain(..) {
                insert.insert(&version)?;
            }
        }
        if !self.identifiers.is_empty() {
            self.identifiers.sort_unstable();
            // A resource may hold the same identifier twice.
            let mut insert = connection
                .prepare_cached("INSERT OR IGNORE INTO identifier VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for row in self.identifiers.drain(..) {
                insert.execute(params![
                    row.type_id,
                    row.system,
                    row.value,
                    row.seq,
                    row.amended
                ])?;
            }
        }
        Ok(())
    }
}

impl NewVersion<'_> {
    /// A first version with nothing to say but that: nearly all in a first load.
    pub(super) const fn is_plain(&self) -> bool {
        self.version == 1
            && self.activity == CREATE
            && self.source_id.is_none()
            && self.message.is_none()
            && self.remediations.is_none()
    }

    fn into_owned(self) -> NewVersion<'static> {
        NewVersion {
            id: self.id.into_owned().into(),
            source_id: self.source_id.map(|id| id.into_owned().into()),
            ..self
        }
    }
}

/// About 6 MiB.
const MOST_ROWS: usize = 24_000;
