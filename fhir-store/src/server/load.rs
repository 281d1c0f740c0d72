//! What the server has to be told of a version.

use fhir_provenance::{Activity, Message, Record, Remediation};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::write::Write;
use crate::{Error, Result};

/// What the server has to be told of a version in the outbox.
pub(super) fn load(connection: &Connection, seq: i64) -> Result<Option<Write>> {
    let mut select = connection.prepare_cached(
        "SELECT t.name, v.id, v.version, v.activity, b.data, v.type, \
         o.provenance_only OR v.superseded, EXISTS (SELECT 1 FROM delivered WHERE seq = v.seq), \
         c.run, v.provenance, c.source_system, coalesce(v.source_id, v.id), v.recorded, \
         c.organization, v.remediations, m.control_id, m.raw_key \
         FROM outbox o JOIN version v ON v.seq = o.seq JOIN type t ON t.id = v.type \
         JOIN context c ON c.id = v.context LEFT JOIN message m ON m.id = v.message \
         LEFT JOIN body b ON b.seq = v.seq WHERE o.seq = ?1",
    )?;
    let mut rows = select.query([seq])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let resource_type: String = row.get(0)?;
    let id: String = row.get(1)?;
    let version: i64 = row.get(2)?;
    let deleted = row.get::<_, i64>(3)? == DELETE;
    let body: Option<String> = row.get(4)?;
    let provenance_only: bool = row.get(6)?;
    if body.is_none() && !deleted && !provenance_only {
        return Err(Error::Corrupt {
            column: "body.data",
        });
    }
    let provenance_id: [u8; 32] = row.get(9)?;
    Ok(Some(Write {
        seq,
        run: row.get(8)?,
        deleted,
        created: row.get::<_, i64>(3)? == CREATE,
        body,
        provenance_id: provenance_id
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        provenance: provenance(row, provenance_id, &resource_type, &id, version)?,
        replaces: replaces(connection, row.get(5)?, &id, version)?,
        provenance_only,
        adopted: None,
        amended: row.get(7)?,
        conflicts: 0,
        there: None,
        resource_type,
        id,
    }))
}

/// The Provenance of a version, as the view of the store has it.
fn provenance(
    row: &Row<'_>,
    provenance_id: [u8; 32],
    resource_type: &str,
    id: &str,
    version: i64,
) -> Result<String> {
    let corrupt = |column| move |_| Error::Corrupt { column };
    let remediations: Option<String> = row.get(14)?;
    let remediations: Vec<(String, String)> =
        serde_json::from_str(remediations.as_deref().unwrap_or("[]"))
            .map_err(corrupt("version.remediations"))?;
    let remediations: Vec<_> = remediations
        .iter()
        .map(|(path, rule)| Remediation { path, rule })
        .collect();
    let (control_id, raw_key): (Option<String>, Option<String>) = (row.get(15)?, row.get(16)?);
    let message = Message {
        control_id: control_id.as_deref().unwrap_or_default(),
        raw_key: raw_key.as_deref().unwrap_or_default(),
    };
    let (source_system, source_id): (String, String) = (row.get(10)?, row.get(11)?);
    let organization: String = row.get(13)?;
    let mut json = Vec::new();
    Record {
        provenance_id,
        source_system: &source_system,
        source_id: &source_id,
        resource_type,
        id,
        version: version.unsigned_abs(),
        activity: match row.get(3)? {
            CREATE => Activity::Create,
            DELETE => Activity::Delete,
            _ => Activity::Update,
        },
        recorded: row.get(12)?,
        organization: &organization,
        remediations: &remediations,
        message: Some(message),
    }
    .write_json(&mut json);
    String::from_utf8(json).map_err(|_| Error::Corrupt {
        column: "version.provenance",
    })
}

/// The server's name for the last version it was told of, unless that was a delete.
fn replaces(
    connection: &Connection,
    type_id: i64,
    id: &str,
    version: i64,
) -> Result<Option<String>> {
    let mut select = connection.prepare_cached(
        "SELECT d.server_version, v.activity = 2 OR EXISTS (SELECT 1 FROM lost l WHERE l.seq = v.seq) \
         FROM version v JOIN delivered d ON d.seq = v.seq \
         WHERE v.type = ?1 AND v.id = ?2 AND v.version <= ?3 ORDER BY v.version DESC LIMIT 1",
    )?;
    let found: Option<(Option<String>, bool)> = select
        .query_row(params![type_id, id, version], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(found.and_then(|(name, gone)| name.filter(|_| !gone)))
}

// Values of `version.activity`.
const CREATE: i64 = 0;
const DELETE: i64 = 2;
