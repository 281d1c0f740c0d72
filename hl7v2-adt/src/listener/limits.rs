use std::time::Duration;

use super::{Error, Result};

/// What a sender may take of the listener. Everything has a limit but the time
/// between messages, since senders keep their connection open for days.
///
/// ```
/// use hl7v2_adt::listener::Limits;
///
/// let limits = Limits { connections: 32, ..Limits::default() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the accepted connection to the end of the TLS handshake. Default: 10 s.
    pub handshake: Duration,
    /// From the begin of a frame to its end. Default: 30 s.
    pub frame: Duration,
    /// How long a connection may be silent between messages. Default: for ever.
    pub idle: Option<Duration>,
    /// How long a sender may accept no byte of an answer. Default: 30 s.
    pub write_stall: Duration,
    /// Open connections. Default: 256.
    pub connections: usize,
    /// What becomes of more than `connections`. Default: they wait.
    pub when_full: WhenFull,
    /// Open connections of one IPv4 address or one IPv6 /64 network. More are
    /// closed at once. Default: 64.
    pub connections_per_address: usize,
    /// Whether loopback addresses are free of `connections_per_address`.
    /// Default: yes.
    pub exempt_loopback: bool,
    /// Bytes of a message, its frame not counted. Default: 16 MiB.
    pub message_bytes: usize,
    /// Bytes outside of frames, from one message to the next. Default: 64 KiB.
    pub junk_bytes: u64,
}

/// What becomes of connections beyond [`Limits::connections`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// They wait in the system's backlog until another one closes. To their
    /// senders they are open, and not answered yet.
    Wait,
    /// They are closed at once, so that their senders know.
    Close,
}

impl Limits {
    pub(super) fn check(&self) -> Result<()> {
        for (limit, value) in [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
            ("message_bytes", self.message_bytes),
        ] {
            if value == 0 {
                return Err(Error::Limit { limit });
            }
        }
        // The system takes no such timeout.
        if self.write_stall.is_zero() {
            let limit = "write_stall";
            return Err(Error::Limit { limit });
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            frame: Duration::from_secs(30),
            idle: None,
            write_stall: Duration::from_secs(30),
            connections: 256,
            when_full: WhenFull::Wait,
            connections_per_address: 64,
            exempt_loopback: true,
            message_bytes: 16 * 1024 * 1024,
            junk_bytes: 64 * 1024,
        }
    }
}
