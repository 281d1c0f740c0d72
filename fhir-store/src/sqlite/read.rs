//! Queries over resources.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{Error, Result, Stored};

/// The columns and joins of a [`Stored`]; conditions follow.
macro_rules! stored {
    () => {
        "SELECT v.seq, t.name, v.id, v.version, v.hash, c.source_system, \
         coalesce(v.source_id, v.id), v.recorded, v.activity = 2, b.data, c.run \
         FROM version v \
         LEFT JOIN type t ON t.id = v.type \
         LEFT JOIN context c ON c.id = v.context \
         LEFT JOIN body b ON b.seq = v.seq "
    };
}

pub(super) fn get(
    connection: &Connection,
    resource_type: &str,
    id: &str,
) -> Result<Option<Stored>> {
    let mut select = connection.prepare_cached(concat!(
        stored!(),
        "WHERE t.name = ?1 AND v.id = ?2 ORDER BY v.version DESC LIMIT 1"
    ))?;
    let mut rows = select.query([resource_type, id])?;
    rows.next()?.map(stored).transpose()
}

pub(super) fn history(
    connection: &Connection,
    resource_type: &str,
    id: &str,
) -> Result<Vec<Stored>> {
    let mut select = connection.prepare_cached(concat!(
        stored!(),
        "WHERE t.name = ?1 AND v.id = ?2 ORDER BY v.version"
    ))?;
    let mut rows = select.query([resource_type, id])?;
    let mut versions = Vec::new();
    while let Some(row) = rows.next()? {
        versions.push(stored(row)?);
    }
    Ok(versions)
}

pub(super) fn scan(
    connection: &Connection,
    resource_type: Option<&str>,
    after: u64,
    max_bytes: usize,
) -> Result<Vec<Stored>> {
    scan_by(connection, resource_type, after, max_bytes, |stored| {
        Ok(stored.body.as_ref().map_or(0, String::len))
    })
}

/// [`scan`], where `length` says how many bytes a body has.
pub(crate) fn scan_by(
    connection: &Connection,
    resource_type: Option<&str>,
    after: u64,
    max_bytes: usize,
    length: impl Fn(&Stored) -> Result<usize>,
) -> Result<Vec<Stored>> {
    let Ok(after) = i64::try_from(after) else {
        return Ok(Vec::new());
    };
    // `+` keeps the look-up by type from an index that knows nothing of the order.
    let mut select = connection.prepare_cached(concat!(
        stored!(),
        "WHERE v.seq > ?1 AND v.superseded = 0 \
         AND (?2 IS NULL OR +v.type = (SELECT id FROM type WHERE name = ?2)) ORDER BY v.seq"
    ))?;
    let mut rows = select.query(params![after, resource_type])?;
    let mut page = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let version = stored(row)?;
        bytes += length(&version)?;
        page.push(version);
        if bytes >= max_bytes {
            break;
        }
    }
    Ok(page)
}

pub(super) fn find_by_identifier(
    connection: &Connection,
    resource_type: &str,
    system: &str,
    value: &str,
    limit: usize,
) -> Result<Vec<String>> {
    let mut select = connection.prepare_cached(
        "SELECT v.id FROM (\
           SELECT * FROM identifier UNION ALL SELECT * FROM identifier_early\
         ) i \
         JOIN version v ON v.seq = i.seq AND v.amended = i.amended AND v.superseded = 0 AND v.activity <> 2 \
         WHERE i.type = (SELECT id FROM type WHERE name = ?1) \
         AND i.system = (SELECT id FROM identifier_system WHERE uri = ?2) \
         AND i.value = ?3 ORDER BY i.seq LIMIT ?4",
    )?;
    let ids = select
        .query_map(
            params![resource_type, system, value, limit_value(limit)],
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}

pub(super) fn provenance(
    connection: &Connection,
    resource_type: &str,
    id: &str,
    version: u64,
) -> Result<Option<Vec<u8>>> {
    let Ok(version) = i64::try_from(version) else {
        return Ok(None);
    };
    let json: Option<String> = connection
        .prepare_cached(
            "SELECT body FROM provenances \
             WHERE target_type = ?1 AND target_id = ?2 AND target_version = ?3",
        )?
        .query_row(params![resource_type, id, version], |row| row.get(0))
        .optional()?;
    Ok(json.map(String::into_bytes))
}

pub(super) fn types(connection: &Connection) -> Result<Vec<String>> {
    let mut select = connection.prepare_cached("SELECT name FROM type ORDER BY name")?;
    let names = select
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(names)
}

/// A limit as SQLite takes it.
pub(super) fn limit_value(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A column that holds an unsigned number.
pub(super) fn unsigned(value: i64, column: &'static str) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::Corrupt { column })
}

/// From a row of [`stored!`].
fn stored(row: &Row<'_>) -> Result<Stored> {
    Ok(Stored {
        sequence: unsigned(row.get(0)?, "version.seq")?,
        resource_type: row.get(1)?,
        id: row.get(2)?,
        version: unsigned(row.get(3)?, "version.version")?,
        content_hash: row.get(4)?,
        source_system: row.get(5)?,
        source_id: row.get(6)?,
        last_updated: row.get(7)?,
        deleted: row.get(8)?,
        body: row.get(9)?,
        run: row.get(10)?,
    })
}
