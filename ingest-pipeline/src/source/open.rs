//! From a file to its text: compression, and files that are no NDJSON at all.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::gzip::{Placed, Proof, decoder, is_gzip};
use super::pipe::Pipe;
use super::{FileRefused, Input};
use crate::Interrupt;

/// The decoded text of an input.
pub(crate) struct Text {
    reader: Box<dyn Read + Send>,
    proof: Option<Arc<Proof>>,
}

impl Text {
    /// The text, once it is known to be whole.
    pub(crate) fn proved(self) -> Result<Box<dyn Read + Send>, FileRefused> {
        if let Some(proof) = self.proof {
            proof.verdict()?;
        }
        Ok(self.reader)
    }

    /// The text, and what has to be asked before anything of it is written,
    /// if so.
    pub(crate) fn unproved(self) -> (Box<dyn Read + Send>, Option<Arc<Proof>>) {
        (self.reader, self.proof)
    }
}

/// Opens an input for reading its decoded text. `position` is kept at the
/// number of bytes read of the file as it is stored. Where the input keeps its
/// reader waiting, `interrupt` makes it fail.
pub(crate) fn open(
    input: &Input,
    spool: &Path,
    position: &Arc<AtomicU64>,
    interrupt: &Interrupt,
) -> Result<Text, FileRefused> {
    let file = match (&input.opened, &input.path) {
        (Some(opened), _) => Arc::clone(&opened.0),
        (None, Some(path)) if !input.piped => Arc::new(Mutex::new(File::open(path)?)),
        _ => return piped(pipe(input, interrupt)?, spool, position),
    };
    let file = Placed::at_start(file);
    let gzip = is_gzip(&peek(&mut file.clone())?);
    Ok(text(file, gzip, input.verified, position))
}

/// Opens what can be read only once.
pub(crate) fn pipe(input: &Input, interrupt: &Interrupt) -> io::Result<impl Read + Send + use<>> {
    let path = input.path.clone();
    let open = move || {
        Ok(match path {
            Some(path) => Box::new(File::open(path)?) as Box<dyn Read>,
            None => Box::new(io::stdin()),
        })
    };
    Pipe::open(open, interrupt.clone())
}

fn piped(
    mut pipe: impl Read + Send + 'static,
    spool: &Path,
    position: &Arc<AtomicU64>,
) -> Result<Text, FileRefused> {
    let head = peek(&mut pipe)?;
    let gzip = is_gzip(&head);
    let mut whole = io::Cursor::new(head).chain(pipe);
    if !gzip {
        return Ok(Text {
            reader: Box::new(Counted {
                inner: whole,
                position: Arc::clone(position),
            }),
            proof: None,
        });
    }
    // A pipe can't be read twice, so it is kept to be verified first.
    let mut file = tempfile::tempfile_in(spool)?;
    io::copy(&mut whole, &mut file)?;
    let file = Placed::at_start(Arc::new(Mutex::new(file)));
    Ok(text(file, gzip, false, position))
}

fn text(file: Placed, gzip: bool, verified: bool, position: &Arc<AtomicU64>) -> Text {
    let proof = (gzip && !verified).then(|| Arc::new(Proof::new(file.clone())));
    let stored = Counted {
        inner: file,
        position: Arc::clone(position),
    };
    Text {
        reader: if gzip {
            Box::new(decoder(stored))
        } else {
            Box::new(stored)
        },
        proof,
    }
}

/// The first bytes, fewer only where there are no more.
fn peek(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(4).read_to_end(&mut head)?;
    Ok(head)
}

struct Counted<R> {
    inner: R,
    position: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Why text that begins like this is not taken as NDJSON, if so.
///
/// One line that is no JSON is a bad record; a file that could never have been
/// meant as NDJSON is refused whole, with one clear reason.
pub(super) fn not_lines(text: &[u8]) -> Option<&'static str> {
    if let Some(reason) = utf16(text) {
        return Some(reason);
    }
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty())?;
    match first[0] {
        b'[' => return Some("it is a JSON array, not NDJSON: write one resource a line"),
        b'<' => return Some("it is XML or HTML, not NDJSON"),
        b'{' => {}
        _ => {
            if let Some(reason) = another_format(text) {
                return Some(reason);
            }
        }
    }
    let cut = fhir_json::Tape::new()
        .parse(first)
        .is_err_and(|error| error.kind() == fhir_json::ErrorKind::UnexpectedEnd);
    let second = lines.find(|line| !line.is_empty());
    if cut && second.is_some_and(|line| !line.starts_with(b"{")) {
        return Some("it is a JSON document over several lines, not NDJSON: name it .json");
    }
    None
}

/// What a text is that does not begin with a record and has nothing of one,
/// where that is plain. Other text may be lines of a bad day, and each has its
/// outcome.
fn another_format(text: &[u8]) -> Option<&'static str> {
    if text.starts_with(b"SQLite format 3\0") {
        return Some("it is an SQLite database, not NDJSON");
    }
    let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let is_record = |line: &[u8]| {
        let inside = line.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        inside.is_some_and(|rest| rest.starts_with(b"\"") || rest.starts_with(b"}"))
    };
    let has_type = memchr::memmem::find(text, b"resourceType").is_some();
    if has_type || lines.clone().any(is_record) {
        return None;
    }
    if text.starts_with(b"MSH|") {
        return Some("it is HL7 v2, not NDJSON");
    }
    // JSON has no zero bytes.
    if memchr::memchr(0, text).is_some() {
        return Some("it is a binary file, not NDJSON: of those that are packed, gzip is read");
    }
    let mut full = lines.filter(|line| !line.is_empty());
    let (head, row) = (full.next()?, full.next()?);
    let is_table = |separator| head.contains(separator) && row.contains(separator);
    b",;\t"
        .iter()
        .any(is_table)
        .then_some("it looks like CSV, not NDJSON")
}

/// Whether a text is UTF-16 by its byte order mark or by its zero bytes.
pub(super) fn utf16(text: &[u8]) -> Option<&'static str> {
    let marked = text.starts_with(&[0xFF, 0xFE]) || text.starts_with(&[0xFE, 0xFF]);
    let zeros = matches!(text, [0, b'{' | b'[', ..] | [b'{' | b'[', 0, ..]);
    (marked || zeros).then_some("it is UTF-16: convert it to UTF-8")
}
