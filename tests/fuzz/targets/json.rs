use std::fmt;

use fhir_json::{Edits, Emitter, ErrorKind, Kind, MAX_DEPTH, Tape, Value};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Dom;

use super::{Entry, JSON};
use crate::engine::{Outcome, Target};
use crate::seeds::{Seeds, Split, texts};

/// JSON texts, against `serde_json`.
pub(super) const TAPE: Entry = Entry {
    target: Target {
        name: "json",
        check,
        grammar: JSON,
    },
    seeds: Seeds {
        own: || texts(&["{\"a\":[1,2.0,-3e4],\"b\":{\"c\":\"\\u00e9\"},\"d\":null}"]),
        places: &[
            "fhir-json/tests/corpus",
            "fhir-normalize/tests/data",
            "tests/data/dirty",
        ],
        names: &[".json", ".ndjson"],
        split: Split::Lines,
    },
    smoke: 60_000,
};

fn check(text: &[u8]) -> Outcome {
    let reference = read(text);
    let mut tape = Tape::new();
    let document = match tape.parse(text) {
        Ok(document) => document,
        Err(error) => {
            assert!(error.offset() <= text.len(), "{error}");
            let agrees = match reference {
                Verdict::Taken(_) => false,
                Verdict::Refused => error.kind() != ErrorKind::TooDeep,
                // A name may be used twice before it is too deep.
                Verdict::TooDeep | Verdict::Unknown => true,
            };
            assert!(agrees, "{error}");
            return Outcome::new().with(error.kind() as u8).size(error.offset());
        }
    };
    assert_eq!(document.text().as_bytes(), text);
    let root = document.root();
    let mut count = 0;
    let mut longest = 0;
    for value in root.descendants() {
        assert_eq!(value.raw().as_bytes(), &text[value.span()]);
        longest = longest.max(value.as_str().map_or(0, |text| text.len()));
        count += 1;
    }
    match &reference {
        Verdict::Taken(dom) => assert_same(root, dom),
        Verdict::Unknown => {}
        other => panic!("taken, but {other:?}"),
    }

    let (mut emitter, none) = (Emitter::new(), Edits::new());
    let (mut canonical, mut compact, mut edited) = (Vec::new(), Vec::new(), Vec::new());
    emitter.canonical(root, &none, &mut canonical);
    emitter.compact(root, &none, &mut compact);
    let mut edits = Edits::new();
    if let Some(value) = root.descendants().nth(1 + text.len() % count) {
        match text.len() % 3 {
            0 => edits.remove(value),
            1 => edits.replace(value, b"[1,{\"x\":2}]"),
            _ => edits.replace_with_str(value, "\"\\\u{1}é"),
        }
    }
    edits.apply(document, &mut edited);
    let outcome = Outcome::new()
        .with(root.kind() as u8)
        .size(count)
        .size(longest)
        .size(document.depth())
        .with(document.has_white_space());

    // What is written is read again, as the same.
    assert!(compact.len() <= text.len());
    for written in [&compact, &canonical] {
        let again = tape.parse(written).expect("what is written can be read");
        assert!(!again.has_white_space());
        let mut twice = Vec::new();
        emitter.canonical(again.root(), &none, &mut twice);
        assert_eq!(twice, canonical, "the canonical form changes");
    }
    // A text of a shape that is known is read and written like others.
    for _ in 0..3 {
        let again = tape.parse(text).expect("what was read can be read");
        let mut twice = Vec::new();
        emitter.canonical(again.root(), &none, &mut twice);
        assert_eq!(twice, canonical, "the canonical form is another one now");
        twice.clear();
        emitter.compact(again.root(), &none, &mut twice);
        assert_eq!(twice, compact, "the compact form is another one now");
        if let Verdict::Taken(dom) = &reference {
            assert_same(again.root(), dom);
        }
    }
    let deeper = MAX_DEPTH + 2;
    tape.parse_nested(&edited, deeper)
        .expect("an edited text can be read");
    outcome
}

/// What the reference makes of a text.
#[derive(Debug)]
enum Verdict {
    Taken(Dom),
    Refused,
    TooDeep,
    /// It can't say: of numbers that `f64` has not, or close to its own limit of depth.
    Unknown,
}

/// Reads by `serde_json`, which takes names used twice, and any depth or lone
/// surrogates where nothing is kept.
fn read(text: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(text) else {
        return Verdict::Refused;
    };
    // Not the depth: the text may be wrong behind the place where that is too much.
    let depth = depth(text);
    if depth > MAX_DEPTH {
        return match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Verdict::TooDeep,
            Err(_) => Verdict::Unknown,
        };
    }
    match serde_json::from_str::<Strict>(text) {
        Ok(strict) => Verdict::Taken(strict.0),
        Err(_) if depth >= MAX_DEPTH - 1 => Verdict::Unknown,
        Err(error) if error.to_string().starts_with("number out of range") => Verdict::Unknown,
        Err(_) => Verdict::Refused,
    }
}

/// The most brackets that are open at a time outside of strings.
fn depth(text: &str) -> usize {
    let (mut depth, mut most, mut inside, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'[' | b'{' if !inside => depth += 1,
            b']' | b'}' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
        most = most.max(depth);
    }
    most
}

/// Compares all there is, but numbers by their digits alone: those of a DOM are rounded.
fn assert_same(value: Value<'_>, dom: &Dom) {
    match dom {
        Dom::Null => assert_eq!(value.kind(), Kind::Null),
        Dom::Bool(own) => assert_eq!(value.as_bool(), Some(*own)),
        Dom::Number(number) => {
            let read: serde_json::Number = serde_json::from_str(value.raw()).expect("a number");
            assert_eq!(&read, number);
            assert_eq!(value.as_number(), Some(value.raw()));
        }
        Dom::String(text) => {
            assert_eq!(value.as_str().as_deref(), Some(text.as_str()));
            assert!(value.is_str(text));
        }
        Dom::Array(elements) => {
            assert_eq!(value.elements().count(), elements.len());
            for (value, dom) in value.elements().zip(elements) {
                assert_same(value, dom);
            }
        }
        Dom::Object(members) => {
            assert_eq!(value.members().count(), members.len());
            for value in value.members() {
                let name = value.name().expect("a member has a name");
                assert!(value.is_named(&name));
                assert_same(value, &members[&*name]);
            }
        }
    }
}

/// A DOM that refuses names used twice.
struct Strict(Dom);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Dom;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Dom, E> {
        Ok(Dom::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Dom, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Dom, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Dom, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Dom, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Dom, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Dom, A::Error> {
        let mut elements = Vec::new();
        while let Some(Strict(element)) = access.next_element()? {
            elements.push(element);
        }
        Ok(Dom::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Dom, A::Error> {
        let mut members = serde_json::Map::new();
        while let Some((name, Strict(value))) = access.next_entry::<String, _>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name is used twice"));
            }
        }
        Ok(Dom::Object(members))
    }
}
