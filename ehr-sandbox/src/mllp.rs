use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use fhir_http::{Clock, SystemClock};

use crate::{Error, Result};

const START: u8 = 0x0b;
const END: u8 = 0x1c;
const RETURN: u8 = 0x0d;

/// How long an acknowledgement may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest acknowledgement, in bytes.
const LONGEST: usize = 64 * 1024;

/// Sends messages to an MLLP listener of this machine, in good order or not,
/// and reads what it answers as strictly as the rules are: HL7 v2
/// Implementation Support Guide, appendix C, minimal lower layer protocol.
///
/// One connection; dropped, it is closed.
pub struct MllpSender {
    stream: TcpStream,
    address: SocketAddr,
    pieces: Option<(usize, Duration)>,
    clock: Arc<dyn Clock>,
}

/// What a listener answers to a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    bytes: Vec<u8>,
}

impl MllpSender {
    /// Connects to a listener.
    ///
    /// # Errors
    /// When the address is not a loopback address, or nobody listens there.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(Error::NotLoopback { address });
        }
        let failed = |during| {
            move |source| Error::Connection {
                address,
                during,
                source,
            }
        };
        let stream = TcpStream::connect(address).map_err(failed("connecting"))?;
        let set_up = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        set_up.map_err(failed("connecting"))?;
        Ok(Self {
            stream,
            address,
            pieces: None,
            clock: Arc::new(SystemClock),
        })
    }

    /// Writes everything in pieces of so many bytes (at least 1), with a pause
    /// between them. Default: as a whole.
    #[must_use]
    pub fn in_pieces(mut self, bytes: usize, pause: Duration) -> Self {
        self.pieces = Some((bytes.max(1), pause));
        self
    }

    /// The clock that pauses are made with. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sends a message in its block and waits for the acknowledgement, ten
    /// seconds at most.
    ///
    /// # Errors
    /// When the connection fails or is closed, or the acknowledgement breaks a
    /// rule.
    pub fn send(&mut self, message: &[u8]) -> Result<Acknowledgement> {
        self.write(&block(message))?;
        self.acknowledgement()
    }

    /// Sends messages without a wait between them, then reads as many
    /// acknowledgements.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_all(&mut self, messages: &[&[u8]]) -> Result<Vec<Acknowledgement>> {
        let blocks: Vec<u8> = messages.iter().flat_map(|message| block(message)).collect();
        self.write(&blocks)?;
        messages.iter().map(|_| self.acknowledgement()).collect()
    }

    /// Sends bytes as they are, which need not be a block.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let (size, pause) = self.pieces.unwrap_or((bytes.len().max(1), Duration::ZERO));
        for (number, piece) in bytes.chunks(size).enumerate() {
            if number > 0 && pause > Duration::ZERO {
                self.clock.sleep(pause);
            }
            let written = self
                .stream
                .write_all(piece)
                .and_then(|()| self.stream.flush());
            written.map_err(|source| self.failed("writing", source))?;
        }
        Ok(())
    }

    /// Sends the start of a block, so many bytes of the message, and closes the
    /// connection without an end block.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn break_off(mut self, message: &[u8], after: usize) -> Result<()> {
        self.write(&[START])?;
        self.write(&message[..after.min(message.len())])?;
        self.finish()
    }

    /// Says that nothing more will be sent; acknowledgements still arrive.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn finish(&mut self) -> Result<()> {
        let finished = self.stream.shutdown(Shutdown::Write);
        finished.map_err(|source| self.failed("closing", source))
    }

    /// Waits for one acknowledgement, ten seconds at most.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn acknowledgement(&mut self) -> Result<Acknowledgement> {
        match self.byte()? {
            None => {
                return Err(Error::Closed {
                    address: self.address,
                });
            }
            Some(START) => {}
            Some(_) => return wrong("it does not begin with a start block (0x0B)"),
        }
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                None => return wrong("the connection was closed in the middle of it"),
                Some(START) => return wrong("a start block (0x0B) is in the middle of it"),
                Some(END) => break,
                Some(_) if bytes.len() == LONGEST => return wrong("it is longer than 64 KiB"),
                Some(byte) => bytes.push(byte),
            }
        }
        if self.byte()? != Some(RETURN) {
            return wrong("no carriage return follows the end block (0x1C)");
        }
        Acknowledgement::of(bytes)
    }

    /// One by one: what follows the end belongs to the next acknowledgement.
    fn byte(&mut self) -> Result<Option<u8>> {
        let mut byte = [0];
        loop {
            match self.stream.read(&mut byte) {
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(byte[0])),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failed("reading the acknowledgement", source)),
            }
        }
    }

    const fn failed(&self, during: &'static str, source: io::Error) -> Error {
        Error::Connection {
            address: self.address,
            during,
            source,
        }
    }
}

impl Acknowledgement {
    fn of(bytes: Vec<u8>) -> Result<Self> {
        let acknowledgement = Self { bytes };
        if !acknowledgement.bytes.starts_with(b"MSH") || acknowledgement.bytes.len() < 9 {
            return wrong("it does not begin with an MSH segment");
        }
        if acknowledgement.bytes.last() != Some(&RETURN) {
            return wrong("its last segment does not end in a carriage return");
        }
        if acknowledgement.bytes.contains(&b'\n') {
            return wrong("it has a line feed");
        }
        if acknowledgement.segment("MSA").is_none() {
            return wrong("it has no MSA segment");
        }
        Ok(acknowledgement)
    }

    /// All of it, without the frame.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// MSA-1, such as `AA`.
    #[must_use]
    pub fn code(&self) -> String {
        self.field("MSA", 1)
    }

    /// MSA-2, the control id of the message it is for.
    #[must_use]
    pub fn control_id(&self) -> String {
        self.field("MSA", 2)
    }

    /// A field of the first such segment, as it is written; empty where there
    /// is none. MSH-1 and MSH-2 count as fields.
    #[must_use]
    pub fn field(&self, segment: &str, field: usize) -> String {
        let separator = self.bytes[3];
        let (Some(found), false) = (self.segment(segment), field == 0) else {
            return String::new();
        };
        let place = match (segment, field) {
            ("MSH", 1) => return char::from(separator).to_string(),
            ("MSH", later) => later - 1,
            _ => field,
        };
        let value = found.split(|byte| *byte == separator).nth(place);
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    }

    fn segment(&self, name: &str) -> Option<&[u8]> {
        let separator = self.bytes[3];
        let mut segments = self.bytes.split(|byte| *byte == RETURN);
        segments.find(|segment| {
            segment.starts_with(name.as_bytes()) && segment.get(name.len()) == Some(&separator)
        })
    }
}

/// By hand: an acknowledgement may tell what was in the message.
impl fmt::Debug for Acknowledgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.bytes.len();
        f.debug_struct("Acknowledgement")
            .field("length", &length)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MllpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MllpSender")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

fn block(message: &[u8]) -> Vec<u8> {
    let mut block = Vec::with_capacity(message.len() + 3);
    block.push(START);
    block.extend_from_slice(message);
    block.extend_from_slice(&[END, RETURN]);
    block
}

const fn wrong<T>(problem: &'static str) -> Result<T> {
    Err(Error::Acknowledgement { problem })
}
