//! The threads of a load.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::batch::Batch;
use super::known::Accepted;
use super::lines::{LineHasher, Marked, Recognizer};
use super::worker::{Aliases, Worker};
use super::writer::Writer;
use super::{Cause, LoadOptions};
use crate::source::{self, Chunk, Chunks, FileRefused, Source, Supply};
use crate::{Event, Interrupt, Result};

/// One thread reads, some parse, and this one writes. Chunks are dealt to
/// the workers in turn and taken back in turn, which keeps their order.
pub(super) fn pump(
    source: &mut dyn Source,
    writer: &mut Writer<'_>,
    aliases: &Aliases,
) -> Result<()> {
    let (options, interrupt) = (writer.options, writer.interrupt);
    let position = Arc::new(AtomicU64::new(0));
    let pool = Pool::default();
    writer.accepted = Accepted::new(aliases);
    let hasher = LineHasher::of(writer.store, options)?;
    let recognizer = match hasher.clone().filter(|_| options.recognize) {
        Some(hasher) => Recognizer::of(writer.store, options, hasher, &writer.guide)?,
        None => None,
    };
    let worker = || Worker::new(&options.settings, aliases, options.max_line, hasher.clone());
    thread::scope(|scope| {
        let mut jobs = Vec::new();
        let mut done = Vec::new();
        for _ in 0..options.threads.max(1) {
            let (send_job, take_job) = sync_channel(1);
            let (send_done, take_done) = sync_channel(1);
            jobs.push(send_job);
            done.push(take_done);
            let worker = worker();
            let pool = &pool;
            scope.spawn(move || work(worker, pool, &take_job, &send_done));
        }
        let reader = Reader {
            source,
            options,
            interrupt,
            pool: &pool,
            position: &position,
            jobs,
            recognizer,
        };
        let mut again = Again {
            make: &worker,
            worker: None,
            aliases,
        };
        scope.spawn(move || reader.run());
        for turn in (0..done.len()).cycle() {
            let message = loop {
                match done[turn].recv_timeout(TICK) {
                    Ok(message) => break Some(message),
                    // The reader has come to its end.
                    Err(RecvTimeoutError::Disconnected) => break None,
                    Err(RecvTimeoutError::Timeout) => progress(writer, &position),
                }
            };
            let Some(message) = message else {
                break;
            };
            // Dropping the channels on an error stops all the others.
            let taken = again.where_changed(writer, message).and_then(|message| {
                if let Done::Batch(batch) = &message {
                    writer.late.watch(&writer.state, batch, aliases);
                }
                take(writer, message, &position, &pool)
            });
            if let Err(error) = taken {
                drop(done);
                return Err(error);
            }
        }
        Ok(())
    })
}

fn take(writer: &mut Writer<'_>, message: Done, position: &AtomicU64, pool: &Pool) -> Result<()> {
    match message {
        Done::File(name, cause) => {
            writer.observer.event(&Event::File { name: &name });
            writer.begin(name, cause);
        }
        Done::Refused(FileRefused(reason)) => {
            writer.tally.refused_files += 1;
            let first = || format!("{}: {reason}", writer.file);
            writer.refusal = writer.refusal.take().or_else(|| Some(first()));
            writer.observer.event(&Event::FileRefused {
                file: &writer.file,
                reason: &reason,
            });
        }
        Done::Waited => {}
        Done::Batch(batch) => {
            writer.write(&batch)?;
            progress(writer, position);
            pool.put(*batch);
        }
    }
    Ok(())
}

fn progress(writer: &mut Writer<'_>, position: &AtomicU64) {
    writer.observer.event(&Event::Progress {
        bytes: position.load(Ordering::Relaxed),
        resources: writer.tally.resources(),
        by_type: &writer.tally.by_type,
    });
}

/// How often an observer hears of a load that waits for its source.
const TICK: Duration = Duration::from_secs(1);

/// Parses what was taken for known and is not, which is seldom.
struct Again<'a, M> {
    make: &'a M,
    worker: Option<Worker<'a>>,
    aliases: &'a Aliases,
}

impl<'a, M: Fn() -> Worker<'a>> Again<'a, M> {
    fn where_changed(&mut self, writer: &mut Writer<'_>, message: Done) -> Result<Done> {
        let Done::Batch(mut batch) = message else {
            return Ok(message);
        };
        if !writer.confirms(&batch, self.aliases)? {
            let worker = self.worker.get_or_insert_with(self.make);
            let chunk = Chunk {
                content: source::Content::Lines,
                data: std::mem::take(&mut batch.data),
                offset: batch.offset,
                document: false,
                resource_type: batch.expected,
            };
            // They are found once.
            let aliases = std::mem::take(&mut batch.aliases);
            worker.process(chunk, &[], &mut batch);
            batch.aliases.extend(aliases);
            // It knows patients that were found since the others parsed theirs.
            writer.look_for_stale(self.aliases)?;
        }
        Ok(Done::Batch(batch))
    }
}

/// From the reader to a worker.
enum Job {
    File(String, Option<Arc<Cause>>),
    Refused(FileRefused),
    Chunk(Chunk, Vec<Marked>),
    /// Lets go of it when everything before is done.
    Wait(Sender<()>),
}

/// From a worker to the writer.
enum Done {
    File(String, Option<Arc<Cause>>),
    Refused(FileRefused),
    Batch(Box<Batch>),
    Waited,
}

struct Reader<'a> {
    source: &'a mut dyn Source,
    options: &'a LoadOptions,
    interrupt: &'a Interrupt,
    pool: &'a Pool,
    position: &'a Arc<AtomicU64>,
    jobs: Vec<SyncSender<Job>>,
    /// Where lines may be known.
    recognizer: Option<Recognizer>,
}

impl Reader<'_> {
    fn run(mut self) {
        let mut turn = 0;
        // The channel is closed when the writer has given up.
        let mut send = |job| {
            let sent = self.jobs[turn].send(job).is_ok();
            turn = (turn + 1) % self.jobs.len();
            sent && !self.interrupt.is_interrupted()
        };
        let mut patients = true;
        while let Some(supply) = self.source.next() {
            let input = match supply {
                Supply::File(input) => input,
                Supply::Missing { name, reason } => {
                    if send(Job::File(name, None)) && send(Job::Refused(FileRefused(reason))) {
                        continue;
                    }
                    return;
                }
            };
            // Once those at the front are through, nearly every reference to
            // a patient can be resolved as it comes by.
            if patients && !input.is_patients() {
                patients = false;
                if !wait_for_workers(self.jobs.len(), &mut send) {
                    return;
                }
            }
            if !send(Job::File(input.name(), input.cause.clone())) {
                return;
            }
            let spool = &self.options.spool;
            let mut chunks = match source::open(&input, spool, self.position) {
                Ok(reader) => Chunks::new(reader, &input, self.options.max_line),
                Err(refused) => {
                    if !send(Job::Refused(refused)) {
                        return;
                    }
                    continue;
                }
            };
            let recognizer = self.recognizer.as_mut();
            if !deal(&mut chunks, self.pool, recognizer, &mut send) {
                return;
            }
        }
    }
}

/// Waits until all chunks dealt so far are normalized; whether to go on.
fn wait_for_workers(workers: usize, send: &mut impl FnMut(Job) -> bool) -> bool {
    let (held, released) = mpsc::channel();
    for _ in 0..workers {
        if !send(Job::Wait(held.clone())) {
            return false;
        }
    }
    drop(held);
    // Nothing is ever sent: the channel closes when the last worker drops
    // its end, also where it has gone.
    while released.recv().is_ok() {}
    true
}

/// Deals a file out; whether to go on with the next.
fn deal<R: Read>(
    chunks: &mut Chunks<R>,
    pool: &Pool,
    mut recognizer: Option<&mut Recognizer>,
    send: &mut impl FnMut(Job) -> bool,
) -> bool {
    loop {
        match chunks.next(pool.buffer()) {
            Ok(Some(chunk)) => {
                let recognizer = recognizer.as_mut();
                let known = recognizer.map_or_else(Vec::new, |own| own.mark(&chunk));
                if !send(Job::Chunk(chunk, known)) {
                    return false;
                }
            }
            Ok(None) => return true,
            Err(refused) => return send(Job::Refused(refused)),
        }
    }
}

fn work(mut worker: Worker<'_>, pool: &Pool, jobs: &Receiver<Job>, done: &SyncSender<Done>) {
    while let Ok(job) = jobs.recv() {
        let message = match job {
            Job::File(name, cause) => Done::File(name, cause),
            Job::Refused(refused) => Done::Refused(refused),
            Job::Chunk(chunk, known) => {
                let mut batch = pool.take();
                worker.process(chunk, &known, &mut batch);
                Done::Batch(Box::new(batch))
            }
            Job::Wait(held) => {
                drop(held);
                Done::Waited
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
