//! Canonical form of texts whose shape is known: what is copied from where is
//! the same for all of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use crate::document::Document;
use crate::edits::{Change, Edits, Operation};
use crate::emit::Job;
use crate::form::Shape;
use crate::sink::Sink;
use crate::value::Kind;

/// Plans made before, by a hash of what they are for.
#[derive(Debug, Default)]
pub(crate) struct Plans(HashMap<u64, Plan, BuildHasherDefault<Hashed>>);

/// Takes a hash for what it is.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0 << 8 | u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How texts of one shape, all with changes of the same kinds at the same
/// places, are written in canonical form.
#[derive(Debug)]
pub(crate) struct Plan {
    shape: Shape,
    operations: Vec<(u32, Concerns)>,
    pieces: Vec<Piece>,
    /// What neither stands in the text nor in the changes.
    constants: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concerns {
    Replace,
    Omit,
}

/// What is written next.
#[derive(Clone, Copy, Debug)]
enum Piece {
    Text(Place, Place),
    /// What an operation puts in the place of a value.
    Replacement(u32),
    Constant(u32, u32),
}

/// A place in a text: how far after which of its anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    anchor: u16,
    after: u32,
}

impl Plans {
    /// When there are more, all are made anew.
    const MOST: usize = 256;

    /// The plan for a document with `operations`, made by `write` where there
    /// is none; `None` where such a document can't be written by a plan.
    pub(crate) fn find(
        &mut self,
        job: &Job<'_>,
        operations: &[Operation],
        write: impl FnOnce(&mut Recorder<'_>),
    ) -> Option<&Plan> {
        let shape = job.document.shape()?;
        if !job
            .document
            .odd_strings()
            .all(|odd| is_gone(job, operations, odd))
        {
            return None;
        }
        if self.0.len() > Self::MOST {
            self.0.clear();
        }
        Some(match self.0.entry(hash(shape, operations)) {
            Entry::Occupied(known) if known.get().fits(shape, operations) => known.into_mut(),
            other => {
                let plan = Recorder::record(job, shape, operations, write)?;
                other.insert_entry(plan).into_mut()
            }
        })
    }
}

#[inline]
fn hash(shape: Shape, operations: &[Operation]) -> u64 {
    let mix = |hash: u64| hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    operations
        .iter()
        .fold(mix(shape.number()), |hash, operation| {
            mix(hash.rotate_left(32) ^ u64::from(operation.node))
        })
}

/// Whether a node is inside of what is left out or replaced.
fn is_gone(job: &Job<'_>, operations: &[Operation], node: u32) -> bool {
    operations
        .iter()
        .any(|own| own.node <= node && node < job.nodes[own.node as usize].next)
}

/// What an operation does, if a plan can tell.
const fn concerns(operation: &Operation) -> Option<Concerns> {
    match operation.change {
        Change::Replace { .. } => Some(Concerns::Replace),
        Change::Omit => Some(Concerns::Omit),
        Change::Remove | Change::Insert { .. } => None,
    }
}

impl Plan {
    #[inline]
    fn fits(&self, shape: Shape, operations: &[Operation]) -> bool {
        self.shape == shape
            && self.operations.len() == operations.len()
            && self
                .operations
                .iter()
                .zip(operations)
                .all(|(own, other)| own.0 == other.node && Some(own.1) == concerns(other))
    }

    pub(crate) fn write<S: Sink + ?Sized>(
        &self,
        document: Document<'_>,
        edits: &Edits,
        operations: &[Operation],
        out: &mut S,
    ) {
        let anchors = document.anchors();
        let offset = |place: Place| anchors[place.anchor as usize] + place.after;
        for piece in &self.pieces {
            out.write(match *piece {
                Piece::Text(start, end) => document.bytes(offset(start), offset(end)),
                Piece::Replacement(at) => edits.replacement(&operations[at as usize]),
                Piece::Constant(start, end) => &self.constants[start as usize..end as usize],
            });
        }
    }
}

/// Takes what the canonical form of one document is written as, and tells from
/// where each part comes.
pub(crate) struct Recorder<'a> {
    job: &'a Job<'a>,
    operations: &'a [Operation],
    pieces: Vec<Piece>,
    constants: Vec<u8>,
    /// Constant bytes after the last piece.
    pending: Vec<u8>,
    /// Something was written that a plan can't say.
    failed: bool,
}

impl<'a> Recorder<'a> {
    #[cold]
    fn record(
        job: &'a Job<'a>,
        shape: Shape,
        operations: &'a [Operation],
        write: impl FnOnce(&mut Recorder<'_>),
    ) -> Option<Plan> {
        let concerned = operations
            .iter()
            .map(|operation| Some((operation.node, concerns(operation)?)))
            .collect::<Option<_>>()?;
        let mut recorder = Recorder {
            job,
            operations,
            pieces: Vec::new(),
            constants: Vec::new(),
            pending: Vec::new(),
            failed: false,
        };
        write(&mut recorder);
        recorder.flush();
        (!recorder.failed).then_some(Plan {
            shape,
            operations: concerned,
            pieces: recorder.pieces,
            constants: recorder.constants,
        })
    }

    /// Bytes of the text from `start` on. What is pending is sought in the
    /// text after the last piece and before this one: most of the time it is
    /// the comma or bracket that stands there.
    fn text(&mut self, start: u32, end: u32) {
        let text = self.job.document.text().as_bytes();
        self.extend_last();
        let (Some((mut from, first)), Some((to, _))) = (self.place(start), self.place(end)) else {
            self.failed = true;
            return;
        };
        let before = &text[first as usize..start as usize];
        let same = self
            .pending
            .iter()
            .rev()
            .zip(before.iter().rev())
            .take_while(|(a, b)| a == b)
            .count();
        from.after -= same as u32;
        self.pending.truncate(self.pending.len() - same);
        self.flush();
        match self.pieces.last_mut() {
            Some(Piece::Text(_, last)) if *last == from => *last = to,
            _ => self.pieces.push(Piece::Text(from, to)),
        }
    }

    /// Has the last piece, if it is text, go on for what is pending as far as
    /// the gap that it ends in does.
    fn extend_last(&mut self) {
        let document = self.job.document;
        let Some(Piece::Text(_, end)) = self.pieces.last_mut() else {
            return;
        };
        let from = document.anchors()[end.anchor as usize] + end.after;
        let gap = document.bytes(from, gap_end(document, end.anchor));
        let same = self
            .pending
            .iter()
            .zip(gap)
            .take_while(|(a, b)| a == b)
            .count();
        end.after += same as u32;
        self.pending.drain(..same);
    }

    fn flush(&mut self) {
        self.extend_last();
        if !self.pending.is_empty() {
            let start = self.constants.len() as u32;
            self.constants.append(&mut self.pending);
            self.pieces
                .push(Piece::Constant(start, self.constants.len() as u32));
        }
    }

    /// The place of an offset, and where its gap begins; `None` within strings
    /// and numbers.
    fn place(&self, offset: u32) -> Option<(Place, u32)> {
        let document = self.job.document;
        let anchors = document.anchors();
        let after = anchors.partition_point(|anchor| *anchor <= offset);
        let anchor = after.checked_sub(1)? as u16;
        let first = anchors[anchor as usize];
        let place = Place {
            anchor,
            after: offset - first,
        };
        (offset <= gap_end(document, anchor)).then_some((place, first))
    }
}

/// Where the string or number after an anchor begins, or the text ends.
fn gap_end(document: Document<'_>, anchor: u16) -> u32 {
    let Some(node) = document.scalar(anchor) else {
        return document.text().len() as u32;
    };
    document.start(node) + u32::from(node.kind == Kind::String)
}

impl Sink for Recorder<'_> {
    fn write(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let text = self.job.document.text().as_bytes();
        if let Some(start) = offset_in(text, bytes) {
            return self.text(start, start + bytes.len() as u32);
        }
        let Some(start) = offset_in(self.job.edits.arena(), bytes) else {
            self.pending.extend_from_slice(bytes);
            return;
        };
        let replacement = self.operations.iter().position(
            |own| matches!(own.change, Change::Replace { start: own, .. } if own == start),
        );
        self.flush();
        match replacement {
            Some(at) => self.pieces.push(Piece::Replacement(at as u32)),
            None => self.failed = true,
        }
    }
}

/// Where `part` stands in `whole`, if it is a part of it and not a copy.
fn offset_in(whole: &[u8], part: &[u8]) -> Option<u32> {
    let (whole, part) = (whole.as_ptr_range(), part.as_ptr_range());
    (whole.contains(&part.start) && part.end <= whole.end)
        .then(|| (part.start.addr() - whole.start.addr()) as u32)
}
