use std::fmt;
use std::io::Read;

/// The body of a response.
#[non_exhaustive]
pub enum Body {
    /// All of it, with its `Content-Length`.
    Bytes(Vec<u8>),
    /// Read while it is sent. With `length` a `Content-Length` is sent, else
    /// chunks. An error of the reader, or an end before `length`, cuts the
    /// connection, so that the client sees that the body is not whole.
    Stream {
        /// Gives the bytes.
        reader: Box<dyn Read + Send>,
        /// How many there are, where that is known.
        length: Option<u64>,
    },
}

impl Body {
    /// No bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self::Bytes(Vec::new())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes())
    }
}

/// By hand: a body is content.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(…)")
    }
}
