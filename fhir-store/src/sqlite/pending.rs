use std::collections::HashSet;

use rusqlite::{CachedStatement, Connection, Statement, params};

use crate::{LineDigest, Result};

/// First versions and identifiers that are written but not yet in their tables.
///
/// Ids are random, so every row alone would touch another page of the index, and the pages of a large index don't fit the cache.
/// Sorted, neighbours share the pages they touch, which takes about a quarter off a first load.
/// Bodies don't wait here, only what is small.
#[derive(Default)]
pub(super) struct Pending {
    versions: Vec<NewVersion>,
    /// Hashes of the types and ids of `versions`.
    hashes: HashSet<u64>,
    identifiers: Vec<NewIdentifier>,
}

/// A row of `version`.
pub(super) struct NewVersion {
    pub(super) type_id: i64,
    pub(super) id: Box<str>,
    pub(super) seq: i64,
    pub(super) version: i64,
    pub(super) activity: i64,
    pub(super) hash: [u8; 32],
    pub(super) context: i64,
    pub(super) source_id: Option<Box<str>>,
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
    /// Adds the first version of a resource; `hash` is that of its type and id.
    pub(super) fn add_version(&mut self, hash: u64, version: NewVersion) {
        self.hashes.insert(hash);
        self.versions.push(version);
    }

    pub(super) fn add_identifier(&mut self, identifier: NewIdentifier) {
        self.identifiers.push(identifier);
    }

    /// `false` where no resource with this hash of type and id waits here.
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        self.hashes.contains(&hash)
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
            let mut insert = connection.prepare_cached(INSERT_VERSION)?;
            for version in self.versions.drain(..) {
                version.insert(&mut insert)?;
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

/// The statements that a batch of versions is written with, found once.
pub(super) struct Inserts<'c> {
    pub(super) connection: &'c Connection,
    pub(super) version: CachedStatement<'c>,
    pub(super) body: CachedStatement<'c>,
}

impl<'c> Inserts<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(Self {
            connection,
            version: connection.prepare_cached(INSERT_VERSION)?,
            body: connection.prepare_cached("INSERT INTO body(seq, data) VALUES (?1, ?2)")?,
        })
    }
}

impl NewVersion {
    /// Writes the row to its table at once.
    pub(super) fn insert(self, insert: &mut Statement<'_>) -> Result<()> {
        insert.execute(params![
            self.seq,
            self.type_id,
            self.id,
            self.version,
            self.activity,
            self.hash,
            self.context,
            self.source_id,
            self.recorded,
            self.provenance,
            self.message,
            self.remediations,
            self.line,
        ])?;
        Ok(())
    }
}

const INSERT_VERSION: &str = "INSERT INTO version(seq, type, id, version, activity, hash, context, source_id, recorded, provenance, message, remediations, line) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// About 6 MiB.
const MOST_ROWS: usize = 24_000;
