use std::future::Future;
use std::io::{self, ErrorKind, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::{self, JoinError, JoinHandle};

use crate::observe::Record;
use crate::watch::Watch;

/// The body of a response on its way out. Dropped, the exchange is over.
pub(crate) struct Outgoing {
    content: Content,
    record: Record,
    watch: Arc<Watch>,
    /// HTTP/1.0 without a length: the end of the connection is the end of the
    /// body, so that a failure has to look different.
    ends_with_connection: bool,
}

pub(crate) enum Content {
    Empty,
    Bytes(Bytes),
    Stream {
        source: Source,
        /// What is yet to come, where that is known.
        remaining: Option<u64>,
    },
}

/// A reader is read on the threads that may block, one chunk at a time and
/// one chunk ahead. So a slow client holds a chunk, and no thread.
pub(crate) enum Source {
    /// Nothing is read before there is use for it.
    Waiting(Reader),
    Reading(Blocking<(Reader, io::Result<Bytes>)>),
    Ended,
}

type Reader = Box<dyn Read + Send>;

impl Outgoing {
    pub(crate) fn new(content: Content, mut record: Record, watch: Arc<Watch>) -> Self {
        record.complete = matches!(content, Content::Empty);
        Self {
            content,
            record,
            watch,
            ends_with_connection: false,
        }
    }

    pub(crate) fn ends_with_connection(mut self) -> Self {
        self.ends_with_connection = true;
        self
    }

    fn fail(&mut self, error: io::Error) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.content = Content::Empty;
        if self.ends_with_connection {
            self.watch.must_reset();
        }
        // Of the cause nothing but its kind: its text is the reader's.
        tracing::warn!(kind = %error.kind(), "the body of a response failed, its connection is cut");
        Poll::Ready(Some(Err(error)))
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let chunk = match &mut this.content {
            Content::Empty => return Poll::Ready(None),
            Content::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                this.content = Content::Empty;
                this.record.complete = true;
                bytes
            }
            Content::Stream { source, remaining } => {
                let chunk = match ready!(source.poll_chunk(cx, remaining.as_ref())) {
                    Ok(chunk) => chunk,
                    Err(error) => return this.fail(error),
                };
                if let Some(remaining) = remaining {
                    *remaining -= chunk.len() as u64;
                }
                let is_end = chunk.is_empty();
                if is_end && remaining.is_some_and(|remaining| remaining > 0) {
                    return this.fail(ErrorKind::UnexpectedEof.into());
                }
                if is_end || *remaining == Some(0) {
                    this.content = Content::Empty;
                    this.record.complete = true;
                }
                if is_end {
                    return Poll::Ready(None);
                }
                chunk
            }
        };
        this.record.sent += chunk.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream { remaining, .. } => {
                remaining.map_or_else(SizeHint::new, SizeHint::with_exact)
            }
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.watch.answered();
    }
}

impl Source {
    /// The next bytes, at most `remaining` of them; none at the end.
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        remaining: Option<&u64>,
    ) -> Poll<io::Result<Bytes>> {
        loop {
            match std::mem::replace(self, Self::Ended) {
                Self::Waiting(reader) => *self = Self::Reading(read(reader)),
                Self::Reading(mut reading) => {
                    let Poll::Ready(read_out) = Pin::new(&mut reading).poll(cx) else {
                        *self = Self::Reading(reading);
                        return Poll::Pending;
                    };
                    let Ok((reader, chunk)) = read_out else {
                        return Poll::Ready(Err(io::Error::other("the reader panicked")));
                    };
                    let mut chunk = chunk?;
                    let wanted = remaining.map_or(u64::MAX, |remaining| *remaining);
                    if wanted <= chunk.len() as u64 {
                        chunk.truncate(wanted as usize);
                    } else if !chunk.is_empty() {
                        *self = Self::Reading(read(reader));
                    }
                    return Poll::Ready(Ok(chunk));
                }
                Self::Ended => return Poll::Ready(Ok(Bytes::new())),
            }
        }
    }
}

fn read(mut reader: Reader) -> Blocking<(Reader, io::Result<Bytes>)> {
    Blocking::spawn(move || {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = loop {
            match reader.read(&mut chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let chunk = read.map(|length| {
            chunk.truncate(length);
            Bytes::from(chunk)
        });
        (reader, chunk)
    })
}

/// Work on a thread that may block; not begun when nobody waits for it any more.
pub(crate) struct Blocking<T>(JoinHandle<T>);

impl<T: Send + 'static> Blocking<T> {
    pub(crate) fn spawn(work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self(task::spawn_blocking(work))
    }
}

impl<T> Future for Blocking<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for Blocking<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const CHUNK_BYTES: usize = 64 * 1024;
