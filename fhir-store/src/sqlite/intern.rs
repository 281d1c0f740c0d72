//! Texts that many rows share, and their numbers.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{Message, Result, WriteContext};

/// Remembers numbers that were looked up or given out in this transaction or before.
#[derive(Default)]
pub(super) struct Interned {
    types: HashMap<Box<str>, i64>,
    systems: HashMap<Box<str>, i64>,
    context: Option<Context>,
    message: Option<(Box<str>, Box<str>, i64)>,
    /// Which contexts have the source system of `own_source`.
    same_source: HashMap<i64, bool>,
    own_source: Box<str>,
}

struct Context {
    id: i64,
    source_system: Box<str>,
    organization: Box<str>,
    run: Option<Box<str>>,
}

impl Interned {
    /// The number of a resource type; none where no resource of that type was ever written.
    pub(super) fn known_type(
        &mut self,
        connection: &Connection,
        name: &str,
    ) -> Result<Option<i64>> {
        if let Some(&id) = self.types.get(name) {
            return Ok(Some(id));
        }
        let found = connection
            .prepare_cached("SELECT id FROM type WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            self.types.insert(name.into(), id);
        }
        Ok(found)
    }

    /// The number of a resource type, a new one where it has none.
    pub(super) fn resource_type(&mut self, connection: &Connection, name: &str) -> Result<i64> {
        if let Some(id) = self.known_type(connection, name)? {
            return Ok(id);
        }
        let id = connection
            .prepare_cached("INSERT INTO type(name) VALUES (?1)")?
            .insert([name])?;
        self.types.insert(name.into(), id);
        Ok(id)
    }

    /// The number of an identifier system, a new one where it has none.
    pub(super) fn system(&mut self, connection: &Connection, uri: &str) -> Result<i64> {
        if let Some(&id) = self.systems.get(uri) {
            return Ok(id);
        }
        let found = connection
            .prepare_cached("SELECT id FROM identifier_system WHERE uri = ?1")?
            .query_row([uri], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => connection
                .prepare_cached("INSERT INTO identifier_system(uri) VALUES (?1)")?
                .insert([uri])?,
        };
        // A source that makes up a system for each resource must not fill the memory.
        if self.systems.len() >= MOST_SYSTEMS {
            self.systems.clear();
        }
        self.systems.insert(uri.into(), id);
        Ok(id)
    }

    /// The number of a context, a new one where it has none.
    pub(super) fn context(
        &mut self,
        connection: &Connection,
        context: &WriteContext<'_>,
    ) -> Result<i64> {
        if let Some(known) = &self.context
            && *known.source_system == *context.source_system
            && *known.organization == *context.organization
            && known.run.as_deref() == context.run
        {
            return Ok(known.id);
        }
        let values = params![context.source_system, context.organization, context.run];
        let found = connection
            .prepare_cached(
                "SELECT id FROM context WHERE source_system = ?1 AND organization = ?2 AND run IS ?3",
            )?
            .query_row(values, |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => connection
                .prepare_cached(
                    "INSERT INTO context(source_system, organization, run) VALUES (?1, ?2, ?3)",
                )?
                .insert(values)?,
        };
        self.context = Some(Context {
            id,
            source_system: context.source_system.into(),
            organization: context.organization.into(),
            run: context.run.map(Into::into),
        });
        Ok(id)
    }

    /// Whether the context with this number has the given source system.
    pub(super) fn is_from(
        &mut self,
        connection: &Connection,
        context: i64,
        source_system: &str,
    ) -> Result<bool> {
        if *self.own_source != *source_system {
            self.own_source = source_system.into();
            self.same_source.clear();
        }
        if let Some(&same) = self.same_source.get(&context) {
            return Ok(same);
        }
        let same = connection
            .prepare_cached("SELECT source_system = ?2 FROM context WHERE id = ?1")?
            .query_row(params![context, source_system], |row| row.get(0))?;
        self.same_source.insert(context, same);
        Ok(same)
    }

    /// The number of a message. Writes one message in a row share it.
    pub(super) fn message(
        &mut self,
        connection: &Connection,
        message: Option<Message<'_>>,
    ) -> Result<Option<i64>> {
        let Some(message) = message.filter(|message| !message.is_empty()) else {
            return Ok(None);
        };
        if let Some((control_id, raw_key, id)) = &self.message
            && **control_id == *message.control_id
            && **raw_key == *message.raw_key
        {
            return Ok(Some(*id));
        }
        let id = connection
            .prepare_cached("INSERT INTO message(control_id, raw_key) VALUES (?1, ?2)")?
            .insert([message.control_id, message.raw_key])?;
        self.message = Some((message.control_id.into(), message.raw_key.into(), id));
        Ok(Some(id))
    }
}

const MOST_SYSTEMS: usize = 4_096;
