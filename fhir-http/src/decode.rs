use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use http::{HeaderMap, header};

use crate::Body;

impl Body {
    /// The body without its `Content-Encoding`, and not longer than `limit`
    /// decoded bytes, so that a small response can't unfold into a large one.
    ///
    /// Reading past the limit is an error of kind
    /// [`FileTooLarge`](io::ErrorKind::FileTooLarge);
    /// [`Error::body`](crate::Error::body) tells it apart. An empty body is
    /// taken for what it is, also where the headers call it gzip.
    ///
    /// # Errors
    /// Of kind [`Unsupported`](io::ErrorKind::Unsupported), when it is encoded
    /// in another way than gzip.
    pub fn decoded(self, headers: &HeaderMap, limit: u64) -> io::Result<Self> {
        let plain = match encoding(headers)? {
            Encoding::Identity => self,
            Encoding::Gzip => Self::new(Gunzip::Unread(BufReader::with_capacity(BUFFER, self))),
        };
        Ok(Self::new(Capped {
            inner: plain,
            left: limit,
            limit,
        }))
    }
}

const BUFFER: usize = 64 * 1024;

enum Encoding {
    Identity,
    Gzip,
}

fn encoding(headers: &HeaderMap) -> io::Result<Encoding> {
    let mut encoding = Encoding::Identity;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        for name in value
            .as_bytes()
            .split(|b| *b == b',')
            .map(<[u8]>::trim_ascii)
        {
            encoding = match (name.to_ascii_lowercase().as_slice(), encoding) {
                (b"" | b"identity", encoding) => encoding,
                (b"gzip" | b"x-gzip", Encoding::Identity) => Encoding::Gzip,
                _ => {
                    let problem =
                        "its content encoding is not gzip, which is all that was asked for";
                    return Err(io::Error::new(io::ErrorKind::Unsupported, problem));
                }
            };
        }
    }
    Ok(encoding)
}

/// Decodes every member: servers concatenate them.
enum Gunzip {
    Unread(BufReader<Body>),
    Started(Box<MultiGzDecoder<BufReader<Body>>>),
    Empty,
}

impl Read for Gunzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Unread(raw) = self {
            let empty = raw.fill_buf()?.is_empty();
            *self = match std::mem::replace(self, Self::Empty) {
                Self::Unread(raw) if !empty => Self::Started(Box::new(MultiGzDecoder::new(raw))),
                _ => Self::Empty,
            };
        }
        match self {
            Self::Started(decoder) => decoder.read(buffer),
            _ => Ok(0),
        }
    }
}

/// Fails as soon as there is more than the limit.
struct Capped {
    inner: Body,
    left: u64,
    limit: u64,
}

impl Read for Capped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                self.left = 0;
                let over = OverLimit { limit: self.limit };
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, over));
            }
        }
        Ok(count)
    }
}

/// What an error of a capped body holds.
#[derive(Debug)]
pub(crate) struct OverLimit {
    pub(crate) limit: u64,
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {} bytes", self.limit)
    }
}

impl std::error::Error for OverLimit {}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_passes_the_cap(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            as_gzip: bool,
            limit in 0..150_u64,
        ) {
            let name = HeaderValue::from_static(if as_gzip { "gzip" } else { "identity" });
            let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, name)]);
            let mut body = Body::from(bytes.clone()).decoded(&headers, limit).unwrap();
            let mut decoded = Vec::new();
            let result = body.read_to_end(&mut decoded);
            prop_assert!(decoded.len() as u64 <= limit);
            if !as_gzip {
                prop_assert_eq!(result.is_ok(), bytes.len() as u64 <= limit);
            }
        }
    }
}
