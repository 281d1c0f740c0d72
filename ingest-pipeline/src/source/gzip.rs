//! Gzip streams, and whether they are whole.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::MultiGzDecoder;

use super::FileRefused;

const BUFFER: usize = 256 * 1024;

pub(super) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1F, 0x8B])
}

pub(super) fn decoder<R: Read>(reader: R) -> MultiGzDecoder<BufReader<R>> {
    MultiGzDecoder::new(BufReader::with_capacity(BUFFER, reader))
}

/// A file from a place of one's own, whoever else reads it.
#[derive(Clone)]
pub(super) struct Placed {
    file: Arc<Mutex<File>>,
    at: u64,
}

impl Placed {
    pub(super) const fn at_start(file: Arc<Mutex<File>>) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for Placed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// What says whether a gzip stream is whole, once it is asked or told.
///
/// Of a damaged one nothing is to be taken, so nothing may be written before.
pub(crate) struct Proof {
    stream: Placed,
    /// Held by whoever decodes the stream for it.
    verdict: Mutex<Option<Verdict>>,
}

type Verdict = Result<(), FileRefused>;

impl Proof {
    pub(super) const fn new(stream: Placed) -> Self {
        Self {
            stream,
            verdict: Mutex::new(None),
        }
    }

    /// Whether the stream is whole. It is decoded for its checksums, unless
    /// that is known.
    pub(crate) fn verdict(&self) -> Verdict {
        loop {
            if let Some(verdict) = self.look(|| true) {
                return verdict;
            }
        }
    }

    /// [`verdict`](Self::verdict), or nothing where `going` says no before it is
    /// found.
    pub(crate) fn look(&self, going: impl Fn() -> bool) -> Option<Verdict> {
        let mut known = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = verify(self.stream.clone(), going);
        }
        known.clone()
    }

    /// Whoever reads the text has come to its end, and so past all checksums.
    pub(crate) fn read_to_its_end(&self) {
        // Else somebody is about to find it. One that is there stays.
        if let Ok(mut known) = self.verdict.try_lock() {
            known.get_or_insert(Ok(()));
        }
    }
}

/// Nothing where `going` says no before the end.
fn verify(stream: Placed, going: impl Fn() -> bool) -> Option<Verdict> {
    let mut decoder = decoder(stream);
    // One that is filled in one go is not copied to be looked back at.
    let mut text = vec![0; BUFFER];
    while going() {
        match decoder.read(&mut text) {
            Ok(0) => return Some(Ok(())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Some(Err(FileRefused(
                    "the gzip stream is cut short: transfer the file again".into(),
                )));
            }
            Err(_) => {
                return Some(Err(FileRefused(
                    "the gzip stream is damaged: transfer the file again".into(),
                )));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn proof(stream: &[u8]) -> Proof {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(stream).expect("room");
        Proof::new(Placed::at_start(Arc::new(Mutex::new(file))))
    }

    #[test]
    fn a_look_that_was_stopped_has_no_verdict_and_the_next_one_has() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![b' '; 10 * BUFFER]).expect("memory");
        let whole = encoder.finish().expect("memory");
        for (stream, is_whole) in [(&whole[..], true), (&whole[..whole.len() - 1], false)] {
            let proof = proof(stream);
            let left = Cell::new(5);
            let going = || left.replace(left.get() - 1) > 0;
            assert_eq!(proof.look(going), None);
            assert_eq!(left.get(), -1);
            let verdict = proof.look(|| true).expect("a verdict");
            assert_eq!(verdict.is_ok(), is_whole);
            assert_eq!(proof.verdict(), verdict);
            // It is known, and nobody is asked whether to go on.
            assert_eq!(proof.look(|| false), Some(verdict.clone()));
            proof.read_to_its_end();
            assert_eq!(proof.verdict(), verdict);
        }
    }
}
