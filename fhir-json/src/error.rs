use std::fmt;

/// Why a text is not accepted, and where.
///
/// Errors carry offsets only, never a fragment of the text: FHIR resources
/// are patient data and error texts end up in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct Error {
    kind: ErrorKind,
    offset: usize,
}

impl Error {
    pub(crate) const fn new(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Byte offset from the start of the text.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

/// What is wrong with a text. Names follow RFC 8259.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes are not UTF-8 (RFC 8259 section 8.1).
    InvalidUtf8,
    /// The text ends inside a value.
    UnexpectedEnd,
    /// A byte that can't stand here.
    UnexpectedByte,
    /// Not a number by the grammar of RFC 8259 section 6, such as `01` or `1.`.
    InvalidNumber,
    /// An unescaped character below U+0020 inside a string.
    ControlCharacter,
    /// An escape that RFC 8259 section 7 does not know.
    InvalidEscape,
    /// A `\uD800`–`\uDFFF` escape that is not half of a pair.
    LoneSurrogate,
    /// An object has the same member name twice, compared after unescaping.
    DuplicateName,
    /// Arrays and objects are nested deeper than the limit.
    TooDeep,
    /// Something other than white space follows the value.
    TrailingContent,
    /// The text is 4 GiB or longer.
    TooLong,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::UnexpectedEnd => "the text ends inside a value",
            Self::UnexpectedByte => "unexpected character",
            Self::InvalidNumber => "not a JSON number",
            Self::ControlCharacter => "unescaped control character in a string",
            Self::InvalidEscape => "unknown escape in a string",
            Self::LoneSurrogate => "half of a surrogate pair",
            Self::DuplicateName => "member name used twice in one object",
            Self::TooDeep => "nested too deep",
            Self::TrailingContent => "more content after the value",
            Self::TooLong => "text of 4 GiB or more",
        })
    }
}
