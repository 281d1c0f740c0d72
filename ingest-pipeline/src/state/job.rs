use rusqlite::{OptionalExtension, params};

use super::State;
use crate::Result;

/// An export that is under way, as it has to be known after a crash.
#[derive(Clone, PartialEq, Eq)]
pub struct Job {
    /// The run that began it.
    pub run: String,
    /// What is exported: level, types and filters, in a form that is the same
    /// for the same request. A watermark counts for its scope only.
    pub scope: String,
    /// The request, as JSON.
    pub request: String,
    /// The `_since` it has.
    pub since: Option<String>,
    /// Where the server tells its state, once that is known. It can be as good
    /// as a password.
    pub status_url: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub started: i64,
    /// The manifest, as JSON, once the server is done.
    pub manifest: Option<String>,
}

/// A file of a job that is downloaded whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Its name in the folder of the job.
    pub name: String,
    /// Its size as it is stored.
    pub bytes: u64,
    /// Its lines with content.
    pub lines: u64,
    /// What is not as the manifest says, if anything.
    pub fault: Option<String>,
}

impl State {
    /// The job of a connection.
    ///
    /// # Errors
    /// When the database fails.
    pub fn job(&self, connection: &str) -> Result<Option<Job>> {
        self.connection
            .query_row(
                "SELECT run, scope, request, since, status_url, started, manifest \
                 FROM job WHERE connection = ?1",
                [connection],
                |row| {
                    Ok(Job {
                        run: row.get(0)?,
                        scope: row.get(1)?,
                        request: row.get(2)?,
                        since: row.get(3)?,
                        status_url: row.get(4)?,
                        started: row.get(5)?,
                        manifest: row.get(6)?,
                    })
                },
            )
            .optional()
            .map_err(self.fault())
    }

    /// Enters the job of a connection, in place of the one it had. Files of
    /// another run's job are forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub fn save_job(&mut self, connection: &str, job: &Job) -> Result<()> {
        let fault = self.fault();
        let transaction = self.connection.transaction().map_err(&fault)?;
        transaction
            .execute(
                "DELETE FROM file WHERE connection = ?1 AND NOT EXISTS \
                 (SELECT 1 FROM job WHERE connection = ?1 AND run = ?2)",
                params![connection, job.run],
            )
            .map_err(&fault)?;
        transaction
            .execute(
                "INSERT OR REPLACE INTO job VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    connection,
                    job.run,
                    job.scope,
                    job.request,
                    job.since,
                    job.status_url,
                    job.started,
                    job.manifest
                ],
            )
            .map_err(&fault)?;
        transaction.commit().map_err(&fault)
    }

    /// Forgets the job of a connection, and its files.
    ///
    /// # Errors
    /// When the database fails.
    pub fn forget_job(&mut self, connection: &str) -> Result<()> {
        let fault = self.fault();
        let transaction = self.connection.transaction().map_err(&fault)?;
        for table in ["DELETE FROM job", "DELETE FROM file"] {
            transaction
                .execute(&format!("{table} WHERE connection = ?1"), [connection])
                .map_err(&fault)?;
        }
        transaction.commit().map_err(&fault)
    }

    /// Files of the connection's job that are downloaded.
    ///
    /// # Errors
    /// When the database fails.
    pub fn files(&self, connection: &str) -> Result<Vec<FileRecord>> {
        let fault = self.fault();
        let mut statement = self
            .connection
            .prepare("SELECT name, bytes, lines, fault FROM file WHERE connection = ?1")
            .map_err(&fault)?;
        let rows = statement
            .query_map([connection], |row| {
                Ok(FileRecord {
                    name: row.get(0)?,
                    bytes: row.get::<_, i64>(1)?.unsigned_abs(),
                    lines: row.get::<_, i64>(2)?.unsigned_abs(),
                    fault: row.get(3)?,
                })
            })
            .map_err(&fault)?;
        rows.collect::<rusqlite::Result<_>>().map_err(&fault)
    }

    /// Notes that a file is downloaded.
    ///
    /// # Errors
    /// When the database fails.
    pub fn save_file(&mut self, connection: &str, file: &FileRecord) -> Result<()> {
        let signed = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.connection
            .execute(
                "INSERT OR REPLACE INTO file VALUES (?1, ?2, ?3, ?4, ?5)",
                params![
                    connection,
                    file.name,
                    signed(file.bytes),
                    signed(file.lines),
                    file.fault
                ],
            )
            .map_err(self.fault())?;
        Ok(())
    }
}

/// By hand: addresses of an export can be as good as a password.
impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("run", &self.run)
            .field("scope", &self.scope)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
