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
    /// The file, and whether it is gzipped, where it can be read twice.
    again: Option<(Placed, bool)>,
}

impl Text {
    /// The text, once it is known to be whole.
    pub(crate) fn proved(self) -> Result<Box<dyn Read + Send>, FileRefused> {
        if let Some(proof) = self.proof {
            proof.verdict()?;
        }
        Ok(self.reader)
    }

    /// A second reader of the text, where it can be read twice.
    pub(crate) fn again(&self) -> Option<Box<dyn Read + Send>> {
        let (file, gzip) = self.again.clone()?;
        Some(decoded(file, gzip))
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
            again: None,
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
    let again = Some((file.clone(), gzip));
    let stored = Counted {
        inner: file,
        position: Arc::clone(position),
    };
    Text {
        reader: decoded(stored, gzip),
        proof,
        again,
    }
}

fn decoded(stored: impl Read + Send + 'static, gzip: bool) -> Box<dyn Read + Send> {
    if gzip {
        Box::new(decoder(stored))
    } else {
        Box::new(stored)
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
