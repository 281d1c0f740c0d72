use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{PatientIdentifier, Wanted};
use crate::Result;
use crate::state::State;

/// A message, as it is to be recorded.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The connection it belongs to.
    pub connection: String,
    /// When it came, in milliseconds since the Unix epoch.
    pub received: i64,
    /// MSH-3 and MSH-4, as they came.
    pub sender: Vec<u8>,
    /// MSH-10, as it came; may be empty.
    pub control_id: Vec<u8>,
    /// SHA-256 of the message.
    pub hash: [u8; 32],
    /// Where the archive will have it; empty for one that is ignored.
    pub raw_key: String,
    /// The message, sealed for the archive; empty for one that is ignored.
    pub sealed: Vec<u8>,
    /// Its trigger event, such as `A01`.
    pub trigger: String,
    /// When the event happened, in milliseconds since the Unix epoch, where it
    /// says so. Of a time without an offset, as if it were UTC.
    pub event_time: Option<i64>,
    /// What is to be done with it.
    pub disposition: Disposition,
}

/// What is to be done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It only counts.
    Ignore,
    /// The records of these patients are read; none is fine.
    Queue(Vec<Wanted>),
    /// It becomes a dead letter.
    Bury {
        /// Why, as a code.
        reason: &'static str,
        /// Why, in words without content.
        detail: String,
        /// Whether nobody could take it (AR), or only we can't as we are (AE).
        outright: bool,
    },
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is safe, and its patients will be read.
    Accepted {
        /// Fetches that were not waiting before.
        queued: u64,
        /// Whether its sender has used its control id for another message.
        reused: bool,
        /// Whether an event of the same patient that happened later came
        /// earlier.
        late: bool,
    },
    /// It is not of interest.
    Ignored,
    /// The same message was accepted before.
    Duplicate,
    /// It is a dead letter, now or already before.
    Dead,
}

impl State {
    /// Records messages, all of them or, where it fails, none. When this
    /// returns, they survive a loss of power.
    ///
    /// # Errors
    /// When the database fails.
    pub fn record(&mut self, arrivals: &[Arrival]) -> Result<Vec<Recorded>> {
        let fault = self.fault();
        let transaction = self.alone()?;
        let recorded: rusqlite::Result<Vec<_>> = arrivals
            .iter()
            .map(|arrival| record(&transaction, arrival))
            .collect();
        let recorded = recorded.map_err(&fault)?;
        transaction.commit().map_err(&fault)?;
        Ok(recorded)
    }
}

fn record(transaction: &Transaction<'_>, arrival: &Arrival) -> rusqlite::Result<Recorded> {
    let recorded = outcome(transaction, arrival)?;
    let (mut reused, mut late) = (false, false);
    let outright = matches!(
        arrival.disposition,
        Disposition::Bury { outright: true, .. }
    );
    let column = match recorded {
        Recorded::Accepted {
            reused: was_reused,
            late: was_late,
            ..
        } => {
            (reused, late) = (was_reused, was_late);
            "accepted"
        }
        Recorded::Ignored => "ignored",
        Recorded::Duplicate => "duplicates",
        Recorded::Dead => "rejected",
    };
    transaction
        .prepare_cached("INSERT OR IGNORE INTO adt_count (connection) VALUES (?1)")?
        .execute([&arrival.connection])?;
    transaction
        .prepare_cached(&format!(
            "UPDATE adt_count SET received = received + 1, {column} = {column} + 1, \
             reused = reused + ?2, late = late + ?3, outright = outright + ?4, last = ?5 \
             WHERE connection = ?1"
        ))?
        .execute(params![
            arrival.connection,
            reused,
            late,
            outright,
            arrival.received
        ])?;
    Ok(recorded)
}

fn outcome(transaction: &Transaction<'_>, arrival: &Arrival) -> rusqlite::Result<Recorded> {
    let wanted = match &arrival.disposition {
        Disposition::Ignore => return Ok(Recorded::Ignored),
        Disposition::Queue(wanted) => Some(wanted),
        Disposition::Bury { .. } => None,
    };
    let known: Option<bool> = transaction
        .prepare_cached(
            "SELECT dead FROM message \
             WHERE connection = ?1 AND control_id = ?2 AND sender = ?3 AND hash = ?4",
        )?
        .query_row(
            params![
                arrival.connection,
                arrival.control_id,
                arrival.sender,
                arrival.hash
            ],
            |row| row.get(0),
        )
        .optional()?;
    match (known, wanted) {
        (Some(false), Some(_)) => return Ok(Recorded::Duplicate),
        // It is among the dead letters, where it waits to be replayed.
        (Some(_), None) => return Ok(Recorded::Dead),
        // Rules have changed since: what was dead can be worked on.
        (Some(true), Some(_)) => forget(transaction, arrival)?,
        (None, _) => {}
    }
    let reused = !arrival.control_id.is_empty()
        && transaction
            .prepare_cached(
                "SELECT 1 FROM message WHERE connection = ?1 AND control_id = ?2 AND sender = ?3",
            )?
            .exists(params![
                arrival.connection,
                arrival.control_id,
                arrival.sender
            ])?;
    let message = insert(transaction, arrival, wanted.is_none())?;
    if let Disposition::Bury { reason, detail, .. } = &arrival.disposition {
        bury(transaction, arrival, reason, detail)?;
        return Ok(Recorded::Dead);
    }
    let (mut queued, mut late) = (0, false);
    for wanted in wanted.into_iter().flatten() {
        late |= notice(transaction, arrival, &wanted.patient)?;
        let is_new = queue(
            transaction,
            &arrival.connection,
            wanted,
            message,
            arrival.received,
        )?;
        queued += u64::from(is_new);
    }
    Ok(Recorded::Accepted {
        queued,
        reused,
        late,
    })
}

fn insert(transaction: &Transaction<'_>, arrival: &Arrival, dead: bool) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO message (connection, received, sender, control_id, hash, raw_key, \
             trigger, event_time, dead) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            arrival.connection,
            arrival.received,
            arrival.sender,
            arrival.control_id,
            arrival.hash,
            arrival.raw_key,
            arrival.trigger,
            arrival.event_time,
            dead
        ])?;
    let message = transaction.last_insert_rowid();
    transaction
        .prepare_cached("INSERT OR IGNORE INTO raw (key, sealed) VALUES (?1, ?2)")?
        .execute(params![arrival.raw_key, arrival.sealed])?;
    Ok(message)
}

/// Takes a message out of the dead letters, to be taken anew.
fn forget(transaction: &Transaction<'_>, arrival: &Arrival) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM message WHERE connection = ?1 AND control_id = ?2 AND sender = ?3 AND hash = ?4",
        params![
            arrival.connection,
            arrival.control_id,
            arrival.sender,
            arrival.hash
        ],
    )?;
    transaction.execute(
        "DELETE FROM dead_letter WHERE connection = ?1 AND raw_key = ?2 AND fetch IS NULL",
        params![arrival.connection, arrival.raw_key],
    )?;
    Ok(())
}

fn bury(
    transaction: &Transaction<'_>,
    arrival: &Arrival,
    reason: &str,
    detail: &str,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO dead_letter (connection, received, died, reason, detail, attempts, \
             control_id, raw_key) VALUES (?1, ?2, ?2, ?3, ?4, 0, ?5, ?6)",
        )?
        .execute(params![
            arrival.connection,
            arrival.received,
            reason,
            detail,
            arrival.control_id,
            arrival.raw_key
        ])?;
    Ok(())
}

/// Notes when the patient's last event was; whether this one is older.
fn notice(
    transaction: &Transaction<'_>,
    arrival: &Arrival,
    patient: &PatientIdentifier,
) -> rusqlite::Result<bool> {
    let Some(time) = arrival.event_time else {
        return Ok(false);
    };
    let before: Option<Option<i64>> = transaction
        .prepare_cached(
            "SELECT event_time FROM adt_patient \
             WHERE connection = ?1 AND system = ?2 AND value = ?3",
        )?
        .query_row(
            params![arrival.connection, patient.system, patient.value],
            |row| row.get(0),
        )
        .optional()?;
    let late = before.flatten().is_some_and(|before| time < before);
    if !late {
        transaction
            .prepare_cached(
                "INSERT INTO adt_patient (connection, system, value, event_time) \
                 VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET event_time = excluded.event_time",
            )?
            .execute(params![
                arrival.connection,
                patient.system,
                patient.value,
                time
            ])?;
    }
    Ok(late)
}

/// Adds to what waits for the patient; whether nothing waited before.
pub(super) fn queue(
    transaction: &Transaction<'_>,
    connection: &str,
    wanted: &Wanted,
    message: i64,
    now: i64,
) -> rusqlite::Result<bool> {
    let waiting: Option<(i64, Merged)> = transaction
        .prepare_cached(
            "SELECT id, merged FROM fetch \
             WHERE connection = ?1 AND system = ?2 AND value = ?3 AND holder IS NULL",
        )?
        .query_row(
            params![connection, wanted.patient.system, wanted.patient.value],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((id, Merged(mut all))) = waiting else {
        transaction
            .prepare_cached(
                "INSERT INTO fetch (connection, system, value, merged, message, queued, due) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
            )?
            .execute(params![
                connection,
                wanted.patient.system,
                wanted.patient.value,
                to_json(&wanted.merged),
                message,
                now
            ])?;
        return Ok(true);
    };
    for merged in &wanted.merged {
        if !all.contains(merged) {
            all.push(merged.clone());
        }
    }
    // What is new is a reason to try at once.
    transaction
        .prepare_cached(
            "UPDATE fetch SET merged = ?2, message = ?3, due = min(due, ?4) WHERE id = ?1",
        )?
        .execute(params![id, to_json(&all), message, now])?;
    Ok(false)
}

/// The patients of a merge, from how they are kept. That they can't be read is
/// an error: forgotten, their records would stay apart.
pub(super) struct Merged(pub(super) Vec<PatientIdentifier>);

impl FromSql for Merged {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let patients = serde_json::from_slice(value.as_bytes()?);
        // What JSON has to say of it may hold some of it.
        patients.map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}

fn to_json(patients: &[PatientIdentifier]) -> String {
    // Texts only: nothing that could fail.
    serde_json::to_string(patients).unwrap_or_else(|_| "[]".to_owned())
}
