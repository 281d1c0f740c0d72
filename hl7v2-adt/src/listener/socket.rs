use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::clock::Deadline;
use super::registry::Link;

/// A socket whose reads end at a deadline, however many there are.
pub(super) struct Socket {
    link: Arc<Link>,
    deadline: Option<Deadline>,
    /// What the system has been told.
    timeout: Option<Duration>,
}

impl Socket {
    /// Answers are written whole: waiting for more only makes them late.
    pub(super) fn new(link: Arc<Link>, write_stall: Duration) -> io::Result<Self> {
        link.stream().set_nodelay(true)?;
        link.stream().set_write_timeout(Some(write_stall))?;
        Ok(Self {
            link,
            deadline: None,
            timeout: None,
        })
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = self.link.stream();
        let timeout = match self.deadline {
            None => None,
            Some(deadline) => Some(deadline.remaining().ok_or(ErrorKind::TimedOut)?),
        };
        if self.timeout != timeout {
            stream.set_read_timeout(timeout)?;
            self.timeout = timeout;
        }
        stream.read(buffer).map_err(late)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.link.stream().write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Systems differ in what they call a timeout.
fn late(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// What messages go through.
pub(super) enum Transport {
    Plain(Socket),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

impl Transport {
    /// Begins with a TLS handshake, which has to be over by `deadline`.
    pub(super) fn tls(
        config: Arc<ServerConfig>,
        mut socket: Socket,
        deadline: Option<Deadline>,
    ) -> io::Result<Self> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        socket.deadline = deadline;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, socket))))
    }

    /// The certificate that the client proved to have, in DER.
    pub(super) fn client_certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.conn.peer_certificates()?.first().map(|der| &**der),
        }
    }

    /// What has come by `deadline`; nothing at the end.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        deadline: Option<Deadline>,
    ) -> io::Result<usize> {
        self.socket().deadline = deadline;
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Sends nothing any more.
    pub(super) fn say_goodbye(&mut self) {
        // The sender may be gone or not listen: then it has no need of it.
        let _ = self.socket().link.stream().set_write_timeout(Some(LINGER));
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.socket().link.stream().shutdown(Shutdown::Write);
    }

    /// Drops what still comes. To close a socket with unread bytes would take
    /// the last answer away from the sender.
    pub(super) fn linger(&mut self) {
        let socket = self.socket();
        if socket.link.rest() {
            // Nothing new is waited for.
            let _ = socket.link.stream().shutdown(Shutdown::Read);
        }
        socket.deadline = Deadline::after(LINGER);
        let mut buffer = [0; 4096];
        while socket.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }

    fn socket(&mut self) -> &mut Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &mut stream.sock,
        }
    }
}

const LINGER: Duration = Duration::from_secs(2);
