use std::fmt;

use crate::Result;

/// What a run of the ingestion leaves behind: its counts, what it refused, and which patients it had to rename.
///
/// Meant to be implemented by the same type as [`ResourceStore`](crate::ResourceStore), so that resources and the counts of them commit together.
/// Unless a method says otherwise, what it writes is safe after the next [`flush`](crate::ResourceStore::flush).
///
/// Every method fails where the store can't read or write.
pub trait RunStore {
    /// Enters a run that begins now, in state [`RunState::Running`].
    ///
    /// # Errors
    ///
    /// [`Error::DuplicateRun`](crate::Error::DuplicateRun) where the id is taken.
    fn start_run(&mut self, run: &NewRun<'_>) -> Result<()>;

    /// Sets the counts of a run.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`](crate::Error::UnknownRun) where there is no such run.
    fn update_run(&mut self, id: &str, counts: &Counts) -> Result<()>;

    /// Closes a run and flushes.
    ///
    /// `error` is the reason it failed, `summary` the report as the caller wants it back; neither is looked into.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRun`](crate::Error::UnknownRun) where there is no such run.
    fn finish_run(
        &mut self,
        id: &str,
        state: RunState,
        finished: i64,
        counts: &Counts,
        error: Option<&str>,
        summary: Option<&str>,
    ) -> Result<()>;

    /// Turns every running run into an interrupted one that ended at `now`, and says how many there were.
    ///
    /// For the start of a process: a store has one writer, so whoever began those runs is gone.
    fn interrupt_stale_runs(&mut self, now: i64) -> Result<u64>;

    /// The last `limit` runs, the newest first.
    fn runs(&mut self, limit: usize) -> Result<Vec<RunRecord>>;

    /// One run.
    fn run(&mut self, id: &str) -> Result<Option<RunRecord>>;

    /// Ids of the runs that have not come to their end, the oldest first: running, interrupted, failed.
    fn unfinished_runs(&mut self) -> Result<Vec<String>>;

    /// Keeps a refused record; `false` when the same one is kept already.
    ///
    /// Records are the same when file, line, offset, reason and body are: a replay of the same input adds nothing.
    fn quarantine(&mut self, run: &str, record: &Refused<'_>) -> Result<bool>;

    /// Refused records of one run or of all, at most `limit`, after the record with id `after` (0 for the start).
    fn quarantined(
        &mut self,
        run: Option<&str>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<QuarantineRecord>>;

    /// One refused record.
    fn quarantine_record(&mut self, id: u64) -> Result<Option<QuarantineRecord>>;

    /// Notes patients whose id in the source is a medical record number, and so differs in the store.
    ///
    /// A new one is pending until [`settle_aliases`](Self::settle_aliases); a known one stays as it is.
    fn add_aliases(&mut self, source_system: &str, patients: &[&str]) -> Result<()>;

    /// All noted patients of a source system, pending or settled, sorted.
    fn aliases(&mut self, source_system: &str) -> Result<Vec<String>>;

    /// Notes patients that stored resources refer to under their id in the source.
    fn add_patient_references(&mut self, source_system: &str, patients: &[&str]) -> Result<()>;

    /// Pending aliases that resources refer to under their id in the source, sorted: those references must be changed.
    fn pending_repoints(&mut self, source_system: &str) -> Result<Vec<String>>;

    /// Declares every reference to a pending alias changed, and forgets that there were any.
    fn settle_aliases(&mut self, source_system: &str) -> Result<()>;

    /// Tells a server that holds the resources all that it can be told by now.
    /// Gives what it has refused of the writes of this run after they were counted, which is taken back then, and in the quarantine.
    ///
    /// For the end of a run, before [`finish_run`](Self::finish_run).
    fn settle_writes(&mut self, run: &str) -> Result<Vec<TakenBack>> {
        let _ = run;
        Ok(Vec::new())
    }

    /// What happened between the store and a server that holds its resources; nothing where there is none.
    fn report(&mut self) -> Result<StoreReport> {
        Ok(StoreReport::default())
    }
}

/// What happened between a store and the server that holds its resources, since the store was opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct StoreReport {
    /// Resources that somebody else had changed or deleted on the server, found when they were written again.
    pub drifted: u64,
    /// Resources that were counted as written, most by an earlier run, and that the server refused later. They are in the quarantine.
    pub refused_late: u64,
    /// What waits for the next run.
    pub unresolved: Vec<Unresolved>,
}

/// A write that was counted, and refused by the server in the end.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TakenBack {
    /// Type of the resource.
    pub resource_type: String,
    /// Whether it was its first version.
    pub created: bool,
}

/// Writes that the server did not take so far.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unresolved {
    /// Type of the resources.
    pub resource_type: String,
    /// [Type of the issue](https://hl7.org/fhir/R4/valueset-issue-type.html) the server named: `not-found` or `processing` for a reference to what is not there. Empty for what it was not told yet.
    pub code: String,
    /// How many there are.
    pub writes: u64,
}

/// A run that begins.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    /// Id of the run, as a [ULID](https://github.com/ulid/spec) in text.
    pub id: &'a str,
    /// Name of the connection, where it has one.
    pub connection: Option<&'a str>,
    /// What it does, such as `load` or `bulk`.
    pub kind: &'a str,
    /// URI of the system it reads from.
    pub source_system: &'a str,
    /// Milliseconds since the Unix epoch, UTC.
    pub started: i64,
}

/// What a run has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Resources read: the sum of created, updated, unchanged, deleted and quarantined.
    pub resources: u64,
    /// First versions written.
    pub created: u64,
    /// Later versions written.
    pub updated: u64,
    /// Resources that were there already.
    pub unchanged: u64,
    /// Deletes written.
    pub deleted: u64,
    /// Records refused.
    pub quarantined: u64,
    /// Elements mended.
    pub remediated: u64,
    /// Provenance written: the sum of created, updated and deleted.
    pub provenance: u64,
    /// Bytes of input read.
    pub bytes: u64,
}

/// Where a run is in its life.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RunState {
    /// It goes on, or its process died and nobody noticed yet.
    Running,
    /// Everything was read and written.
    Completed,
    /// Some of the input could not be read.
    Partial,
    /// It came to nothing.
    Failed,
    /// It ended early and can be resumed.
    Interrupted,
}

impl RunState {
    /// The state in lower case, as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The state with this name.
    #[cfg(feature = "sqlite")]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [
            Self::Running,
            Self::Completed,
            Self::Partial,
            Self::Failed,
            Self::Interrupted,
        ]
        .into_iter()
        .find(|state| state.as_str() == name)
    }
}

/// A run as it is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RunRecord {
    /// Id of the run.
    pub id: String,
    /// Name of the connection, where it has one.
    pub connection: Option<String>,
    /// What it does.
    pub kind: String,
    /// URI of the system it reads from.
    pub source_system: String,
    /// Where it is in its life.
    pub state: RunState,
    /// Milliseconds since the Unix epoch, UTC.
    pub started: i64,
    /// Milliseconds since the Unix epoch, UTC; none while it runs.
    pub finished: Option<i64>,
    /// What it has done.
    pub counts: Counts,
    /// Why it failed.
    pub error: Option<String>,
    /// The report given to [`RunStore::finish_run`].
    pub summary: Option<String>,
}

/// A record that was refused.
#[derive(Clone, Copy)]
pub struct Refused<'a> {
    /// The file it stood in.
    pub file: &'a str,
    /// Line number, from 1.
    pub line: Option<u64>,
    /// Offset of its first byte in the decoded file.
    pub byte_offset: Option<u64>,
    /// Reason code, such as `invalid-json`.
    pub reason: &'a str,
    /// The reason in words, without content of the record.
    pub detail: &'a str,
    /// Its bytes as they came.
    pub body: &'a [u8],
}

/// A refused record as it is stored.
#[derive(Clone, Eq, PartialEq)]
pub struct QuarantineRecord {
    /// Number of the record in the store, from 1.
    pub id: u64,
    /// Id of the run that refused it first.
    pub run: String,
    /// The file it stood in.
    pub file: String,
    /// Line number, from 1.
    pub line: Option<u64>,
    /// Offset of its first byte in the decoded file.
    pub byte_offset: Option<u64>,
    /// Reason code.
    pub reason: String,
    /// The reason in words.
    pub detail: String,
    /// Its bytes as they came.
    pub body: Vec<u8>,
}

// Both leave the body out: it is content.

impl fmt::Debug for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("file", &self.file)
            .field("line", &self.line)
            .field("byte_offset", &self.byte_offset)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for QuarantineRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuarantineRecord")
            .field("id", &self.id)
            .field("run", &self.run)
            .field("file", &self.file)
            .field("line", &self.line)
            .field("byte_offset", &self.byte_offset)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
