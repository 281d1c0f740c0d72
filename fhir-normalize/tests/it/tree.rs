//! JSON as an owned tree, for tests that compare what is stored with what came.

use std::fmt::{self, Write as _};

use fhir_json::{Kind, Tape, Value};

/// A JSON value; numbers are their digits, strings are unescaped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Tree {
    /// The tree of a text that is known to be JSON.
    pub(crate) fn parse(text: impl AsRef<[u8]>) -> Self {
        Self::try_parse(text.as_ref()).expect("JSON")
    }

    pub(crate) fn try_parse(text: &[u8]) -> Option<Self> {
        let mut tape = Tape::new();
        let document = tape.parse_nested(text, 1000).ok()?;
        Some(Self::of(document.root()))
    }

    fn of(value: Value<'_>) -> Self {
        match value.kind() {
            Kind::Null => Self::Null,
            Kind::Bool => Self::Bool(value.raw() == "true"),
            Kind::Number => Self::Number(value.raw().to_owned()),
            Kind::String => Self::String(value.as_str().expect("a string").into_owned()),
            Kind::Array => Self::Array(value.elements().map(Self::of).collect()),
            Kind::Object => Self::Object(
                value
                    .members()
                    .map(|member| {
                        let name = member.name().expect("a name").into_owned();
                        (name, Self::of(member))
                    })
                    .collect(),
            ),
        }
    }

    pub(crate) fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    pub(crate) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let mut members = self.members().iter();
        members.find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub(crate) fn str(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array, or the value alone.
    pub(crate) fn elements_or_self(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            _ => std::slice::from_ref(self),
        }
    }

    /// `null`, `{}` or `[]`: what FHIR does not count as a value.
    pub(crate) fn is_nothing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Array(elements) => elements.is_empty(),
            Self::Object(members) => members.is_empty(),
            _ => false,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        let inner = |values: &mut dyn Iterator<Item = &Self>| {
            1 + values.map(Self::depth).max().unwrap_or_default()
        };
        match self {
            Self::Array(elements) => inner(&mut elements.iter()),
            Self::Object(members) => inner(&mut members.iter().map(|(_, value)| value)),
            _ => 0,
        }
    }

    /// With the members of every object sorted by name.
    pub(crate) fn sorted(&self) -> Self {
        match self {
            Self::Array(elements) => Self::Array(elements.iter().map(Self::sorted).collect()),
            Self::Object(members) => {
                let mut members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| (name.clone(), value.sorted()))
                    .collect();
                members.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
                Self::Object(members)
            }
            other => other.clone(),
        }
    }

    /// The canonical form, as the contract of the content hash has it.
    pub(crate) fn canonical(&self) -> String {
        self.sorted().text()
    }

    /// Compact text with the shortest escapes.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, "", &shortest);
        text
    }

    /// The same tree in another dress: white space between all tokens, members
    /// backwards, escapes wherever JSON allows them.
    pub(crate) fn disguised(&self) -> String {
        let mut text = String::new();
        self.backwards().write(&mut text, " \n\t", &every_escape);
        text
    }

    fn backwards(&self) -> Self {
        match self {
            Self::Array(elements) => Self::Array(elements.iter().map(Self::backwards).collect()),
            Self::Object(members) => Self::Object(
                members
                    .iter()
                    .rev()
                    .map(|(name, value)| (name.clone(), value.backwards()))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    fn write(&self, out: &mut String, space: &str, string: &dyn Fn(&str, &mut String)) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => write!(out, "{value}").expect("a String"),
            Self::Number(digits) => out.push_str(digits),
            Self::String(text) => string(text, out),
            Self::Array(elements) => {
                out.push('[');
                for (at, element) in elements.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    out.push_str(space);
                    element.write(out, space, string);
                }
                out.push_str(space);
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    out.push_str(space);
                    string(name, out);
                    out.push_str(space);
                    out.push(':');
                    out.push_str(space);
                    value.write(out, space, string);
                }
                out.push_str(space);
                out.push('}');
            }
        }
    }
}

/// As JSON, which is what a failed test has to show.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

fn shortest(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' => write!(out, "\\u{:04x}", u32::from(c)).expect("a String"),
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn every_escape(text: &str, out: &mut String) {
    out.push('"');
    for (at, c) in text.chars().enumerate() {
        match c {
            '/' => out.push_str("\\/"),
            // Some letters stay, or nothing would tell the two ways apart.
            'a'..='z' | 'A'..='Z' if at % 3 != 0 => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04X}").expect("a String");
                }
            }
        }
    }
    out.push('"');
}
