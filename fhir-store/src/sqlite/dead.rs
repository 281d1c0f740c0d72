use rusqlite::params;

use super::SqliteStore;
use crate::Result;

/// A message that can't be worked on, as the view `dead_letters` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// When it came, in milliseconds since the Unix epoch.
    pub received: i64,
    /// Why it is dead, as a code.
    pub reason: String,
    /// Why, in words.
    pub detail: String,
    /// How often it was tried.
    pub attempts: u32,
    /// MSH-10, where it has one.
    pub control_id: Option<String>,
    /// The message as it came.
    pub body: Vec<u8>,
}

impl SqliteStore {
    /// Numbers of the dead letters that the view `dead_letters` shows.
    ///
    /// # Errors
    /// When the store can't read.
    pub fn dead_letters(&mut self) -> Result<Vec<i64>> {
        let mut statement = self
            .settled()?
            .prepare_cached("SELECT id FROM dead_letter ORDER BY id")?;
        let ids = statement.query_map([], |row| row.get(0))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    /// Shows these dead letters as well, and those of `gone` no more. The ones
    /// that matter are kept elsewhere: this is for whoever reads the store.
    ///
    /// # Errors
    /// When the store can't write.
    pub fn show_dead_letters(&mut self, letters: &[DeadLetter], gone: &[i64]) -> Result<()> {
        self.write(|connection, _| {
            for id in gone {
                connection
                    .prepare_cached("DELETE FROM dead_letter WHERE id = ?1")?
                    .execute([id])?;
            }
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO dead_letter \
                 (id, received, reason, detail, attempts, control_id, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for letter in letters {
                let text = std::str::from_utf8(&letter.body).ok();
                let body: &dyn rusqlite::ToSql = match &text {
                    Some(text) => text,
                    None => &letter.body,
                };
                insert.execute(params![
                    letter.id,
                    letter.received,
                    letter.reason,
                    letter.detail,
                    letter.attempts,
                    letter.control_id,
                    body
                ])?;
            }
            Ok(())
        })
    }
}

/// By hand: it holds a message.
impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter")
            .field("id", &self.id)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
