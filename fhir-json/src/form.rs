//! What texts of a shape have in common.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::parse;
#[cfg(doc)]
use crate::tape::Tape;
use crate::tape::{HIGHEST_MAX_DEPTH, Node};
use crate::value::Kind;

/// Texts have a shape in common that are the same but for what strings and
/// numbers say: the same names, kinds of values, booleans and white space, all
/// in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape(u64);

impl Shape {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A number that no other shape of this process has. A shape that was
    /// forgotten gets another one when it is learned again.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The tape of all texts of a shape.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) shape: Shape,
    /// Their places count from the ends of strings and numbers, see
    /// [`Tape::anchors`].
    pub(crate) nodes: Vec<Node>,
    /// The nodes of strings and numbers.
    pub(crate) scalars: Vec<u32>,
    pub(crate) depth: usize,
    pub(crate) spaced: bool,
}

/// What stands before a string or a number, with the first quote of a string,
/// and after the one before that, with its last; or before the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap<'t> {
    pub(crate) bytes: &'t [u8],
    pub(crate) then: Then,
}

/// What comes after a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    String,
    Number,
    End,
}

impl Form {
    /// The form of `text`, which was parsed into `nodes`, and its gaps; `names`
    /// is scratch.
    pub(crate) fn of<'t>(
        text: &'t [u8],
        nodes: &[Node],
        names: &mut Vec<u32>,
    ) -> Option<(Self, Vec<Gap<'t>>)> {
        let mut gaps = Vec::new();
        let mut scalars = Vec::new();
        // The same gaps around empty strings and zeros: what that is parsed to
        // is true of all texts with these gaps.
        let mut bare = Vec::new();
        let mut anchors = vec![0];
        let mut from = 0;
        for (index, node) in (0..).zip(nodes) {
            let (then, quote) = match node.kind {
                Kind::String => (Then::String, 1),
                Kind::Number => (Then::Number, 0),
                _ => continue,
            };
            let bytes = &text[from as usize..(node.start + quote) as usize];
            gaps.push(Gap { bytes, then });
            scalars.push(index);
            bare.extend_from_slice(bytes);
            if then == Then::Number {
                bare.push(b'0');
            }
            anchors.push(bare.len() as u32);
            from = node.end - quote;
        }
        let bytes = &text[from as usize..];
        let then = Then::End;
        gaps.push(Gap { bytes, then });
        bare.extend_from_slice(bytes);
        let mut nodes = Vec::with_capacity(nodes.len());
        let extent = parse::parse(&bare, HIGHEST_MAX_DEPTH, &mut nodes, names).ok()?;
        anchor(&mut nodes, &anchors);
        let form = Self {
            shape: Shape::new(),
            nodes,
            scalars,
            depth: extent.depth,
            spaced: extent.spaced,
        };
        Some((form, gaps))
    }

    /// Bytes that it takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Self>() + size_of_val(&self.nodes[..]) + size_of_val(&self.scalars[..])
    }

    /// Marks strings that have an escape, by their numbers among strings and
    /// numbers, and all that they are part of. `before` gets the flags that
    /// these nodes had.
    pub(crate) fn mark(&mut self, odd: &[u32], before: &mut Vec<(u32, u8)>) {
        let mut odd = odd.iter().map(|odd| self.scalars[*odd as usize]).peekable();
        for (index, node) in (0..).zip(&mut self.nodes) {
            while odd.next_if(|string| *string < index).is_some() {}
            let Some(&string) = odd.peek() else { return };
            if string < node.next {
                before.push((index, node.flags));
                node.flags &= !Node::CANONICAL;
                if string == index {
                    node.flags |= Node::ESCAPED;
                }
            }
        }
    }

    /// Takes all marks away.
    pub(crate) fn unmark(&mut self, before: &mut Vec<(u32, u8)>) {
        for (index, flags) in before.drain(..) {
            self.nodes[index as usize].flags = flags;
        }
    }
}

/// Has the places of nodes count from `anchors`.
fn anchor(nodes: &mut [Node], anchors: &[u32]) {
    let mut passed = 0_u16;
    let passed: Vec<_> = nodes
        .iter()
        .map(|node| {
            let before = passed;
            passed += u16::from(matches!(node.kind, Kind::String | Kind::Number));
            before
        })
        .collect();
    let all = anchors.len() as u16 - 1;
    for (index, node) in nodes.iter_mut().enumerate() {
        node.anchor = passed[index];
        // After the strings and numbers that begin before it ends.
        node.end_anchor = passed.get(node.next as usize).copied().unwrap_or(all);
        let start = anchors[node.anchor as usize];
        node.start -= start;
        if node.name_end != 0 {
            node.name_start -= start;
            node.name_end -= start;
        }
        node.end -= anchors[node.end_anchor as usize];
    }
}
