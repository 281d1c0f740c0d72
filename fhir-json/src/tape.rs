//! The tape: one node a value, in text order.

use crate::error::{Error, ErrorKind};
use crate::parse;
#[cfg(doc)]
use crate::scan;
use crate::value::{Document, Kind};

/// Deepest nesting of arrays and objects that [`Tape::parse`] accepts.
pub const MAX_DEPTH: usize = 128;

/// The highest limit on nesting that can be asked for: reading and writing a
/// document recurse once a level, and must not exhaust the stack.
pub const HIGHEST_MAX_DEPTH: usize = 1024;

/// Offsets have 32 bits, and look a few bytes past the end.
const LONGEST: usize = u32::MAX as usize - 16;

/// Buffers for parsing, reused from text to text.
///
/// Once a tape has seen a text of a size, parsing another of that size
/// allocates nothing.
#[derive(Debug, Default)]
pub struct Tape {
    pub(crate) nodes: Vec<Node>,
    /// Deepest nesting of the text parsed last.
    pub(crate) depth: usize,
    /// Whether that text has white space outside of strings.
    pub(crate) spaced: bool,
    /// Nodes of members to be sorted by their names.
    pub(crate) names: Vec<u32>,
}

/// A value: where it stands, where its member name stands, and where the
/// value after it (and all it holds) begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The first eight bytes of the name's source, see [`scan::prefix`]: with
    /// the length it tells nearly all names apart, and sorts nearly all.
    pub(crate) name_prefix: u64,
    /// Member name without its quotes; `0..0` for elements and the root,
    /// whose span can't be empty at zero inside an object.
    pub(crate) name_start: u32,
    pub(crate) name_end: u32,
    /// The value's text, quotes and brackets included.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Index of the first node that is not inside this one.
    pub(crate) next: u32,
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
        parse::parse(text, max_depth.min(HIGHEST_MAX_DEPTH), self)?;
        Ok(Document::new(valid, self))
    }
}
