//! A text cut into pieces that end with a line.

use std::fmt;
use std::io::{self, Read};

use super::format::{are_lines, not_document, not_lines};
use super::{FileRefused, Input};

/// How much is read at a time. Large enough to make hand-overs between
/// threads rare, small enough for several to be under way in little memory.
const CHUNK: usize = 256 * 1024;
/// How much of new memory is read into at first.
const LEAST: usize = 16 * 1024;

/// A piece of a file.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) content: Content,
    pub(crate) data: Vec<u8>,
    /// Offset of `data` in the decoded file.
    pub(crate) offset: u64,
    /// It is of a file of one JSON text, not of lines.
    pub(crate) document: bool,
    /// The type that every resource of the file has to have.
    pub(crate) resource_type: Option<&'static str>,
}

/// What a [`Chunk`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Whole lines; the last may lack its line feed.
    Lines,
    /// One JSON text.
    Document,
    /// The beginning of a line or document of this many bytes, over the limit.
    TooLong(u64),
}

/// A line or document that is longer than it may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OverLimit {
    pub(crate) length: u64,
    pub(crate) limit: usize,
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, limit } = self;
        write!(f, "{length} bytes, over the limit of {limit} (max_line)")
    }
}

/// Reads a text in [`Chunk`]s.
pub(crate) struct Chunks<R> {
    reader: R,
    document: bool,
    resource_type: Option<&'static str>,
    limit: usize,
    /// Read but not given out: what follows the last line feed.
    rest: Vec<u8>,
    offset: u64,
    ended: bool,
    started: bool,
}

impl<R: Read> Chunks<R> {
    /// `limit` is the longest line, or document, to be taken.
    pub(crate) fn new(reader: R, input: &Input, limit: usize) -> Self {
        Self {
            reader,
            document: input.document,
            resource_type: input.resource_type,
            limit,
            rest: Vec::new(),
            offset: 0,
            ended: false,
            started: false,
        }
    }

    /// Whether all was read, and without a fault.
    pub(crate) const fn ended(&self) -> bool {
        self.ended
    }

    /// The next piece. `buffer` is used for it, and what it holds written over.
    pub(crate) fn next(&mut self, mut buffer: Vec<u8>) -> Result<Option<Chunk>, FileRefused> {
        let mut scanned = self.rest.len();
        buffer.resize(buffer.len().max(scanned), 0);
        buffer[..scanned].copy_from_slice(&self.rest);
        self.rest.clear();
        loop {
            self.fill(&mut buffer, scanned)?;
            if !self.started {
                self.start(&mut buffer)?;
            }
            if self.document {
                if buffer.len() > self.limit {
                    return self.too_long(buffer).map(Some);
                }
                if self.ended {
                    return Ok(self.give(buffer, Content::Document));
                }
                scanned = buffer.len();
                continue;
            }
            if self.ended && buffer.len() <= self.limit {
                return Ok(self.give(buffer, Content::Lines));
            }
            if let Some(at) = memchr::memrchr(b'\n', &buffer[scanned.min(buffer.len())..]) {
                let end = scanned + at + 1;
                self.rest.extend_from_slice(&buffer[end..]);
                buffer.truncate(end);
                return Ok(self.give(buffer, Content::Lines));
            }
            if buffer.len() > self.limit {
                return self.too_long(buffer).map(Some);
            }
            scanned = buffer.len();
        }
    }

    fn give(&mut self, data: Vec<u8>, content: Content) -> Option<Chunk> {
        let offset = self.offset;
        self.offset += data.len() as u64;
        (!data.is_empty()).then_some(Chunk {
            content,
            data,
            offset,
            document: self.document,
            resource_type: self.resource_type,
        })
    }

    /// Looks at the beginning of the text, once.
    fn start(&mut self, buffer: &mut Vec<u8>) -> Result<(), FileRefused> {
        self.started = true;
        if buffer.starts_with(b"\xEF\xBB\xBF") {
            buffer.drain(..3);
            self.offset = 3;
        }
        // Some servers' exports are called so.
        self.document = self.document && !are_lines(buffer);
        let refused = if self.document {
            not_document(buffer)
        } else {
            not_lines(buffer)
        };
        refused.map_or(Ok(()), |reason| Err(FileRefused(reason.into())))
    }

    /// Reads about [`CHUNK`] bytes after the first `filled`.
    // Memory that was used before is read into as it is: to have it zeroed,
    // as `read_to_end` does, was a twentieth of passing over known lines.
    fn fill(&mut self, buffer: &mut Vec<u8>, mut filled: usize) -> Result<(), FileRefused> {
        let full = filled + CHUNK.max(filled);
        if buffer.len() > CHUNK / 2 {
            buffer.resize(full, 0);
        }
        while filled < full {
            // A small file takes no more than it needs.
            if buffer.len() < full.min(filled + LEAST) {
                let grown = (filled + LEAST).max(2 * buffer.len());
                buffer.resize(grown.min(full), 0);
            }
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        buffer.truncate(filled);
        self.ended = filled < full;
        Ok(())
    }

    /// Passes over the rest of a line, or of all for a document, that has no
    /// end in `data`.
    fn too_long(&mut self, mut data: Vec<u8>) -> Result<Chunk, FileRefused> {
        let mut length = data.len() as u64;
        let mut piece = Vec::new();
        while !self.ended {
            self.fill(&mut piece, 0)?;
            let end = if self.document {
                None
            } else {
                memchr::memchr(b'\n', &piece)
            };
            if let Some(end) = end {
                length += end as u64 + 1;
                self.rest.extend_from_slice(&piece[end + 1..]);
                break;
            }
            length += piece.len() as u64;
        }
        data.truncate(self.limit);
        let offset = self.offset;
        self.offset += length;
        Ok(Chunk {
            content: Content::TooLong(length),
            data,
            offset,
            document: self.document,
            resource_type: self.resource_type,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All chunks of a text, as content and length.
    fn chunks(text: &[u8], limit: usize) -> Vec<(Content, Vec<u8>, u64)> {
        let mut chunks = Chunks::new(Drips { text, reads: 0 }, &Input::stdin(), limit);
        // Nothing of what a buffer held may come again.
        let used = vec![b'\n'; 2 * CHUNK];
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next(used.clone()).expect("readable") {
            all.push((chunk.content, chunk.data, chunk.offset));
        }
        all
    }

    /// Gives less than was asked for, and is interrupted every other time.
    struct Drips<'a> {
        text: &'a [u8],
        reads: usize,
    }

    impl Read for Drips<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.reads += 1;
            if self.reads.is_multiple_of(2) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = buffer.len().min(100_003);
            self.text.read(&mut buffer[..length])
        }
    }

    #[test]
    fn chunks_are_the_text() {
        for size in [0, 1, 70, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
            for line in [1, 13, 5000] {
                let mut text: Vec<u8> = (0..size)
                    .map(|at| if at % line == line - 1 { b'\n' } else { b'x' })
                    .collect();
                for last in [false, true] {
                    if last {
                        text.push(b'\n');
                    }
                    let all = chunks(&text, 1 << 20);
                    let mut joined = Vec::new();
                    for (content, data, offset) in &all {
                        assert_eq!((*content, *offset), (Content::Lines, joined.len() as u64));
                        joined.extend_from_slice(data);
                        assert!(joined.len() == text.len() || data.ends_with(b"\n"));
                    }
                    assert!(joined == text, "{size} {line}");
                }
            }
        }
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over() {
        let long = vec![b'x'; 3 * CHUNK];
        let text = [b"{}\n", long.as_slice(), b"\n{}\n{}"].concat();
        let all = chunks(&text, CHUNK / 2);
        let kinds: Vec<_> = all
            .iter()
            .map(|(content, _, offset)| (*content, *offset))
            .collect();
        let length = long.len() as u64 + 1;
        assert_eq!(
            kinds,
            [
                (Content::Lines, 0),
                (Content::TooLong(length), 3),
                (Content::Lines, 3 + length),
            ]
        );
        assert_eq!(all[1].1.len(), CHUNK / 2);
        assert_eq!(all[2].1, b"{}\n{}");
    }
}
