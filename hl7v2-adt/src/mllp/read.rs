use std::io::{self, BufRead, ErrorKind};

use super::{Decoder, Event};

/// Reads the next frame and returns its message: what a sender needs to wait
/// for an acknowledgement. `None` when the other side closed instead. What
/// comes behind the frame stays in `reader`.
///
/// # Errors
/// Those of `reader`, a deadline of its socket for one;
/// [`UnexpectedEof`](ErrorKind::UnexpectedEof) within a frame, and
/// [`InvalidData`](ErrorKind::InvalidData) for a message of more than `limit`
/// bytes or one that another begins in.
pub fn read_frame(reader: &mut impl BufRead, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut decoder = Decoder::new(limit);
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return match decoder.finish() {
                None => Ok(None),
                Some(Event::Frame(message)) => Ok(Some(message.to_vec())),
                Some(_) => Err(refuse(
                    ErrorKind::UnexpectedEof,
                    "the MLLP frame has no end",
                )),
            };
        }
        let mut rest = buffer;
        let outcome = decoder.decode(&mut rest).map(|event| match event {
            Event::Frame(message) => Ok(Some(message.to_vec())),
            Event::Cut(_) => Err(refuse(
                ErrorKind::InvalidData,
                "an MLLP frame begins within another",
            )),
            Event::TooLong { .. } => Err(refuse(
                ErrorKind::InvalidData,
                "the MLLP frame is longer than the limit",
            )),
        });
        let read = buffer.len() - rest.len();
        reader.consume(read);
        if let Some(outcome) = outcome {
            return outcome;
        }
    }
}

fn refuse(kind: ErrorKind, text: &'static str) -> io::Error {
    io::Error::new(kind, text)
}
