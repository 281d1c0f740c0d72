use std::fmt;

/// Why bytes are not a message.
///
/// No text holds content of the message: positions only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no MSH segment at the start.
    #[error(
        "no HL7 message: {problem} at {position}; check what the sender sends, and to which port"
    )]
    NoHeader {
        /// Where an MSH segment should have been.
        position: Position,
        /// What is there instead.
        problem: &'static str,
    },
    /// The MSH segment ends before it has named its separators.
    #[error(
        "the MSH segment ends before its encoding characters, at {position}; the message is cut"
    )]
    Cut {
        /// Where the segment begins.
        position: Position,
    },
    /// The message has 4 GiB or more.
    #[error("a message of {length} bytes is too long; split the file first")]
    TooLong {
        /// Length of the message in bytes.
        length: usize,
    },
    /// A [`Path`](crate::Path) that can't be read.
    #[error("no path of HL7 v2 from character {at} on: write it like `PID-3[2].4.1`")]
    Path {
        /// Number of the first character that is wrong, counted from one.
        at: usize,
    },
}

/// A place in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Bytes before it.
    pub offset: usize,
    /// Number of the segment, counted from one; what is not blank counts.
    pub segment: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} (segment {})", self.offset, self.segment)
    }
}

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
