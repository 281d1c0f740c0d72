//! The tape: one node a value, in text order.

use std::mem;

use crate::document::Document;
use crate::error::{Error, ErrorKind};
use crate::form::Shape;
use crate::parse;
#[cfg(doc)]
use crate::scan;
use crate::shapes::Shapes;
use crate::value::Kind;

/// Deepest nesting of arrays and objects that [`Tape::parse`] accepts.
pub const MAX_DEPTH: usize = 128;

/// The highest limit on nesting that can be asked for: reading and writing a
/// document recurse once a level, and must not exhaust the stack.
pub const HIGHEST_MAX_DEPTH: usize = 1024;

/// Offsets have 32 bits, and look a few bytes past the end.
const LONGEST: usize = u32::MAX as usize - 16;

/// Buffers for parsing, reused from text to text, and the shapes of texts that
/// came again.
///
/// Once a tape has seen a text of a size, parsing another of that size
/// allocates nothing, unless its shape is learned.
#[derive(Debug, Default)]
pub struct Tape {
    pub(crate) nodes: Vec<Node>,
    /// What places in nodes count from: the beginning of the text and, where
    /// its shape was known, the end of each string (its last quote) and number.
    pub(crate) anchors: Vec<u32>,
    /// Deepest nesting of the text parsed last.
    pub(crate) depth: usize,
    /// Whether that text has white space outside of strings.
    pub(crate) spaced: bool,
    /// Nodes of members to be sorted by their names.
    names: Vec<u32>,
    shapes: Shapes,
    /// The shape of the text, if it was known, and the number of its form, which
    /// `nodes` and `scalars` are borrowed from.
    shape: Option<(u32, Shape)>,
    /// Nodes of strings and numbers, where the shape was known.
    pub(crate) scalars: Vec<u32>,
    /// Strings with an escape in a text of a known shape, by their number among
    /// strings and numbers.
    pub(crate) odd: Vec<u32>,
    /// Nodes of the form that are marked for them, with the flags they had.
    flags: Vec<(u32, u8)>,
}

/// A value: where it stands, where its member name stands, and where the
/// value after it (and all it holds) begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The first eight bytes of the name's source, see [`scan::prefix`]: with
    /// the length it tells nearly all names apart, and sorts nearly all.
    pub(crate) name_prefix: u64,
    /// Member name without its quotes, counted from `anchor`; `0..0` for
    /// elements and the root, and no name ends there.
    pub(crate) name_start: u32,
    pub(crate) name_end: u32,
    /// The value's text, quotes and brackets included, counted from `anchor`.
    pub(crate) start: u32,
    /// Its end, counted from `end_anchor`.
    pub(crate) end: u32,
    /// Index of the first node that is not inside this one.
    pub(crate) next: u32,
    /// Which of [`Tape::anchors`] places count from.
    pub(crate) anchor: u16,
    pub(crate) end_anchor: u16,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
}

impl Node {
    /// The text of the value is its canonical form.
    pub(crate) const CANONICAL: u8 = 1;
    /// A string with an escape.
    pub(crate) const ESCAPED: u8 = 2;
    /// The member name has an escape.
    pub(crate) const NAME_ESCAPED: u8 = 4;
    /// A member whose name, colon and value stand together without escape in
    /// the name, as they do in canonical form.
    pub(crate) const JOINED: u8 = 8;
    /// An object whose members stand in canonical order, no name of them with
    /// an escape.
    pub(crate) const SORTED: u8 = 16;

    /// Whether it has all of these flags.
    #[inline]
    pub(crate) const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

impl Tape {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Validates `text` as one JSON value with white space around it.
    ///
    /// # Errors
    /// Everything that RFC 8259 forbids, and beyond it what FHIR JSON does:
    /// duplicate member names; also lone surrogates, and nesting deeper than
    /// [`MAX_DEPTH`]. See [`ErrorKind`].
    pub fn parse<'a>(&'a mut self, text: &'a [u8]) -> Result<Document<'a>, Error> {
        self.parse_nested(text, MAX_DEPTH)
    }

    /// [`parse`](Self::parse) with another limit on nesting. The root array
    /// or object is level 1. Limits above [`HIGHEST_MAX_DEPTH`] are lowered to
    /// it.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_nested<'a>(
        &'a mut self,
        text: &'a [u8],
        max_depth: usize,
    ) -> Result<Document<'a>, Error> {
        if text.len() > LONGEST {
            return Err(Error::new(ErrorKind::TooLong, 0));
        }
        let valid = std::str::from_utf8(text)
            .map_err(|error| Error::new(ErrorKind::InvalidUtf8, error.valid_up_to()))?;
        self.fill(text, max_depth.min(HIGHEST_MAX_DEPTH))?;
        Ok(Document::new(valid, self))
    }

    #[inline]
    pub(crate) const fn shape(&self) -> Option<Shape> {
        match self.shape {
            Some((_, shape)) => Some(shape),
            None => None,
        }
    }

    fn fill(&mut self, text: &[u8], max_depth: usize) -> Result<(), Error> {
        self.give_back();
        self.anchors.clear();
        self.anchors.push(0);
        let tries = self.shapes.is_worth_it();
        if tries && self.recognize(text, max_depth) {
            return Ok(());
        }
        self.anchors.truncate(1);
        let extent = parse::parse(text, max_depth, &mut self.nodes, &mut self.names)?;
        (self.depth, self.spaced) = (extent.depth, extent.spaced);
        if tries {
            self.shapes.note(text, &self.nodes, &mut self.names);
        }
        Ok(())
    }

    /// Whether the shape of `text` is known and not too deep: everything is
    /// filled then.
    fn recognize(&mut self, text: &[u8], max_depth: usize) -> bool {
        self.odd.clear();
        let Some(place) = self.shapes.find(text, &mut self.anchors, &mut self.odd) else {
            return false;
        };
        let form = self.shapes.form(place);
        if form.depth > max_depth {
            return false;
        }
        (self.depth, self.spaced) = (form.depth, form.spaced);
        form.mark(&self.odd, &mut self.flags);
        mem::swap(&mut self.nodes, &mut form.nodes);
        mem::swap(&mut self.scalars, &mut form.scalars);
        self.shape = Some((place, form.shape));
        true
    }

    /// Lets the shape that was known have its nodes again.
    fn give_back(&mut self) {
        if let Some((place, _)) = self.shape.take() {
            let form = self.shapes.form(place);
            mem::swap(&mut self.nodes, &mut form.nodes);
            mem::swap(&mut self.scalars, &mut form.scalars);
            form.unmark(&mut self.flags);
        }
    }
}
