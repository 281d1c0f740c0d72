use std::time::Duration;

use crate::{Error, Result};

/// What a client may take of the server. Everything has a limit, and the
/// defaults suit a server that faces the internet with small requests.
///
/// ```
/// use http_serve::Limits;
///
/// let limits = Limits { body_bytes: 64 * 1024, ..Limits::default() };
/// ```
///
/// Bodies of requests are in memory whole: `connections` times `body_bytes`
/// bounds what they can take together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the accepted connection to the end of the TLS handshake. Default: 10 s.
    pub handshake: Duration,
    /// From the first byte of a request to the end of its headers; for the
    /// first request of a connection from the connection on. Default: 10 s.
    pub head: Duration,
    /// From the first byte of a request to the end of its body; it is answered
    /// 408 when that takes longer. Default: 30 s.
    pub request: Duration,
    /// How long a connection may wait for its next request. Default: 60 s.
    pub idle: Duration,
    /// How long a client may accept no byte of a response. Default: 30 s.
    pub write_stall: Duration,
    /// Open connections. More are closed at once. Default: 256.
    pub connections: usize,
    /// Open connections of one IPv4 address or one IPv6 /64 network. More are
    /// closed at once. Default: 32.
    pub connections_per_address: usize,
    /// Whether loopback addresses, such as a reverse proxy has, are free of
    /// `connections_per_address`. Default: yes.
    pub exempt_loopback: bool,
    /// Requests on one connection, after which it is closed. Default: 1000.
    pub requests_per_connection: usize,
    /// Threads, and so how many handlers and readers run at a time; more wait.
    /// Default: 16.
    pub threads: usize,
    /// Bytes of the request line and the headers together. More are answered
    /// 431. Default: 16 KiB.
    pub head_bytes: usize,
    /// Number of headers. More are answered 431. Default: 64.
    pub headers: usize,
    /// Bytes of the body of a request. More are answered 413. Default: 1 MiB.
    pub body_bytes: usize,
}

impl Limits {
    pub(crate) fn check(&self) -> Result<()> {
        for (limit, value) in [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
            ("requests_per_connection", self.requests_per_connection),
            ("threads", self.threads),
            ("head_bytes", self.head_bytes),
        ] {
            if value == 0 {
                let allowed = "at least 1";
                return Err(Error::Limit { limit, allowed });
            }
        }
        // A slot for each is allocated before a request is parsed.
        if !(1..=MAX_HEADERS).contains(&self.headers) {
            let (limit, allowed) = ("headers", "1 to 1000");
            return Err(Error::Limit { limit, allowed });
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            request: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            write_stall: Duration::from_secs(30),
            connections: 256,
            connections_per_address: 32,
            exempt_loopback: true,
            requests_per_connection: 1000,
            threads: 16,
            head_bytes: 16 * 1024,
            headers: 64,
            body_bytes: 1024 * 1024,
        }
    }
}

const MAX_HEADERS: usize = 1000;
