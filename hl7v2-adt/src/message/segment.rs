use std::borrow::Cow;
use std::fmt;

use super::Value;
use crate::Position;
use crate::syntax::Syntax;

/// A segment of a message. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Segment<'a> {
    raw: &'a [u8],
    position: Position,
    syntax: Syntax,
}

impl<'a> Segment<'a> {
    pub(super) fn new(raw: &'a [u8], position: Position, syntax: Syntax) -> Self {
        Self {
            raw,
            position,
            syntax,
        }
    }

    /// What stands before the first field separator: `PID`. Of a line that is
    /// no segment, whatever that is.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.part(1)
    }

    /// Whether it has this name, in either case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let rest = self.raw.get(name.len()..);
        rest.is_some_and(|rest| {
            self.raw[..name.len()].eq_ignore_ascii_case(name.as_bytes())
                && rest
                    .first()
                    .is_none_or(|&byte| byte == self.syntax.delimiters.field)
        })
    }

    /// Its bytes, without the line end.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Where it is in the message.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// A field by its number in the standard: MSH-1 is the separator itself.
    /// Empty where there is none.
    #[must_use]
    pub fn field(&self, number: usize) -> Field<'a> {
        if !self.is_header() {
            return match number {
                0 => Field::new(&[], self.syntax),
                _ => Field::new(self.part(number + 1), self.syntax),
            };
        }
        match number {
            0 => Field::new(&[], self.syntax),
            1 => Field::new(
                self.raw.get(3..4).unwrap_or_default(),
                self.syntax.literal(),
            ),
            2 => Field::new(self.part(2), self.syntax.literal()),
            _ => Field::new(self.part(number), self.syntax),
        }
    }

    /// Its fields in order. Behind the last one all are empty.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + Clone {
        let Self { raw, syntax, .. } = *self;
        let header = self.is_header();
        let separator = raw.get(3..4).filter(|_| header);
        let parts = syntax.split(Some(syntax.delimiters.field), raw).skip(1);
        let fields = parts.enumerate().map(move |(index, part)| {
            let literal = header && index == 0;
            Field::new(part, if literal { syntax.literal() } else { syntax })
        });
        separator
            .map(|byte| Field::new(byte, syntax.literal()))
            .into_iter()
            .chain(fields)
    }

    /// Whether its first field is the field separator.
    fn is_header(&self) -> bool {
        let name = self.raw.get(..3);
        matches!(name, Some(b"MSH" | b"BHS" | b"FHS"))
            && self.raw.get(3) == Some(&self.syntax.delimiters.field)
    }

    fn part(&self, number: usize) -> &'a [u8] {
        let separator = Some(self.syntax.delimiters.field);
        self.syntax.part(separator, self.raw, number)
    }
}

/// Position and length, no content.
impl fmt::Debug for Segment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segment({} bytes at {})", self.raw.len(), self.position)
    }
}

/// What all parts of a segment have in common.
macro_rules! part_of_segment {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        ///
        /// Cheap to copy. One that isn't there is empty.
        #[derive(Clone, Copy)]
        pub struct $name<'a> {
            raw: &'a [u8],
            syntax: Syntax,
        }

        impl<'a> $name<'a> {
            pub(crate) fn new(raw: &'a [u8], syntax: Syntax) -> Self {
                Self { raw, syntax }
            }

            /// Its bytes as they are in the message.
            #[must_use]
            pub fn raw(&self) -> &'a [u8] {
                self.raw
            }

            /// Whether it has no bytes. The null `""` is not empty.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.raw.is_empty()
            }

            /// What it says: text, null or nothing. Of what has parts, the first.
            #[must_use]
            pub fn value(&self) -> Value<'a> {
                Value::of_leaf(self.leaf(), &self.syntax)
            }

            /// Its text, decoded; empty if it is null. Of what has parts, the first.
            #[must_use]
            pub fn text(&self) -> Cow<'a, str> {
                self.value().into_text()
            }
        }

        /// Its length, no content.
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.raw.len())
            }
        }
    };
}

part_of_segment!(Field, "A field: repetitions of one value.");
part_of_segment!(Repetition, "One value of a field: components.");
part_of_segment!(Component, "A part of a value: subcomponents.");
part_of_segment!(Subcomponent, "A part of a component: text.");

impl<'a> Field<'a> {
    /// Its values; none if the field is empty.
    pub fn repetitions(&self) -> impl Iterator<Item = Repetition<'a>> + Clone + use<'a> {
        let syntax = self.syntax;
        let some = Some(self.raw).filter(|raw| !raw.is_empty());
        some.into_iter()
            .flat_map(move |raw| syntax.split(syntax.delimiters.repetition, raw))
            .map(move |part| Repetition::new(part, syntax))
    }

    /// A value by its number, counted from one.
    #[must_use]
    pub fn repetition(&self, number: usize) -> Repetition<'a> {
        let delimiter = self.syntax.delimiters.repetition;
        Repetition::new(self.syntax.part(delimiter, self.raw, number), self.syntax)
    }

    /// A component of the first value.
    #[must_use]
    pub fn component(&self, number: usize) -> Component<'a> {
        self.repetition(1).component(number)
    }

    fn leaf(&self) -> &'a [u8] {
        self.repetition(1).leaf()
    }
}

impl<'a> Repetition<'a> {
    /// Its components in order.
    pub fn components(&self) -> impl Iterator<Item = Component<'a>> + Clone + use<'a> {
        let syntax = self.syntax;
        syntax
            .split(Some(syntax.delimiters.component), self.raw)
            .map(move |part| Component::new(part, syntax))
    }

    /// A component by its number, counted from one.
    #[must_use]
    pub fn component(&self, number: usize) -> Component<'a> {
        let delimiter = Some(self.syntax.delimiters.component);
        Component::new(self.syntax.part(delimiter, self.raw, number), self.syntax)
    }

    fn leaf(&self) -> &'a [u8] {
        self.component(1).leaf()
    }
}

impl<'a> Component<'a> {
    /// A subcomponent by its number, counted from one.
    #[must_use]
    pub fn subcomponent(&self, number: usize) -> Subcomponent<'a> {
        let delimiter = self.syntax.delimiters.subcomponent;
        Subcomponent::new(self.syntax.part(delimiter, self.raw, number), self.syntax)
    }

    fn leaf(&self) -> &'a [u8] {
        self.subcomponent(1).leaf()
    }
}

impl<'a> Subcomponent<'a> {
    fn leaf(&self) -> &'a [u8] {
        self.raw
    }
}
