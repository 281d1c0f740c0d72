use std::fmt;

use memchr::{memchr, memchr2};

use super::{CR, FS, VT};

/// Takes frames out of a stream of bytes, whatever pieces it comes in.
///
/// - Bytes outside of frames are dropped and counted, and so is a second VT
///   directly behind the first.
/// - FS ends a frame together with the CR behind it. Alone it is data, except
///   at the end of the stream and before the next VT: there it is taken as an
///   end and counted ([`Decoder::without_return`]).
/// - A VT within a frame means that the frame was cut, and begins another.
///
/// It looks at each byte once, and holds the one message that has not ended
/// yet: never more bytes than its limit.
pub struct Decoder {
    limit: usize,
    state: State,
    /// The last byte was an FS, which may be the end of the frame.
    ending: bool,
    /// The message so far.
    message: Vec<u8>,
    /// The message went out with the last event.
    told: bool,
    dropped: u64,
    without_return: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    Inside,
    /// Within a frame that has been reported as too long.
    Skipping,
}

/// What a [`Decoder`] found.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A message, without its frame. It may be empty.
    Frame(&'a [u8]),
    /// What there is of a message that has no end: another frame began, or the
    /// stream ended. Never empty.
    Cut(&'a [u8]),
    /// A message of more bytes than the limit. Its rest is dropped.
    TooLong {
        /// How it begins: [`TOO_LONG_KEEPS`] bytes, or the limit if that is less.
        first: &'a [u8],
    },
}

/// The bytes of a message too long that [`Event::TooLong`] shows: enough to see
/// who sent what.
pub const TOO_LONG_KEEPS: usize = 64 * 1024;

impl Decoder {
    /// Nothing received yet. Messages may have `limit` bytes, the frame not
    /// counted.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            state: State::Outside,
            ending: false,
            message: Vec::new(),
            told: false,
            dropped: 0,
            without_return: 0,
        }
    }

    /// Goes on with `input` to the next event, and leaves in `input` what comes
    /// behind it. Without an event all of it has been taken.
    pub fn decode(&mut self, input: &mut &[u8]) -> Option<Event<'_>> {
        self.forget();
        while let Some(&first) = input.first() {
            let found = if self.state == State::Outside {
                self.seek(input);
                None
            } else if std::mem::take(&mut self.ending) {
                self.decide(first, input)
            } else {
                self.scan(input)
            };
            if let Some(found) = found {
                return Some(self.tell(found));
            }
        }
        None
    }

    /// The stream has ended: what of it has not been told yet. The decoder may
    /// be used for another one then.
    pub fn finish(&mut self) -> Option<Event<'_>> {
        self.forget();
        let found = if std::mem::take(&mut self.ending) {
            self.end(false)
        } else if std::mem::replace(&mut self.state, State::Outside) != State::Inside {
            None
        } else if self.message.is_empty() {
            self.drop_bytes(1);
            None
        } else {
            Some(Found::Cut)
        };
        found.map(|found| self.tell(found))
    }

    /// Whether a frame has begun that has not ended yet.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.state != State::Outside
    }

    /// Bytes dropped so far: those outside of frames, and of messages too long
    /// those beyond the limit.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Frames so far that ended in FS without the CR behind it.
    #[must_use]
    pub const fn without_return(&self) -> u64 {
        self.without_return
    }

    /// Outside of a frame: on to its start.
    fn seek(&mut self, input: &mut &[u8]) {
        let start = memchr(VT, input);
        self.drop_bytes(start.unwrap_or(input.len()));
        *input = start.map_or(&[], |start| &input[start + 1..]);
        if start.is_some() {
            self.state = State::Inside;
        }
    }

    /// Within a frame and behind an FS: what that was.
    fn decide(&mut self, next: u8, input: &mut &[u8]) -> Option<Found> {
        match next {
            CR => {
                *input = &input[1..];
                self.end(true)
            }
            // Left in the input, for it begins the next frame.
            VT => self.end(false),
            _ => self.take(&[FS]),
        }
    }

    /// Within a frame: on to the next byte that means something.
    fn scan(&mut self, input: &mut &[u8]) -> Option<Found> {
        let (data, rest) = input.split_at(memchr2(VT, FS, input).unwrap_or(input.len()));
        *input = rest.get(1..).unwrap_or_default();
        let mut found = self.take(data);
        match rest.first() {
            Some(&FS) => self.ending = true,
            Some(_) if self.state == State::Skipping => self.state = State::Inside,
            Some(_) if self.message.is_empty() => self.drop_bytes(1),
            Some(_) => found = Some(Found::Cut),
            None => {}
        }
        found
    }

    /// Adds to the message, if it is still wanted and fits.
    fn take(&mut self, data: &[u8]) -> Option<Found> {
        if self.state == State::Skipping {
            self.drop_bytes(data.len());
            return None;
        }
        let (fits, beyond) = data.split_at(data.len().min(self.limit - self.message.len()));
        // Doubled as by `Vec`, but not beyond the limit.
        let needed = self.message.len() + fits.len();
        if needed > self.message.capacity() {
            let capacity = needed.max(self.limit.min(2 * self.message.capacity()));
            self.message.reserve_exact(capacity - self.message.len());
        }
        self.message.extend_from_slice(fits);
        if beyond.is_empty() {
            return None;
        }
        self.drop_bytes(beyond.len());
        self.state = State::Skipping;
        Some(Found::TooLong)
    }

    /// The frame has ended, which is news unless it was too long.
    fn end(&mut self, with_return: bool) -> Option<Found> {
        if std::mem::replace(&mut self.state, State::Outside) == State::Skipping {
            return None;
        }
        self.without_return += u64::from(!with_return);
        Some(Found::Frame)
    }

    fn drop_bytes(&mut self, count: usize) {
        self.dropped = self.dropped.saturating_add(count as u64);
    }

    fn tell(&mut self, found: Found) -> Event<'_> {
        self.told = true;
        match found {
            Found::Frame => Event::Frame(&self.message),
            Found::Cut => Event::Cut(&self.message),
            Found::TooLong => Event::TooLong {
                first: &self.message[..self.message.len().min(TOO_LONG_KEEPS)],
            },
        }
    }

    /// Makes room for the next message, once the last one has been told.
    fn forget(&mut self) {
        if !std::mem::take(&mut self.told) {
            return;
        }
        self.message.clear();
        if self.message.capacity() > TOO_LONG_KEEPS {
            self.message = Vec::new();
        }
    }
}

enum Found {
    Frame,
    Cut,
    TooLong,
}

/// By hand: there is a message inside.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("limit", &self.limit)
            .field("inside", &self.is_inside())
            .field("bytes", &self.message.len())
            .field("dropped", &self.dropped)
            .field("without_return", &self.without_return)
            .finish()
    }
}

/// By hand: there are messages inside.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = match self {
            Self::Frame(message) => ("Frame", message.len()),
            Self::Cut(message) => ("Cut", message.len()),
            Self::TooLong { first } => ("TooLong", first.len()),
        };
        write!(f, "{name}({bytes} bytes)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_below_the_limit_and_comes_back() {
        let limit = 3 * TOO_LONG_KEEPS;
        let mut decoder = Decoder::new(limit);
        let mut stream = vec![VT];
        stream.resize(2 * limit, b'x');
        for mut chunk in stream.chunks(1000) {
            while decoder.decode(&mut chunk).is_some() {}
            assert!(decoder.message.capacity() <= limit);
        }
        assert!(decoder.message.capacity() <= TOO_LONG_KEEPS);
    }
}
