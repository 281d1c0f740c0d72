use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::open;
use super::read::unsigned;
use crate::{KnownLine, KnownLines, Result};

/// The key of the store, made with its tables.
pub(super) fn key(connection: &Connection) -> Result<[u8; 16]> {
    Ok(connection.query_row("SELECT key FROM line_key", [], |row| row.get(0))?)
}

/// A reader of its own of the texts of one source system.
pub(super) struct Lines {
    connection: Connection,
    source_system: String,
    types: HashMap<i64, Arc<str>>,
}

impl Lines {
    pub(super) fn open(path: &Path, source_system: &str) -> Result<Self> {
        Ok(Self {
            connection: open::read_only(path)?,
            source_system: source_system.to_owned(),
            types: HashMap::new(),
        })
    }
}

impl KnownLines for Lines {
    fn read(&mut self, from: u64, limit: usize, lines: &mut Vec<KnownLine>) -> Result<()> {
        let (Ok(from), Ok(limit)) = (i64::try_from(from), i64::try_from(limit)) else {
            return Ok(());
        };
        // `+` keeps the order of seq, in which the rows lie.
        let mut select = self.connection.prepare_cached(
            "SELECT seq, line, type, id, remediations IS NOT NULL FROM version \
             WHERE seq >= ?1 AND superseded = 0 AND activity <> 2 AND line IS NOT NULL \
             AND +context IN (SELECT id FROM context WHERE source_system = ?2) \
             ORDER BY seq LIMIT ?3",
        )?;
        let mut rows = select.query(params![from, self.source_system, limit])?;
        while let Some(row) = rows.next()? {
            let type_id: i64 = row.get(2)?;
            let resource_type = match self.types.get(&type_id) {
                Some(name) => Arc::clone(name),
                None => {
                    let sql = "SELECT name FROM type WHERE id = ?1";
                    let name: String = self
                        .connection
                        .query_row(sql, [type_id], |row| row.get(0))?;
                    let name: Arc<str> = name.into();
                    self.types.insert(type_id, Arc::clone(&name));
                    name
                }
            };
            lines.push(KnownLine {
                sequence: unsigned(row.get(0)?, "version.seq")?,
                digest: row.get(1)?,
                resource_type,
                id: row.get(3)?,
                mended: row.get(4)?,
            });
        }
        Ok(())
    }
}
