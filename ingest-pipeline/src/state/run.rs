use rusqlite::{Row, params};

use super::State;
use crate::Result;

/// Where a run over the network is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BulkState {
    /// It has begun; nothing was asked of the server yet.
    Pending,
    /// The server prepares the files.
    Exporting,
    /// Files come in, and go into the store as they do.
    Downloading,
    /// All files are there; the last ones go into the store.
    Processing,
    /// Everything is in the store.
    Completed,
    /// Some of it could not be had.
    Partial,
    /// It came to nothing.
    Failed,
    /// It was given up on demand.
    Cancelled,
    /// Its process ended early; the next run goes on with it.
    Interrupted,
}

/// A run as the state database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkRun {
    /// Its id.
    pub id: String,
    /// The connection.
    pub connection: String,
    /// Where it is.
    pub state: BulkState,
    /// Milliseconds since the Unix epoch.
    pub started: i64,
    /// From which instant on changes were asked for; `None` for everything.
    pub since: Option<String>,
    /// Why it failed or is partial.
    pub error: Option<String>,
}

impl BulkState {
    const ALL: [Self; 9] = [
        Self::Pending,
        Self::Exporting,
        Self::Downloading,
        Self::Processing,
        Self::Completed,
        Self::Partial,
        Self::Failed,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// The state in lower case, as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Exporting => "exporting",
            Self::Downloading => "downloading",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether nothing follows it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Pending | Self::Exporting | Self::Downloading | Self::Processing
        )
    }

    fn from_name(name: &str) -> Self {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == name);
        found.unwrap_or(Self::Failed)
    }
}

impl State {
    /// Enters a run that begins, in state [`BulkState::Pending`]. Earlier runs
    /// of the connection that have no end are marked as interrupted: whoever
    /// holds the lease knows that their processes are gone.
    ///
    /// # Errors
    /// When the database fails.
    pub fn begin_run(&mut self, id: &str, connection: &str, now: i64) -> Result<()> {
        for run in self.runs(Some(connection), usize::MAX)? {
            if !run.state.is_final() {
                self.enter(&run.id, BulkState::Interrupted, None, now)?;
            }
        }
        self.connection
            .execute(
                "INSERT INTO run VALUES (?1, ?2, 'bulk', 'pending', ?3, NULL, NULL)",
                params![id, connection, now],
            )
            .map_err(self.fault())?;
        self.enter(id, BulkState::Pending, None, now)
    }

    /// Notes from which instant on a run asks for changes.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_since(&mut self, id: &str, since: Option<&str>) -> Result<()> {
        self.connection
            .execute(
                "UPDATE run SET since = ?2 WHERE id = ?1",
                params![id, since],
            )
            .map_err(self.fault())?;
        Ok(())
    }

    /// Enters the state that a run reached at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn enter(
        &mut self,
        id: &str,
        state: BulkState,
        error: Option<&str>,
        now: i64,
    ) -> Result<()> {
        let fault = self.fault();
        let transaction = self.connection.transaction().map_err(&fault)?;
        transaction
            .execute(
                "UPDATE run SET state = ?2, error = ?3 WHERE id = ?1",
                params![id, state.as_str(), error],
            )
            .map_err(&fault)?;
        transaction
            .execute(
                "INSERT INTO run_state VALUES (?1, ?2, ?3)",
                params![id, state.as_str(), now],
            )
            .map_err(&fault)?;
        transaction.commit().map_err(&fault)
    }

    /// The last `limit` runs of a connection or of all, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn runs(&self, connection: Option<&str>, limit: usize) -> Result<Vec<BulkRun>> {
        let fault = self.fault();
        let mut statement = self
            .connection
            .prepare(
                "SELECT id, connection, state, started, since, error FROM run \
                 WHERE ?1 IS NULL OR connection = ?1 ORDER BY started DESC, id DESC LIMIT ?2",
            )
            .map_err(&fault)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement
            .query_map(params![connection, limit], record)
            .map_err(&fault)?;
        rows.collect::<rusqlite::Result<_>>().map_err(&fault)
    }

    /// The state of a run as it is at `now`: interrupted, where its process is
    /// gone without a word.
    ///
    /// # Errors
    /// When the database fails.
    pub fn state_of(&self, run: &BulkRun, now: i64) -> Result<BulkState> {
        if run.state.is_final() || self.holder(&run.connection, now)?.is_some() {
            return Ok(run.state);
        }
        Ok(BulkState::Interrupted)
    }

    /// Connections that have had a run, sorted.
    ///
    /// # Errors
    /// When the database fails.
    pub fn connections(&self) -> Result<Vec<String>> {
        let fault = self.fault();
        let mut statement = self
            .connection
            .prepare("SELECT DISTINCT connection FROM run ORDER BY connection")
            .map_err(&fault)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(&fault)?;
        rows.collect::<rusqlite::Result<_>>().map_err(&fault)
    }

    /// The states a run went through, each with its instant in milliseconds
    /// since the Unix epoch.
    ///
    /// # Errors
    /// When the database fails.
    pub fn history(&self, id: &str) -> Result<Vec<(BulkState, i64)>> {
        let fault = self.fault();
        let mut statement = self
            .connection
            .prepare("SELECT state, entered FROM run_state WHERE run = ?1 ORDER BY rowid")
            .map_err(&fault)?;
        let rows = statement
            .query_map([id], |row| {
                let name: String = row.get(0)?;
                Ok((BulkState::from_name(&name), row.get(1)?))
            })
            .map_err(&fault)?;
        rows.collect::<rusqlite::Result<_>>().map_err(&fault)
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<BulkRun> {
    let state: String = row.get(2)?;
    Ok(BulkRun {
        id: row.get(0)?,
        connection: row.get(1)?,
        state: BulkState::from_name(&state),
        started: row.get(3)?,
        since: row.get(4)?,
        error: row.get(5)?,
    })
}
