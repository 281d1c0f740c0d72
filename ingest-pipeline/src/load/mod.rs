//! Files into a store.

mod aside;
mod batch;
mod pump;
mod settle;
mod spool;
mod worker;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use fhir_normalize::Settings;
use fhir_store::{NewRun, RunState, Store};

use crate::clock::millis;
use crate::source::{Files, Input, Source};
use crate::{Clock, Error, Event, Observer, Result, RunSummary};
use worker::Aliases;
use writer::Writer;

/// How a load is done.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// What the run is called in the store's list: `load`, `bulk`.
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
            spool: spool.into(),
        }
    }
}

/// Asks a job to stop. Clones ask the same job.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Nothing asked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks: what is under way is committed, nothing new is begun.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// One that is asked for by setting `flag`, such as a signal handler's.
    #[must_use]
    pub const fn from_flag(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// The flag behind it, for signal handlers: true asks to stop.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether it was asked for.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
    cancel: Cancel,
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
            cancel: Cancel::new(),
        }
    }

    /// The same load, stopped by `cancel`.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// The handle that stops the load.
    #[must_use]
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
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
        let (options, cancel) = (&self.options, &self.cancel);
        let mut writer = Writer::new(store, options, clock, observer, cancel);
        let result = transfer(self.source.as_mut(), &mut writer);
        let state = match &result {
            Err(_) => RunState::Failed,
            Ok(()) if cancel.is_cancelled() => RunState::Interrupted,
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
    if writer.cancel.is_cancelled() {
        return writer.commit();
    }
    // Before the settling, so that what waited, deletions too, meets
    // versions whose references are right.
    writer.repoint(&aliases)?;
    writer.settle(&aliases)?;
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
    let text = serde_json::to_string(&summary).unwrap_or_default();
    let closed = writer.store.finish_run(
        run,
        state,
        millis(finished),
        &counts,
        error.as_deref(),
        Some(&text),
    );
    // The first fault is the one to tell.
    result?;
    closed?;
    writer.observer.event(&Event::Finished(&summary));
    Ok(summary)
}
