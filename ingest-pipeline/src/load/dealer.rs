//! The thread that recognizes lines and deals chunks to the workers.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use fhir_normalize::{Normalizer, Settings};

use super::Cause;
use super::lines::{Marked, Recognizer};
use super::pool::Pool;
use super::reader::Piece;
use super::scout::Scout;
use super::worker::Aliases;
use crate::Interrupt;
use crate::source::{Chunk, FileRefused, Proof};

/// From the dealer to a worker.
pub(super) enum Job {
    File(String, Option<Arc<Cause>>, Option<Arc<Proof>>),
    /// From here on, the file may be written.
    Proved,
    Refused(FileRefused),
    /// Patients that are known by their medical record number from here on.
    Patients(Vec<String>),
    Chunk(Chunk, Vec<Marked>),
    /// Lets go of it when everything before is done.
    Wait(Sender<()>),
}

/// Deals in turn, which is also how the writer takes back what is done.
///
/// A gzip stream that was not read to its end yet may turn out to be damaged.
/// Lines that are known need no proof that it isn't, since they change nothing:
/// the proof is asked for by the first that isn't known. So a stream is decoded
/// twice only where it has news. A file with news is seldom alone: while it is
/// written, the one after it is proved.
pub(super) struct Dealer<'a> {
    pub(super) interrupt: &'a Interrupt,
    pub(super) pool: &'a Pool,
    pub(super) jobs: Vec<SyncSender<Job>>,
    /// Where lines may be known.
    pub(super) recognizer: Option<Recognizer>,
    pub(super) turn: usize,
    /// All files so far have patients at the front.
    pub(super) patients: bool,
    /// Of the file, while it is open whether all of it can be had.
    pub(super) proof: Option<Arc<Proof>>,
    /// Of the file after it, until it is asked for.
    pub(super) coming: Option<Arc<Proof>>,
    /// To the thread that proves what is coming.
    pub(super) early: Sender<Arc<Proof>>,
    pub(super) refused: bool,
    pub(super) aliases: &'a Aliases,
    /// Of the file, until it has news.
    pub(super) scout: Option<Scout>,
    /// For what scouts find, from the first on.
    pub(super) normalizer: Option<Normalizer>,
    pub(super) settings: &'a Settings,
}

impl Dealer<'_> {
    pub(super) fn run(mut self, pieces: &Receiver<Piece>) {
        while let Ok(piece) = pieces.recv() {
            if !self.deal(piece) {
                return;
            }
        }
    }

    /// Whether to go on.
    fn deal(&mut self, piece: Piece) -> bool {
        match piece {
            Piece::File(file) => {
                // Once those at the front are through, nearly every reference
                // to a patient can be resolved as it comes by.
                if self.patients && file.others {
                    self.patients = false;
                    if !self.wait_for_workers() {
                        return false;
                    }
                }
                self.refused = false;
                self.proof.clone_from(&file.proof);
                self.coming = file.coming;
                self.scout = file.scout;
                self.send(Job::File(file.name, file.cause, file.proof))
            }
            Piece::Chunk(chunk) if self.refused => {
                self.pool.put_buffer(chunk.data);
                true
            }
            Piece::Chunk(chunk) => self.chunk(chunk),
            Piece::Refused(refused) => {
                self.prove() && (self.refused || self.send(Job::Refused(refused)))
            }
            Piece::End => self.prove(),
        }
    }

    fn chunk(&mut self, chunk: Chunk) -> bool {
        let known = self.recognizer.as_mut().map(|own| own.mark(&chunk));
        let known = known.unwrap_or_default();
        if !known.all && !self.begin_news() {
            return false;
        }
        if self.refused {
            self.pool.put_buffer(chunk.data);
            return true;
        }
        self.send(Job::Chunk(chunk, known.lines))
    }

    /// What is to be known of a file before any news of it is written. Whether to
    /// go on.
    fn begin_news(&mut self) -> bool {
        let patients = self.scout.take().map(|scout| {
            let make = || Normalizer::new(self.settings.clone());
            let normalizer = self.normalizer.get_or_insert_with(make);
            let (patients, whole) = scout.run(normalizer, || !self.interrupt.is_interrupted());
            if let Some(proof) = self.proof.as_ref().filter(|_| whole) {
                proof.read_to_its_end();
            }
            patients
        });
        if !self.prove() {
            return false;
        }
        if let Some(coming) = self.coming.take() {
            // Without that thread it is proved when its turn has come.
            let _ = self.early.send(coming);
        }
        match patients {
            // None are taken of a file that is damaged.
            Some(patients) if !self.refused => {
                let new = self.aliases.add(patients);
                self.send(Job::Patients(new))
            }
            _ => true,
        }
    }

    /// Makes sure that all of the file can be had, and refuses it where not.
    /// Whether to go on.
    fn prove(&mut self) -> bool {
        let Some(proof) = self.proof.take() else {
            return true;
        };
        match proof.look(|| !self.interrupt.is_interrupted()) {
            Some(Ok(())) => self.send(Job::Proved),
            Some(Err(refused)) => {
                self.refused = true;
                self.send(Job::Refused(refused))
            }
            None => false,
        }
    }

    /// Waits until all chunks dealt so far are normalized; whether to go on.
    fn wait_for_workers(&mut self) -> bool {
        let (held, released) = mpsc::channel();
        for _ in 0..self.jobs.len() {
            if !self.send(Job::Wait(held.clone())) {
                return false;
            }
        }
        drop(held);
        // Nothing is ever sent: the channel closes when the last worker drops
        // its end, also where it has gone.
        while released.recv().is_ok() {}
        true
    }

    fn send(&mut self, job: Job) -> bool {
        // The channel is closed when the writer has given up.
        let sent = self.jobs[self.turn].send(job).is_ok();
        self.turn = (self.turn + 1) % self.jobs.len();
        sent && !self.interrupt.is_interrupted()
    }
}
