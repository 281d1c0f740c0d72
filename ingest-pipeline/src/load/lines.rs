//! Lines that are known from an earlier load, without parsing them.
//!
//! The store has a digest of the line that each current resource was made from,
//! in the order they were written. An input that is read again comes in that
//! order, so a window over the digests is moved along with it.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::Hasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fhir_store::{KnownLine, KnownLines, LineDigest, Store};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::LoadOptions;
use crate::Result;
use crate::source::{Chunk, Content};

/// Makes digests of lines.
///
/// It is SipHash with 128 bits, under a key that only the store has: a source
/// can't make a line that passes for another one. The key is made from that of
/// the store and the fingerprint of the rules, so that under other rules no
/// line is known.
#[derive(Clone)]
pub(crate) struct LineHasher {
    key: [u8; 16],
}

impl LineHasher {
    /// For a store that keeps digests.
    pub(crate) fn of(store: &mut dyn Store, options: &LoadOptions) -> Result<Option<Self>> {
        let Some(key) = store.line_key()? else {
            return Ok(None);
        };
        let under_key = Self { key };
        Ok(Some(Self {
            key: under_key.digest(&options.settings.fingerprint()),
        }))
    }

    /// The digest of a line without the white space around it.
    pub(crate) fn digest(&self, line: &[u8]) -> LineDigest {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(line);
        hasher.finish128().as_bytes()
    }
}

/// What the writer tells the reader.
#[derive(Debug, Default)]
pub(crate) struct Guide {
    /// No line is known any more: what is stored of them has to be corrected.
    stopped: AtomicBool,
    /// Where the writer has found the last resource, and so where the lines
    /// after it may be known.
    position: AtomicU64,
}

impl Guide {
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn show(&self, sequence: u64) {
        self.position.store(sequence, Ordering::Relaxed);
    }
}

/// The lines of a chunk that are known.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) lines: Vec<Marked>,
    /// The chunk has no others.
    pub(crate) all: bool,
}

/// A line of a chunk that is known.
#[derive(Debug)]
pub(crate) struct Marked {
    /// Where it begins in the chunk.
    pub(crate) start: usize,
    pub(crate) line: KnownLine,
}

/// Finds lines that are known.
pub(crate) struct Recognizer {
    hasher: LineHasher,
    lines: Box<dyn KnownLines>,
    guide: Arc<Guide>,
    limit: usize,
    /// The next of them, in order.
    window: VecDeque<KnownLine>,
    /// Number of a digest in the window, counted from the first that ever was.
    /// Only those below `placed` are here: as long as each line is the next of
    /// the window, nobody asks where the others are.
    places: HashMap<LineDigest, u64>,
    /// Number of the first of the window.
    first: u64,
    placed: u64,
    /// Sequence number from which on nothing was read.
    next: u64,
    /// How many are read at a time; more where it was of use.
    step: usize,
    ended: bool,
    /// Lines in a row that were not known, …
    missed: usize,
    /// … and how many it takes to look elsewhere. Each time that is in vain it
    /// takes more.
    patience: usize,
    /// Where the guide was at the last move.
    shown: u64,
}

impl Recognizer {
    /// For a store that knows lines of the source, by digests of `hasher`.
    pub(crate) fn of(
        store: &mut dyn Store,
        options: &LoadOptions,
        hasher: LineHasher,
        guide: &Arc<Guide>,
    ) -> Result<Option<Self>> {
        let lines = store.known_lines(&options.settings.source_system)?;
        Ok(lines.map(|lines| Self {
            hasher,
            lines,
            guide: Arc::clone(guide),
            limit: options.max_line,
            window: VecDeque::new(),
            places: HashMap::new(),
            first: 0,
            placed: 0,
            next: 0,
            step: FIRST_STEP,
            ended: false,
            missed: 0,
            patience: PATIENCE,
            shown: 0,
        }))
    }

    /// The lines of a chunk that are known.
    pub(crate) fn mark(&mut self, chunk: &Chunk) -> Known {
        let mut known = Known::default();
        let stopped = || self.guide.stopped.load(Ordering::Relaxed);
        if chunk.content != Content::Lines || stopped() || !self.may_find() {
            return known;
        }
        let mut lines = 0;
        let data = &chunk.data;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', data).chain([data.len()]) {
            let line = data[start..end].trim_ascii();
            lines += usize::from(!line.is_empty());
            if !line.is_empty() && line.len() <= self.limit {
                // Without the store there is no need to know.
                let Ok(found) = self.find(line) else {
                    self.guide.stop();
                    return known;
                };
                if let Some(line) = found
                    && chunk
                        .resource_type
                        .is_none_or(|expected| *expected == *line.resource_type)
                {
                    known.lines.push(Marked { start, line });
                }
            }
            start = end + 1;
        }
        known.all = known.lines.len() == lines;
        known
    }

    fn find(&mut self, line: &[u8]) -> Result<Option<KnownLine>> {
        if self.window.len() < self.step / 2 {
            self.fill()?;
        }
        if !self.may_find() {
            return Ok(None);
        }
        let digest = self.hasher.digest(line);
        let Some(skipped) = self.skipped(&digest) else {
            self.missed += 1;
            if self.missed >= self.patience && self.may_move() {
                self.patience = (self.patience * 2).min(MOST_PATIENCE);
                self.move_to_guide();
            }
            return Ok(None);
        };
        for _ in 0..skipped {
            self.pop();
        }
        self.missed = 0;
        self.patience = PATIENCE;
        self.step = (self.step * 2).min(WINDOW);
        Ok(self.pop())
    }

    /// How many in the window come before the one with this digest.
    fn skipped(&mut self, digest: &LineDigest) -> Option<u64> {
        if self.window.front()?.digest == *digest {
            return Some(0);
        }
        for place in self.placed.max(self.first)..self.first + self.window.len() as u64 {
            let line = &self.window[(place - self.first) as usize];
            self.places.insert(line.digest, place);
            self.placed = place + 1;
        }
        Some(self.places.get(digest)? - self.first)
    }

    fn pop(&mut self) -> Option<KnownLine> {
        let line = self.window.pop_front()?;
        if self.first < self.placed {
            self.places.remove(&line.digest);
        }
        self.first += 1;
        Some(line)
    }

    fn fill(&mut self) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        let wanted = self.step - self.window.len();
        let mut lines = Vec::with_capacity(wanted);
        self.lines.read(self.next, wanted, &mut lines)?;
        self.ended = lines.len() < wanted;
        for line in lines {
            self.next = line.sequence + 1;
            self.window.push_back(line);
        }
        Ok(())
    }

    /// Whether there may be lines that are known; not where the store is new.
    fn may_find(&self) -> bool {
        !(self.window.is_empty() && self.ended) || self.may_move()
    }

    fn may_move(&self) -> bool {
        self.guide.position.load(Ordering::Relaxed) != self.shown
    }

    /// The input goes on elsewhere than it did.
    fn move_to_guide(&mut self) {
        self.shown = self.guide.position.load(Ordering::Relaxed);
        self.missed = 0;
        self.window.clear();
        self.places.clear();
        self.first = 0;
        self.placed = 0;
        self.next = self.shown;
        // What the reader has in hand is further on than what the writer has seen.
        self.step = WINDOW;
        self.ended = false;
    }
}

/// Digests that are kept at a time, some 3 MiB with what belongs to them.
const WINDOW: usize = 16_384;
const FIRST_STEP: usize = 256;
const PATIENCE: usize = 1_024;
/// To parse so many takes several times as long as to look elsewhere.
const MOST_PATIENCE: usize = 32_768;
