use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fhir_http::Client;

use self::decode::Decoder;
use self::inspect::{Inspector, Seen};
use self::part::Part;
use self::stream::{Start, Stream, open, pause};
use crate::{Error, OutputFile, Result};

mod decode;
mod inspect;
mod part;
mod pool;
mod reader;
mod scan;
mod stream;

pub use pool::Downloads;
pub use reader::OutputReader;

/// Size of the buffers that files pass through.
const BUFFER: usize = 64 * 1024;

/// One file of an export, to be written to a path as the server sends it:
/// gzip stays gzip.
///
/// The file is there under its name only when it is complete and on the disk.
/// Until then it is `NAME.part`, with `NAME.part.json` beside it, which let the
/// next run go on where this one was stopped; one whose process was killed
/// within the first 4 MiB is asked for anew. A broken connection is resumed
/// (`Range` with `If-Range`) where the server lets it, else the file is asked
/// for again, as often as the client's retry policy says. While it is written
/// its text is decoded and checked, in constant memory; a file that fails a
/// check is asked for once more.
pub struct Download<'a> {
    client: &'a Client,
    file: &'a OutputFile,
    path: PathBuf,
}

/// A file that was downloaded.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Downloaded {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The size of its text: the same, unless it is gzipped.
    pub decoded_bytes: u64,
    /// Lines that are not blank.
    pub lines: u64,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// What differs from what the manifest promised, also on the second try.
    pub faults: Vec<Fault>,
}

/// A difference between a file and what the manifest promised about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Another number of resources.
    Count {
        /// What the manifest says.
        promised: u64,
        /// What there is.
        found: u64,
    },
    /// Another size, neither as sent nor decoded.
    Size {
        /// What the manifest says.
        promised: u64,
        /// The size as sent.
        raw: u64,
        /// The size of the text.
        decoded: u64,
    },
    /// The last line has no end, and is no whole object: the file may have
    /// been cut where nobody could tell.
    Unfinished,
    /// Resources of another type.
    Type {
        /// On how many lines.
        lines: u64,
    },
}

impl<'a> Download<'a> {
    /// The download of `file` over `client` to `path`.
    #[must_use]
    pub fn new(client: &'a Client, file: &'a OutputFile, path: impl Into<PathBuf>) -> Self {
        Self {
            client,
            file,
            path: path.into(),
        }
    }

    /// Downloads it. A file that is at the path already is replaced in the end.
    ///
    /// # Errors
    /// [`Error::FileStatus`] and [`Error::FileRequest`] when it can't be had,
    /// [`Error::Truncated`], [`Error::Gzip`], [`Error::NotNdjson`] when it did
    /// not come whole, [`Error::Disk`], [`Error::Interrupted`].
    pub fn run(&self) -> Result<Downloaded> {
        let tries = self.client.policy().attempts.min(2);
        let mut number = 1;
        loop {
            let last = number >= tries;
            match self.attempt() {
                Ok((part, seen)) if seen.faults.is_empty() || last => {
                    let (bytes, sha256) = part.deliver()?;
                    return Ok(Downloaded {
                        path: self.path.clone(),
                        bytes,
                        decoded_bytes: seen.bytes,
                        lines: seen.lines,
                        sha256,
                        faults: seen.faults,
                    });
                }
                Ok((part, seen)) => {
                    tracing::warn!(file = %self.file.id(), faults = ?seen.faults, "trying again");
                    part.discard();
                }
                Err(error @ (Error::Gzip { .. } | Error::NotNdjson { .. })) => {
                    Part::remove(&self.path);
                    if last {
                        return Err(error);
                    }
                    tracing::warn!(file = %self.file.id(), %error, "trying again");
                }
                Err(error) => return Err(error),
            }
            pause(self.client, number)?;
            number += 1;
        }
    }

    /// One whole file, from what is left of an earlier run or from its start.
    fn attempt(&self) -> Result<(Part, Seen)> {
        let kept = Part::kept(&self.path, self.file)?;
        let from = kept
            .as_ref()
            .map(|(part, validator)| (validator, part.length()));
        let mut start = open(self.client, self.file, from)?;
        let mut kept = kept.map(|(part, _)| part);
        loop {
            let (part, prefix) = match kept.take() {
                Some(part) if start.offset > 0 => part.with_reader()?,
                _ => (
                    Part::create(&self.path, self.file, start.validator.as_ref())?,
                    None,
                ),
            };
            match self.pass(start, part, prefix)? {
                Passed::Whole(part, seen) => return Ok((part, seen)),
                Passed::Restarted(again) => start = again,
            }
        }
    }

    fn pass(&self, start: Start, mut part: Part, prefix: Option<std::fs::File>) -> Result<Passed> {
        let stream = Stream::new(self.client.clone(), self.file.clone(), start, &mut part);
        let prefix: Box<dyn Read> = match prefix {
            Some(file) => Box::new(io::BufReader::with_capacity(BUFFER, file)),
            None => Box::new(io::empty()),
        };
        let mut decoder = Decoder::new(prefix.chain(stream));
        let mut inspector = Inspector::new(self.file);
        let mut buffer = vec![0; BUFFER];
        let not_ndjson = |found| Error::NotNdjson {
            file: self.file.id(),
            found,
        };
        let failure = loop {
            match decoder.read(&mut buffer) {
                Ok(0) => break None,
                Ok(read) => inspector.feed(&buffer[..read]).map_err(not_ndjson)?,
                Err(error) => break Some(error),
            }
        };
        let stream = decoder.inner().get_mut().1;
        if let Some(again) = stream.take_restart() {
            return Ok(Passed::Restarted(again));
        }
        if let Some(fault) = stream.take_fault() {
            let resumable = stream.validator().is_some();
            drop(decoder);
            // Without a note nobody could go on with it.
            if !resumable || part.note().is_err() {
                Part::remove(&self.path);
            }
            return Err(fault);
        }
        if let Some(source) = failure {
            return Err(Error::Gzip {
                file: self.file.id(),
                source,
            });
        }
        let seen = inspector
            .finish(self.file, stream.position())
            .map_err(not_ndjson)?;
        drop(decoder);
        Ok(Passed::Whole(part, seen))
    }
}

enum Passed {
    Whole(Part, Seen),
    /// The server would not go on; here it is from its start.
    Restarted(Start),
}

/// By hand: URLs may hold secrets.
impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("file", &format_args!("{}", self.file.id()))
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Downloaded {
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    #[must_use]
    pub fn sha256_hex(&self) -> String {
        self.sha256
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl fmt::Debug for Downloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloaded")
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .field("decoded_bytes", &self.decoded_bytes)
            .field("lines", &self.lines)
            .field("sha256", &self.sha256_hex())
            .field("faults", &self.faults)
            .finish()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { promised, found } => {
                write!(f, "{found} resources instead of the {promised} promised")
            }
            Self::Size {
                promised,
                raw,
                decoded,
            } => {
                write!(
                    f,
                    "{raw} bytes ({decoded} decoded) instead of the {promised} promised"
                )
            }
            Self::Unfinished => f.write_str("it ends within a line"),
            Self::Type { lines } => write!(f, "{lines} resources of another type than promised"),
        }
    }
}

/// `path` with something after its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}
