//! The statements that versions and bodies are written with.

use std::mem;
use std::sync::LazyLock;

use rusqlite::{CachedStatement, Connection, ToSql, params};

use super::pending::NewVersion;
use crate::{Error, Result};

/// The statements that a batch of versions is written with, found once.
pub(super) struct Inserts<'c, 'a> {
    pub(super) connection: &'c Connection,
    pub(super) version: VersionInserts<'c>,
    body: CachedStatement<'c>,
    /// Rows that wait for a statement of [`TOGETHER`], with their bodies.
    appended: Vec<(NewVersion<'a>, &'a str)>,
    /// Those statements, of versions and of bodies.
    together: Option<(CachedStatement<'c>, CachedStatement<'c>)>,
}

impl<'c, 'a> Inserts<'c, 'a> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(Self {
            connection,
            version: VersionInserts::new(connection)?,
            body: connection.prepare_cached("INSERT INTO body(seq, data) VALUES (?1, ?2)")?,
            appended: Vec::new(),
            together: None,
        })
    }

    /// Writes the row of `body`.
    pub(super) fn body(&mut self, seq: i64, data: &str) -> Result<()> {
        self.body.execute(params![seq, data])?;
        Ok(())
    }

    /// Writes a plain version and its body, behind all that are there: SQLite numbers such rows itself, looks for no place, and takes many of them at once.
    ///
    /// They can be found after [`write_appended`](Self::write_appended).
    pub(super) fn append(&mut self, version: NewVersion<'a>, body: &'a str) -> Result<()> {
        let last = version.seq;
        self.appended.push((version, body));
        if self.appended.len() < TOGETHER {
            return Ok(());
        }
        let (versions, bodies) = match &mut self.together {
            Some(together) => together,
            together @ None => together.insert((
                self.connection.prepare_cached(&APPEND_VERSIONS)?,
                self.connection.prepare_cached(&APPEND_BODIES)?,
            )),
        };
        let mut place = 0;
        for ((version, body), number) in self.appended.drain(..).zip(1..) {
            bodies.raw_bind_parameter(number, body)?;
            let columns: [&dyn ToSql; COLUMNS] = [
                &version.type_id,
                &version.id,
                &version.hash,
                &version.context,
                &version.recorded,
                &version.provenance,
                &version.line,
            ];
            for column in columns {
                place += 1;
                versions.raw_bind_parameter(place, column)?;
            }
        }
        for (statement, column) in [(versions, "version.seq"), (bodies, "body.seq")] {
            let written = statement.raw_execute()?;
            // A row that stands somewhere else would belong to another resource.
            if written != TOGETHER || self.connection.last_insert_rowid() != last {
                return Err(Error::Corrupt { column });
            }
        }
        Ok(())
    }

    /// Writes what waits for others.
    pub(super) fn write_appended(&mut self) -> Result<()> {
        for (version, body) in mem::take(&mut self.appended) {
            self.body(version.seq, body)?;
            self.version.insert(&version)?;
        }
        Ok(())
    }
}

/// Writes rows of `version`.
pub(super) struct VersionInserts<'c> {
    plain: CachedStatement<'c>,
    any: CachedStatement<'c>,
}

impl<'c> VersionInserts<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(Self {
            plain: connection.prepare_cached(INSERT_PLAIN)?,
            any: connection.prepare_cached(INSERT_VERSION)?,
        })
    }

    /// Writes the row to its table at once.
    pub(super) fn insert(&mut self, version: &NewVersion<'_>) -> Result<()> {
        if version.is_plain() {
            self.plain.execute(params![
                version.seq,
                version.type_id,
                version.id,
                version.hash,
                version.context,
                version.recorded,
                version.provenance,
                version.line,
            ])?;
            return Ok(());
        }
        self.any.execute(params![
            version.seq,
            version.type_id,
            version.id,
            version.version,
            version.activity,
            version.hash,
            version.context,
            version.source_id,
            version.recorded,
            version.provenance,
            version.message,
            version.remediations,
            version.line,
        ])?;
        Ok(())
    }
}

/// What is the same in all plain versions is part of the text, and not bound.
const INSERT_PLAIN: &str = "INSERT INTO version(seq, type, id, version, activity, hash, context, recorded, provenance, line) \
     VALUES (?1, ?2, ?3, 1, 0, ?4, ?5, ?6, ?7, ?8)";
const INSERT_VERSION: &str = "INSERT INTO version(seq, type, id, version, activity, hash, context, source_id, recorded, provenance, message, remediations, line) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Rows a statement. One by one a version takes a third more time, a body a fifth; with more than these it is no less.
const TOGETHER: usize = 16;
/// What is bound of a version.
const COLUMNS: usize = 7;
static APPEND_VERSIONS: LazyLock<String> = LazyLock::new(|| {
    insert_together(
        "version(type, id, version, activity, hash, context, recorded, provenance, line)",
        "(?, ?, 1, 0, ?, ?, ?, ?, ?)",
        TOGETHER,
    )
});
static APPEND_BODIES: LazyLock<String> =
    LazyLock::new(|| insert_together("body(data)", "(?)", TOGETHER));
/// A statement that writes so many rows.
///
/// Where one of them fails, those before it stay, and everything is rolled back anyway: with `ABORT` in place of `FAIL`, SQLite would write a journal to take them back, which takes more time than all the rest.
pub(super) fn insert_together(table: &str, row: &str, rows: usize) -> String {
    let rows = vec![row; rows].join(", ");
    format!("INSERT OR FAIL INTO {table} VALUES {rows}")
}
