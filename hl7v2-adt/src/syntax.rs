use memchr::memchr_iter;

use crate::charset::Layout;
use crate::{Charset, Delimiters};

/// What bytes are read by: carried along, so that a view needs no message.
#[derive(Clone, Copy)]
pub(crate) struct Syntax {
    pub(crate) delimiters: Delimiters,
    pub(crate) charset: Charset,
    pub(crate) layout: Layout,
}

impl Syntax {
    pub(crate) fn new(delimiters: Delimiters, charset: Charset) -> Self {
        Self {
            delimiters,
            charset,
            layout: charset.layout(),
        }
    }

    /// Of MSH-1 and MSH-2.
    pub(crate) fn literal(self) -> Self {
        Self {
            layout: Layout::Literal,
            ..self
        }
    }

    /// Position of a delimiter.
    #[inline]
    pub(crate) fn find(&self, delimiter: Option<u8>, bytes: &[u8]) -> Option<usize> {
        self.layout.find(delimiter?, bytes)
    }

    /// The parts between delimiters.
    pub(crate) fn split<'a>(&self, delimiter: Option<u8>, bytes: &'a [u8]) -> Split<'a> {
        Split {
            rest: Some(bytes),
            delimiter,
            syntax: *self,
        }
    }

    /// The part with the number, counted from one; empty where there is none.
    #[inline]
    pub(crate) fn part<'a>(
        &self,
        delimiter: Option<u8>,
        bytes: &'a [u8],
        number: usize,
    ) -> &'a [u8] {
        let Some(skip) = number.checked_sub(1) else {
            return &[];
        };
        if let (Some(byte), Layout::SingleByte) = (delimiter, self.layout) {
            // The same as below, in one pass.
            let mut ends = memchr_iter(byte, bytes);
            let start = match skip.checked_sub(1) {
                Some(before) => ends.nth(before).map(|end| end + 1),
                None => Some(0),
            };
            let end = ends.next().unwrap_or(bytes.len());
            return start.map_or(&[], |start| &bytes[start..end]);
        }
        let mut rest = bytes;
        for _ in 0..skip {
            let Some(end) = self.find(delimiter, rest) else {
                return &[];
            };
            rest = &rest[end + 1..];
        }
        let end = self.find(delimiter, rest).unwrap_or(rest.len());
        &rest[..end]
    }
}

/// Iterator over what stands between delimiters.
#[derive(Clone)]
pub(crate) struct Split<'a> {
    rest: Option<&'a [u8]>,
    delimiter: Option<u8>,
    syntax: Syntax,
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match self.syntax.find(self.delimiter, rest) {
            Some(end) => {
                self.rest = Some(&rest[end + 1..]);
                Some(&rest[..end])
            }
            None => self.rest.take(),
        }
    }
}
