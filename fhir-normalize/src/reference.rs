//! What a reference's text points at.

use std::borrow::Cow;

use crate::ids::is_legal_id;
use crate::required::{leading_resource_type, type_name};

/// The forms that are rewritten (R4, references; contract of this family).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    /// `Type/id`, also with a version or under one of the source's bases.
    Local {
        resource_type: &'static str,
        id: &'a str,
        /// FHIR allows the id.
        legal: bool,
        /// The text is just `Type/id`.
        plain: bool,
    },
    /// `urn:uuid:…`
    Uuid,
    /// `Type?identifier=system|value`
    Conditional(Conditional<'a>),
    /// Anything else, which stays as it is.
    Other,
}

/// A conditional reference: the one resource of a type that has an identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditional<'a> {
    /// The type of the resource meant.
    pub resource_type: &'static str,
    /// `identifier.system`
    pub system: Cow<'a, str>,
    /// `identifier.value`
    pub value: Cow<'a, str>,
}

/// Tells the form of a reference's text.
#[inline]
pub(crate) fn form<'a>(text: &'a str, bases: &[String]) -> Form<'a> {
    let relative = relative(text, bases);
    let first = relative.as_bytes().first();
    if !first.is_some_and(u8::is_ascii_uppercase) {
        return if text.starts_with("urn:uuid:") {
            Form::Uuid
        } else {
            Form::Other
        };
    }
    let Some((index, name)) = leading_resource_type(relative) else {
        return Form::Other;
    };
    let resource_type = type_name(index);
    let rest = &relative[name..];
    let Some(path) = rest.strip_prefix('/') else {
        return match rest.strip_prefix("?identifier=") {
            Some(query) => conditional(resource_type, query),
            None => Form::Other,
        };
    };
    // A legal id holds no slash, and that it is legal is quickly told.
    let (id, legal) = if is_legal_id(path) {
        (path, true)
    } else {
        let id = path.find("/_history/").map_or(path, |end| &path[..end]);
        (id, is_legal_id(id))
    };
    if id.is_empty() {
        return Form::Other;
    }
    let plain = relative.len() == text.len() && id.len() == path.len();
    Form::Local {
        resource_type,
        id,
        legal,
        plain,
    }
}

fn relative<'a>(text: &'a str, bases: &[String]) -> &'a str {
    // One base may be the beginning of another: the longest counts.
    bases
        .iter()
        .filter_map(|base| {
            text.strip_prefix(base.trim_end_matches('/'))?
                .strip_prefix('/')
        })
        .min_by_key(|relative| relative.len())
        .unwrap_or(text)
}

fn conditional<'a>(resource_type: &'static str, query: &'a str) -> Form<'a> {
    let token = match decode(query) {
        Cow::Borrowed(token) => token
            .split_once('|')
            .map(|(system, value)| (system.into(), value.into())),
        Cow::Owned(token) => token
            .split_once('|')
            .map(|(system, value)| (system.to_owned().into(), value.to_owned().into())),
    };
    let token: Option<(Cow<'a, str>, Cow<'a, str>)> = token;
    match token {
        Some((system, value)) if !value.is_empty() && !query.contains('&') => {
            Form::Conditional(Conditional {
                resource_type,
                system,
                value,
            })
        }
        _ => Form::Other,
    }
}

/// Resolves percent encoding (RFC 3986 section 2.1); text that is not valid
/// stays as it is.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &after[2..];
            }
            (b'%', None) => return Cow::Borrowed(text),
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(resource_type: &'static str, id: &'static str, plain: bool) -> Form<'static> {
        Form::Local {
            resource_type,
            id,
            legal: !id.contains(['_', ' ', '/']),
            plain,
        }
    }

    #[test]
    fn forms() {
        let bases = [
            "https://ehr.example/r4".to_owned(),
            "https://alias.example/".to_owned(),
        ];
        let conditional = |system: &'static str, value: &'static str| {
            Form::Conditional(Conditional {
                resource_type: "Patient",
                system: system.into(),
                value: value.into(),
            })
        };
        for (text, expected) in [
            ("Patient/p1", local("Patient", "p1", true)),
            ("Patient/p1/_history/3", local("Patient", "p1", false)),
            ("Patient/a_b c", local("Patient", "a_b c", true)),
            ("Patient/a/b", local("Patient", "a/b", true)),
            (
                "https://ehr.example/r4/Patient/p1",
                local("Patient", "p1", false),
            ),
            (
                "https://ehr.example/r4/Patient/p1/_history/1",
                local("Patient", "p1", false),
            ),
            ("https://alias.example/Group/g", local("Group", "g", false)),
            ("https://ehr.example/r4x/Patient/p1", Form::Other),
            ("https://other.example/r4/Patient/p1", Form::Other),
            ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", Form::Uuid),
            ("urn:oid:1.2.3", Form::Other),
            ("#c", Form::Other),
            ("", Form::Other),
            ("patient/p1", Form::Other),
            ("Patients/p1", Form::Other),
            ("Patient", Form::Other),
            ("Patient/", Form::Other),
            ("/Patient/p1", Form::Other),
            ("../Patient/p1", Form::Other),
            (
                "Patient?identifier=http://h.example|12",
                conditional("http://h.example", "12"),
            ),
            (
                "Patient?identifier=http%3A%2F%2Fh%7C1%202",
                conditional("http://h", "1 2"),
            ),
            ("Patient?identifier=|12", conditional("", "12")),
            ("Patient?identifier=12", Form::Other),
            ("Patient?identifier=a|", Form::Other),
            ("Patient?identifier=a|b&active=true", Form::Other),
            ("Patient?name=x", Form::Other),
        ] {
            assert_eq!(form(text, &bases), expected, "{text}");
        }
    }
}
