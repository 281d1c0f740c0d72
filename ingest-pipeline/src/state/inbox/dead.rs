use rusqlite::{OptionalExtension, Row, params};

use super::Wanted;
use super::record::queue;
use crate::Result;
use crate::state::State;

/// A message that can't be worked on, or a fetch that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// The connection.
    pub connection: String,
    /// When the message came, in milliseconds since the Unix epoch.
    pub received: i64,
    /// When it was given up.
    pub died: i64,
    /// Why, as a code.
    pub reason: String,
    /// Why, in words without content.
    pub detail: String,
    /// How often it was tried.
    pub attempts: u32,
    /// MSH-10, as it came.
    pub control_id: Vec<u8>,
    /// Where the archive has the message.
    pub raw_key: String,
    /// Whether it is a fetch. Else the message itself is at fault.
    pub is_fetch: bool,
}

/// What [`State::revive`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revived {
    /// The fetch is in the queue again, and no dead letter any more.
    Queued,
    /// The message is to be taken from the archive and received once more.
    /// It stays a dead letter until that works.
    Receive(DeadLetter),
    /// There is no such dead letter.
    Unknown,
}

const COLUMNS: &str = "id, connection, received, died, reason, detail, attempts, control_id, \
                       raw_key, fetch IS NOT NULL";

impl State {
    /// The dead letters, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        let mut statement = self
            .connection
            .prepare(&format!("SELECT {COLUMNS} FROM dead_letter ORDER BY id"))
            .map_err(self.fault())?;
        let letters: rusqlite::Result<_> =
            statement.query_map([], letter).and_then(Iterator::collect);
        letters.map_err(self.fault())
    }

    /// One dead letter.
    ///
    /// # Errors
    /// When the database fails.
    pub fn dead_letter(&self, id: i64) -> Result<Option<DeadLetter>> {
        self.connection
            .query_row(
                &format!("SELECT {COLUMNS} FROM dead_letter WHERE id = ?1"),
                [id],
                letter,
            )
            .optional()
            .map_err(self.fault())
    }

    /// Puts a fetch back into the queue; of a message, says so.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revive(&mut self, id: i64, now: i64) -> Result<Revived> {
        let fault = self.fault();
        let transaction = self.alone()?;
        let revived = (|| {
            let found = transaction
                .query_row(
                    &format!("SELECT {COLUMNS}, fetch FROM dead_letter WHERE id = ?1"),
                    [id],
                    |row| Ok((letter(row)?, row.get::<_, Option<String>>(10)?)),
                )
                .optional()?;
            let Some((letter, saved)) = found else {
                return Ok(Revived::Unknown);
            };
            let Some(wanted) = saved.and_then(|saved| serde_json::from_str::<Wanted>(&saved).ok())
            else {
                return Ok(Revived::Receive(letter));
            };
            let message: i64 = transaction.query_row(
                "SELECT id FROM message WHERE connection = ?1 AND raw_key = ?2 ORDER BY id DESC LIMIT 1",
                params![letter.connection, letter.raw_key],
                |row| row.get(0),
            )?;
            queue(&transaction, &letter.connection, &wanted, message, now)?;
            transaction.execute("DELETE FROM dead_letter WHERE id = ?1", [id])?;
            Ok(Revived::Queued)
        })()
        .map_err(&fault)?;
        transaction.commit().map_err(&fault)?;
        Ok(revived)
    }
}

fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        id: row.get(0)?,
        connection: row.get(1)?,
        received: row.get(2)?,
        died: row.get(3)?,
        reason: row.get(4)?,
        detail: row.get(5)?,
        attempts: row.get(6)?,
        control_id: row.get(7)?,
        raw_key: row.get(8)?,
        is_fetch: row.get(9)?,
    })
}
