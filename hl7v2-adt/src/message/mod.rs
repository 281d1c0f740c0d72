//! A message over its own bytes.

mod header;
mod lines;
mod path;
mod segment;
mod value;

use std::fmt;

pub use header::{AckCondition, Header};
pub(crate) use lines::{end_of_body, header_start, is_padding};
pub use path::Path;
pub use segment::{Component, Field, Repetition, Segment, Subcomponent};
pub use value::Value;

use crate::charset::BYTE_ORDER_MARK;
use crate::syntax::Syntax;
use crate::{Charset, Delimiters, Error, Position, Result};
use lines::Lines;

/// One HL7 v2 message: the segments of some bytes, found but not copied.
///
/// Fields are looked for when they are asked for. Nothing in a message but its
/// beginning makes it unreadable: unknown segments, lines that are none, bare
/// segment names, fields, components and repetitions that are too many or
/// missing, and a text that is cut are all kept or passed over, as the rules
/// for recipients have it (section 2.6.2).
pub struct Message<'a> {
    bytes: &'a [u8],
    spans: Vec<Span>,
    syntax: Syntax,
}

/// Start and end of a segment. Half the size of two `usize`: a segment may
/// have two bytes, and memory is to be a small multiple of the input.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl<'a> Message<'a> {
    /// Finds the segments of a message. Text that names no character set and
    /// is no UTF-8 is taken for Windows-1252.
    ///
    /// Before the MSH segment there may be a byte order mark, white space, and
    /// what is left of an MLLP frame. Segments end in CR; in LF where there is
    /// no CR, so that an LF within a message of CRs is data. Two messages in
    /// one text are one message with two MSH segments: see
    /// [`Messages`](crate::Messages).
    ///
    /// # Errors
    /// [`Error::NoHeader`], [`Error::Cut`], [`Error::TooLong`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        Self::parse_with(bytes, Charset::WINDOWS_1252)
    }

    /// [`parse`](Self::parse) with another character set for text that names
    /// none and is no UTF-8.
    ///
    /// # Errors
    /// As of [`parse`](Self::parse).
    pub fn parse_with(bytes: &'a [u8], fallback: Charset) -> Result<Self> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(Error::TooLong {
                length: bytes.len(),
            });
        }
        let start = header_start(bytes);
        let position = Position {
            offset: start,
            segment: 1,
        };
        if !bytes[start..].starts_with(b"MSH") {
            let problem = problem_of(bytes, start);
            return Err(Error::NoHeader { position, problem });
        }
        let lines = Lines::new(bytes, start);
        let delimiters = lines.delimiters().ok_or(Error::Cut { position })?;
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        let span = |(start, end)| Span {
            start: narrow(start),
            end: narrow(end),
        };
        let mut spans = Vec::with_capacity(16);
        spans.extend(lines.map(span));

        let mut message = Self {
            bytes,
            spans,
            syntax: Syntax::new(delimiters, fallback),
        };
        let declared = message.header().field(18).raw();
        let charset = Charset::of_message(bytes, declared, &delimiters, fallback);
        message.syntax = Syntax::new(delimiters, charset);
        Ok(message)
    }

    /// The bytes it was read from, unaltered.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The separators that its MSH segment names.
    #[must_use]
    pub fn delimiters(&self) -> Delimiters {
        self.syntax.delimiters
    }

    /// The character set its text is read by: of the byte order mark, else of
    /// MSH-18, else UTF-8 if the message is valid as that, else the fallback.
    #[must_use]
    pub fn charset(&self) -> Charset {
        self.syntax.charset
    }

    /// The MSH segment.
    #[must_use]
    pub fn header(&self) -> Segment<'a> {
        self.at(0)
    }

    /// All that is not blank, in order. A line that is no segment is here too,
    /// with a name that nobody asks for.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = Segment<'a>> + Clone + '_ {
        (0..self.spans.len()).map(|index| self.at(index))
    }

    /// The first segment with the name, such as `PID`, in either case.
    #[must_use]
    pub fn segment(&self, name: &str) -> Option<Segment<'a>> {
        self.segments().find(|segment| segment.is(name))
    }

    /// What is at a path.
    #[must_use]
    pub fn value(&self, path: &Path) -> Value<'a> {
        path.value_in(self)
    }

    /// Segments from one on, by index.
    pub(crate) fn segments_from(
        &self,
        index: usize,
    ) -> impl Iterator<Item = Segment<'a>> + Clone + '_ {
        (index..self.spans.len()).map(|index| self.at(index))
    }

    fn at(&self, index: usize) -> Segment<'a> {
        let span = self.spans.get(index);
        let (offset, end) = span.map_or((0, 0), |span| (span.start as usize, span.end as usize));
        let raw = &self.bytes[offset..end];
        let position = Position {
            offset,
            segment: index + 1,
        };
        Segment::new(raw, position, self.syntax)
    }
}

/// Sizes, no content.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("bytes", &self.bytes.len())
            .field("segments", &self.spans.len())
            .field("charset", &self.syntax.charset)
            .finish()
    }
}

fn problem_of(bytes: &[u8], start: usize) -> &'static str {
    let rest = &bytes[start..];
    if rest.is_empty() {
        "nothing but white space"
    } else if bytes.starts_with(b"\xFF\xFE")
        || bytes.starts_with(b"\xFE\xFF")
        || rest.starts_with(b"M\0S\0H\0")
        || rest.starts_with(b"\0M\0S\0H")
    {
        "UTF-16, which HL7 v2 is not sent in"
    } else if rest.starts_with(b"\x16\x03") {
        "a TLS handshake"
    } else if rest.starts_with(b"FHS") || rest.starts_with(b"BHS") {
        "a batch, which is to be split into its messages,"
    } else {
        "no MSH segment"
    }
}

/// Length of the byte order mark at the start, if there is one.
fn mark(bytes: &[u8]) -> usize {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len()
    } else {
        0
    }
}
