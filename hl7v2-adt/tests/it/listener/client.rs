//! Senders as rude as a test wants, and a handler that says what it was told.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hl7v2_adt::listener::{Answer, Fault, Handler, Limits, Listener, Peer, Protocol};
use hl7v2_adt::mllp::{encode, read_frame};

/// Long enough that only a hang reaches it.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A deadline that a test waits for.
pub(super) const SHORT: Duration = Duration::from_millis(200);

/// What a handler was told of, the messages left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Cut(Vec<u8>),
    TooLong(Vec<u8>),
    Timeout(Vec<u8>),
    Junk(Protocol),
}

/// Does as the message says; one that says nothing is repeated behind `ack:`.
pub(super) struct Obedient {
    told: mpsc::Sender<Told>,
    entered: mpsc::Sender<()>,
    leave: Mutex<Receiver<()>>,
}

/// The other ends of an [`Obedient`] handler.
pub(super) struct Reins {
    told: Receiver<Told>,
    entered: Receiver<()>,
    pub(super) leave: mpsc::Sender<()>,
}

impl Reins {
    /// The next fault.
    pub(super) fn told(&self) -> Told {
        self.told.recv_timeout(PATIENCE).unwrap()
    }

    pub(super) fn nothing_told(&self) -> bool {
        self.told.try_recv().is_err()
    }

    /// Whether there was no fault, once the handler is gone with its listener.
    pub(super) fn nothing_told_to_the_end(&self) -> bool {
        let told = self.told.recv_timeout(PATIENCE);
        told == Err(mpsc::RecvTimeoutError::Disconnected)
    }

    /// Returns when a handler is held.
    pub(super) fn entered(&self) {
        self.entered.recv_timeout(PATIENCE).unwrap();
    }
}

pub(super) fn obedient() -> (Arc<Obedient>, Reins) {
    let (told, is_told) = mpsc::channel();
    let (enter, entered) = mpsc::channel();
    let (leave, may_leave) = mpsc::channel();
    let handler = Obedient {
        told,
        entered: enter,
        leave: Mutex::new(may_leave),
    };
    let reins = Reins {
        told: is_told,
        entered,
        leave,
    };
    (Arc::new(handler), reins)
}

impl Handler for Obedient {
    fn receive(&self, message: &[u8], peer: &Peer) -> Answer {
        match message {
            b"silent" => return Answer::Silent,
            b"close" => return Answer::Close,
            b"reply and close" => return Answer::ReplyAndClose(b"last".to_vec()),
            b"unframed" => return Answer::Reply(b"MSA|AA|\x1c\r".to_vec()),
            b"panic" => panic!("as the message says"),
            b"large" => return Answer::Reply(vec![b'x'; 1024 * 1024]),
            b"who" => {
                let certificate = peer.certificate().map_or(0, <[u8]>::len);
                let text = format!("{} {certificate} {:?}", peer.address(), peer.fingerprint());
                return Answer::Reply(text.into_bytes());
            }
            b"held" => {
                let _ = self.entered.send(());
                let _ = self.leave.lock().unwrap().recv_timeout(PATIENCE);
            }
            _ => {}
        }
        Answer::Reply([b"ack:", message].concat())
    }

    fn fault(&self, fault: Fault<'_>, _peer: &Peer) -> Answer {
        let (told, reply) = match fault {
            Fault::Cut { bytes } => (Told::Cut(bytes.to_vec()), "cut"),
            Fault::TooLong { first } => (Told::TooLong(first.to_vec()), "too long"),
            Fault::Timeout { bytes } => (Told::Timeout(bytes.to_vec()), "timeout"),
            Fault::Junk { protocol } => {
                let _ = self.told.send(Told::Junk(protocol));
                return Answer::Silent;
            }
            other => panic!("{other:?}"),
        };
        let _ = self.told.send(told);
        Answer::Reply(reply.as_bytes().to_vec())
    }
}

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(super) fn listen(limits: Limits) -> (Listener, Reins) {
    let (handler, reins) = obedient();
    let bound = Listener::bind(loopback(), limits).unwrap();
    (bound.serve(handler).unwrap(), reins)
}

/// A connection over any stream.
pub(super) struct Sender<S: Read + Write = TcpStream>(pub(super) BufReader<S>);

impl Sender {
    pub(super) fn connect(listener: &Listener) -> Self {
        Self::connect_to(listener.local_addr())
    }

    pub(super) fn connect_to(address: SocketAddr) -> Self {
        Self(BufReader::new(connect(address)))
    }

    /// Sends bytes one by one with pauses, until the listener has something to
    /// say or closes. How many it took, or `None` when it took them all.
    pub(super) fn drip(&mut self, bytes: impl IntoIterator<Item = u8>) -> Option<usize> {
        let stream = self.0.get_ref().try_clone().unwrap();
        let pause = Duration::from_millis(10);
        stream.set_read_timeout(Some(pause)).unwrap();
        let mut taken = None;
        for (count, byte) in bytes.into_iter().enumerate() {
            if (&stream).write_all(&[byte]).is_err() || stream.peek(&mut [0]).is_ok() {
                taken = Some(count);
                break;
            }
        }
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        taken
    }
}

impl<S: Read + Write> Sender<S> {
    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
        self.0.get_mut().flush().unwrap();
    }

    /// Sends a message in its frame.
    pub(super) fn tell(&mut self, message: impl AsRef<[u8]>) {
        self.send(encode(message.as_ref()).unwrap());
    }

    pub(super) fn ask(&mut self, message: impl AsRef<[u8]>) -> String {
        self.tell(message);
        self.answer()
    }

    /// The next answer, or nothing when the listener closed.
    pub(super) fn answer(&mut self) -> String {
        let answer = read_frame(&mut self.0, 10_000_000).unwrap();
        String::from_utf8(answer.unwrap_or_default()).unwrap()
    }

    /// Whether the listener closes before it says anything.
    pub(super) fn is_closed(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}
