use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::current::{Current, at};
use super::inserts::insert_together;
use super::keys::Key;
use super::open::CACHE_SIZE;
use crate::Result;

/// Finds what was written by a run that began in an empty store, in which the index of keys is built when the run ends.
///
/// Ids are random. Each batch of new ones changes a page of the index for nearly every row, and so writes more of the index than of the resources once there are millions of these.
/// Sorted once at the end, each page is written once.
/// Until then a temporary table has a hash of each type and id: a fifth of the index, and of no use to anybody after a crash.
///
/// Every resource in it has one version, which is not deleted: whatever else comes, the index is built first.
pub(super) struct Early {
    /// Hash and sequence number of what is not yet in the table. Each full [`BLOCK`] is sorted.
    recent: Vec<(i64, i64)>,
}

/// What is known under a hash.
pub(super) enum Found {
    Nothing,
    Current(Current),
    /// Another resource has the same hash.
    Clash,
}

impl Early {
    /// Takes the index off an empty store.
    // With the hash for a rowid, SQLite keeps a journal for a statement of several rows, whatever `insert_together` says.
    pub(super) fn begin(connection: &Connection) -> Result<Self> {
        connection.execute_batch(
            "DROP TABLE IF EXISTS temp.early_key; \
             CREATE TEMP TABLE early_key( \
               hash INTEGER NOT NULL PRIMARY KEY, seq INTEGER NOT NULL \
             ) WITHOUT ROWID; \
             DROP INDEX version_key",
        )?;
        // Else there is no bound.
        connection.pragma_update(Some("temp"), "cache_size", TEMPORARY)?;
        connection.pragma_update(None, "cache_size", APPENDING)?;
        Ok(Self { recent: Vec::new() })
    }

    pub(super) fn find(&self, connection: &Connection, key: &Key<'_>) -> Result<Found> {
        let hash = key.hash.cast_signed();
        let seq = match self.find_recent(hash) {
            Some(seq) => Some(seq),
            None => connection
                .prepare_cached("SELECT seq FROM temp.early_key WHERE hash = ?1")?
                .query_row([hash], |row| row.get(0))
                .optional()?,
        };
        let Some(seq) = seq else {
            return Ok(Found::Nothing);
        };
        let current = at(connection, seq, key)?;
        Ok(current.map_or(Found::Clash, Found::Current))
    }

    fn find_recent(&self, hash: i64) -> Option<i64> {
        let mut blocks = self.recent.chunks(BLOCK);
        blocks.find_map(|block| {
            let at = match block.len() {
                BLOCK => block.binary_search_by_key(&hash, |&(own, _)| own).ok(),
                _ => block.iter().position(|&(own, _)| own == hash),
            };
            at.map(|at| block[at].1)
        })
    }

    /// Notes the first version of a resource that was not found.
    pub(super) fn insert(&mut self, connection: &Connection, hash: u64, seq: i64) -> Result<()> {
        self.recent.push((hash.cast_signed(), seq));
        if self.recent.len().is_multiple_of(BLOCK) {
            let last = self.recent.len() - BLOCK;
            self.recent[last..].sort_unstable();
        }
        if self.recent.len() < MOST_RECENT {
            return Ok(());
        }
        self.recent.sort_unstable();
        let mut insert = connection.prepare_cached(&INSERT_KEYS)?;
        for keys in self.recent.chunks(TOGETHER) {
            for ((hash, seq), place) in keys.iter().zip((1..).step_by(2)) {
                insert.raw_bind_parameter(place, hash)?;
                insert.raw_bind_parameter(place + 1, seq)?;
            }
            insert.raw_execute()?;
        }
        self.recent.clear();
        Ok(())
    }
}

/// Whether the store has its index of keys: not while the run that began in it goes on, nor after that was killed.
pub(super) fn is_indexed(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'version_key')";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

pub(super) fn add_identifier(
    connection: &Connection,
    type_id: i64,
    system: i64,
    value: &str,
    seq: i64,
) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO identifier_early VALUES (?1, ?2, ?3, ?4, 0)")?
        .execute(params![type_id, system, value, seq])?;
    Ok(())
}

/// Notes patients that are referenced.
pub(super) fn add_patient_references(
    connection: &Connection,
    source_system: &str,
    patients: &[&str],
) -> Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT INTO patient_reference_early VALUES (?1, ?2)")?;
    for patient in patients {
        insert.execute([source_system, patient])?;
    }
    Ok(())
}

/// Whether patients that were noted can't be found yet.
pub(super) fn has_references(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM patient_reference_early)";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Brings the patients that were noted where they can be found.
pub(super) fn settle_references(connection: &Connection) -> Result<()> {
    if !has_references(connection)? {
        return Ok(());
    }
    connection.execute_batch(
        "INSERT OR IGNORE INTO patient_reference \
         SELECT source_system, patient FROM patient_reference_early ORDER BY 1, 2; \
         DELETE FROM patient_reference_early",
    )?;
    Ok(())
}

/// Builds what was left for the end of the run.
pub(super) fn build_index(connection: &Connection) -> Result<()> {
    settle_references(connection)?;
    // A resource may hold the same identifier twice. The pages that become free are those the index takes.
    connection.execute_batch(
        "DROP TABLE IF EXISTS temp.early_key; \
         INSERT OR IGNORE INTO identifier \
         SELECT type, system, value, seq, amended FROM identifier_early ORDER BY 1, 2, 3, 4, 5; \
         DELETE FROM identifier_early; \
         CREATE UNIQUE INDEX version_key ON version(type, id, version)",
    )?;
    connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
    Ok(())
}

/// In KiB, negative as SQLite has it.
const TEMPORARY: i64 = -2_000;
/// What is written at the end of tables is not read again, and sorting takes memory of its own.
const APPENDING: i64 = -4_000;
/// As many as fit 4 MiB: the fewer times all of the table is gone through, the better.
const MOST_RECENT: usize = 64 * BLOCK;
/// As many as fit the caches of a processor.
const BLOCK: usize = 4_096;
/// Rows a statement.
const TOGETHER: usize = 64;
const _: () = assert!(
    MOST_RECENT.is_multiple_of(TOGETHER),
    "there is no statement for fewer"
);
static INSERT_KEYS: LazyLock<String> =
    LazyLock::new(|| insert_together("temp.early_key(hash, seq)", "(?, ?)", TOGETHER));

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn key(hash: u64, id: &str) -> Key<'_> {
        let type_id = 5;
        Key { type_id, id, hash }
    }

    #[test]
    fn finds_what_is_in_the_table_and_what_is_not_yet() {
        let connection = Connection::open_in_memory().unwrap();
        schema::migrate(&connection, schema::STEPS).unwrap();
        let mut early = Early::begin(&connection).unwrap();
        // Hashes are spread over all 64 bits.
        let hash = |seq: i64| seq.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let all = MOST_RECENT as i64 + 1_000;
        let looked_for = [1, 17, MOST_RECENT as i64, all];
        for seq in looked_for {
            let sql = "INSERT INTO version VALUES (?1, 5, ?2, 1, 0, zeroblob(32), 1, NULL, 0, x'', NULL, NULL, 0, 0, NULL)";
            connection
                .execute(sql, params![seq, seq.to_string()])
                .unwrap();
        }
        for seq in 1..=all {
            early.insert(&connection, hash(seq), seq).unwrap();
        }
        assert_eq!(early.recent.len(), 1_000);
        for seq in looked_for {
            let found = |id: &str| early.find(&connection, &key(hash(seq), id)).unwrap();
            assert!(
                matches!(found(&seq.to_string()), Found::Current(current) if current.seq == seq)
            );
            assert!(matches!(found("another"), Found::Clash));
        }
        assert!(matches!(
            early.find(&connection, &key(hash(all + 1), "x")).unwrap(),
            Found::Nothing
        ));
    }
}
