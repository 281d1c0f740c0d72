use rusqlite::OptionalExtension;

use crate::Result;
use crate::state::State;

/// A message on its way into the archive.
#[derive(Clone, PartialEq, Eq)]
pub struct Unarchived {
    /// Where the archive will have it.
    pub key: String,
    /// The message, sealed.
    pub sealed: Vec<u8>,
}

impl State {
    /// Messages that are not in the archive yet, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unarchived(&self, limit: u32) -> Result<Vec<Unarchived>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT key, sealed FROM raw ORDER BY rowid LIMIT ?1")
            .map_err(self.fault())?;
        let messages: rusqlite::Result<_> = statement
            .query_map([limit], |row| {
                Ok(Unarchived {
                    key: row.get(0)?,
                    sealed: row.get(1)?,
                })
            })
            .and_then(Iterator::collect);
        messages.map_err(self.fault())
    }

    /// The sealed message of this key, if it is not in the archive yet.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unarchived_message(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.connection
            .query_row("SELECT sealed FROM raw WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()
            .map_err(self.fault())
    }

    /// These are in the archive now.
    ///
    /// # Errors
    /// When the database fails.
    pub fn archived<'a>(&mut self, keys: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let fault = self.fault();
        let transaction = self.alone()?;
        for key in keys {
            transaction
                .prepare_cached("DELETE FROM raw WHERE key = ?1")
                .and_then(|mut statement| statement.execute([key]))
                .map_err(&fault)?;
        }
        transaction.commit().map_err(&fault)
    }
}

/// By hand: what it holds is sealed, but nobody needs to see it.
impl std::fmt::Debug for Unarchived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unarchived").finish_non_exhaustive()
    }
}
