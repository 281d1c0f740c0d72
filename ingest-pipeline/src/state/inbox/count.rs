use rusqlite::{OptionalExtension, Row};

use crate::Result;
use crate::state::State;

/// How many messages came over a connection, and what became of them.
/// `received` is the sum of the four after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdtCounts {
    /// All that were recorded.
    pub received: u64,
    /// Taken, and their patients read or to be read.
    pub accepted: u64,
    /// Of no interest by the connection's list of triggers.
    pub ignored: u64,
    /// The same message once more.
    pub duplicates: u64,
    /// Dead letters.
    pub rejected: u64,
    /// Those among the rejected that were answered AR; the others AE.
    pub outright: u64,
    /// Those among the accepted whose control id its sender had used before.
    pub reused_control_ids: u64,
    /// Those among the accepted that came after a later event of the patient.
    pub out_of_order: u64,
    /// When the last one came, in milliseconds since the Unix epoch.
    pub last: Option<i64>,
}

/// The inbox of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboxStatus {
    /// Since the state database was made.
    pub counts: AdtCounts,
    /// Fetches that wait or are under way.
    pub queued: u64,
    /// When the oldest of them was asked for, in milliseconds since the Unix
    /// epoch.
    pub oldest: Option<i64>,
    /// Dead letters.
    pub dead: u64,
    /// Messages that are not in the archive yet.
    pub unarchived: u64,
}

impl State {
    /// The inbox of a connection; `None` where no message ever came over it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn inbox(&self, connection: &str) -> Result<Option<InboxStatus>> {
        let counts = self
            .connection
            .query_row(
                "SELECT received, accepted, ignored, duplicates, rejected, reused, late, outright, last \
                 FROM adt_count WHERE connection = ?1",
                [connection],
                |row| {
                    Ok(AdtCounts {
                        received: number(row, 0)?,
                        accepted: number(row, 1)?,
                        ignored: number(row, 2)?,
                        duplicates: number(row, 3)?,
                        rejected: number(row, 4)?,
                        reused_control_ids: number(row, 5)?,
                        out_of_order: number(row, 6)?,
                        outright: number(row, 7)?,
                        last: row.get(8)?,
                    })
                },
            )
            .optional()
            .map_err(self.fault())?;
        let Some(counts) = counts else {
            return Ok(None);
        };
        let (queued, oldest) = self
            .connection
            .query_row(
                "SELECT count(*), min(queued) FROM fetch WHERE connection = ?1",
                [connection],
                |row| Ok((number(row, 0)?, row.get(1)?)),
            )
            .map_err(self.fault())?;
        let dead = self
            .connection
            .query_row(
                "SELECT count(*) FROM dead_letter WHERE connection = ?1",
                [connection],
                |row| number(row, 0),
            )
            .map_err(self.fault())?;
        let unarchived = self
            .connection
            .query_row("SELECT count(*) FROM raw", [], |row| number(row, 0))
            .map_err(self.fault())?;
        Ok(Some(InboxStatus {
            counts,
            queued,
            oldest,
            dead,
            unarchived,
        }))
    }
}

/// A count, which is never negative.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::unsigned_abs)
}
