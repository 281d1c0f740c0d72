use std::borrow::Cow;
use std::fmt;

use crate::escape;
use crate::syntax::Syntax;

/// What a field or a part of one says.
#[derive(Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing: what the receiver knows stays as it is.
    Empty,
    /// `""`, the HL7 null: what the receiver knows is to be deleted (section 2.5.3).
    Null,
    /// Text, with escape sequences and character set decoded.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    pub(crate) fn of_leaf(raw: &'a [u8], syntax: &Syntax) -> Self {
        match raw {
            b"" => Self::Empty,
            b"\"\"" => Self::Null,
            _ => Self::Text(escape::text(raw, syntax)),
        }
    }

    /// The text, if there is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text; empty for [`Empty`](Self::Empty) and [`Null`](Self::Null).
    #[must_use]
    pub fn into_text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            _ => Cow::Borrowed(""),
        }
    }
}

/// Kind and length, no content.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Null => f.write_str("Null"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}
