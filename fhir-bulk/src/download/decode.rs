use std::io::{self, BufReader, ErrorKind, Read};
use std::mem;

use flate2::bufread::MultiGzDecoder;

use super::BUFFER;

/// The text of a stream: as it is, or decoded where it is gzip by its bytes.
pub(super) struct Decoder<R> {
    state: Decoding<R>,
}

type Input<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

enum Decoding<R> {
    /// Nothing read yet.
    Fresh(Vec<u8>, R),
    Plain(Input<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Input<R>>>>),
    /// Between two of the others.
    Taken,
}

impl<R: Read> Decoder<R> {
    pub(super) const fn new(inner: R) -> Self {
        Self {
            state: Decoding::Fresh(Vec::new(), inner),
        }
    }

    /// What it reads from.
    pub(super) fn inner(&mut self) -> &mut R {
        match &mut self.state {
            Decoding::Fresh(_, inner) => inner,
            Decoding::Plain(input) => input.get_mut().1,
            Decoding::Gzip(decoder) => decoder.get_mut().get_mut().get_mut().1,
            Decoding::Taken => unreachable!("only while `start` runs"),
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let Decoding::Fresh(head, inner) = &mut self.state else {
            return Ok(());
        };
        while head.len() < MAGIC.len() {
            let mut byte = [0];
            match inner.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => head.push(byte[0]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let gzip = head == MAGIC;
        if let Decoding::Fresh(head, inner) = mem::replace(&mut self.state, Decoding::Taken) {
            let input = io::Cursor::new(head).chain(inner);
            self.state = if gzip {
                let input = BufReader::with_capacity(BUFFER, input);
                Decoding::Gzip(Box::new(MultiGzDecoder::new(input)))
            } else {
                Decoding::Plain(input)
            };
        }
        Ok(())
    }
}

const MAGIC: &[u8] = &[0x1f, 0x8b];

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.start()?;
        match &mut self.state {
            Decoding::Plain(input) => input.read(buffer),
            Decoding::Gzip(decoder) => decoder.read(buffer),
            Decoding::Fresh(..) | Decoding::Taken => Ok(0),
        }
    }
}
