//! Files into a store.

mod batch;
mod settle;
mod spool;
mod worker;
mod writer;

use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::SystemTime;

use fhir_normalize::Settings;
use fhir_store::{NewRun, RunState, Store};

use crate::clock::millis;
use crate::source::{self, Chunk, Chunks, FileRefused, Input};
use crate::{Clock, Error, Event, Observer, Result, RunSummary};
use batch::Batch;
use worker::{Aliases, Worker};
use writer::Writer;

/// How a load is done.
#[derive(Clone, Debug)]
pub struct LoadOptions {
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
#[derive(Debug)]
pub struct Load<'a> {
    options: LoadOptions,
    inputs: &'a [Input],
    cancel: Cancel,
}

impl<'a> Load<'a> {
    /// A load of `inputs`, in this order.
    #[must_use]
    pub fn new(options: LoadOptions, inputs: &'a [Input]) -> Self {
        Self {
            options,
            inputs,
            cancel: Cancel::new(),
        }
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
        self,
        store: &mut dyn Store,
        clock: &dyn Clock,
        observer: &mut dyn Observer,
    ) -> Result<RunSummary> {
        let started = clock.now();
        store.interrupt_stale_runs(millis(started))?;
        store.start_run(&NewRun {
            id: &self.options.run,
            connection: None,
            kind: "load",
            source_system: &self.options.settings.source_system,
            started: millis(started),
        })?;
        store.flush()?;
        observer.event(&Event::Started {
            run: &self.options.run,
            bytes: self.inputs.iter().map(|input| input.size).sum(),
            files: self.inputs.len(),
        });
        let mut writer = Writer::new(store, &self.options, clock, observer);
        let result = self.transfer(&mut writer);
        let state = match &result {
            Err(_) => RunState::Failed,
            Ok(()) if self.cancel.is_cancelled() => RunState::Interrupted,
            Ok(()) if writer.tally.refused_files > 0 => RunState::Partial,
            Ok(()) => RunState::Completed,
        };
        finish(writer, result, state, started, &self.options.run)
    }

    fn transfer(&self, writer: &mut Writer<'_>) -> Result<()> {
        let source_system = &self.options.settings.source_system;
        let aliases = Aliases::new(writer.store.aliases(source_system)?);
        // What a run that died has left to do.
        writer.repoint(&aliases)?;
        self.pump(writer, &aliases)?;
        if self.cancel.is_cancelled() {
            return writer.commit();
        }
        writer.settle(&aliases)?;
        writer.repoint(&aliases)?;
        if writer.tally.balances() {
            Ok(())
        } else {
            Err(Error::Accounting)
        }
    }

    /// One thread reads, some parse, and this one writes. Chunks are dealt to
    /// the workers in turn and taken back in turn, which keeps their order.
    fn pump(&self, writer: &mut Writer<'_>, aliases: &Aliases) -> Result<()> {
        let position = Arc::new(AtomicU64::new(0));
        let pool = Pool::default();
        thread::scope(|scope| {
            let mut jobs = Vec::new();
            let mut done = Vec::new();
            for _ in 0..self.options.threads.max(1) {
                let (send_job, take_job) = sync_channel(1);
                let (send_done, take_done) = sync_channel(1);
                jobs.push(send_job);
                done.push(take_done);
                let worker = Worker::new(&self.options.settings, aliases, self.options.max_line);
                let pool = &pool;
                scope.spawn(move || work(worker, pool, &take_job, &send_done));
            }
            let reader = Reader {
                load: self,
                pool: &pool,
                position: &position,
                jobs,
            };
            scope.spawn(move || reader.run());
            for turn in (0..done.len()).cycle() {
                // A closed channel: the reader has come to its end.
                let Ok(message) = done[turn].recv() else {
                    break;
                };
                // Dropping the channels on an error stops all the others.
                if let Err(error) = self.take(writer, message, &position, &pool) {
                    drop(done);
                    return Err(error);
                }
            }
            Ok(())
        })
    }

    fn take(
        &self,
        writer: &mut Writer<'_>,
        message: Done,
        position: &AtomicU64,
        pool: &Pool,
    ) -> Result<()> {
        match message {
            Done::File(name) => {
                writer.observer.event(&Event::File { name: &name });
                writer.file = name;
                writer.line = 0;
            }
            Done::Refused(FileRefused(reason)) => {
                writer.tally.refused_files += 1;
                writer.observer.event(&Event::FileRefused {
                    file: &writer.file,
                    reason: &reason,
                });
            }
            Done::Batch(batch) => {
                writer.write(&batch)?;
                writer.observer.event(&Event::Progress {
                    bytes: position.load(Ordering::Relaxed),
                    resources: writer.tally.resources(),
                });
                pool.put(*batch);
            }
        }
        Ok(())
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
    let summary = tally.summary(run.to_owned(), state, elapsed_ms);
    // The summary is numbers and names of types, which always serialize.
    let text = serde_json::to_string(&summary).unwrap_or_default();
    let error = result.as_ref().err().map(ToString::to_string);
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

/// From the reader to a worker.
enum Job {
    File(String),
    Refused(FileRefused),
    Chunk(Chunk),
}

/// From a worker to the writer.
enum Done {
    File(String),
    Refused(FileRefused),
    Batch(Box<Batch>),
}

struct Reader<'a, 'i> {
    load: &'a Load<'i>,
    pool: &'a Pool,
    position: &'a Arc<AtomicU64>,
    jobs: Vec<SyncSender<Job>>,
}

impl Reader<'_, '_> {
    fn run(self) {
        let mut turn = 0;
        // The channel is closed when the writer has given up.
        let mut send = |job| {
            let sent = self.jobs[turn].send(job).is_ok();
            turn = (turn + 1) % self.jobs.len();
            sent && !self.load.cancel.is_cancelled()
        };
        for input in self.load.inputs {
            if !send(Job::File(input.name())) {
                return;
            }
            let spool = &self.load.options.spool;
            let mut chunks = match source::open(input, spool, self.position) {
                Ok(reader) => Chunks::new(reader, input.document, self.load.options.max_line),
                Err(refused) => {
                    if !send(Job::Refused(refused)) {
                        return;
                    }
                    continue;
                }
            };
            if !self.chunks(&mut chunks, &mut send) {
                return;
            }
        }
    }

    /// Whether to go on with the next file.
    fn chunks<R: Read>(&self, chunks: &mut Chunks<R>, send: &mut impl FnMut(Job) -> bool) -> bool {
        loop {
            match chunks.next(self.pool.buffer()) {
                Ok(Some(chunk)) => {
                    if !send(Job::Chunk(chunk)) {
                        return false;
                    }
                }
                Ok(None) => return true,
                Err(refused) => return send(Job::Refused(refused)),
            }
        }
    }
}

fn work(mut worker: Worker<'_>, pool: &Pool, jobs: &Receiver<Job>, done: &SyncSender<Done>) {
    while let Ok(job) = jobs.recv() {
        let message = match job {
            Job::File(name) => Done::File(name),
            Job::Refused(refused) => Done::Refused(refused),
            Job::Chunk(chunk) => {
                let mut batch = pool.take();
                worker.process(chunk, &mut batch);
                Done::Batch(Box::new(batch))
            }
        };
        if done.send(message).is_err() {
            return;
        }
    }
}

/// Buffers that go round: with them, a run allocates only at its beginning.
#[derive(Default)]
struct Pool {
    batches: Mutex<Vec<Batch>>,
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// Larger ones are given back to the system: one long line must not be
    /// paid for until the end of the run.
    const KEPT: usize = 4 << 20;

    fn take(&self) -> Batch {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.pop().unwrap_or_default()
    }

    fn buffer(&self) -> Vec<u8> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.pop().unwrap_or_default()
    }

    fn put(&self, mut batch: Batch) {
        let data = std::mem::take(&mut batch.data);
        if data.capacity() <= Self::KEPT {
            self.buffers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(data);
        }
        if batch.text.capacity() <= Self::KEPT {
            self.batches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(batch);
        }
    }
}
