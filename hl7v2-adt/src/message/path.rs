use std::fmt;
use std::str::FromStr;

use super::{Message, Value};
use crate::{Error, Result};

/// A place in a message by its name: `PID-3[2].4.1` is the first subcomponent
/// of the fourth component of the second repetition of field PID-3, and
/// `NK1[2]-5` a field of the second NK1 segment.
///
/// Numbers count from one. `PID-5` is its first component's first
/// subcomponent; component and subcomponent may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    segment: [u8; 3],
    occurrence: u16,
    field: u16,
    repetition: u16,
    /// Zero where it isn't named, as is the subcomponent.
    component: u16,
    subcomponent: u16,
}

impl Path {
    /// A field of the first segment with a name of three characters.
    #[must_use]
    pub const fn field(segment: &[u8; 3], field: u16) -> Self {
        Self {
            segment: *segment,
            occurrence: 1,
            field,
            repetition: 1,
            component: 0,
            subcomponent: 0,
        }
    }

    /// Name of the segment.
    #[must_use]
    pub fn segment(&self) -> &str {
        std::str::from_utf8(&self.segment).unwrap_or_default()
    }

    pub(super) fn value_in<'a>(&self, message: &Message<'a>) -> Value<'a> {
        let mut segments = message
            .segments()
            .filter(|segment| segment.is(self.segment()));
        let Some(segment) = segments.nth(usize::from(self.occurrence).saturating_sub(1)) else {
            return Value::Empty;
        };
        let number = |number: u16| usize::from(number.max(1));
        segment
            .field(number(self.field))
            .repetition(number(self.repetition))
            .component(number(self.component))
            .subcomponent(number(self.subcomponent))
            .value()
    }

    /// As an error location (data type ERL): `PID^1^3^2^4^1`, up to the last
    /// part that is named.
    pub(crate) fn to_location(self, component: u8) -> Vec<u8> {
        let parts = [
            self.occurrence,
            self.field,
            self.repetition,
            self.component,
            self.subcomponent,
        ];
        let named = match self {
            Self {
                subcomponent: 1.., ..
            } => 5,
            Self { component: 1.., .. } => 4,
            Self {
                repetition: 2.., ..
            } => 3,
            _ => 2,
        };
        let mut location = self.segment.to_vec();
        for part in &parts[..named] {
            location.push(component);
            location.extend_from_slice(part.to_string().as_bytes());
        }
        location
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment())?;
        if self.occurrence > 1 {
            write!(f, "[{}]", self.occurrence)?;
        }
        write!(f, "-{}", self.field)?;
        if self.repetition > 1 {
            write!(f, "[{}]", self.repetition)?;
        }
        for part in [self.component, self.subcomponent] {
            if part > 0 {
                write!(f, ".{part}")?;
            }
        }
        Ok(())
    }
}

/// # Errors
/// [`Error::Path`] with the first character that is wrong.
impl FromStr for Path {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut reader = Reader { text, at: 0 };
        let segment = reader.segment()?;
        let occurrence = reader.index()?.unwrap_or(1);
        reader.expect('-')?;
        let field = reader.number()?;
        let repetition = reader.index()?.unwrap_or(1);
        let component = reader.after('.')?.unwrap_or(0);
        let subcomponent = match component {
            0 => 0,
            _ => reader.after('.')?.unwrap_or(0),
        };
        if reader.at < text.len() {
            return Err(reader.error());
        }
        Ok(Self {
            segment,
            occurrence,
            field,
            repetition,
            component,
            subcomponent,
        })
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn segment(&mut self) -> Result<[u8; 3]> {
        let mut name = [0; 3];
        for (index, place) in name.iter_mut().enumerate() {
            let byte = self.text.as_bytes().get(index).copied().unwrap_or_default();
            let digit = index > 0 && byte.is_ascii_digit();
            if !byte.is_ascii_uppercase() && !digit {
                return Err(self.error());
            }
            *place = byte;
            self.at += 1;
        }
        Ok(name)
    }

    /// `[n]`, if there.
    fn index(&mut self) -> Result<Option<u16>> {
        let number = self.after('[')?;
        if number.is_some() {
            self.expect(']')?;
        }
        Ok(number)
    }

    /// A number behind a character, if that is there.
    fn after(&mut self, mark: char) -> Result<Option<u16>> {
        if !self.text[self.at..].starts_with(mark) {
            return Ok(None);
        }
        self.at += 1;
        self.number().map(Some)
    }

    fn expect(&mut self, mark: char) -> Result<()> {
        if !self.text[self.at..].starts_with(mark) {
            return Err(self.error());
        }
        self.at += 1;
        Ok(())
    }

    fn number(&mut self) -> Result<u16> {
        let rest = &self.text[self.at..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse().ok().filter(|&number| number > 0);
        let number = number.ok_or_else(|| self.error())?;
        self.at += digits;
        Ok(number)
    }

    fn error(&self) -> Error {
        Error::Path {
            at: self
                .text
                .get(..self.at)
                .map_or(0, |read| read.chars().count())
                + 1,
        }
    }
}
