/// What bytes outside of a frame look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// A request of HTTP: a browser, a scanner, or a health check.
    Http,
    /// The begin of a TLS handshake: the sender expects TLS, and there is none here.
    Tls,
    /// A message without a frame.
    Hl7,
    /// None of these.
    Unknown,
}

impl Protocol {
    /// What a connection speaks that begins with `bytes`; `None` when that
    /// can't be told (yet).
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let begins = |starts: &[&[u8]]| starts.iter().any(|start| bytes.starts_with(start));
        if begins(HTTP) {
            Some(Self::Http)
        } else if begins(&[&[0x16, 3]]) {
            Some(Self::Tls)
        } else if begins(&[b"MSH", b"FHS", b"BHS"]) {
            Some(Self::Hl7)
        } else {
            None
        }
    }
}

/// Bytes that [`Protocol::of`] needs at the most.
pub(super) const ENOUGH: usize = 8;

const HTTP: &[&[u8]] = &[
    b"GET /",
    b"HEAD /",
    b"POST /",
    b"PUT /",
    b"PATCH /",
    b"DELETE /",
    b"OPTIONS ",
    b"CONNECT ",
    b"TRACE /",
    b"PRI * ",
];
