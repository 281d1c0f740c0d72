use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Transaction, params};

use super::count::number;
use super::record::{Merged, queue};
use super::{PatientIdentifier, Wanted, Worker};
use crate::Result;
use crate::state::State;

/// A fetch that is this holder's to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedFetch {
    /// Its number.
    pub id: i64,
    /// The connection.
    pub connection: String,
    /// Whose record is to be read.
    pub wanted: Wanted,
    /// Control id of the last message that asked for it.
    pub control_id: Vec<u8>,
    /// Where the archive has that message.
    pub raw_key: String,
    /// When it was asked for first, in milliseconds since the Unix epoch.
    pub queued: i64,
    /// How often it has failed.
    pub attempts: u32,
    /// When the record was last read, in milliseconds since the Unix epoch, and
    /// the run that wrote it.
    pub fetched: Option<(i64, String)>,
}

impl State {
    /// Gives fetches to a holder, of all connections or of one, those that wait
    /// longest first, at most `limit`. One patient is fetched by one holder at
    /// a time, and a merge by none while one of its patients is.
    ///
    /// # Errors
    /// When the database fails.
    pub fn take_fetches(
        &mut self,
        worker: &Worker,
        connection: Option<&str>,
        now: i64,
        limit: usize,
    ) -> Result<Vec<QueuedFetch>> {
        let dead = self.dead_workers(worker)?;
        let fault = self.fault();
        let transaction = self.alone()?;
        let taken = (|| {
            for id in &dead {
                free(&transaction, "holder = ?1", params![id])?;
            }
            free(&transaction, "expires <= ?1", params![now])?;
            take(&transaction, worker, connection, now, limit)
        })()
        .map_err(&fault)?;
        transaction.commit().map_err(&fault)?;
        Ok(taken)
    }

    /// Says that the worker of this id is still at what it has.
    ///
    /// # Errors
    /// When the database fails.
    pub fn renew_fetches(&mut self, worker: &str, now: i64) -> Result<()> {
        self.connection
            .execute(
                "UPDATE fetch SET expires = ?2 WHERE holder = ?1",
                params![worker, now + lease()],
            )
            .map_err(self.fault())?;
        Ok(())
    }

    /// The record was read at `began` and is in the store since the run `run`.
    /// Without `began` the next fetch asks for everything.
    ///
    /// # Errors
    /// When the database fails.
    pub fn finish_fetch(
        &mut self,
        worker: &Worker,
        fetch: &QueuedFetch,
        began: Option<i64>,
        run: &str,
    ) -> Result<()> {
        self.on_fetch(|transaction| {
            let gone = transaction.execute(
                "DELETE FROM fetch WHERE id = ?1 AND holder = ?2",
                params![fetch.id, worker.id()],
            )?;
            if gone == 1 {
                let PatientIdentifier { system, value } = &fetch.wanted.patient;
                transaction.execute(
                    "INSERT INTO adt_patient (connection, system, value, fetched, run) \
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE \
                     SET fetched = excluded.fetched, run = excluded.run",
                    params![fetch.connection, system, value, began, run],
                )?;
            }
            Ok(())
        })
    }

    /// It failed for a passing reason, and is tried again at `due`. What came
    /// in for the patient meanwhile becomes one with it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn retry_fetch(&mut self, worker: &Worker, fetch: &QueuedFetch, due: i64) -> Result<()> {
        self.on_fetch(|transaction| {
            let held = transaction.execute(
                "UPDATE fetch SET attempts = attempts + 1, due = ?3 WHERE id = ?1 AND holder = ?2",
                params![fetch.id, worker.id(), due],
            )?;
            if held == 1 {
                release(transaction, fetch.id)?;
            }
            Ok(())
        })
    }

    /// Gives a fetch back as it was, because there was no time for it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn return_fetch(&mut self, worker: &Worker, fetch: &QueuedFetch) -> Result<()> {
        self.on_fetch(|transaction| {
            let held = transaction
                .prepare_cached("SELECT 1 FROM fetch WHERE id = ?1 AND holder = ?2")?
                .exists(params![fetch.id, worker.id()])?;
            if held {
                release(transaction, fetch.id)?;
            }
            Ok(())
        })
    }

    /// It will never work: it becomes a dead letter.
    ///
    /// # Errors
    /// When the database fails.
    pub fn bury_fetch(
        &mut self,
        worker: &Worker,
        fetch: &QueuedFetch,
        now: i64,
        reason: &str,
        detail: &str,
    ) -> Result<()> {
        let saved = serde_json::to_string(&fetch.wanted).unwrap_or_default();
        self.on_fetch(|transaction| {
            let gone = transaction.execute(
                "DELETE FROM fetch WHERE id = ?1 AND holder = ?2",
                params![fetch.id, worker.id()],
            )?;
            if gone == 1 {
                transaction.execute(
                    "INSERT INTO dead_letter (connection, received, died, reason, detail, \
                     attempts, control_id, raw_key, fetch) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    params![
                        fetch.connection,
                        fetch.queued,
                        now,
                        reason,
                        detail,
                        fetch.attempts + 1,
                        fetch.control_id,
                        fetch.raw_key,
                        saved
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// When the next fetch that waits is due; `None` where none waits.
    ///
    /// # Errors
    /// When the database fails.
    pub fn next_due(&self, connection: Option<&str>) -> Result<Option<i64>> {
        self.connection
            .query_row(
                "SELECT min(due) FROM fetch WHERE holder IS NULL AND (?1 IS NULL OR connection = ?1)",
                [connection],
                |row| row.get(0),
            )
            .map_err(self.fault())
    }

    /// How many fetches wait or are under way.
    ///
    /// # Errors
    /// When the database fails.
    pub fn open_fetches(&self, connection: Option<&str>) -> Result<u64> {
        self.connection
            .query_row(
                "SELECT count(*) FROM fetch WHERE ?1 IS NULL OR connection = ?1",
                [connection],
                |row| number(row, 0),
            )
            .map_err(self.fault())
    }

    fn on_fetch(
        &mut self,
        act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let fault = self.fault();
        let transaction = self.alone()?;
        act(&transaction).map_err(&fault)?;
        transaction.commit().map_err(&fault)
    }
}

/// Takes fetches from whoever has them.
fn free(
    transaction: &Transaction<'_>,
    of: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(&format!(
        "SELECT id FROM fetch WHERE holder IS NOT NULL AND {of}"
    ))?;
    let ids: Vec<i64> = statement
        .query_map(parameters, |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    ids.into_iter().try_for_each(|id| release(transaction, id))
}

/// Lets a fetch wait again. Where another one waits for the same patient, the
/// two become one: the older, with what the newer asks for.
fn release(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    let (connection, system, value, Merged(merged), message, due): (
        String,
        String,
        String,
        Merged,
        i64,
        i64,
    ) = transaction.query_row(
        "SELECT connection, system, value, merged, message, due FROM fetch WHERE id = ?1",
        [id],
        |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        },
    )?;
    let newer: Option<i64> = transaction
        .query_row(
            "SELECT message FROM fetch \
             WHERE connection = ?1 AND system = ?2 AND value = ?3 AND holder IS NULL",
            params![connection, system, value],
            |row| row.get(0),
        )
        .optional()?;
    let Some(newer) = newer else {
        transaction.execute(
            "UPDATE fetch SET holder = NULL, expires = NULL WHERE id = ?1",
            [id],
        )?;
        return Ok(());
    };
    let wanted = Wanted {
        patient: PatientIdentifier { system, value },
        merged,
    };
    transaction.execute("DELETE FROM fetch WHERE id = ?1", [id])?;
    queue(transaction, &connection, &wanted, newer.max(message), due)?;
    Ok(())
}

fn take(
    transaction: &Transaction<'_>,
    worker: &Worker,
    connection: Option<&str>,
    now: i64,
    limit: usize,
) -> rusqlite::Result<Vec<QueuedFetch>> {
    // Patients whose records are being read: their next fetches wait.
    let mut busy = BTreeSet::new();
    let mut held = transaction.prepare_cached(
        "SELECT connection, system, value, merged FROM fetch WHERE holder IS NOT NULL",
    )?;
    let mut rows = held.query([])?;
    while let Some(row) = rows.next()? {
        let of: String = row.get(0)?;
        let patient = PatientIdentifier {
            system: row.get(1)?,
            value: row.get(2)?,
        };
        let Merged(merged) = row.get(3)?;
        busy.extend(merged.into_iter().map(|patient| (of.clone(), patient)));
        busy.insert((of, patient));
    }
    let mut waiting = transaction.prepare_cached(
        "SELECT f.id, f.connection, f.system, f.value, f.merged, m.control_id, m.raw_key, \
         f.queued, f.attempts, p.fetched, p.run \
         FROM fetch f JOIN message m ON m.id = f.message \
         LEFT JOIN adt_patient p ON p.connection = f.connection \
           AND p.system = f.system AND p.value = f.value \
         WHERE f.holder IS NULL AND (f.due <= ?1 OR f.due > ?3) \
           AND (?2 IS NULL OR f.connection = ?2) \
         ORDER BY f.id",
    )?;
    let mut rows = waiting.query(params![now, connection, now + LONGEST_WAIT])?;
    let mut taken = Vec::new();
    while taken.len() < limit
        && let Some(row) = rows.next()?
    {
        let Merged(merged) = row.get(4)?;
        let fetch = QueuedFetch {
            id: row.get(0)?,
            connection: row.get(1)?,
            wanted: Wanted {
                patient: PatientIdentifier {
                    system: row.get(2)?,
                    value: row.get(3)?,
                },
                merged,
            },
            control_id: row.get(5)?,
            raw_key: row.get(6)?,
            queued: row.get(7)?,
            attempts: row.get(8)?,
            fetched: row.get::<_, Option<i64>>(9)?.zip(row.get(10)?),
        };
        let Wanted { patient, merged } = &fetch.wanted;
        let own: Vec<_> = [patient]
            .into_iter()
            .chain(merged)
            .map(|patient| (fetch.connection.clone(), patient.clone()))
            .collect();
        let is_free = own.iter().all(|patient| !busy.contains(patient));
        // Also what waits behind it, so that events of one patient keep their order.
        busy.extend(own);
        if is_free {
            taken.push(fetch);
        }
    }
    drop(rows);
    let mut hold =
        transaction.prepare_cached("UPDATE fetch SET holder = ?2, expires = ?3 WHERE id = ?1")?;
    for fetch in &taken {
        hold.execute(params![fetch.id, worker.id(), now + lease()])?;
    }
    Ok(taken)
}

/// Milliseconds, longer than any fetch is made to wait. One that is due later
/// was put off by a clock that was ahead, and has been set right since.
const LONGEST_WAIT: i64 = 600_000;

fn lease() -> i64 {
    i64::try_from(Worker::LEASE.as_millis()).unwrap_or(i64::MAX)
}
