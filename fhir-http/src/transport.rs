use std::fmt;
use std::io::{self, Read};

use http::{HeaderMap, header};

use crate::TransportError;

/// Sends one request and gives the response back, whatever its status.
///
/// What a transport does not do: follow redirects, retry, decode the body, or
/// look at credentials. [`Client`](crate::Client) does all that on top.
pub trait HttpClient: Send + Sync {
    /// Sends `request`. Its URI is absolute.
    ///
    /// # Errors
    /// When there was no response: name resolution, connection, TLS, timeouts.
    fn send(&self, request: http::Request<Vec<u8>>)
    -> Result<http::Response<Body>, TransportError>;
}

impl<T: HttpClient + ?Sized> HttpClient for std::sync::Arc<T> {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Body>, TransportError> {
        (**self).send(request)
    }
}

/// The body of a response as it comes from the network, still encoded as
/// `Content-Encoding` says.
///
/// A body that ends before its length or before its last chunk is an error of
/// kind [`io::ErrorKind::UnexpectedEof`], never a short body.
pub struct Body(Box<dyn Read + Send>);

impl Body {
    /// A body that is read from `reader`.
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self(Box::new(reader))
    }

    /// No bytes at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(io::empty())
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(io::Cursor::new(bytes))
    }
}

/// By hand: a body is content.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body(…)")
    }
}

/// Whether a response says where its body ends, by `Content-Length` or chunks
/// ([RFC 9112, 6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)). A
/// body of one that doesn't ends with its connection, and looks whole wherever
/// that breaks.
#[must_use]
pub fn is_delimited(headers: &HeaderMap) -> bool {
    let chunked = |value: &http::HeaderValue| {
        let last = value
            .as_bytes()
            .rsplit(|b| *b == b',')
            .next()
            .unwrap_or_default();
        last.trim_ascii().eq_ignore_ascii_case(b"chunked")
    };
    headers.contains_key(header::CONTENT_LENGTH)
        || headers
            .get_all(header::TRANSFER_ENCODING)
            .iter()
            .next_back()
            .is_some_and(chunked)
}
