//! Gzip streams, and whether they are whole.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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
    verdict: OnceLock<Result<(), FileRefused>>,
}

impl Proof {
    pub(super) const fn new(stream: Placed) -> Self {
        Self {
            stream,
            verdict: OnceLock::new(),
        }
    }

    /// Whether the stream is whole. It is decoded for its checksums, unless
    /// that is known.
    pub(crate) fn verdict(&self) -> Result<(), FileRefused> {
        let verdict = self.verdict.get_or_init(|| verify(self.stream.clone()));
        verdict.clone()
    }

    /// Whoever reads the text has come to its end, and so past all checksums.
    pub(crate) fn read_to_its_end(&self) {
        // A verdict that is there says the same.
        let _ = self.verdict.set(Ok(()));
    }
}

fn verify(stream: Placed) -> Result<(), FileRefused> {
    let mut decoder = decoder(stream);
    // One that is filled in one go is not copied to be looked back at.
    let mut text = vec![0; BUFFER];
    loop {
        match decoder.read(&mut text) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
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
    }
}
