use std::fmt;
use std::io::{self, BufRead, Read};

use fhir_http::Client;
use sha2::{Digest, Sha256};

use super::decode::Decoder;
use super::inspect::Inspector;
use super::stream::{Start, Stream, open};
use super::{BUFFER, Fault};
use crate::{Error, OutputFile, Result};

/// The text of a file straight off the network, decoded, each byte exactly
/// once whatever happens to the connection.
///
/// Where a connection breaks it goes on by `Range`, else it reads the file
/// again, passes over what was given out, and checks that it is the same.
/// Errors are `io::Error`s that hold an [`Error`]; [`NdjsonReader`] unpacks
/// them. What a file has to be is checked as in [`Download`], where some of it
/// is only known at the end: an error in place of the end means that what was
/// read must not be kept.
///
/// [`NdjsonReader`]: crate::NdjsonReader
/// [`Download`]: crate::Download
pub struct OutputReader {
    client: Client,
    file: OutputFile,
    decoder: Decoder<Stream<()>>,
    inspector: Inspector,
    buffer: Vec<u8>,
    /// What of the buffer is yet to be given out.
    ready: std::ops::Range<usize>,
    /// Hash and number of bytes that were put into the buffer.
    given: Sha256,
    given_bytes: u64,
    /// After a new start: bytes to pass over, and their hash so far.
    skip: Option<(u64, Sha256)>,
    lines: u64,
    faults: Vec<Fault>,
    done: bool,
}

impl OutputReader {
    /// Asks for `file`. Reading goes on over `client`.
    ///
    /// # Errors
    /// [`Error::FileStatus`] and [`Error::FileRequest`] when it can't be had.
    pub fn open(client: Client, file: OutputFile) -> Result<Self> {
        let start = open(&client, &file, None)?;
        Ok(Self {
            decoder: decoder(&client, &file, start),
            inspector: Inspector::new(&file),
            client,
            file,
            buffer: vec![0; BUFFER],
            ready: 0..0,
            given: Sha256::new(),
            given_bytes: 0,
            skip: None,
            lines: 0,
            faults: Vec::new(),
            done: false,
        })
    }

    /// Decoded bytes so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.given_bytes
    }

    /// Lines that are not blank; known at the end.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// What differs from what the manifest promised; known at the end.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    fn fill(&mut self) -> Result<()> {
        while self.ready.is_empty() && !self.done {
            match self.decoder.read(&mut self.buffer) {
                Ok(0) => self.end()?,
                Ok(read) => self.take(read)?,
                Err(source) => {
                    let stream = self.decoder.inner();
                    if let Some(start) = stream.take_restart() {
                        self.skip = Some((self.given_bytes, Sha256::new()));
                        self.decoder = decoder(&self.client, &self.file, start);
                    } else if let Some(fault) = stream.take_fault() {
                        return Err(fault);
                    } else {
                        return Err(Error::Gzip {
                            file: self.file.id(),
                            source,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the first bytes of the buffer.
    fn take(&mut self, read: usize) -> Result<()> {
        let mut from = 0;
        if let Some((left, mut sha)) = self.skip.take() {
            from = usize::try_from(left).unwrap_or(usize::MAX).min(read);
            sha.update(&self.buffer[..from]);
            let left = left - from as u64;
            if left > 0 {
                self.skip = Some((left, sha));
                return Ok(());
            }
            if sha.finalize() != self.given.clone().finalize() {
                return Err(Error::Changed {
                    file: self.file.id(),
                });
            }
        }
        let new = &self.buffer[from..read];
        self.inspector.feed(new).map_err(|found| Error::NotNdjson {
            file: self.file.id(),
            found,
        })?;
        self.given.update(new);
        self.given_bytes += new.len() as u64;
        self.ready = from..read;
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        // Nothing was given out yet: there is nothing to compare.
        if self.skip.take().is_some_and(|(left, _)| left > 0) {
            return Err(Error::Changed {
                file: self.file.id(),
            });
        }
        let raw = self.decoder.inner().position();
        let seen = self
            .inspector
            .finish(&self.file, raw)
            .map_err(|found| Error::NotNdjson {
                file: self.file.id(),
                found,
            })?;
        self.lines = seen.lines;
        self.faults = seen.faults;
        self.done = true;
        Ok(())
    }
}

fn decoder(client: &Client, file: &OutputFile, start: Start) -> Decoder<Stream<()>> {
    Decoder::new(Stream::new(client.clone(), file.clone(), start, ()))
}

impl BufRead for OutputReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.fill().map_err(io::Error::other)?;
        Ok(&self.buffer[self.ready.clone()])
    }

    fn consume(&mut self, amount: usize) {
        self.ready.start = self.ready.start.saturating_add(amount).min(self.ready.end);
    }
}

impl Read for OutputReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let read = ready.len().min(buffer.len());
        buffer[..read].copy_from_slice(&ready[..read]);
        self.consume(read);
        Ok(read)
    }
}

/// By hand: what it reads is content.
impl fmt::Debug for OutputReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutputReader")
            .field("file", &format_args!("{}", self.file.id()))
            .field("bytes", &self.given_bytes)
            .finish_non_exhaustive()
    }
}
