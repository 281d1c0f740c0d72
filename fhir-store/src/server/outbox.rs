//! What the server has to be told, and what it was told, in the state database.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::remote::Bundles;
use crate::{Amend, Result, Stored};

/// What is known of the server besides its address.
pub(super) struct Known {
    pub(super) bundles: Bundles,
    /// It refuses references to what is not there.
    pub(super) checks_references: bool,
    /// It takes no ids from its clients.
    pub(super) assigns_ids: bool,
}

/// Reads what is known of the server, or notes its address; none where the state is of another one.
pub(super) fn known(connection: &Connection, base: &str) -> Result<Option<Known>> {
    connection.execute(
        "INSERT INTO server(base) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM server)",
        [base],
    )?;
    known_of(connection, base)
}

/// Reads what is known of the server; none where the state is of another one.
pub(super) fn known_of(connection: &Connection, base: &str) -> Result<Option<Known>> {
    let mut select = connection
        .prepare("SELECT bundles, references_checked, ids_assigned FROM server WHERE base = ?1")?;
    let known = select.query_row([base], |row| {
        Ok(Known {
            bundles: match row.get(0)? {
                0 => Bundles::Transactions,
                1 => Bundles::Batches,
                _ => Bundles::None,
            },
            checks_references: row.get(1)?,
            assigns_ids: row.get(2)?,
        })
    });
    Ok(known.optional()?)
}

pub(super) fn note(connection: &Connection, known: &Known) -> Result<()> {
    connection.execute(
        "UPDATE server SET bundles = ?1, references_checked = ?2, ids_assigned = ?3",
        params![
            known.bundles as i64,
            known.checks_references,
            known.assigns_ids
        ],
    )?;
    Ok(())
}

/// Puts versions in, whether they were told before or not.
pub(super) fn add(connection: &Connection, versions: impl Iterator<Item = i64>) -> Result<()> {
    let mut insert = connection.prepare_cached("INSERT OR REPLACE INTO outbox(seq) VALUES (?1)")?;
    for seq in versions {
        insert.execute([seq])?;
    }
    Ok(())
}

/// Puts a version in of which only the Provenance has to be told.
pub(super) fn add_provenance(connection: &Connection, seq: i64) -> Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO outbox(seq, provenance_only) VALUES (?1, 1)")?
        .execute([seq])?;
    Ok(())
}

/// Versions in the outbox after `after`, at most `limit`; `held` says which of them.
pub(super) fn list(
    connection: &Connection,
    held: bool,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    let mut select = connection.prepare_cached(
        "SELECT seq FROM outbox WHERE seq > ?1 AND (held IS NOT NULL) = ?2 ORDER BY seq LIMIT ?3",
    )?;
    let found = select.query_map(params![after, held, limit], |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Notes that the server has the resource of a version.
pub(super) fn delivered(connection: &Connection, seq: i64, name: Option<&str>) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO delivered(seq, server_version, bytes) VALUES (?1, ?2, \
             coalesce((SELECT octet_length(data) FROM body WHERE seq = ?1), 0))",
        )?
        .execute(params![seq, name])?;
    Ok(())
}

/// Bytes of a body, here or on the server.
pub(super) fn length(connection: &Connection, stored: &Stored) -> Result<usize> {
    if let Some(body) = &stored.body {
        return Ok(body.len());
    }
    let bytes: Option<i64> = connection
        .prepare_cached("SELECT bytes FROM delivered WHERE seq = ?1")?
        .query_row([stored.sequence as i64], |row| row.get(0))
        .optional()?;
    Ok(bytes.map_or(0, |bytes| bytes.unsigned_abs() as usize))
}

/// After versions were amended: those the server has to be told of again.
pub(super) fn amended(connection: &Connection, batch: &[Amend<'_>]) -> Result<Vec<i64>> {
    let mut again = Vec::new();
    for amend in batch {
        let (seq, superseded): (i64, bool) = connection
            .prepare_cached(
                "SELECT seq, superseded FROM version \
                 WHERE type = (SELECT id FROM type WHERE name = ?1) AND id = ?2 AND version = ?3",
            )?
            .query_row(
                params![amend.resource_type, amend.id, amend.version as i64],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
        // It may have been forgotten.
        connection
            .prepare_cached("INSERT OR REPLACE INTO body(seq, data) VALUES (?1, ?2)")?
            .execute(params![seq, amend.body])?;
        if superseded {
            // The server keeps what it was told of this version, so the body stays here.
            connection
                .prepare_cached("DELETE FROM delivered WHERE seq = ?1")?
                .execute([seq])?;
        } else {
            again.push(seq);
        }
    }
    add(connection, again.iter().copied())?;
    Ok(again)
}

/// Takes a version out: the server was told all of it.
pub(super) fn remove(connection: &Connection, seq: i64) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM outbox WHERE seq = ?1")?
        .execute([seq])?;
    Ok(())
}

/// Leaves a version for the end of the run; `why` is a code.
pub(super) fn hold(connection: &Connection, seq: i64, why: &str) -> Result<()> {
    connection
        .prepare_cached("UPDATE outbox SET held = ?2 WHERE seq = ?1")?
        .execute(params![seq, why])?;
    Ok(())
}

/// The resource of a version is there, its Provenance is not yet.
pub(super) fn only_provenance(connection: &Connection, seq: i64, why: &str) -> Result<()> {
    connection
        .prepare_cached("UPDATE outbox SET provenance_only = 1, held = ?2 WHERE seq = ?1")?
        .execute(params![seq, why])?;
    Ok(())
}

/// How many versions wait, by type and reason.
pub(super) fn waiting(connection: &Connection) -> Result<Vec<(String, String, i64)>> {
    let mut select = connection.prepare_cached(
        "SELECT t.name, coalesce(o.held, ''), count(*) FROM outbox o \
         JOIN version v ON v.seq = o.seq JOIN type t ON t.id = v.type GROUP BY 1, 2 ORDER BY 1, 2",
    )?;
    let found = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Undoes the writing of a version, which the server refused. The one before is current again; whether it has to be sent because of that.
///
/// Its row stays, as one of no resource: a number of the sequence is never given out twice.
pub(super) fn take_back(connection: &Connection, seq: i64) -> Result<bool> {
    let before: Option<i64> = connection
        .prepare_cached(
            "SELECT max(before.seq) FROM version before \
             JOIN version refused ON refused.type = before.type AND refused.id = before.id \
             WHERE refused.seq = ?1 AND before.seq < ?1",
        )?
        .query_row([seq], |row| row.get(0))?;
    connection
        .prepare_cached(
            "UPDATE version SET type = 0, id = '', version = seq, superseded = 1 WHERE seq = ?1",
        )?
        .execute([seq])?;
    connection
        .prepare_cached("DELETE FROM body WHERE seq = ?1")?
        .execute([seq])?;
    remove(connection, seq)?;
    let Some(before) = before else {
        return Ok(false);
    };
    connection
        .prepare_cached("UPDATE version SET superseded = 0 WHERE seq = ?1")?
        .execute([before])?;
    // While there was a later one, only its Provenance was worth telling.
    let again = connection
        .prepare_cached(
            "INSERT OR REPLACE INTO outbox(seq) SELECT seq FROM version WHERE seq = ?1 \
             AND activity <> 2 AND seq NOT IN (SELECT seq FROM delivered) \
             AND seq NOT IN (SELECT seq FROM outbox WHERE held IS NOT NULL)",
        )?
        .execute([before])?;
    Ok(again > 0)
}

/// Whether the server has a resource, as far as it was told.
pub(super) fn is_there(connection: &Connection, resource_type: &str, id: &str) -> Result<bool> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM version v JOIN delivered d ON d.seq = v.seq \
         WHERE v.type = (SELECT id FROM type WHERE name = ?1) AND v.id = ?2 \
         AND v.activity <> 2 AND NOT EXISTS (SELECT 1 FROM lost l WHERE l.seq = v.seq) \
         AND v.version = (SELECT max(w.version) FROM version w JOIN delivered e ON e.seq = w.seq \
         WHERE w.type = v.type AND w.id = v.id)",
    )?;
    Ok(select.exists([resource_type, id])?)
}

/// Whether a resource waits in the outbox, not only its Provenance.
pub(super) fn is_waiting(connection: &Connection, resource_type: &str, id: &str) -> Result<bool> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM version v JOIN outbox o ON o.seq = v.seq \
         WHERE v.type = (SELECT id FROM type WHERE name = ?1) AND v.id = ?2 \
         AND v.activity <> 2 AND v.superseded = 0 AND o.provenance_only = 0",
    )?;
    Ok(select.exists([resource_type, id])?)
}

/// Forgets bodies the server has, of the versions up to `last`, some at a time; `false` when nothing is left to forget.
pub(super) fn forget_bodies(connection: &Connection, after: &mut i64, last: i64) -> Result<bool> {
    const STEP: i64 = 10_000;
    let end = (*after).saturating_add(STEP).min(last);
    connection
        .prepare_cached(
            "DELETE FROM body WHERE seq > ?1 AND seq <= ?2 \
             AND seq IN (SELECT seq FROM delivered WHERE server_version IS NOT NULL) \
             AND seq NOT IN (SELECT seq FROM outbox)",
        )?
        .execute([*after, end])?;
    *after = end;
    Ok(end < last)
}

/// The server's name for a version.
pub(super) fn name(connection: &Connection, seq: i64) -> Result<Option<String>> {
    let name: Option<Option<String>> = connection
        .prepare_cached("SELECT server_version FROM delivered WHERE seq = ?1")?
        .query_row([seq], |row| row.get(0))
        .optional()?;
    Ok(name.flatten())
}

/// Notes another name for a version.
pub(super) fn rename(connection: &Connection, seq: i64, name: Option<&str>) -> Result<()> {
    connection
        .prepare_cached("UPDATE delivered SET server_version = ?2 WHERE seq = ?1")?
        .execute(params![seq, name])?;
    Ok(())
}

/// The server has other content than that of a current version: whatever content comes next is written.
pub(super) fn doubt(connection: &Connection, seq: i64) -> Result<()> {
    connection
        .prepare_cached("UPDATE version SET hash = zeroblob(32), line = NULL WHERE seq = ?1")?
        .execute([seq])?;
    Ok(())
}

/// The server does not have a current version any more.
pub(super) fn lose(connection: &Connection, seq: i64) -> Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO lost(seq) VALUES (?1)")?
        .execute([seq])?;
    doubt(connection, seq)
}

pub(super) fn is_lost(connection: &Connection, seq: i64) -> Result<bool> {
    let mut select = connection.prepare_cached("SELECT 1 FROM lost WHERE seq = ?1")?;
    Ok(select.exists([seq])?)
}

/// Whether a version is current, with the content of the text it was made from.
pub(super) fn is_as_read(connection: &Connection, seq: i64) -> Result<bool> {
    let mut select = connection.prepare_cached(
        "SELECT 1 FROM version WHERE seq = ?1 AND superseded = 0 AND line IS NOT NULL",
    )?;
    Ok(select.exists([seq])?)
}

/// A version that the server was told of.
pub(super) struct ToldVersion {
    pub(super) seq: i64,
    pub(super) resource_type: String,
    pub(super) id: String,
    pub(super) provenance_id: String,
    /// The server's name for it.
    pub(super) name: Option<String>,
    /// The server should have it as it is: no later version, no delete.
    pub(super) is_current: bool,
}

/// Some versions after `after` of which the server was told everything.
pub(super) fn told(connection: &Connection, after: i64) -> Result<Vec<ToldVersion>> {
    let mut select = connection.prepare_cached(
        "SELECT v.seq, t.name, v.id, lower(hex(v.provenance)), d.server_version, \
         d.seq IS NOT NULL AND v.superseded = 0 AND v.activity <> 2 \
         AND NOT EXISTS (SELECT 1 FROM lost l WHERE l.seq = v.seq) \
         FROM version v JOIN type t ON t.id = v.type LEFT JOIN delivered d ON d.seq = v.seq \
         WHERE v.seq > ?1 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.seq = v.seq) \
         ORDER BY v.seq LIMIT 1000",
    )?;
    let found = select.query_map([after], |row| {
        Ok(ToldVersion {
            seq: row.get(0)?,
            resource_type: row.get(1)?,
            id: row.get(2)?,
            provenance_id: row.get(3)?,
            name: row.get(4)?,
            is_current: row.get(5)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Notes the id that the server gave to a resource.
pub(super) fn assign(connection: &Connection, path: (&str, &str), server_id: &str) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO server_id(type, id, server_id) VALUES (?1, ?2, ?3)",
        )?
        .execute([path.0, path.1, server_id])?;
    Ok(())
}

/// The id that the server gave to a resource.
pub(super) fn assigned(connection: &Connection, path: (&str, &str)) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT server_id FROM server_id WHERE type = ?1 AND id = ?2")?
        .query_row([path.0, path.1], |row| row.get(0))
        .optional()?)
}

/// Our id of a resource with an id that the server gave.
pub(super) fn ours(
    connection: &Connection,
    resource_type: &str,
    id: &str,
) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT id FROM server_id WHERE type = ?1 AND server_id = ?2")?
        .query_row([resource_type, id], |row| row.get(0))
        .optional()?)
}
