//! The threads of a load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use super::Cause;
use super::batch::Batch;
use super::dealer::{Dealer, Job};
use super::known::Accepted;
use super::lines::{LineHasher, Recognizer};
use super::pool::Pool;
use super::reader::Reader;
use super::worker::{Aliases, Worker};
use super::writer::Writer;
use crate::source::{self, Chunk, FileRefused, Proof, Source};
use crate::{Event, Interrupt, Result};

/// Chunks that are read and not yet looked at.
const READ: usize = 2;

/// One thread reads, one recognizes, some parse, and this one writes. Chunks
/// are dealt to the workers in turn and taken back in turn, which keeps their
/// order.
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
        let (send_piece, pieces) = sync_channel(READ);
        let reader = Reader {
            source,
            options,
            interrupt,
            pool: &pool,
            position: &position,
            pieces: send_piece,
        };
        let (early, asked) = mpsc::channel();
        let dealer = Dealer {
            interrupt,
            pool: &pool,
            jobs,
            recognizer,
            turn: 0,
            patients: true,
            proof: None,
            coming: None,
            early,
            refused: false,
            aliases,
            scout: None,
            normalizer: None,
            settings: &options.settings,
        };
        let mut again = Again {
            make: &worker,
            worker: None,
            aliases,
        };
        scope.spawn(move || reader.run());
        scope.spawn(move || dealer.run(&pieces));
        scope.spawn(move || prove(&asked, interrupt));
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

/// Looks whether streams are whole before anybody waits for it, as long as there
/// is somebody who may ask.
fn prove(asked: &Receiver<Arc<Proof>>, interrupt: &Interrupt) {
    while let Ok(proof) = asked.recv() {
        // The next is asked for when this one is known. One that came before
        // would be passed over, and proved by whoever needs it.
        let is_asked = || !matches!(asked.try_recv(), Err(TryRecvError::Disconnected));
        let going = || !interrupt.is_interrupted() && is_asked();
        let _ = proof.look(going);
    }
}

fn take(writer: &mut Writer<'_>, message: Done, position: &AtomicU64, pool: &Pool) -> Result<()> {
    match message {
        Done::File(name, cause, proof) => {
            writer.observer.event(&Event::File { name: &name });
            writer.begin(name, cause, proof);
        }
        Done::Proved => writer.proved(),
        Done::Refused(FileRefused(reason)) => writer.refuse_file(&reason),
        Done::Patients(patients) => writer.add_aliases(&patients)?,
        Done::Waited => {}
        Done::Batch(batch) if writer.is_refused() => pool.put(*batch),
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
        if !writer.confirms(&batch, self.aliases)? && writer.prove() {
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

/// From a worker to the writer.
enum Done {
    File(String, Option<Arc<Cause>>, Option<Arc<Proof>>),
    Proved,
    Refused(FileRefused),
    Patients(Vec<String>),
    Batch(Box<Batch>),
    Waited,
}

fn work(mut worker: Worker<'_>, pool: &Pool, jobs: &Receiver<Job>, done: &SyncSender<Done>) {
    while let Ok(job) = jobs.recv() {
        let message = match job {
            Job::File(name, cause, proof) => Done::File(name, cause, proof),
            Job::Proved => Done::Proved,
            Job::Refused(refused) => Done::Refused(refused),
            Job::Patients(patients) => Done::Patients(patients),
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
