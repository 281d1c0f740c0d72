//! From a file to its text: compression, and files that are no NDJSON at all.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::{FileRefused, Input};

const BUFFER: usize = 256 * 1024;

/// Opens an input for reading its decoded text. `position` is kept at the
/// number of bytes read of the file as it is stored.
///
/// A gzip stream is read to its end once before the first byte is given out:
/// of a damaged one, nothing is to be taken.
pub(crate) fn open(
    input: &Input,
    spool: &std::path::Path,
    position: &Arc<AtomicU64>,
) -> Result<Box<dyn Read + Send>, FileRefused> {
    let mut file = match (&input.opened, &input.path) {
        (Some(opened), _) => {
            let mut file = opened.0.try_clone()?;
            file.seek(SeekFrom::Start(0))?;
            file
        }
        (None, Some(path)) => File::open(path)?,
        (None, None) => return stdin(spool, position),
    };
    let head = peek(&mut file)?;
    file.seek(SeekFrom::Start(0))?;
    let file = if is_gzip(&head) && !input.verified {
        verified(file)?
    } else {
        file
    };
    Ok(decoded(
        Counted {
            inner: file,
            position: Arc::clone(position),
        },
        is_gzip(&head),
    ))
}

fn stdin(
    spool: &std::path::Path,
    position: &Arc<AtomicU64>,
) -> Result<Box<dyn Read + Send>, FileRefused> {
    let mut stdin = io::stdin();
    let head = peek(&mut stdin)?;
    let whole = io::Cursor::new(head.clone()).chain(stdin);
    if !is_gzip(&head) {
        return Ok(Box::new(Counted {
            inner: whole,
            position: Arc::clone(position),
        }));
    }
    // A pipe can't be read twice, so it is kept to be verified first.
    let mut file = tempfile::tempfile_in(spool)?;
    let mut whole = whole;
    io::copy(&mut whole, &mut file)?;
    file.flush()?;
    file.seek(SeekFrom::Start(0))?;
    let file = verified(file)?;
    Ok(decoded(
        Counted {
            inner: file,
            position: Arc::clone(position),
        },
        true,
    ))
}

fn decoded<R: Read + Send + 'static>(reader: R, gzip: bool) -> Box<dyn Read + Send> {
    if gzip {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(
            BUFFER, reader,
        )))
    } else {
        Box::new(reader)
    }
}

/// Decodes a whole gzip stream for its checksums and gives the file back.
fn verified(mut file: File) -> Result<File, FileRefused> {
    let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(BUFFER, &mut file));
    match io::copy(&mut decoder, &mut io::sink()) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(FileRefused(
                "the gzip stream is cut short: transfer the file again".into(),
            ));
        }
        Err(_) => {
            return Err(FileRefused(
                "the gzip stream is damaged: transfer the file again".into(),
            ));
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1F, 0x8B])
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
        _ => {}
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

/// Whether a text is UTF-16 by its byte order mark or by its zero bytes.
pub(super) fn utf16(text: &[u8]) -> Option<&'static str> {
    let marked = text.starts_with(&[0xFF, 0xFE]) || text.starts_with(&[0xFE, 0xFF]);
    let zeros = matches!(text, [0, b'{' | b'[', ..] | [b'{' | b'[', 0, ..]);
    (marked || zeros).then_some("it is UTF-16: convert it to UTF-8")
}
