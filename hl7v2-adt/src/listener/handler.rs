use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Protocol;

/// Takes messages. It is called on the thread of the connection, by many of
/// them at a time, and may block: the connection waits for its answer and is
/// not read meanwhile.
///
/// When it panics, its connection is closed and no other. What the process
/// prints of a panic is up to its hook: its text must not hold content.
pub trait Handler: Send + Sync + 'static {
    /// A whole message has come, without its frame. It may be anything, even
    /// empty.
    fn receive(&self, message: &[u8], peer: &Peer) -> Answer;

    /// Something has come that is no message. The connection is closed after
    /// the answer, except after [`Fault::Cut`] by another frame.
    fn fault(&self, fault: Fault<'_>, peer: &Peer) -> Answer;
}

/// What the sender is told.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// An acknowledgement, without a frame.
    ///
    /// One that can't be framed ([`mllp::encode`](crate::mllp::encode)) closes
    /// the connection instead.
    Reply(Vec<u8>),
    /// Acknowledgements, each without a frame: in enhanced mode that for the
    /// receipt, then that of the application. None is [`Silent`](Self::Silent).
    Replies(Vec<Vec<u8>>),
    /// Nothing, as enhanced mode may ask for (`NE` in MSH-15 and MSH-16).
    Silent,
    /// An acknowledgement, without a frame; then the connection is closed.
    ReplyAndClose(Vec<u8>),
    /// The connection is closed.
    Close,
}

/// What came instead of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault<'a> {
    /// A frame without an end, before another one or the end of the connection.
    ///
    /// [`Answer::Silent`] is safe: a sender that has begun another message
    /// would take any answer for the one to that.
    Cut {
        /// What there is of the message.
        bytes: &'a [u8],
    },
    /// A message of more than [`Limits::message_bytes`](super::Limits::message_bytes).
    TooLong {
        /// How it begins, as in [`Event::TooLong`](crate::mllp::Event::TooLong).
        first: &'a [u8],
    },
    /// A frame that has not ended within [`Limits::frame`](super::Limits::frame).
    Timeout {
        /// What there is of the message; may be empty.
        bytes: &'a [u8],
    },
    /// Another protocol, told by the first bytes of a connection, or more than
    /// [`Limits::junk_bytes`](super::Limits::junk_bytes) outside of frames.
    Junk {
        /// What it looks like.
        protocol: Protocol,
    },
}

/// Who sent a message.
#[derive(Clone)]
pub struct Peer {
    address: SocketAddr,
    certificate: Option<Certificate>,
}

#[derive(Clone)]
struct Certificate {
    der: Vec<u8>,
    fingerprint: String,
}

impl Peer {
    pub(super) const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            certificate: None,
        }
    }

    pub(super) fn identify(&mut self, der: Vec<u8>, fingerprint: String) {
        self.certificate = Some(Certificate { der, fingerprint });
    }

    /// Where the connection comes from.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that the client proved to have, in DER.
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_ref().map(|own| own.der.as_slice())
    }

    /// The SHA-256 fingerprint of [`Peer::certificate`] in lower-case hex: what
    /// `openssl x509 -fingerprint -sha256` prints, without the colons.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        self.certificate
            .as_ref()
            .map(|own| own.fingerprint.as_str())
    }

    /// As it may stand in a log: the first 24 bits of an IPv4 address, the first
    /// 48 of an IPv6 address, and zeros.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        match self.address.ip().to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() >> 8 << 8)),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)),
        }
    }
}

/// By hand: an acknowledgement repeats parts of the message.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(ack) => write!(f, "Reply({} bytes)", ack.len()),
            Self::Replies(acks) => write!(f, "Replies({})", acks.len()),
            Self::Silent => f.write_str("Silent"),
            Self::ReplyAndClose(ack) => write!(f, "ReplyAndClose({} bytes)", ack.len()),
            Self::Close => f.write_str("Close"),
        }
    }
}

/// By hand: there are parts of messages inside.
impl fmt::Debug for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { bytes } => write!(f, "Cut({} bytes)", bytes.len()),
            Self::TooLong { first } => write!(f, "TooLong({} bytes)", first.len()),
            Self::Timeout { bytes } => write!(f, "Timeout({} bytes)", bytes.len()),
            Self::Junk { protocol } => write!(f, "Junk({protocol:?})"),
        }
    }
}

/// By hand: a log holds networks, not addresses.
impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("network", &self.network())
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_networks_and_lengths_only() {
        let cases = [
            ("192.0.2.77:1", "192.0.2.0"),
            ("[::ffff:192.0.2.77]:1", "192.0.2.0"),
            ("[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1::"),
        ];
        for (address, network) in cases {
            let mut peer = Peer::new(address.parse().unwrap());
            peer.identify(b"DER".to_vec(), "00ff".to_owned());
            let expected =
                format!("Peer {{ network: {network}, fingerprint: Some(\"00ff\"), .. }}");
            assert_eq!(format!("{peer:?}"), expected);
        }
        let bytes = b"SECRET".as_slice();
        let shown = format!(
            "{:?} {:?} {:?} {:?} {:?}",
            Answer::Reply(bytes.to_vec()),
            Answer::ReplyAndClose(bytes.to_vec()),
            Fault::Cut { bytes },
            Fault::TooLong { first: bytes },
            Fault::Timeout { bytes },
        );
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}
