//! Shapes of texts seen before.
//!
//! An EHR writes resources of a type in the same way again and again: the same
//! names in the same order, and other strings and numbers between them. What
//! stands between two of these, a gap, is compared as a whole where a parser
//! would read name by name, and the nodes are those of a text before.

use std::mem;

use crate::form::{Form, Gap, Then};
use crate::scan;
use crate::tape::Node;

/// The shapes of texts as a tree: the gaps on each way from its root to an end
/// are those of one shape.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    /// The first one is the root, before all gaps.
    steps: Vec<Step>,
    /// The bytes of all gaps.
    gaps: Vec<u8>,
    forms: Vec<Form>,
    /// Bytes that all of this takes.
    size: usize,
    /// Hashes of shapes seen once, each in the place that it says.
    seen: Vec<u64>,
    /// Rises with each text of a known shape, and falls with all others.
    luck: i32,
    texts: u32,
}

/// A gap, and what comes after it.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The first sixteen bytes of the gap, and which of these are part of it.
    head: u128,
    mask: u128,
    /// The last sixteen bytes, if there are as many.
    tail: u128,
    /// Where the gap stands among all.
    start: u32,
    length: u32,
    then: Then,
    /// The first of the steps after this one, which stand in each other's
    /// place; after the end of a text the number of its form.
    next: u32,
    /// Another step in the place of this one.
    other: u32,
}

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

/// Longer texts have arrays of another length each time.
const LONGEST: usize = 16 << 10;

/// When the shapes take more bytes all are forgotten. They have to stay in the
/// cache of a processor.
const ROOM: usize = 512 << 10;

/// How many shapes are remembered as seen once. To learn one takes as long as
/// to parse some texts, and is in vain if it does not come again.
const SEEN: usize = 256;

/// As many steps in each other's place are tried, those of the last texts
/// first.
const TRIED: usize = 32;

/// Where two in three texts are of no known shape for long, only one in
/// [`SELDOM`] is looked at.
const LUCK: i32 = 256;
const SELDOM: u32 = 32;

impl Shapes {
    /// Whether to look for the shape of the next text, and to note it.
    pub(crate) const fn is_worth_it(&mut self) -> bool {
        self.texts = self.texts.wrapping_add(1);
        self.luck > -LUCK || self.texts.is_multiple_of(SELDOM)
    }

    /// The number of the form of `text`, where its shape is known. Adds where
    /// strings and numbers end to `anchors`, and to `odd` the number of each
    /// among these that is a string with an escape.
    #[inline]
    pub(crate) fn find(
        &mut self,
        text: &[u8],
        anchors: &mut Vec<u32>,
        odd: &mut Vec<u32>,
    ) -> Option<u32> {
        let found = self.walk(text, anchors, odd);
        self.luck = match found {
            Some(_) => (self.luck + 2).min(LUCK),
            None => (self.luck - 1).max(-LUCK),
        };
        found
    }

    pub(crate) fn form(&mut self, number: u32) -> &mut Form {
        &mut self.forms[number as usize]
    }

    fn walk(&mut self, text: &[u8], anchors: &mut Vec<u32>, odd: &mut Vec<u32>) -> Option<u32> {
        let (mut step, mut at) = (ROOT, 0);
        loop {
            step = self.step(step, text, at)?;
            let Step {
                length, then, next, ..
            } = self.steps[step as usize];
            at += length;
            match then {
                Then::String => {
                    at = scan::special32(text, at);
                    if text.get(at as usize) != Some(&b'"') {
                        odd.push(anchors.len() as u32 - 1);
                        at = scan::odd_string(text, at as usize).ok()? as u32 - 1;
                    }
                }
                Then::Number => at = scan::number(text, at as usize).ok()? as u32,
                Then::End => return Some(next),
            }
            anchors.push(at);
        }
    }

    /// The step after `before` whose gap stands at `at`.
    #[inline(always)]
    fn step(&mut self, before: u32, text: &[u8], at: u32) -> Option<u32> {
        let first = self.steps.get(before as usize)?.next;
        if self.stands(self.steps.get(first as usize)?, text, at) {
            return Some(first);
        }
        self.bring_forward(before, TRIED, |own, step| own.stands(step, text, at))
    }

    /// The step after `before` for which `is_it` holds, if it is not the first.
    /// From now on it is.
    fn bring_forward(
        &mut self,
        before: u32,
        tried: usize,
        is_it: impl Fn(&Self, &Step) -> bool,
    ) -> Option<u32> {
        let first = self.steps[before as usize].next;
        let mut last = first;
        for _ in 1..tried {
            let step = self.steps.get(last as usize)?.other;
            let own = self.steps.get(step as usize)?;
            if is_it(self, own) {
                self.steps[last as usize].other = own.other;
                self.steps[step as usize].other = first;
                self.steps[before as usize].next = step;
                return Some(step);
            }
            last = step;
        }
        None
    }

    /// Whether the gap of a step stands at `at`.
    #[inline(always)]
    fn stands(&self, step: &Step, text: &[u8], at: u32) -> bool {
        let rest = text.get(at as usize..).unwrap_or_default();
        let length = step.length as usize;
        let same = match rest.first_chunk() {
            // Nearly all gaps are compared without a call.
            Some(&head) if length <= 32 => {
                (u128::from_le_bytes(head) ^ step.head) & step.mask == 0
                    && (length <= 16 || last_bytes(rest.get(..length)) == Some(step.tail))
            }
            _ => rest.starts_with(self.gap(step)),
        };
        same && match step.then {
            Then::String => true,
            Then::Number => matches!(rest.get(length), Some(b'-' | b'0'..=b'9')),
            Then::End => rest.len() == length,
        }
    }

    #[inline]
    fn gap(&self, step: &Step) -> &[u8] {
        &self.gaps[step.start as usize..(step.start + step.length) as usize]
    }

    /// Takes note of the shape of `text`, which was parsed into `nodes`, and is
    /// not known: the second time it is learned. `names` is scratch.
    pub(crate) fn note(&mut self, text: &[u8], nodes: &[Node], names: &mut Vec<u32>) {
        if text.len() > LONGEST {
            return;
        }
        let hash = hash(nodes);
        self.seen.resize(SEEN, 0);
        let seen = &mut self.seen[(hash >> 32) as usize % SEEN];
        if mem::replace(seen, hash) == hash {
            self.learn(text, nodes, names);
        }
    }

    #[cold]
    fn learn(&mut self, text: &[u8], nodes: &[Node], names: &mut Vec<u32>) {
        let Some((form, gaps)) = Form::of(text, nodes, names) else {
            return;
        };
        self.make_room(text.len() + form.size() + size_of::<Step>() * gaps.len());
        let mut step = ROOT;
        for gap in &gaps {
            step = self.add(step, gap);
        }
        self.steps[step as usize].next = self.forms.len() as u32;
        self.forms.push(form);
    }

    fn make_room(&mut self, size: usize) {
        self.size += size;
        if self.size > ROOM || self.steps.is_empty() {
            self.size = size;
            self.forms.clear();
            self.gaps.clear();
            self.steps.clear();
            self.steps.push(Step {
                head: 0,
                mask: 0,
                tail: 0,
                start: 0,
                length: 0,
                then: Then::String,
                next: NONE,
                other: NONE,
            });
        }
    }

    /// The step after `before` with this gap, a new one where there is none.
    fn add(&mut self, before: u32, gap: &Gap<'_>) -> u32 {
        let first = self.steps[before as usize].next;
        let is_it = |own: &Self, step: &Step| step.then == gap.then && own.gap(step) == gap.bytes;
        match self.steps.get(first as usize) {
            Some(step) if is_it(self, step) => return first,
            _ => {}
        }
        if let Some(known) = self.bring_forward(before, usize::MAX, is_it) {
            return known;
        }
        let mut head = [0; 16];
        let mut mask = [0; 16];
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(gap.bytes) {
            (*head, *mask) = (*byte, 0xFF);
        }
        let added = self.steps.len() as u32;
        self.steps.push(Step {
            head: u128::from_le_bytes(head),
            mask: u128::from_le_bytes(mask),
            tail: last_bytes(Some(gap.bytes)).unwrap_or_default(),
            start: self.gaps.len() as u32,
            length: gap.bytes.len() as u32,
            then: gap.then,
            next: NONE,
            other: first,
        });
        self.gaps.extend_from_slice(gap.bytes);
        self.steps[before as usize].next = added;
        added
    }
}

#[inline(always)]
fn last_bytes(bytes: Option<&[u8]>) -> Option<u128> {
    bytes?.last_chunk().map(|&tail| u128::from_le_bytes(tail))
}

/// A hash of names and kinds, nearly always the same for texts of a shape alone.
fn hash(nodes: &[Node]) -> u64 {
    nodes.iter().fold(0, |hash: u64, node| {
        let own = node.name_prefix ^ u64::from(node.next) << 8 ^ node.kind as u64;
        (hash.rotate_left(5) ^ own).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}
