//! Where segments begin and end.

use memchr::memchr;

use crate::Delimiters;

const VT: u8 = 0x0B;
const FS: u8 = 0x1C;

/// What may surround a segment and belongs to none: blanks, other line ends,
/// what is left of an MLLP frame.
pub(crate) fn is_padding(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | VT | FS | 0)
}

/// Where the first segment begins: behind byte order mark and padding, in any
/// order.
pub(crate) fn header_start(bytes: &[u8]) -> usize {
    let mut start = 0;
    loop {
        let rest = &bytes[start..];
        start += match super::mark(rest) {
            0 if rest.first().is_some_and(|&byte| is_padding(byte)) => 1,
            0 => return start,
            mark => mark,
        };
    }
}

/// CR if there is one within the message, else LF. One at its very end says
/// nothing: it may be that of the frame.
fn terminator(bytes: &[u8]) -> u8 {
    let body = &bytes[..end_of_body(bytes)];
    if memchr(b'\r', body).is_some() {
        b'\r'
    } else {
        b'\n'
    }
}

/// End without line ends and what is left of an MLLP frame.
pub(crate) fn end_of_body(bytes: &[u8]) -> usize {
    let trailing = |byte: &u8| matches!(*byte, b'\r' | b'\n' | VT | FS | 0);
    bytes
        .iter()
        .rposition(|byte| !trailing(byte))
        .map_or(0, |last| last + 1)
}

/// Iterator over the start and end of every line that is not blank.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    body: &'a [u8],
    at: usize,
    terminator: u8,
}

impl<'a> Lines<'a> {
    /// Of what is behind `start`.
    pub(super) fn new(bytes: &'a [u8], start: usize) -> Self {
        Self {
            body: &bytes[..end_of_body(bytes).max(start)],
            at: start,
            terminator: terminator(&bytes[start..]),
        }
    }
}

impl Lines<'_> {
    /// Of the header that the first line is.
    pub(super) fn delimiters(&self) -> Option<Delimiters> {
        let (start, end) = self.clone().next()?;
        Delimiters::read(&self.body[start..end])
    }
}

impl Iterator for Lines<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        while self.at < self.body.len() {
            let mut start = self.at;
            let line = &self.body[start..];
            let mut end = match memchr(self.terminator, line) {
                Some(length) => start + length,
                None => self.body.len(),
            };
            self.at = end + 1;
            while start < end && is_padding(self.body[start]) {
                start += 1;
            }
            while start < end && self.body[end - 1] == b'\n' {
                end -= 1;
            }
            if start < end {
                return Some((start, end));
            }
        }
        None
    }
}
