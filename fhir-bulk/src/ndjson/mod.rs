use std::fmt;
use std::io::{self, BufRead, ErrorKind};
use std::ops::Range;

use memchr::memchr;

use crate::{Error, Result};

mod deleted;

pub use deleted::{Deletion, Deletions};

/// The lines of NDJSON from any reader, with a limit on their length and in
/// constant memory.
///
/// A line that lies in the reader's buffer is given out from there; any other
/// is gathered in a buffer that is used again. A byte order mark at the start,
/// CRLF and a missing last line feed are fine, blank lines are skipped. The
/// bytes are not looked at otherwise: they need not be JSON or UTF-8.
///
/// ```
/// use fhir_bulk::NdjsonReader;
///
/// let text = b"{\"id\":\"a\"}\r\n\n{\"id\":\"b\"}";
/// let mut lines = NdjsonReader::new(&text[..]);
/// let first = lines.next_line()?.unwrap();
/// assert_eq!((first.bytes, first.number), (&b"{\"id\":\"a\"}"[..], 1));
/// let second = lines.next_line()?.unwrap();
/// assert_eq!((second.bytes, second.number, second.offset), (&b"{\"id\":\"b\"}"[..], 3, 13));
/// assert!(lines.next_line()?.is_none());
/// # Ok::<(), fhir_bulk::Error>(())
/// ```
pub struct NdjsonReader<R> {
    inner: R,
    gathered: Vec<u8>,
    /// Bytes of the reader's buffer that the last line was lent from.
    lent: usize,
    /// Where the next line starts.
    offset: u64,
    /// Lines so far.
    number: u64,
    limit: usize,
}

/// A line and where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its bytes, without the end of the line.
    pub bytes: &'a [u8],
    /// Its number, from 1; blank lines count.
    pub number: u64,
    /// Where its bytes start, from 0.
    pub offset: u64,
}

impl<R: BufRead> NdjsonReader<R> {
    /// Limit on the length of a line in bytes, unless another is set.
    pub const LIMIT: usize = 64 * 1024 * 1024;

    /// The lines of `inner`.
    pub const fn new(inner: R) -> Self {
        Self {
            inner,
            gathered: Vec::new(),
            lent: 0,
            offset: 0,
            number: 0,
            limit: Self::LIMIT,
        }
    }

    /// The same with another limit on the length of a line, in bytes.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The next line that is not blank; `None` at the end.
    ///
    /// # Errors
    /// [`Error::LineTooLong`] for a line over the limit, after which the next
    /// one can be read. [`Error::Read`] when the reader fails, or the reader's
    /// own error where it is one of this crate's.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        let (start, range) = loop {
            self.inner.consume(std::mem::take(&mut self.lent));
            let start = self.offset;
            if !self.advance()? {
                return Ok(None);
            }
            let limit = self.limit;
            let line = self.current()?;
            let range = content(line, start == 0);
            if range.len() > limit {
                return Err(Error::LineTooLong {
                    line: self.number,
                    offset: start,
                    limit,
                });
            }
            if !line[range.clone()].iter().all(u8::is_ascii_whitespace) {
                break (start, range);
            }
        };
        let number = self.number;
        let offset = start + range.start as u64;
        let bytes = &self.current()?[range];
        Ok(Some(Line {
            bytes,
            number,
            offset,
        }))
    }

    /// The reader that lines come from.
    pub const fn get_ref(&self) -> &R {
        &self.inner
    }

    /// Reads one line of any kind; `false` at the end.
    fn advance(&mut self) -> Result<bool> {
        // One byte more than what can be within the limit is enough to tell.
        let enough = self.limit.saturating_add(BOM.len() + 2);
        self.gathered.clear();
        let mut empty = true;
        loop {
            let buffer = match self.inner.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(read_error(error, self.number)),
            };
            if buffer.is_empty() {
                if empty {
                    return Ok(false);
                }
                break;
            }
            let feed = memchr(b'\n', buffer);
            let taken = feed.map_or(buffer.len(), |at| at + 1);
            self.offset += taken as u64;
            if empty && feed.is_some() {
                self.lent = taken;
                break;
            }
            empty = false;
            let room = enough.saturating_sub(self.gathered.len());
            self.gathered.extend_from_slice(&buffer[..taken.min(room)]);
            self.inner.consume(taken);
            if feed.is_some() {
                break;
            }
        }
        self.number += 1;
        Ok(true)
    }

    /// The line that was just read. Nothing is read: a lent one is still in
    /// the reader's buffer.
    fn current(&mut self) -> Result<&[u8]> {
        if self.lent == 0 {
            return Ok(&self.gathered);
        }
        let number = self.number;
        let buffer = self
            .inner
            .fill_buf()
            .map_err(|error| read_error(error, number))?;
        Ok(&buffer[..self.lent])
    }
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What is left of a line without its end, and without the mark at the start
/// of a file.
fn content(line: &[u8], first: bool) -> Range<usize> {
    let start = if first && line.starts_with(BOM) {
        BOM.len()
    } else {
        0
    };
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    start..text.len().max(start)
}

fn read_error(error: io::Error, line: u64) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(source) => Error::Read { line, source },
    }
}

/// By hand: lines are content.
impl<R> fmt::Debug for NdjsonReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NdjsonReader")
            .field("line", &self.number)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

/// By hand, as above.
impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("number", &self.number)
            .field("offset", &self.offset)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
