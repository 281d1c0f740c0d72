//! Finding the current version of a resource, and putting it behind.

use rusqlite::{Connection, Row, params};

use super::entry::DELETE;
use super::keys::Key;
use crate::{Put, Result};

/// What `version` says of a current version.
pub(super) struct Current {
    pub(super) seq: i64,
    pub(super) version: i64,
    pub(super) hash: [u8; 32],
    pub(super) context: i64,
    pub(super) deleted: bool,
}

impl Current {
    /// From a row that begins with seq, version, hash, context and activity.
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            version: row.get(1)?,
            hash: row.get(2)?,
            context: row.get(3)?,
            deleted: row.get::<_, i64>(4)? == DELETE,
        })
    }
}

/// The first current version at or shortly after `expected`, if it is the one asked for.
pub(super) fn predict(
    connection: &Connection,
    expected: i64,
    key: &Key<'_>,
) -> Result<Option<Current>> {
    let mut select = connection.prepare_cached(concat!(
        "SELECT seq, version, hash, context, activity, type, id FROM version ",
        "WHERE seq >= ?1 AND seq < ?1 + 16 AND superseded = 0 ORDER BY seq LIMIT 1"
    ))?;
    let mut rows = select.query([expected])?;
    match rows.next()? {
        Some(row)
            if row.get::<_, i64>(5)? == key.type_id
                && row.get_ref(6)?.as_bytes().ok() == Some(key.id.as_bytes()) =>
        {
            Ok(Some(Current::from_row(row)?))
        }
        _ => Ok(None),
    }
}

/// The version with a sequence number, current as long as it is the only one, if it is of this resource.
pub(super) fn at(connection: &Connection, seq: i64, key: &Key<'_>) -> Result<Option<Current>> {
    let mut select = connection.prepare_cached(
        "SELECT seq, version, hash, context, activity FROM version \
         WHERE seq = ?1 AND type = ?2 AND id = ?3",
    )?;
    let mut rows = select.query(params![seq, key.type_id, key.id])?;
    Ok(rows.next()?.map(Current::from_row).transpose()?)
}

pub(super) fn look_up(connection: &Connection, key: &Key<'_>) -> Result<Option<Current>> {
    let mut select = connection.prepare_cached(concat!(
        "SELECT seq, version, hash, context, activity FROM version ",
        "WHERE type = ?1 AND id = ?2 ORDER BY version DESC LIMIT 1"
    ))?;
    let mut rows = select.query(params![key.type_id, key.id])?;
    Ok(rows.next()?.map(Current::from_row).transpose()?)
}

/// The latest version before the current one, or before its delete, that has the content of `put`.
pub(super) fn seen_before(
    connection: &Connection,
    put: &Put<'_>,
    key: &Key<'_>,
    current: &Current,
) -> Result<Option<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT max(version) FROM version \
         WHERE type = ?1 AND id = ?2 AND version < ?3 \
         AND activity <> 2 AND hash = ?4",
    )?;
    Ok(select.query_row(
        params![key.type_id, key.id, current.version, put.content_hash],
        |row| row.get(0),
    )?)
}

pub(super) fn supersede(connection: &Connection, current: &Current) -> Result<()> {
    connection
        .prepare_cached("UPDATE version SET superseded = 1 WHERE seq = ?1")?
        .execute([current.seq])?;
    Ok(())
}
