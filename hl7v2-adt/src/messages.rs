//! Messages in files: one, many, batches, in MLLP frames or not.

use std::fmt;

use memchr::memchr_iter;

use crate::message::{end_of_body, header_start, is_padding};

const VT: u8 = 0x0B;
const FS: u8 = 0x1C;

/// Iterator over the messages of a text: several in a row, batches with their
/// envelopes (FHS, BHS, BTS, FTS: section 2.10.3; each may be missing), with
/// or without MLLP frames.
///
/// Every byte of the text is in a message, in an envelope, in a frame's end or
/// beginning, or in a [`Warning`].
#[derive(Clone)]
pub struct Messages<'a> {
    bytes: &'a [u8],
    terminator: u8,
    /// Where the next line begins.
    at: usize,
    /// Where the message that is being read begins.
    message: Option<usize>,
    /// Where the bytes begin that belong to nothing so far.
    loose: Option<usize>,
    in_batch: u64,
    batches: u64,
    /// Whether the batch has a header.
    batch_is_open: bool,
    warnings: Vec<Warning>,
}

/// The bytes of one message in a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawMessage<'a> {
    /// Bytes of the text before it.
    pub offset: usize,
    /// Its bytes, unaltered: with all line ends and blanks up to the next
    /// message, without frame and envelope.
    pub bytes: &'a [u8],
}

/// Something about a text that is no error of any message in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A batch says in BTS-1 that it has another number of messages.
    BatchCount {
        /// Where the BTS segment is.
        offset: usize,
        /// What it says.
        declared: u64,
        /// Messages since the batch began.
        found: u64,
    },
    /// A file says in FTS-1 that it has another number of batches.
    FileCount {
        /// Where the FTS segment is.
        offset: usize,
        /// What it says.
        declared: u64,
        /// Batches since the file began.
        found: u64,
    },
    /// Bytes that belong to no message.
    Skipped {
        /// Where they begin.
        offset: usize,
        /// How many there are.
        length: usize,
    },
}

impl<'a> Messages<'a> {
    /// Of a text: a file, or what came in one MLLP frame. Segments end in CR,
    /// in LF where there is no CR but those of MLLP frames; an LF before an MSH
    /// segment always ends a message.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let body = &bytes[..end_of_body(bytes)];
        let ends_frame = |at: usize| at > 0 && body[at - 1] == FS;
        let carriage_return = memchr_iter(b'\r', body).any(|at| !ends_frame(at));
        Self {
            bytes,
            terminator: if carriage_return { b'\r' } else { b'\n' },
            at: 0,
            message: None,
            loose: None,
            in_batch: 0,
            batches: 0,
            batch_is_open: false,
            warnings: Vec::new(),
        }
    }

    /// What was noticed so far; all of it when the iterator has ended.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The next line, with its terminator.
    fn line(&mut self) -> Option<Line> {
        let start = self.at;
        if start == self.bytes.len() {
            return None;
        }
        let content = start + header_start(&self.bytes[start..]);
        let mut end = content;
        let mut ends_frame = false;
        loop {
            let rest = &self.bytes[end..];
            let found = rest
                .iter()
                .position(|byte| matches!(byte, b'\r' | b'\n' | &(FS | VT)));
            end += found.unwrap_or(rest.len());
            let Some(&byte) = self.bytes.get(end) else {
                break;
            };
            let behind = &self.bytes[end + 1..];
            match byte {
                FS => ends_frame = matches!(behind.first(), None | Some(b'\r' | &VT)),
                VT => ends_frame = begins_message(behind),
                _ if byte == self.terminator => break,
                // No data: separators in it would have to be escaped.
                b'\n' if begins_message(behind) => break,
                _ => {}
            }
            if ends_frame {
                break;
            }
            end += 1;
        }
        // The end of a frame stays for the padding of the next line.
        self.at = if ends_frame {
            end
        } else {
            (end + 1).min(self.bytes.len())
        };
        Some(Line {
            start,
            content,
            end,
        })
    }

    fn finish(&mut self, end: usize) -> Option<RawMessage<'a>> {
        let start = self.message.take()?;
        self.in_batch += 1;
        Some(RawMessage {
            offset: start,
            bytes: &self.bytes[start..end],
        })
    }

    fn skip_to(&mut self, end: usize) {
        if let Some(offset) = self.loose.take() {
            let length = end - offset;
            self.warnings.push(Warning::Skipped { offset, length });
        }
    }

    fn close(&mut self, envelope: Envelope, line: &Line) {
        let offset = line.content;
        let segment = &self.bytes[offset..line.end];
        let declared = segment.get(3).and_then(|separator| {
            let field = segment[4..].split(|byte| byte == separator).next()?;
            std::str::from_utf8(field).ok()?.trim().parse().ok()
        });
        let batch = envelope == Envelope::BatchEnd;
        let found = if batch { self.in_batch } else { self.batches };
        if let Some(declared) = declared.filter(|&declared| declared != found) {
            self.warnings.push(if batch {
                Warning::BatchCount {
                    offset,
                    declared,
                    found,
                }
            } else {
                Warning::FileCount {
                    offset,
                    declared,
                    found,
                }
            });
        }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = RawMessage<'a>;

    fn next(&mut self) -> Option<RawMessage<'a>> {
        while let Some(line) = self.line() {
            let padding = &self.bytes[line.start..line.content];
            let frame = padding.iter().position(|&byte| byte == FS || byte == VT);
            // Without a frame, what is between two messages goes with the first.
            let boundary = frame.map_or(line.content, |at| line.start + at);
            let blank = line.content == self.bytes.len() || line.content >= line.end;
            let Some(envelope) = Envelope::of(&self.bytes[line.content..line.end]) else {
                // What follows a frame is outside of it.
                let finished = frame.and_then(|_| self.finish(boundary));
                if self.message.is_none() && !blank {
                    self.loose.get_or_insert(line.content);
                }
                if finished.is_some() {
                    return finished;
                }
                continue;
            };
            let finished = self.finish(boundary);
            self.skip_to(line.start);
            match envelope {
                Envelope::Message => {
                    let begins_frame = padding.iter().rposition(|&byte| byte == VT);
                    self.message = Some(match begins_frame {
                        Some(at) => line.start + at + 1,
                        None if line.start == 0 => 0,
                        None => line.content,
                    });
                }
                Envelope::File => (self.in_batch, self.batches) = (0, 0),
                Envelope::Batch => {
                    self.in_batch = 0;
                    self.batches += 1;
                    self.batch_is_open = true;
                }
                Envelope::BatchEnd => {
                    self.close(envelope, &line);
                    self.batches += u64::from(!self.batch_is_open);
                    self.batch_is_open = false;
                    self.in_batch = 0;
                }
                Envelope::FileEnd => {
                    if self.batches > 0 {
                        self.close(envelope, &line);
                    }
                    self.batches = 0;
                }
            }
            if finished.is_some() {
                return finished;
            }
        }
        self.skip_to(self.bytes.len());
        self.finish(self.bytes.len())
    }
}

/// Sizes, no content.
impl fmt::Debug for Messages<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages")
            .field("bytes", &self.bytes.len())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Sizes, no content.
impl fmt::Debug for RawMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawMessage({} bytes at {})",
            self.bytes.len(),
            self.offset
        )
    }
}

/// Whether an MSH segment with all its separators is there.
fn begins_message(bytes: &[u8]) -> bool {
    let is_message = Envelope::of(bytes) == Some(Envelope::Message);
    is_message && bytes[4..].iter().take(6).any(|byte| *byte == bytes[3])
}

struct Line {
    /// Where it begins, padding included.
    start: usize,
    /// Where its padding ends.
    content: usize,
    /// Where its terminator is.
    end: usize,
}

/// Segments that begin or end something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Envelope {
    Message,
    File,
    Batch,
    BatchEnd,
    FileEnd,
}

impl Envelope {
    fn of(line: &[u8]) -> Option<Self> {
        let envelope = match line.get(..3)? {
            b"MSH" => Self::Message,
            b"FHS" => Self::File,
            b"BHS" => Self::Batch,
            b"BTS" => Self::BatchEnd,
            b"FTS" => Self::FileEnd,
            _ => return None,
        };
        let trailer = matches!(envelope, Self::BatchEnd | Self::FileEnd);
        let is_segment = line.get(3).map_or(trailer, |byte| {
            byte.is_ascii_punctuation() || trailer && is_padding(*byte)
        });
        is_segment.then_some(envelope)
    }
}
