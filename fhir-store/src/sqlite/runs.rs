//! Runs, quarantine and renamed patients.

use rusqlite::{Connection, ErrorCode, Row, ToSql, params};
use sha2::{Digest as _, Sha256};

use super::SqliteStore;
use super::early;
use super::read::{limit_value, unsigned};
use crate::{
    Counts, Error, NewRun, QuarantineRecord, Refused, ResourceStore as _, Result, RunRecord,
    RunState, RunStore,
};

/// The columns of a [`RunRecord`]; conditions follow.
macro_rules! run {
    () => {
        "SELECT id, connection, kind, source_system, state, started, finished, resources, created, \
         updated, unchanged, deleted, quarantined, remediated, provenance, bytes, error, summary \
         FROM run "
    };
}

/// The columns of a [`QuarantineRecord`]; conditions follow.
macro_rules! refused {
    () => {
        "SELECT id, run, file, line, byte_offset, reason, detail, body FROM refused "
    };
}

impl RunStore for SqliteStore {
    fn start_run(&mut self, run: &NewRun<'_>) -> Result<()> {
        let early = !self.is_of_server();
        self.write(|connection, writer| {
            let inserted = connection
                .prepare_cached(
                    "INSERT INTO run(id, connection, kind, source_system, state, started) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    run.id,
                    run.connection,
                    run.kind,
                    run.source_system,
                    RunState::Running.as_str(),
                    run.started
                ]);
            match inserted {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    return Err(Error::DuplicateRun);
                }
                other => other?,
            };
            if early {
                writer.begin_early(connection)?;
            }
            Ok(())
        })
    }

    fn update_run(&mut self, id: &str, counts: &Counts) -> Result<()> {
        self.write(|connection, _| {
            let changed = connection
                .prepare_cached(
                    "UPDATE run SET resources = ?2, created = ?3, updated = ?4, unchanged = ?5, \
                     deleted = ?6, quarantined = ?7, remediated = ?8, provenance = ?9, bytes = ?10 \
                     WHERE id = ?1",
                )?
                .execute(params![
                    id,
                    signed(counts.resources),
                    signed(counts.created),
                    signed(counts.updated),
                    signed(counts.unchanged),
                    signed(counts.deleted),
                    signed(counts.quarantined),
                    signed(counts.remediated),
                    signed(counts.provenance),
                    signed(counts.bytes),
                ])?;
            found(changed)
        })
    }

    fn finish_run(
        &mut self,
        id: &str,
        state: RunState,
        finished: i64,
        counts: &Counts,
        error: Option<&str>,
        summary: Option<&str>,
    ) -> Result<()> {
        self.update_run(id, counts)?;
        self.write(|connection, writer| {
            writer.keys.end_run(connection)?;
            let changed = connection
                .prepare_cached(
                    "UPDATE run SET state = ?2, finished = ?3, error = ?4, summary = ?5 WHERE id = ?1",
                )?
                .execute(params![id, state.as_str(), finished, error, summary])?;
            found(changed)
        })?;
        self.flush()?;
        self.rest()
    }

    fn interrupt_stale_runs(&mut self, now: i64) -> Result<u64> {
        self.write(|connection, _| {
            let changed = connection
                .prepare_cached(
                    "UPDATE run SET state = 'interrupted', finished = ?1 WHERE state = 'running'",
                )?
                .execute([now])?;
            Ok(changed as u64)
        })
    }

    fn runs(&mut self, limit: usize) -> Result<Vec<RunRecord>> {
        select(
            &self.connection,
            concat!(run!(), "ORDER BY number DESC LIMIT ?1"),
            &[&limit_value(limit)],
            run_record,
        )
    }

    fn run(&mut self, id: &str) -> Result<Option<RunRecord>> {
        let found = select(
            &self.connection,
            concat!(run!(), "WHERE id = ?1"),
            &[&id],
            run_record,
        )?;
        Ok(found.into_iter().next())
    }

    fn unfinished_runs(&mut self) -> Result<Vec<String>> {
        select(
            &self.connection,
            "SELECT id FROM run WHERE state IN ('running', 'interrupted', 'failed') ORDER BY number",
            &[],
            text,
        )
    }

    fn quarantine(&mut self, run: &str, record: &Refused<'_>) -> Result<bool> {
        self.write(|connection, _| {
            let text = std::str::from_utf8(record.body);
            let body: &dyn ToSql = match &text {
                Ok(text) => text,
                Err(_) => &record.body,
            };
            let inserted = connection
                .prepare_cached(
                    "INSERT INTO refused(digest, run, file, line, byte_offset, reason, detail, body) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT(digest) DO NOTHING",
                )?
                .execute(params![
                    digest(record),
                    run,
                    record.file,
                    record.line.map(signed),
                    record.byte_offset.map(signed),
                    record.reason,
                    record.detail,
                    body
                ])?;
            Ok(inserted == 1)
        })
    }

    fn quarantined(
        &mut self,
        run: Option<&str>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<QuarantineRecord>> {
        select(
            &self.connection,
            concat!(
                refused!(),
                "WHERE id > ?1 AND (?2 IS NULL OR run = ?2) ORDER BY id LIMIT ?3"
            ),
            &[&signed(after), &run, &limit_value(limit)],
            quarantine_record,
        )
    }

    fn quarantine_record(&mut self, id: u64) -> Result<Option<QuarantineRecord>> {
        let found = select(
            &self.connection,
            concat!(refused!(), "WHERE id = ?1"),
            &[&signed(id)],
            quarantine_record,
        )?;
        Ok(found.into_iter().next())
    }

    fn add_aliases(&mut self, source_system: &str, patients: &[&str]) -> Result<()> {
        self.insert_patients(
            "INSERT OR IGNORE INTO patient_alias(source_system, patient) VALUES (?1, ?2)",
            source_system,
            patients,
        )
    }

    fn aliases(&mut self, source_system: &str) -> Result<Vec<String>> {
        select(
            &self.connection,
            "SELECT patient FROM patient_alias WHERE source_system = ?1 ORDER BY patient",
            &[&source_system],
            text,
        )
    }

    fn add_patient_references(&mut self, source_system: &str, patients: &[&str]) -> Result<()> {
        if self.writer.keys.is_early() {
            return self.write(|connection, _| {
                early::add_patient_references(connection, source_system, patients)
            });
        }
        self.insert_patients(
            "INSERT OR IGNORE INTO patient_reference(source_system, patient) VALUES (?1, ?2)",
            source_system,
            patients,
        )
    }

    fn pending_repoints(&mut self, source_system: &str) -> Result<Vec<String>> {
        if !self.read_only && !self.writer.keys.is_indexed() {
            self.write(|connection, writer| {
                // They are asked for when everything is written. To sort takes the memory that keys took.
                if early::has_references(connection)? {
                    writer.keys.end_run(connection)?;
                }
                Ok(())
            })?;
        }
        select(
            &self.connection,
            "SELECT patient FROM patient_alias JOIN patient_reference USING (source_system, patient) \
             WHERE source_system = ?1 AND settled = 0 ORDER BY patient",
            &[&source_system],
            text,
        )
    }

    fn settle_aliases(&mut self, source_system: &str) -> Result<()> {
        self.write(|connection, _| {
            early::settle_references(connection)?;
            connection
                .prepare_cached(
                    "UPDATE patient_alias SET settled = 1 WHERE source_system = ?1 AND settled = 0",
                )?
                .execute([source_system])?;
            connection
                .prepare_cached(
                    "DELETE FROM patient_reference WHERE source_system = ?1 AND patient IN \
                     (SELECT patient FROM patient_alias WHERE source_system = ?1)",
                )?
                .execute([source_system])?;
            Ok(())
        })
    }

    #[cfg(feature = "server")]
    fn report(&mut self) -> Result<crate::StoreReport> {
        let mut report = crate::StoreReport::default();
        if self.is_of_server() {
            report.unresolved = self.look(crate::server::unresolved)?;
        }
        Ok(report)
    }
}

impl SqliteStore {
    fn insert_patients(&mut self, sql: &str, source_system: &str, patients: &[&str]) -> Result<()> {
        self.write(|connection, _| {
            let mut insert = connection.prepare_cached(sql)?;
            for patient in patients {
                insert.execute([source_system, patient])?;
            }
            Ok(())
        })
    }
}

fn select<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(values)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

fn text(row: &Row<'_>) -> Result<String> {
    Ok(row.get(0)?)
}

/// From a row of [`run!`].
fn run_record(row: &Row<'_>) -> Result<RunRecord> {
    let state: String = row.get(4)?;
    let count = |index, column| unsigned(row.get(index)?, column);
    Ok(RunRecord {
        id: row.get(0)?,
        connection: row.get(1)?,
        kind: row.get(2)?,
        source_system: row.get(3)?,
        state: RunState::from_name(&state).ok_or(Error::Corrupt {
            column: "run.state",
        })?,
        started: row.get(5)?,
        finished: row.get(6)?,
        counts: Counts {
            resources: count(7, "run.resources")?,
            created: count(8, "run.created")?,
            updated: count(9, "run.updated")?,
            unchanged: count(10, "run.unchanged")?,
            deleted: count(11, "run.deleted")?,
            quarantined: count(12, "run.quarantined")?,
            remediated: count(13, "run.remediated")?,
            provenance: count(14, "run.provenance")?,
            bytes: count(15, "run.bytes")?,
        },
        error: row.get(16)?,
        summary: row.get(17)?,
    })
}

/// From a row of [`refused!`].
fn quarantine_record(row: &Row<'_>) -> Result<QuarantineRecord> {
    let number = |index: usize, column| {
        row.get::<_, Option<i64>>(index)?
            .map(|value| unsigned(value, column))
            .transpose()
    };
    Ok(QuarantineRecord {
        id: unsigned(row.get(0)?, "refused.id")?,
        run: row.get(1)?,
        file: row.get(2)?,
        line: number(3, "refused.line")?,
        byte_offset: number(4, "refused.byte_offset")?,
        reason: row.get(5)?,
        detail: row.get(6)?,
        body: row
            .get_ref(7)?
            .as_bytes()
            .map_err(|_| Error::Corrupt {
                column: "refused.body",
            })?
            .to_vec(),
    })
}

/// What makes two refused records the same. Lengths go in, so that no two fields can pass for one.
fn digest(record: &Refused<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for field in [
        record.file.as_bytes(),
        record.reason.as_bytes(),
        record.body,
    ] {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    for number in [record.line, record.byte_offset] {
        hash.update([u8::from(number.is_some())]);
        hash.update(number.unwrap_or(0).to_be_bytes());
    }
    hash.finalize().into()
}

fn found(changed: usize) -> Result<()> {
    match changed {
        0 => Err(Error::UnknownRun),
        _ => Ok(()),
    }
}

/// SQLite's integers are signed; no count of ours reaches the upper half.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
