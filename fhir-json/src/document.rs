//! A text that was parsed.

use crate::form::Shape;
use crate::tape::{Node, Tape};
use crate::value::Value;

/// A validated text and its spans.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    text: &'a str,
    tape: &'a Tape,
}

impl<'a> Document<'a> {
    pub(crate) const fn new(text: &'a str, tape: &'a Tape) -> Self {
        Self { text, tape }
    }

    /// The value that the text is.
    #[must_use]
    pub const fn root(self) -> Value<'a> {
        Value::new(self, 0)
    }

    /// The text as it was given.
    #[must_use]
    pub const fn text(self) -> &'a str {
        self.text
    }

    /// How deep arrays and objects are nested: 0 for a text that is neither,
    /// 1 for one that holds none.
    #[must_use]
    pub const fn depth(self) -> usize {
        self.tape.depth
    }

    /// Whether there is white space outside of strings.
    #[must_use]
    pub const fn has_white_space(self) -> bool {
        self.tape.spaced
    }

    #[inline]
    pub(crate) fn nodes(self) -> &'a [Node] {
        &self.tape.nodes
    }

    #[inline]
    pub(crate) fn bytes(self, start: u32, end: u32) -> &'a [u8] {
        &self.text.as_bytes()[start as usize..end as usize]
    }

    /// The text's shape, if the tape knew it from texts before.
    #[must_use]
    #[inline]
    pub const fn shape(self) -> Option<Shape> {
        self.tape.shape()
    }

    /// The value at a [position](Value::position).
    #[must_use]
    #[inline]
    pub fn value_at(self, position: u32) -> Option<Value<'a>> {
        ((position as usize) < self.nodes().len()).then(|| Value::new(self, position))
    }

    /// See [`Tape::anchors`].
    #[inline]
    pub(crate) fn anchors(self) -> &'a [u32] {
        &self.tape.anchors
    }

    /// The string or number after an anchor.
    pub(crate) fn scalar(self, anchor: u16) -> Option<&'a Node> {
        let index = *self.tape.scalars.get(anchor as usize)?;
        self.nodes().get(index as usize)
    }

    /// The nodes of strings with an escape, where the shape was known.
    #[inline]
    pub(crate) fn odd_strings(self) -> impl Iterator<Item = u32> {
        let scalars = &self.tape.scalars;
        self.tape.odd.iter().map(|odd| scalars[*odd as usize])
    }

    /// Where a value begins.
    #[inline]
    pub(crate) fn start(self, node: &Node) -> u32 {
        self.tape.anchors[node.anchor as usize] + node.start
    }

    /// Where a value ends.
    #[inline]
    pub(crate) fn end(self, node: &Node) -> u32 {
        self.tape.anchors[node.end_anchor as usize] + node.end
    }

    /// A value as written.
    #[inline]
    pub(crate) fn source(self, node: &Node) -> &'a [u8] {
        self.bytes(self.start(node), self.end(node))
    }

    /// Where the name of a member begins.
    #[inline]
    pub(crate) fn name_start(self, node: &Node) -> u32 {
        self.tape.anchors[node.anchor as usize] + node.name_start
    }

    /// The name of a value that has one, as written without its quotes, with
    /// `before` and `after` more bytes around it.
    #[inline]
    pub(crate) fn around_name(self, node: &Node, before: u32, after: u32) -> &'a [u8] {
        let anchor = self.tape.anchors[node.anchor as usize];
        self.bytes(
            anchor + node.name_start - before,
            anchor + node.name_end + after,
        )
    }
}
