use rusqlite::params;

use super::State;
use crate::Result;

/// Up to which instant of the server's clock a store holds everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// The run that completed it.
    pub run: String,
    /// What was exported, see [`Job::scope`](super::Job::scope).
    pub scope: String,
    /// The manifest's `transactionTime`, as the server wrote it.
    pub instant: String,
}

impl State {
    /// Enters a watermark. To be called when the run is committed in the
    /// store, never before.
    ///
    /// It is newer than all before it, also where the clock was ahead at one
    /// of those and was set right since.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_watermark(
        &mut self,
        connection: &str,
        watermark: &Watermark,
        now: i64,
    ) -> Result<()> {
        self.connection
            .execute(
                "INSERT OR REPLACE INTO watermark SELECT ?1, ?2, ?3, ?4, \
                 max(?5, coalesce(max(entered) + 1, ?5)) FROM watermark WHERE connection = ?2",
                params![
                    watermark.run,
                    connection,
                    watermark.scope,
                    watermark.instant,
                    now
                ],
            )
            .map_err(self.fault())?;
        Ok(())
    }

    /// The newest watermark.
    ///
    /// # Errors
    /// As [`watermarks`](Self::watermarks).
    pub fn watermark(
        &self,
        connection: &str,
        holds: impl FnMut(&str) -> Result<bool>,
    ) -> Result<Option<Watermark>> {
        Ok(self.watermarks(connection, holds)?.into_iter().next())
    }

    /// The newest watermark of each scope whose run `holds` says the store has
    /// completed, the newest of all first.
    ///
    /// A store that was replaced, or restored from an older copy, thereby
    /// takes its watermarks back with it.
    ///
    /// # Errors
    /// When the database, or `holds`, fails.
    pub fn watermarks(
        &self,
        connection: &str,
        mut holds: impl FnMut(&str) -> Result<bool>,
    ) -> Result<Vec<Watermark>> {
        let fault = self.fault();
        let mut statement = self
            .connection
            .prepare(
                "SELECT run, scope, instant FROM watermark WHERE connection = ?1 \
                 ORDER BY entered DESC, run DESC",
            )
            .map_err(&fault)?;
        let rows = statement
            .query_map([connection], |row| {
                Ok(Watermark {
                    run: row.get(0)?,
                    scope: row.get(1)?,
                    instant: row.get(2)?,
                })
            })
            .map_err(&fault)?;
        let mut found: Vec<Watermark> = Vec::new();
        for watermark in rows {
            let watermark = watermark.map_err(&fault)?;
            let newer = found.iter().any(|newer| newer.scope == watermark.scope);
            if !newer && holds(&watermark.run)? {
                found.push(watermark);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_counts_while_the_store_has_its_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = State::open(&folder.path().join("state.db")).unwrap();
        for (run, instant, now) in [
            ("r1", "2026-01-01T00:00:00Z", 1),
            ("r2", "2026-02-01T00:00:00Z", 2),
        ] {
            let watermark = Watermark {
                run: run.to_owned(),
                scope: "s".to_owned(),
                instant: instant.to_owned(),
            };
            state.set_watermark("c", &watermark, now).unwrap();
        }
        let newest = |known: &[&str]| {
            let found = state
                .watermark("c", |run| Ok(known.contains(&run)))
                .unwrap();
            found.map(|watermark| watermark.run)
        };
        assert_eq!(newest(&["r1", "r2"]).as_deref(), Some("r2"));
        assert_eq!(
            newest(&["r1"]).as_deref(),
            Some("r1"),
            "restored from a copy"
        );
        assert_eq!(newest(&[]), None, "another store");
    }

    #[test]
    fn the_last_watermark_is_the_newest_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = State::open(&folder.path().join("state.db")).unwrap();
        // The clock is ahead at the second.
        for (run, now) in [
            ("r1", 1_000),
            ("r2", 90_000_000),
            ("r3", 2_000),
            ("r4", 3_000),
        ] {
            let watermark = Watermark {
                run: run.to_owned(),
                scope: "s".to_owned(),
                instant: format!("instant of {run}"),
            };
            state.set_watermark("c", &watermark, now).unwrap();
            let newest = state.watermark("c", |_| Ok(true)).unwrap();
            assert_eq!(newest, Some(watermark));
        }
    }
}
