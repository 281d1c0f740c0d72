//! The write path of resources.

use std::fmt::Write as _;

use fhir_provenance::{EARLIEST, LATEST};
use rusqlite::{Connection, OptionalExtension, params};

use super::changes::Changes;
use super::current::{Current, predict, seen_before, supersede};
use super::early;
use super::entry::{CREATE, DELETE, Entry, UPDATE, remediations_json};
use super::inserts::{Inserts, VersionInserts};
use super::intern::Interned;
use super::keys::{Key, Keys};
use super::pending::{NewIdentifier, NewVersion, Pending};
use crate::{
    Amend, Delete, DeleteOutcome, Error, Identifier, Put, PutOutcome, Result, WriteContext,
};

/// What the writer knows beyond the database; made anew after a rollback.
pub(super) struct Writer {
    last_seq: i64,
    /// What `last_seq` was at the last commit.
    committed: i64,
    interned: Interned,
    pending: Pending,
    pub(super) keys: Keys,
    /// Where the next resource is expected: the one after the last that was found.
    ///
    /// An input read again comes in the order it was written.
    expected: Option<i64>,
    changes: Changes,
    /// Scratch space for the target of a Provenance.
    target: String,
}

impl Writer {
    pub(super) fn new(connection: &Connection) -> Result<Self> {
        let last_seq =
            connection.query_row("SELECT coalesce(max(seq), 0) FROM version", [], |row| {
                row.get(0)
            })?;
        Ok(Self {
            last_seq,
            committed: last_seq,
            interned: Interned::default(),
            pending: Pending::default(),
            keys: Keys::new(connection, last_seq == 0)?,
            expected: None,
            changes: Changes::default(),
            target: String::new(),
        })
    }

    /// One that takes the place of another after a rollback.
    pub(super) fn anew(connection: &Connection) -> Result<Self> {
        Ok(Self {
            changes: Changes::unknown(),
            ..Self::new(connection)?
        })
    }

    /// Whether a version that was current at the beginning still is.
    pub(super) fn still_current(&self, seq: i64) -> bool {
        self.changes.lack(seq)
    }

    /// Where the next resource is expected.
    pub(super) const fn expected(&self) -> Option<i64> {
        self.expected
    }

    /// Puts a version behind a later one.
    fn supersede(&mut self, connection: &Connection, current: &Current) -> Result<()> {
        self.changes.note(current.seq);
        supersede(connection, current)
    }

    /// The sequence number given out last.
    pub(super) const fn last_sequence(&self) -> i64 {
        self.last_seq
    }

    /// In an empty store, leaves the index to the end of the run.
    pub(super) fn begin_early(&mut self, connection: &Connection) -> Result<()> {
        if self.last_seq == 0 {
            self.keys.begin_early(connection)?;
        }
        Ok(())
    }

    /// How many versions were written since this was asked last.
    pub(super) const fn take_uncommitted(&mut self) -> i64 {
        let written = self.last_seq - self.committed;
        self.committed = self.last_seq;
        written
    }

    /// Whether everything that was written can be found.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.keys.is_indexed()
    }

    /// Brings everything that was written into the tables.
    pub(super) fn settle(&mut self, connection: &Connection) -> Result<()> {
        self.pending.settle(connection)
    }

    pub(super) fn put(
        &mut self,
        connection: &Connection,
        context: &WriteContext<'_>,
        batch: &[Put<'_>],
        outcomes: &mut Vec<PutOutcome>,
    ) -> Result<()> {
        let inserts = &mut Inserts::new(connection)?;
        let mut keys = Vec::with_capacity(batch.len());
        for put in batch {
            let type_id = self.interned.resource_type(connection, put.resource_type)?;
            keys.push(self.keys.key(type_id, put.id));
        }
        self.keys.foresee(&keys);
        for (put, key) in batch.iter().zip(&keys) {
            let mut current = None;
            if !self.keys.is_new(key) {
                inserts.write_appended()?;
                current = self.current(connection, key)?;
            }
            let outcome = match current {
                None => self.create(inserts, context, put, key)?,
                Some(current) => self.put_over(inserts, context, put, key, &current)?,
            };
            outcomes.push(outcome);
        }
        inserts.write_appended()
    }

    pub(super) fn delete(
        &mut self,
        connection: &Connection,
        context: &WriteContext<'_>,
        batch: &[Delete<'_>],
        outcomes: &mut Vec<DeleteOutcome>,
    ) -> Result<()> {
        for delete in batch {
            let Some(key) = self.known(connection, delete.resource_type, delete.id)? else {
                outcomes.push(DeleteOutcome::Absent);
                continue;
            };
            let outcome = match self.current(connection, &key)? {
                None => DeleteOutcome::Absent,
                Some(current) if !self.owns(connection, context, &current)? => {
                    DeleteOutcome::Conflict
                }
                Some(current) if current.deleted => DeleteOutcome::Absent,
                Some(current) => {
                    self.keys.build_index(connection)?;
                    let new = Entry {
                        resource_type: delete.resource_type,
                        id: delete.id,
                        source_id: delete.source_id,
                        version: current.version + 1,
                        activity: DELETE,
                        hash: current.hash,
                        remediations: &[],
                        message: delete.message,
                        line: None,
                    };
                    self.supersede(connection, &current)?;
                    let version = self.version(connection, context, key.type_id, &new)?;
                    VersionInserts::new(connection)?.insert(&version)?;
                    DeleteOutcome::Deleted {
                        version: new.version as u64,
                    }
                }
            };
            outcomes.push(outcome);
        }
        Ok(())
    }

    pub(super) fn amend(&mut self, connection: &Connection, batch: &[Amend<'_>]) -> Result<()> {
        for amend in batch {
            let type_id = self
                .interned
                .known_type(connection, amend.resource_type)?
                .ok_or(Error::UnknownResource)?;
            self.settle(connection)?;
            self.keys.build_index(connection)?;
            let mut update = connection.prepare_cached(
                "UPDATE version SET hash = ?4, line = iif(?5, line, NULL), amended = amended + 1 \
                 WHERE type = ?1 AND id = ?2 AND version = ?3 AND activity <> 2 \
                 RETURNING seq, amended",
            )?;
            let key = params![
                type_id,
                amend.id,
                amend.version as i64,
                amend.content_hash,
                amend.keeps_line
            ];
            let (seq, amended) = update
                .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?
                .ok_or(Error::UnknownResource)?;
            self.changes.note(seq);
            connection
                .prepare_cached("UPDATE body SET data = ?2 WHERE seq = ?1")?
                .execute(params![seq, amend.body])?;
            self.identify(connection, type_id, seq, amended, amend.identifiers)?;
        }
        Ok(())
    }

    /// `false` where it is certain that there is no such resource, without more than a glance.
    pub(super) fn may_hold(
        &mut self,
        connection: &Connection,
        resource_type: &str,
        id: &str,
    ) -> Result<bool> {
        match self.known(connection, resource_type, id)? {
            Some(key) => self.keys.may_hold(connection, &key),
            None => Ok(false),
        }
    }

    /// The key of a resource, as long as there is one of its type.
    fn known<'a>(
        &mut self,
        connection: &Connection,
        resource_type: &str,
        id: &'a str,
    ) -> Result<Option<Key<'a>>> {
        let type_id = self.interned.known_type(connection, resource_type)?;
        Ok(type_id.map(|type_id| self.keys.key(type_id, id)))
    }

    /// The current version of a resource.
    fn current(&mut self, connection: &Connection, key: &Key<'_>) -> Result<Option<Current>> {
        if let Some(expected) = self.expected
            && let Some(current) = predict(connection, expected, key)?
        {
            self.expected = Some(current.seq + 1);
            return Ok(Some(current));
        }
        let current = self.keys.find(connection, &mut self.pending, key)?;
        if let Some(current) = &current {
            self.expected = Some(current.seq + 1);
        }
        Ok(current)
    }

    fn create<'a>(
        &mut self,
        inserts: &mut Inserts<'_, 'a>,
        context: &WriteContext<'_>,
        put: &Put<'a>,
        key: &Key<'_>,
    ) -> Result<PutOutcome> {
        let connection = inserts.connection;
        let entry = Entry::of(put, 1, CREATE);
        let version = self.version(connection, context, key.type_id, &entry)?;
        self.keys.insert(connection, key, version.seq)?;
        if self.keys.is_early() && version.is_plain() {
            self.identify(connection, key.type_id, version.seq, 0, put.identifiers)?;
            inserts.append(version, put.body)?;
        } else if self.keys.is_early() {
            // They come in the order of their numbers.
            inserts.write_appended()?;
            self.fill(inserts, &version, put)?;
            inserts.version.insert(&version)?;
        } else {
            self.fill(inserts, &version, put)?;
            self.pending.add_version(key, version);
            if self.pending.is_full() {
                self.settle(connection)?;
            }
        }
        Ok(PutOutcome::Created)
    }

    fn put_over(
        &mut self,
        inserts: &mut Inserts<'_, '_>,
        context: &WriteContext<'_>,
        put: &Put<'_>,
        key: &Key<'_>,
        current: &Current,
    ) -> Result<PutOutcome> {
        let connection = inserts.connection;
        if !self.owns(connection, context, current)? {
            return Ok(PutOutcome::Conflict);
        }
        if current.hash == put.content_hash && !current.deleted {
            return Ok(PutOutcome::Unchanged);
        }
        self.keys.build_index(connection)?;
        if !put.revert
            && let Some(version) = seen_before(connection, put, key, current)?
        {
            return Ok(PutOutcome::SeenBefore {
                version: version as u64,
            });
        }
        self.supersede(connection, current)?;
        let entry = Entry::of(put, current.version + 1, UPDATE);
        let version = self.version(connection, context, key.type_id, &entry)?;
        self.fill(inserts, &version, put)?;
        let number = version.version as u64;
        inserts.version.insert(&version)?;
        Ok(PutOutcome::Updated { version: number })
    }

    fn owns(
        &mut self,
        connection: &Connection,
        context: &WriteContext<'_>,
        current: &Current,
    ) -> Result<bool> {
        self.interned
            .is_from(connection, current.context, context.source_system)
    }

    /// The row of a new version, under the next number in the sequence.
    fn version<'a>(
        &mut self,
        connection: &Connection,
        context: &WriteContext<'_>,
        type_id: i64,
        entry: &Entry<'a>,
    ) -> Result<NewVersion<'a>> {
        self.target.clear();
        for part in [entry.resource_type, "/", entry.id, "/"] {
            self.target.push_str(part);
        }
        // Writing to a string can't fail.
        let _ = write!(self.target, "{}", entry.version);
        self.last_seq += 1;
        Ok(NewVersion {
            type_id,
            id: entry.id.into(),
            seq: self.last_seq,
            version: entry.version,
            activity: entry.activity,
            hash: entry.hash,
            context: self.interned.context(connection, context)?,
            source_id: (entry.source_id != entry.id).then(|| entry.source_id.into()),
            recorded: context.recorded.clamp(EARLIEST, LATEST),
            provenance: context.ids.id(context.source_system, &self.target),
            message: self.interned.message(connection, entry.message)?,
            remediations: remediations_json(entry.remediations),
            line: entry.line,
        })
    }

    /// Writes body and identifiers of a version.
    fn fill(
        &mut self,
        inserts: &mut Inserts<'_, '_>,
        version: &NewVersion<'_>,
        put: &Put<'_>,
    ) -> Result<()> {
        inserts.body(version.seq, put.body)?;
        self.identify(
            inserts.connection,
            version.type_id,
            version.seq,
            0,
            put.identifiers,
        )
    }

    fn identify(
        &mut self,
        connection: &Connection,
        type_id: i64,
        seq: i64,
        amended: i64,
        identifiers: &[Identifier<'_>],
    ) -> Result<()> {
        for identifier in identifiers {
            let system = self.interned.system(connection, identifier.system)?;
            if self.keys.is_early() {
                early::add_identifier(connection, type_id, system, identifier.value, seq)?;
                continue;
            }
            self.pending.add_identifier(NewIdentifier {
                type_id,
                system,
                value: identifier.value.into(),
                seq,
                amended,
            });
        }
        Ok(())
    }
}
