use std::fmt;

use memchr::memchr;

use super::lines::{Lines, header_start};
use crate::Delimiters;

/// The header of a message, MSH, as bytes: all that an acknowledgement needs,
/// and what tells messages apart.
///
/// It is found without a look at the rest of the message, and in messages that
/// are broken behind it. Fields are as they were sent: not unescaped, not
/// decoded.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    delimiters: Delimiters,
    /// MSH-3 and on.
    fields: [&'a [u8]; FIELDS],
    encoding_characters: &'a [u8],
}

/// MSH-3 to MSH-18.
const FIELDS: usize = 16;

impl<'a> Header<'a> {
    /// Reads it. `None` if the bytes don't begin with an MSH segment (byte
    /// order mark, blanks and MLLP bytes aside) that names its separators.
    #[must_use]
    pub fn scan(bytes: &'a [u8]) -> Option<Self> {
        let start = header_start(bytes);
        if !bytes[start..].starts_with(b"MSH") {
            return None;
        }
        let mut lines = Lines::new(bytes, start);
        let delimiters = lines.delimiters()?;
        let (start, end) = lines.next()?;
        let mut rest = bytes.get(start + 4..end);
        let mut next = || {
            let part = rest?;
            match memchr(delimiters.field, part) {
                Some(end) => {
                    rest = Some(&part[end + 1..]);
                    Some(&part[..end])
                }
                None => rest.take(),
            }
        };
        let encoding_characters = next().unwrap_or_default();
        let mut fields = [&[][..]; FIELDS];
        for field in &mut fields {
            let Some(part) = next() else { break };
            *field = part;
        }
        Some(Self {
            delimiters,
            fields,
            encoding_characters,
        })
    }

    /// Separators of the message.
    #[must_use]
    pub fn delimiters(&self) -> Delimiters {
        self.delimiters
    }

    /// MSH-2 as it was sent.
    #[must_use]
    pub fn encoding_characters(&self) -> &'a [u8] {
        self.encoding_characters
    }

    /// One of the fields MSH-3 to MSH-18; empty for others and if there is none.
    #[must_use]
    pub fn field(&self, number: usize) -> &'a [u8] {
        let index = number.checked_sub(3);
        let field = index.and_then(|index| self.fields.get(index));
        field.copied().unwrap_or_default()
    }

    /// Message code, MSH-9.1: `ADT`.
    #[must_use]
    pub fn message_code(&self) -> &'a [u8] {
        self.component(9, 1)
    }

    /// Trigger event, MSH-9.2: `A01`. Some senders have it in EVN-1 only.
    #[must_use]
    pub fn trigger_code(&self) -> &'a [u8] {
        self.component(9, 2)
    }

    /// Control id, MSH-10. Not unique, not even for one sender.
    #[must_use]
    pub fn control_id(&self) -> &'a [u8] {
        self.field(10)
    }

    /// Version, MSH-12.1: `2.5.1`.
    #[must_use]
    pub fn version(&self) -> &'a [u8] {
        self.component(12, 1)
    }

    /// When the sender wants an accept acknowledgement, MSH-15.
    #[must_use]
    pub fn accept_ack(&self) -> Option<AckCondition> {
        AckCondition::read(self.field(15))
    }

    /// When the sender wants an application acknowledgement, MSH-16.
    #[must_use]
    pub fn application_ack(&self) -> Option<AckCondition> {
        AckCondition::read(self.field(16))
    }

    /// Whether the message is an acknowledgement itself, which is never
    /// acknowledged.
    #[must_use]
    pub fn is_ack(&self) -> bool {
        matches!(self.message_code(), b"ACK" | b"MCF")
    }

    pub(crate) fn component(&self, field: usize, number: usize) -> &'a [u8] {
        let mut parts = self
            .field(field)
            .split(|&byte| byte == self.delimiters.component);
        parts.nth(number - 1).unwrap_or_default()
    }
}

/// Of a message without a header that can be read: usual separators, all
/// fields empty.
impl Default for Header<'_> {
    fn default() -> Self {
        Self {
            delimiters: Delimiters::default(),
            fields: [&[]; FIELDS],
            encoding_characters: &[],
        }
    }
}

/// No content.
impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("delimiters", &self.delimiters)
            .finish_non_exhaustive()
    }
}

/// HL7 table 0155: when an acknowledgement is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckCondition {
    /// `AL`, and what is not in the table: a sender that hears nothing sends again.
    Always,
    /// `NE`, and the null.
    Never,
    /// `ER`: only if something is wrong.
    OnError,
    /// `SU`: only if nothing is.
    OnSuccess,
}

impl AckCondition {
    fn read(field: &[u8]) -> Option<Self> {
        match field.trim_ascii() {
            b"" => None,
            b"NE" | b"\"\"" => Some(Self::Never),
            b"ER" => Some(Self::OnError),
            b"SU" => Some(Self::OnSuccess),
            _ => Some(Self::Always),
        }
    }
}
