//! Input that may keep its reader waiting: standard input, named pipes, devices.

use std::io::{self, Cursor, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::Interrupt;

/// How much is read at a time: what a pipe of Linux holds.
const PIECE: usize = 64 * 1024;
/// Pieces that are read ahead: with one, both threads wake each other for each.
const AHEAD: usize = 4;
/// How long a reader may go on waiting after it was asked to stop.
const LOOK: Duration = Duration::from_millis(100);

/// A source that is read by a thread of its own, so that whoever is asked to
/// stop need not wait for whoever writes to it.
///
/// That thread ends with what it waits for, which may be with the process.
pub(super) struct Pipe {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Cursor<Vec<u8>>,
    ended: bool,
    interrupt: Interrupt,
}

impl Pipe {
    /// Opens a source and reads it; to open one may be to wait, too.
    pub(super) fn open<R: Read>(
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
        interrupt: Interrupt,
    ) -> io::Result<Self> {
        let (send, pieces) = sync_channel(AHEAD);
        thread::Builder::new().spawn(move || match open() {
            Ok(source) => read(source, &send),
            Err(error) => drop(send.send(Err(error))),
        })?;
        Ok(Self {
            pieces,
            piece: Cursor::default(),
            ended: false,
            interrupt,
        })
    }

    fn next(&self) -> io::Result<Vec<u8>> {
        loop {
            match self.pieces.recv_timeout(LOOK) {
                Ok(piece) => return piece,
                Err(RecvTimeoutError::Timeout) if self.interrupt.is_interrupted() => {
                    return Err(io::Error::other("asked to stop"));
                }
                Err(RecvTimeoutError::Timeout) => {}
                // That is not how a source ends.
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("its thread has gone"));
                }
            }
        }
    }
}

/// Sends what there is as it comes, and nothing as the last piece.
fn read(mut source: impl Read, pieces: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let read = match source.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read,
        };
        let last = matches!(read, Ok(0) | Err(_));
        let piece = read.map(|read| {
            piece.truncate(read);
            piece
        });
        if pieces.send(piece).is_err() || last {
            return;
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.piece.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.ended {
                return Ok(read);
            }
            let piece = self.next()?;
            self.ended = piece.is_empty();
            self.piece = Cursor::new(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Sender};

    use super::*;

    /// Gives what is sent, and an end where nobody can send any more.
    struct Slow(Receiver<io::Result<Vec<u8>>>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.recv() {
                Ok(piece) => {
                    let piece = piece?;
                    buffer[..piece.len()].copy_from_slice(&piece);
                    Ok(piece.len())
                }
                Err(mpsc::RecvError) => Ok(0),
            }
        }
    }

    fn slow() -> (Sender<io::Result<Vec<u8>>>, Slow) {
        let (send, receive) = mpsc::channel();
        (send, Slow(receive))
    }

    #[test]
    fn gives_what_the_source_gives() {
        let text: Vec<u8> = (0..3 * PIECE as u32 + 7).map(|at| at as u8).collect();
        let (send, source) = slow();
        for piece in text.chunks(10_007) {
            send.send(Ok(piece.to_vec())).expect("it is read");
        }
        send.send(Err(io::ErrorKind::Interrupted.into()))
            .expect("it is read");
        send.send(Ok(b"end".to_vec())).expect("it is read");
        drop(send);
        let mut pipe = Pipe::open(|| Ok(source), Interrupt::new()).expect("a thread");
        let mut read = Vec::new();
        pipe.read_to_end(&mut read).expect("readable");
        assert!(read == [text.as_slice(), b"end"].concat());
        assert_eq!(pipe.read(&mut [0; 4]).expect("still the end"), 0);
    }

    #[test]
    fn a_fault_is_no_end() {
        let (send, source) = slow();
        send.send(Ok(b"some".to_vec())).expect("it is read");
        send.send(Err(io::ErrorKind::ConnectionReset.into()))
            .expect("it is read");
        let mut pipe = Pipe::open(|| Ok(source), Interrupt::new()).expect("a thread");
        let mut read = Vec::new();
        let error = pipe.read_to_end(&mut read).expect_err("a fault");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(read, b"some");
        pipe.read(&mut [0; 4]).expect_err("and stays one");

        let missing = || Err::<io::Empty, _>(io::ErrorKind::NotFound.into());
        let mut pipe = Pipe::open(missing, Interrupt::new()).expect("a thread");
        let error = pipe.read(&mut [0; 4]).expect_err("not there");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn who_is_asked_to_stop_does_not_wait_for_the_source() {
        let interrupt = Interrupt::new();
        let (send, source) = slow();
        send.send(Ok(b"some".to_vec())).expect("it is read");
        let mut pipe = Pipe::open(|| Ok(source), interrupt.clone()).expect("a thread");
        let mut read = [0; 9];
        assert_eq!(pipe.read(&mut read).expect("readable"), 4);
        interrupt.interrupt();
        pipe.read(&mut read).expect_err("stopped");
        // It was silent, not at its end.
        drop(send);
    }
}
