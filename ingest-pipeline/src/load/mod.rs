//! Files into a store.

mod aside;
mod batch;
mod cause;
mod dealer;
mod ids;
mod known;
mod lines;
mod link;
mod merge;
mod pool;
mod pump;
mod reader;
mod refuse;
mod scout;
mod settle;
mod spool;
mod unproved;
mod worker;
mod writer;

use std::path::PathBuf;
use std::time::SystemTime;

use fhir_normalize::Settings;
use fhir_store::{Error as StoreError, NewRun, RunState, Store};

use crate::clock::millis;
use crate::source::{Files, Input, Source};
use crate::{Clock, Error, Event, Interrupt, Observer, Result, RunSummary};
use worker::Aliases;
use writer::Writer;

pub(crate) use cause::Cause;
pub use cause::{MergedPatient, TriggerMessage};
#[cfg(feature = "adt")]
pub(crate) use ids::StoreIds;
#[cfg(feature = "adt")]
pub(crate) use link::{replaced_by, with_link};

/// How a load is done.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// What the run is called in the store's list: `load`, `bulk`, `fetch`.
    pub kind: &'static str,
    /// When the run began, where that was before the load.
    pub started: Option<SystemTime>,
    /// Name of the connection the input comes from, where it has one.
    pub connection: Option<String>,
    /// How resources of the source are normalized.
    pub settings: Settings,
    /// Id of the run, see [`run_id`](crate::run_id).
    pub run: String,
    /// Display name of the Provenance agent.
    pub organization: String,
    /// The longest line, or JSON document, that is taken, in bytes.
    pub max_line: usize,
    /// Threads that parse; the store is written by the calling one.
    pub threads: usize,
    /// Whether lines that the store knows are passed over without parsing them.
    /// It makes no difference but to the time it takes.
    pub recognize: bool,
    /// Folder for temporary files, which hold patient data for the length of
    /// the run. The one of the store is a good choice.
    pub spool: PathBuf,
}

impl LoadOptions {
    /// Options with limits as in the contract: lines up to 64 MiB, agent
    /// `ingest`, one thread.
    #[must_use]
    pub fn new(settings: Settings, run: impl Into<String>, spool: impl Into<PathBuf>) -> Self {
        Self {
            kind: "load",
            started: None,
            connection: None,
            settings,
            run: run.into(),
            organization: "ingest".to_owned(),
            max_line: 64 << 20,
            threads: 1,
            recognize: true,
            spool: spool.into(),
        }
    }
}

/// A load of files into a store.
///
/// Every record is normalized, compared with the store by its content hash
/// and written with a Provenance where it is new; loading the same input again
/// changes nothing. One bad record goes to the quarantine, one bad file makes
/// the run partial, and neither stops it.
pub struct Load<'a> {
    options: LoadOptions,
    source: Box<dyn Source + 'a>,
    interrupt: Interrupt,
}

impl<'a> Load<'a> {
    /// A load of `inputs`, in this order.
    #[must_use]
    pub fn new(options: LoadOptions, inputs: &'a [Input]) -> Self {
        Self::from_source(options, Files::new(inputs))
    }

    /// A load of the files that `source` gives, as it gives them.
    #[must_use]
    pub fn from_source(options: LoadOptions, source: impl Source + 'a) -> Self {
        Self {
            options,
            source: Box::new(source),
            interrupt: Interrupt::new(),
        }
    }

    /// The same load, stopped by `interrupt`: what is under way is committed,
    /// nothing new is begun.
    #[must_use]
    pub fn interrupted_by(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// What stops the load, as [`interrupted_by`](Self::interrupted_by).
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Runs the load to its end.
    ///
    /// Runs of a process that died are marked as interrupted first. Whatever
    /// was committed before stays, and the next load of the same input
    /// finishes the work.
    ///
    /// # Errors
    /// When the store or a temporary file fails, which ends the run in state
    /// `failed`. Bad input is no error.
    pub fn run(
        mut self,
        store: &mut dyn Store,
        clock: &dyn Clock,
        observer: &mut dyn Observer,
    ) -> Result<RunSummary> {
        let now = clock.now();
        let started = self.options.started.unwrap_or(now);
        store.interrupt_stale_runs(millis(now))?;
        store.start_run(&NewRun {
            id: &self.options.run,
            connection: self.options.connection.as_deref(),
            kind: self.options.kind,
            source_system: &self.options.settings.source_system,
            started: millis(started),
        })?;
        store.flush()?;
        let (files, bytes) = self.source.extent();
        observer.event(&Event::Started {
            run: &self.options.run,
            bytes,
            files,
        });
        let (options, interrupt) = (&self.options, &self.interrupt);
        let mut writer = Writer::new(store, options, clock, observer, interrupt);
        let result = transfer(self.source.as_mut(), &mut writer);
        let (result, stopped) = match result {
            // A store on a server was told to stop while it waited for it.
            Err(Error::Store(StoreError::Interrupted)) => (Ok(()), true),
            result => (result, interrupt.is_interrupted()),
        };
        let state = match &result {
            Err(_) => RunState::Failed,
            Ok(()) if stopped => RunState::Interrupted,
            Ok(()) if writer.refusal.is_some() => RunState::Partial,
            Ok(()) => RunState::Completed,
        };
        finish(writer, result, state, started, &options.run)
    }
}

fn transfer(source: &mut dyn Source, writer: &mut Writer<'_>) -> Result<()> {
    let source_system = &writer.options.settings.source_system;
    let aliases = Aliases::new(writer.store.aliases(source_system)?);
    // What a run that died has left to do.
    writer.repoint(&aliases)?;
    pump::pump(source, writer, &aliases)?;
    if writer.interrupt.is_interrupted() {
        return writer.commit();
    }
    // Before the settling, so that what waited, deletions too, meets
    // versions whose references are right.
    writer.repoint(&aliases)?;
    writer.settle(&aliases)?;
    if !writer.interrupt.is_interrupted() {
        writer.mark_merged(&aliases)?;
    }
    if !writer.interrupt.is_interrupted() {
        writer.settle_store()?;
    }
    if writer.tally.balances() {
        Ok(())
    } else {
        Err(Error::Accounting)
    }
}

/// Closes the run, also where it failed, and gives its summary.
fn finish(
    mut writer: Writer<'_>,
    result: Result<()>,
    state: RunState,
    started: SystemTime,
    run: &str,
) -> Result<RunSummary> {
    let finished = writer.clock.now();
    let elapsed = finished
        .duration_since(started)
        .unwrap_or_default()
        .as_millis();
    let tally = std::mem::take(&mut writer.tally);
    let counts = tally.counts();
    let elapsed_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
    let failed = result.as_ref().err().map(ToString::to_string);
    let error = failed.or(writer.refusal.take());
    let mut summary = tally.summary(run.to_owned(), state, elapsed_ms);
    summary.error.clone_from(&error);
    // The summary is numbers and text, which always serialize.
    let text = |summary: &RunSummary| serde_json::to_string(summary).unwrap_or_default();
    let mut close = |state, text: &str| {
        let (finished, error) = (millis(finished), error.as_deref());
        writer
            .store
            .finish_run(run, state, finished, &counts, error, Some(text))
    };
    let mut closed = close(state, &text(&summary));
    if matches!(closed, Err(StoreError::Interrupted)) {
        summary.state = RunState::Interrupted;
        closed = close(RunState::Interrupted, &text(&summary));
    }
    // The first fault is the one to tell.
    result?;
    closed?;
    summary.told(writer.store.report()?);
    writer.observer.event(&Event::Finished(&summary));
    Ok(summary)
}
