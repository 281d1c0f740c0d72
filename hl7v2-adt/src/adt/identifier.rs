use std::borrow::Cow;
use std::fmt;

use crate::{Component, Repetition, Timestamp, Value};

/// An identifier with who assigned it and of which type: data type CX (section
/// 2A.2.14).
#[derive(Clone, Copy)]
pub struct Identifier<'a> {
    repetition: Repetition<'a>,
}

impl<'a> Identifier<'a> {
    pub(super) fn new(repetition: Repetition<'a>) -> Self {
        Self { repetition }
    }

    /// The identifier itself, CX-1, without blanks around it. Leading zeros
    /// belong to it.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        match self.repetition.component(1).value() {
            Value::Text(text) => trimmed(text).map_or(Value::Empty, Value::Text),
            value => value,
        }
    }

    /// The identifier as text; empty if there is none.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        self.value().into_text()
    }

    /// Who assigned it, CX-4.
    #[must_use]
    pub fn authority(&self) -> Authority<'a> {
        Authority {
            component: self.repetition.component(4),
        }
    }

    /// Its type by HL7 table 0203, CX-5: `MR`. Often empty.
    #[must_use]
    pub fn type_code(&self) -> Cow<'a, str> {
        self.part(5)
    }

    /// The last day it is valid, CX-8.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.part(8))
    }

    /// Whether it says anything: neither empty nor null, nor expired on a day.
    #[must_use]
    pub fn is_usable(&self, on: Option<&Timestamp>) -> bool {
        matches!(self.value(), Value::Text(_)) && !on.is_some_and(|on| self.is_expired(on))
    }

    /// Whether it was valid before a day only.
    #[must_use]
    pub fn is_expired(&self, on: &Timestamp) -> bool {
        self.expires().is_some_and(|end| end.date() < on.date())
    }

    /// The repetition it was read from.
    #[must_use]
    pub fn repetition(&self) -> Repetition<'a> {
        self.repetition
    }

    /// Whether both are the same: value, authority and type.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.value() == other.value()
            && self.authority().key() == other.authority().key()
            && self.type_code() == other.type_code()
    }

    /// Type and authority, where it has both.
    pub(super) fn kind(&self) -> Option<(&'a [u8], &'a [u8])> {
        let code = self.repetition.component(5).raw();
        let authority = self.authority().key();
        (!code.is_empty() && !authority.is_empty()).then_some((code, authority))
    }

    fn part(&self, number: usize) -> Cow<'a, str> {
        let text = self.repetition.component(number).text();
        trimmed(text).unwrap_or_default()
    }
}

/// No content.
impl fmt::Debug for Identifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({} bytes)", self.repetition.raw().len())
    }
}

/// A party by a local name, by a universal one, or both: data type HD (section
/// 2A.2.33).
#[derive(Clone, Copy)]
pub struct Authority<'a> {
    component: Component<'a>,
}

impl<'a> Authority<'a> {
    /// Name within the sender's organisation, HD-1.
    #[must_use]
    pub fn namespace(&self) -> Cow<'a, str> {
        self.part(1)
    }

    /// Universal name, HD-2: an OID, if the type is `ISO`.
    #[must_use]
    pub fn universal_id(&self) -> Cow<'a, str> {
        self.part(2)
    }

    /// Type of the universal name, HD-3.
    #[must_use]
    pub fn universal_id_type(&self) -> Cow<'a, str> {
        self.part(3)
    }

    /// Whether it has this name, be it the local or the universal one.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        !name.is_empty() && (self.namespace() == name || self.universal_id() == name)
    }

    /// What tells it from others of the same message.
    fn key(&self) -> &'a [u8] {
        let namespace = self.component.subcomponent(1).raw();
        if namespace.is_empty() {
            self.component.subcomponent(2).raw()
        } else {
            namespace
        }
    }

    fn part(&self, number: usize) -> Cow<'a, str> {
        trimmed(self.component.subcomponent(number).text()).unwrap_or_default()
    }
}

/// No content.
impl fmt::Debug for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({} bytes)", self.component.raw().len())
    }
}

/// Without blanks around it; `None` if nothing is left.
pub(super) fn trimmed(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    Some(text).filter(|text| !text.is_empty())
}
