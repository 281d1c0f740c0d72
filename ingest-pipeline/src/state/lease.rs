use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use fhir_http::percent_encode;
use rusqlite::{OptionalExtension, params};

use super::{State, private_folder};
use crate::{Error, Result, private};

/// The right to run a connection, which one process has at a time.
///
/// It is a row that expires unless it is renewed, and a lock on a file that
/// the system drops with the process: after a kill it can be taken over at
/// once, from a process that hangs when it has expired.
///
/// The lock is taken, tried and let go within a transaction that writes, as the
/// row is: nobody sees one without the other.
#[derive(Debug)]
pub struct Lease {
    connection: String,
    run: String,
    /// Held for as long as the lease; `None` where it was taken over from a
    /// process that hangs and still has it.
    lock: Option<File>,
}

impl Lease {
    /// For how long a lease is valid without being renewed.
    pub const DURATION: Duration = Duration::from_secs(60);
    /// How often it ought to be renewed.
    pub const RENEWAL: Duration = Duration::from_secs(15);

    /// The connection.
    #[must_use]
    pub fn connection(&self) -> &str {
        &self.connection
    }
}

impl State {
    /// Takes the lease of a connection for `run`. `holder` says who we are, in
    /// the messages of others; `now` is in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Error::Running`] while another process has it.
    pub fn acquire(
        &mut self,
        connection: &str,
        run: &str,
        holder: &str,
        now: i64,
    ) -> Result<Lease> {
        let fault = self.fault();
        let transaction = self.alone()?;
        let lock = self.lock(connection)?;
        let held: Option<(String, String, i64, i64)> = transaction
            .query_row(
                "SELECT run, holder, acquired, expires FROM lease WHERE connection = ?1",
                [connection],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .optional()
            .map_err(&fault)?;
        if let (None, Some((run, holder, since, expires))) = (&lock, held)
            && expires > now
        {
            return Err(Error::Running {
                connection: connection.to_owned(),
                run,
                holder,
                since,
            });
        }
        transaction
            .execute(
                "INSERT OR REPLACE INTO lease VALUES (?1, ?2, ?3, ?4, ?5)",
                params![connection, run, holder, now, now + duration()],
            )
            .map_err(&fault)?;
        transaction.commit().map_err(&fault)?;
        Ok(Lease {
            connection: connection.to_owned(),
            run: run.to_owned(),
            lock,
        })
    }

    /// Makes a lease valid from `now` on; `false` when another process has
    /// taken it over, so that work has to stop.
    ///
    /// # Errors
    /// When the database fails.
    pub fn renew(&mut self, lease: &Lease, now: i64) -> Result<bool> {
        let rows = self
            .connection
            .execute(
                "UPDATE lease SET expires = ?3 WHERE connection = ?1 AND run = ?2",
                params![lease.connection, lease.run, now + duration()],
            )
            .map_err(self.fault())?;
        Ok(rows == 1)
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// When the database fails.
    pub fn release(&mut self, lease: Lease) -> Result<()> {
        let transaction = self.alone()?;
        transaction
            .execute(
                "DELETE FROM lease WHERE connection = ?1 AND run = ?2",
                params![lease.connection, lease.run],
            )
            .map_err(self.fault())?;
        drop(lease.lock);
        transaction.commit().map_err(self.fault())
    }

    /// Who runs a connection at `now`, if anybody.
    ///
    /// # Errors
    /// When the database fails.
    pub fn holder(&self, connection: &str, now: i64) -> Result<Option<String>> {
        let held: Option<(String, i64)> = self
            .connection
            .query_row(
                "SELECT holder, expires FROM lease WHERE connection = ?1",
                [connection],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(self.fault())?;
        let Some((holder, _)) = held.filter(|(_, expires)| *expires > now) else {
            return Ok(None);
        };
        let _alone = self.alone()?;
        // Whoever can take the lock knows that the holder is gone.
        let is_held = self.lock(connection)?.is_none();
        Ok(is_held.then_some(holder))
    }

    /// `None` where another process holds it.
    fn lock(&self, connection: &str) -> Result<Option<File>> {
        let folder = self.beside("leases");
        let path = folder.join(file_name(connection));
        let fail = |path: PathBuf| move |source| Error::StateFile { path, source };
        private_folder(&folder)?;
        let file = private::file()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail(path.clone()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::StateFile { path, source }),
        }
    }
}

fn duration() -> i64 {
    i64::try_from(Lease::DURATION.as_millis()).unwrap_or(i64::MAX)
}

/// A name may be anything that TOML allows; a file name may not.
pub(super) fn file_name(connection: &str) -> String {
    percent_encode(connection, b"-_")
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn a_connection_is_run_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut one = State::open(&path).unwrap();
        let mut two = State::open(&path).unwrap();
        let lease = one.acquire("a", "run-1", "process 1", 1_000).unwrap();
        let error = two.acquire("a", "run-2", "process 2", 2_000).unwrap_err();
        assert!(matches!(error, Error::Running { run, since: 1_000, .. } if run == "run-1"));
        assert!(two.acquire("b", "run-3", "process 2", 2_000).is_ok());
        assert_eq!(
            two.holder("a", 2_000).unwrap().as_deref(),
            Some("process 1")
        );
        one.release(lease).unwrap();
        assert!(two.acquire("a", "run-2", "process 2", 3_000).is_ok());
    }

    #[test]
    fn the_lease_of_a_dead_process_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut one = State::open(&path).unwrap();
        // As the system does when a process ends in whatever way.
        drop(one.acquire("a", "run-1", "process 1", 1_000).unwrap());
        let mut two = State::open(&path).unwrap();
        assert_eq!(two.holder("a", 1_001).unwrap(), None);
        assert!(two.acquire("a", "run-2", "process 2", 1_001).is_ok());
    }

    #[test]
    fn a_process_that_hangs_loses_its_lease() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut one = State::open(&path).unwrap();
        let mut two = State::open(&path).unwrap();
        let lease = one.acquire("a", "run-1", "process 1", 0).unwrap();
        assert!(one.renew(&lease, 50_000).unwrap());
        assert!(two.acquire("a", "run-2", "process 2", 109_999).is_err());
        let other = two.acquire("a", "run-2", "process 2", 110_000).unwrap();
        assert!(!one.renew(&lease, 110_001).unwrap(), "it has to notice");
        one.release(lease).unwrap();
        assert!(
            two.renew(&other, 110_002).unwrap(),
            "nothing of the other's is touched"
        );
    }

    #[test]
    fn of_many_at_once_one_gets_the_lease() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let mut states: Vec<_> = (0..4).map(|_| State::open(&path).unwrap()).collect();
        for round in 0..200 {
            let start = Barrier::new(states.len());
            let acquire = |number: usize, state: &mut State| {
                start.wait();
                // Who only looks must not be in the way.
                assert!(number > 0 || state.holder("a", round).is_ok());
                let run = format!("run-{round}-{number}");
                state.acquire("a", &run, "a process", round)
            };
            let results: Vec<_> = thread::scope(|scope| {
                let states = states.iter_mut().enumerate();
                let all: Vec<_> = states
                    .map(|(number, state)| {
                        scope.spawn({
                            let acquire = &acquire;
                            move || acquire(number, state)
                        })
                    })
                    .collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            let mut leases: Vec<_> = results.into_iter().flatten().collect();
            assert_eq!(leases.len(), 1, "round {round}");
            let lease = leases.pop().unwrap();
            assert!(lease.lock.is_some());
            // Another begins while this one ends.
            let (one, others) = states.split_first_mut().unwrap();
            let next = thread::scope(|scope| {
                let next = scope.spawn(|| others[0].acquire("a", "next", "a process", round));
                one.release(lease).unwrap();
                next.join().unwrap()
            });
            if let Ok(next) = next {
                assert!(next.lock.is_some(), "round {round}");
                others[0].release(next).unwrap();
            }
        }
    }

    #[test]
    fn names_become_file_names() {
        assert_eq!(file_name("acme-1"), "acme-1");
        assert_eq!(file_name("../é x"), "%2E%2E%2F%C3%A9%20x");
    }
}
