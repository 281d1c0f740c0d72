//! Carries out the fetches that messages asked for.

mod heartbeat;
mod options;
mod request;
mod total;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fhir_store::{Error as StoreError, RunState};

use super::Shown;
use crate::access::StoreAccess;
use crate::clock::millis;
use crate::config::ConnectionSettings;
use crate::connect::Surroundings;
use crate::error::http_kind;
use crate::fetch::{self, FetchError, FetchOptions, Fetcher, Gathered};
use crate::state::State;
use crate::state::inbox::{QueuedFetch, Worker};
use crate::{Error, ErrorKind, Result, RunSummary, causes};
use heartbeat::Heartbeat;
pub use options::WorkOptions;
pub(super) use options::retry_wait;
use request::{Read, read_all, reason};
use total::Total;

/// A worker. Several may share an inbox, in one process or many; what one that
/// died had taken comes back.
pub struct Work<'a> {
    connections: BTreeMap<String, ConnectionSettings>,
    fetchers: BTreeMap<String, Fetcher>,
    around: &'a Surroundings,
    store: &'a dyn StoreAccess,
    /// For temporary files.
    spool: PathBuf,
    state_path: &'a Path,
    state: State,
    worker: Worker,
    /// The worker's.
    id: String,
    options: WorkOptions,
    shown: Shown,
}

impl<'a> Work<'a> {
    /// A worker for these connections: the only one's fetches where there is
    /// one, else all. `spool` is a folder for temporary files.
    ///
    /// # Errors
    /// When the state database can't be opened.
    pub fn new(
        connections: Vec<ConnectionSettings>,
        around: &'a Surroundings,
        store: &'a dyn StoreAccess,
        spool: impl Into<PathBuf>,
        state_path: &'a Path,
        shown: Shown,
        options: WorkOptions,
    ) -> Result<Self> {
        let state = State::open(state_path)?;
        Ok(Self {
            worker: state.worker(&options.id)?,
            id: options.id.clone(),
            connections: connections
                .into_iter()
                .map(|settings| (settings.name.clone(), settings))
                .collect(),
            fetchers: BTreeMap::new(),
            around,
            store,
            spool: spool.into(),
            state_path,
            state,
            options,
            shown,
        })
    }

    /// Works until it is interrupted or, where that is wanted, nothing waits
    /// any more. Gives what all its runs did together.
    ///
    /// A state database that fails is tried again: a disk that was full needs
    /// no restart.
    ///
    /// # Errors
    /// When the state database fails, and nothing more is to be waited for.
    pub fn run(&mut self) -> Result<RunSummary> {
        let mut total = Total::new(&self.options.id);
        // One line for each time that it goes wrong.
        let mut healthy = true;
        while let Err(error) = self.work(&mut total, &mut healthy) {
            if self.options.drain {
                return Err(error);
            }
            if healthy {
                let error = causes(&error);
                tracing::error!(
                    error,
                    "the state database fails; fetches wait until it works again"
                );
            }
            healthy = false;
            if !self
                .around
                .interrupt
                .sleep(&*self.around.clock, STATE_PAUSE)
            {
                break;
            }
        }
        self.show_dead_letters(None);
        let elapsed = self.now() - total.started.unwrap_or_else(|| self.now());
        Ok(total.finish(elapsed, self.around.interrupt.is_interrupted()))
    }

    /// Until it is interrupted, or nothing waits any more.
    fn work(&mut self, total: &mut Total, healthy: &mut bool) -> Result<()> {
        if !*healthy {
            self.begin_anew()?;
        }
        let _heartbeat = Heartbeat::start(self.state_path, &self.id, self.around)?;
        let only = match self.connections.len() {
            1 => self.connections.keys().next().cloned(),
            _ => None,
        };
        while !self.around.interrupt.is_interrupted() {
            let taken = self.state.take_fetches(
                &self.worker,
                only.as_deref(),
                self.now(),
                self.options.batch,
            )?;
            if !*healthy {
                tracing::info!("the state database works again");
                *healthy = true;
            }
            if !taken.is_empty() {
                self.carry_out(taken, total)?;
                continue;
            }
            self.show_dead_letters(Some(self.now()));
            if self.options.drain && self.state.open_fetches(only.as_deref())? == 0 {
                break;
            }
            self.wait(only.as_deref())?;
        }
        Ok(())
    }

    /// As another worker, so that what this one has taken comes back like that
    /// of one that died.
    fn begin_anew(&mut self) -> Result<()> {
        let state = State::open(self.state_path)?;
        let id = self.around.run_id();
        self.worker = state.worker(&id)?;
        (self.state, self.id) = (state, id);
        Ok(())
    }

    /// Until something is due, but not for long: others queue as well.
    fn wait(&self, only: Option<&str>) -> Result<()> {
        let due = self.state.next_due(only)?.map(|due| due - self.now());
        let milliseconds = due.map_or(LOOK, |due| u64::try_from(due).unwrap_or(1));
        let pause = Duration::from_millis(milliseconds.clamp(1, LOOK));
        // Whoever asks it to stop is seen by the loop.
        let _ = self.around.interrupt.sleep(&*self.around.clock, pause);
        Ok(())
    }

    fn carry_out(&mut self, taken: Vec<QueuedFetch>, total: &mut Total) -> Result<()> {
        total.started.get_or_insert(self.now());
        let mut by_connection: BTreeMap<String, Vec<QueuedFetch>> = BTreeMap::new();
        for fetch in taken {
            by_connection
                .entry(fetch.connection.clone())
                .or_default()
                .push(fetch);
        }
        for (connection, fetches) in by_connection {
            match self.fetcher(&connection) {
                Ok(()) => self.fetch(&connection, fetches, total)?,
                // It is the configuration, not the patient: nothing is given up.
                Err(error) => {
                    tracing::error!(%connection, error = causes(&error), "can't fetch for this connection");
                    for fetch in &fetches {
                        self.retry(fetch)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes the connection's fetcher where there is none yet.
    fn fetcher(&mut self, connection: &str) -> Result<()> {
        if self.fetchers.contains_key(connection) {
            return Ok(());
        }
        let settings = self.connections.get(connection).ok_or_else(|| {
            crate::config::ConfigError::UnknownConnection {
                name: connection.to_owned(),
                known: self.connections.keys().cloned().collect(),
            }
        })?;
        let options = FetchOptions::new(&self.spool);
        let fetcher = Fetcher::new(settings, self.around, options)?;
        self.fetchers.insert(connection.to_owned(), fetcher);
        Ok(())
    }

    fn fetch(
        &mut self,
        connection: &str,
        fetches: Vec<QueuedFetch>,
        total: &mut Total,
    ) -> Result<()> {
        let read = read_all(&self.fetchers[connection], fetches, self.store);
        let (mut there, mut gathered) = (Vec::new(), Vec::new());
        let mut unreadable = None;
        for (fetch, read) in read {
            match read {
                Read::There(record) => {
                    there.push(fetch);
                    gathered.push(record);
                }
                // A first load has the store for itself: that is no fault of the fetch.
                Read::Failed(FetchError::Store(error)) if error.kind() == ErrorKind::Running => {
                    self.give_back(&[fetch])?;
                    let _ = self.around.interrupt.sleep(&*self.around.clock, PAUSE);
                }
                // Who waits for the end of it would wait until all are given up.
                Read::Failed(FetchError::Store(error)) if self.options.drain => {
                    self.give_back(&[fetch])?;
                    unreadable = Some(*error);
                }
                Read::Failed(error) => self.failed(&fetch, &error)?,
            }
        }
        if let Some(error) = unreadable {
            self.give_back(&there)?;
            return Err(error);
        }
        if there.is_empty() {
            return Ok(());
        }
        let stored = self.store(connection, &gathered);
        let summary = match stored {
            Ok(Some(summary)) if summary.state == RunState::Completed => summary,
            Ok(other) => {
                // It was stopped, or there was no place in the queue for the store.
                self.give_back(&there)?;
                if let Some(summary) = other {
                    total.add(&summary);
                }
                return Ok(());
            }
            Err(error) => {
                // Who waits for the end of it would wait for ever.
                if self.options.drain {
                    self.give_back(&there)?;
                    return Err(error);
                }
                tracing::error!(%connection, error = causes(&error), "what was fetched can't be stored");
                for fetch in &there {
                    self.retry(fetch)?;
                }
                return Ok(());
            }
        };
        total.add(&summary);
        for (fetch, record) in there.iter().zip(&gathered) {
            let began = record.since().map(millis);
            self.state
                .finish_fetch(&self.worker, fetch, began, &summary.run)?;
            let waited_ms = self.now() - fetch.queued;
            let counts = record.counts();
            tracing::info!(
                %connection,
                fetch = fetch.id,
                waited_ms,
                resources = counts.resources,
                missing = counts.missing,
                refused = counts.refused,
                "a patient was fetched"
            );
        }
        Ok(())
    }

    /// Writes what was read; `None` where another process has the store for so
    /// long that the fetches are better done anew.
    fn store(&self, connection: &str, gathered: &[Gathered]) -> Result<Option<RunSummary>> {
        let clock = &*self.around.clock;
        let mut waited = Duration::ZERO;
        let mut store = loop {
            match self.store.open() {
                Ok(store) => break store,
                Err(Error::Store(StoreError::Locked { .. })) if waited < PATIENCE => {
                    if !self.around.interrupt.sleep(clock, PAUSE) {
                        return Ok(None);
                    }
                    waited += PAUSE;
                }
                Err(Error::Store(StoreError::Locked { .. })) => return Ok(None),
                Err(error) => return Err(error),
            }
        };
        let mut options = self.fetchers[connection].load_options(self.around.run_id());
        options.kind = "adt";
        options.threads = self.options.threads;
        let load = fetch::load(options, gathered).interrupted_by(self.around.interrupt.clone());
        load.run(&mut *store, clock, &mut ()).map(Some)
    }

    fn give_back(&mut self, fetches: &[QueuedFetch]) -> Result<()> {
        let (state, worker) = (&mut self.state, &self.worker);
        fetches
            .iter()
            .try_for_each(|fetch| state.return_fetch(worker, fetch))
    }

    fn failed(&mut self, fetch: &QueuedFetch, error: &FetchError) -> Result<()> {
        if error.is_interrupted() {
            return self.state.return_fetch(&self.worker, fetch);
        }
        // Of who we are, all fetches would fail alike: that is no fault of theirs.
        let is_ours = matches!(error, FetchError::Http(error) if http_kind(error) == ErrorKind::Authentication);
        let lasts = !error.is_transient() && !is_ours;
        let connection = &fetch.connection;
        let problem = causes(error);
        if !lasts && fetch.attempts + 1 < self.options.attempts {
            tracing::warn!(%connection, fetch = fetch.id, attempt = fetch.attempts + 1, error = problem, "a fetch failed and is tried again");
            return self.retry(fetch);
        }
        let reason = reason(error);
        tracing::warn!(%connection, fetch = fetch.id, reason, error = problem, "a fetch became a dead letter");
        let detail = match error.hint() {
            Some(hint) => format!("{problem}; {hint}"),
            None => problem,
        };
        let now = self.now();
        self.state
            .bury_fetch(&self.worker, fetch, now, reason, &detail)
    }

    /// Later.
    fn retry(&mut self, fetch: &QueuedFetch) -> Result<()> {
        let wait = retry_wait(fetch.attempts, &*self.around.random);
        let due = self.now() + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        self.state.retry_fetch(&self.worker, fetch, due)
    }

    fn show_dead_letters(&mut self, moment: Option<i64>) {
        let random = &*self.around.random;
        self.shown.keep_up(&self.state, self.store, moment, random);
    }

    fn now(&self) -> i64 {
        millis(self.around.clock.now())
    }
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Milliseconds between two looks at the queue.
const LOOK: u64 = 100;
/// Between two attempts to open a store that another process writes.
const PAUSE: Duration = Duration::from_millis(200);
/// After the state database has failed.
const STATE_PAUSE: Duration = Duration::from_secs(1);
/// For how long what was fetched waits for the store.
const PATIENCE: Duration = Duration::from_secs(600);
