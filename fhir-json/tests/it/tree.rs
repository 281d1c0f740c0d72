//! The tests' own JSON: an owned tree and naive code over it.

use fhir_json::{Kind, Value};

/// A JSON value as RFC 8259 means it; numbers are their digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Tree {
    /// The value and everything inside it, in text order.
    pub(crate) fn preorder(&self) -> Vec<&Self> {
        let mut all = vec![self];
        for child in self.children() {
            all.extend(child.preorder());
        }
        all
    }

    /// How many values there are, this one included.
    pub(crate) fn size(&self) -> usize {
        self.preorder().len()
    }

    /// The JSON Pointers of [`preorder`](Self::preorder).
    pub(crate) fn pointers(&self) -> Vec<String> {
        let tokens: Vec<String> = match self {
            Self::Array(elements) => (0..elements.len()).map(|at| at.to_string()).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, _)| name.replace('~', "~0").replace('/', "~1"))
                .collect(),
            _ => Vec::new(),
        };
        let mut all = vec![String::new()];
        for (token, child) in tokens.iter().zip(self.children()) {
            let inner = child.pointers();
            all.extend(inner.iter().map(|pointer| format!("/{token}{pointer}")));
        }
        all
    }

    pub(crate) fn children(&self) -> Vec<&Self> {
        match self {
            Self::Array(elements) => elements.iter().collect(),
            Self::Object(members) => members.iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn canonical(&self) -> String {
        self.sorted()
            .in_source_form(&mut Choices::plain())
            .print(&mut Choices::plain())
    }

    /// With the members of every object in canonical order.
    pub(crate) fn sorted(&self) -> Self {
        self.rearranged(&mut |members| members.sort_by(|(a, _), (b, _)| a.cmp(b)))
    }

    /// With the members of every object in an order of choice.
    pub(crate) fn shuffled(&self, choices: &mut Choices) -> Self {
        self.rearranged(&mut |members| {
            for at in (1..members.len()).rev() {
                members.swap(at, at - choices.next(at + 1));
            }
        })
    }

    /// The same tree with other strings and numbers, those of these lists by
    /// turns.
    pub(crate) fn with_scalars(&self, strings: &[String], digits: &[String]) -> Self {
        fn other(tree: &Tree, next: &mut impl FnMut(&Tree) -> Tree) -> Tree {
            match tree {
                Tree::Array(elements) => {
                    Tree::Array(elements.iter().map(|own| other(own, next)).collect())
                }
                Tree::Object(members) => Tree::Object(
                    members
                        .iter()
                        .map(|(name, own)| (name.clone(), other(own, next)))
                        .collect(),
                ),
                leaf => next(leaf),
            }
        }
        let (mut strings, mut digits) = (strings.iter().cycle(), digits.iter().cycle());
        other(self, &mut |leaf| match leaf {
            Self::String(_) => Self::String(strings.next().expect("a string").clone()),
            Self::Number(_) => Self::Number(digits.next().expect("a number").clone()),
            leaf => leaf.clone(),
        })
    }

    fn rearranged(&self, arrange: &mut impl FnMut(&mut Vec<(String, Self)>)) -> Self {
        match self {
            Self::Array(elements) => Self::Array(
                elements
                    .iter()
                    .map(|element| element.rearranged(arrange))
                    .collect(),
            ),
            Self::Object(members) => {
                let mut members = members
                    .iter()
                    .map(|(name, value)| (name.clone(), value.rearranged(arrange)))
                    .collect();
                arrange(&mut members);
                Self::Object(members)
            }
            leaf => leaf.clone(),
        }
    }

    /// The same tree with its strings and names as they stand between their
    /// quotes in a text, escaped in a way of choice.
    pub(crate) fn in_source_form(&self, choices: &mut Choices) -> Self {
        match self {
            Self::String(text) => Self::String(escape(text, choices)),
            Self::Array(elements) => Self::Array(
                elements
                    .iter()
                    .map(|element| element.in_source_form(choices))
                    .collect(),
            ),
            Self::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(name, value)| (escape(name, choices), value.in_source_form(choices)))
                    .collect(),
            ),
            leaf => leaf.clone(),
        }
    }

    /// The text of a tree in source form, with white space of choice.
    pub(crate) fn print(&self, choices: &mut Choices) -> String {
        let text = match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(digits) => digits.clone(),
            Self::String(source) => format!("\"{source}\""),
            Self::Array(elements) => {
                let elements: Vec<_> = elements.iter().map(|value| value.print(choices)).collect();
                format!("[{}{}]", elements.join(","), space(choices))
            }
            Self::Object(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| {
                        let (before, after) = (space(choices), space(choices));
                        format!("{before}\"{name}\"{after}:{}", value.print(choices))
                    })
                    .collect();
                format!("{{{}{}}}", members.join(","), space(choices))
            }
        };
        format!("{}{text}{}", space(choices), space(choices))
    }
}

/// Answers to the questions of a writer. Zero is always the plainest way, so
/// that failing cases shrink towards compact text.
#[derive(Clone, Debug)]
pub(crate) struct Choices {
    answers: Vec<u8>,
    asked: usize,
}

impl Choices {
    pub(crate) const fn new(answers: Vec<u8>) -> Self {
        Self { answers, asked: 0 }
    }

    /// No white space, shortest escapes, order as it is.
    pub(crate) const fn plain() -> Self {
        Self::new(Vec::new())
    }

    fn next(&mut self, options: usize) -> usize {
        if self.answers.is_empty() {
            return 0;
        }
        self.asked += 1;
        usize::from(self.answers[self.asked % self.answers.len()]) % options
    }
}

fn space(choices: &mut Choices) -> &'static str {
    ["", "", "", "", " ", "\n", "\t", "\r\n", " \t "][choices.next(9)]
}

fn escape(text: &str, choices: &mut Choices) -> String {
    let shortest_only = choices.next(3) < 2;
    let mut source = String::new();
    for character in text.chars() {
        let way = if shortest_only { 0 } else { choices.next(5) };
        match (way, character) {
            (1, '/') => source.push_str("\\/"),
            (2 | 3, _) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let digits = if way == 2 {
                        format!("\\u{unit:04x}")
                    } else {
                        format!("\\u{unit:04X}")
                    };
                    source.push_str(&digits);
                }
            }
            (_, '"') => source.push_str("\\\""),
            (_, '\\') => source.push_str("\\\\"),
            (_, '\u{8}') => source.push_str("\\b"),
            (_, '\u{c}') => source.push_str("\\f"),
            (_, '\n') => source.push_str("\\n"),
            (_, '\r') => source.push_str("\\r"),
            (_, '\t') => source.push_str("\\t"),
            (_, '\0'..='\u{1f}') => source.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => source.push(character),
        }
    }
    source
}

/// Reads all of `value` through the public interface and compares.
#[track_caller]
pub(crate) fn assert_reads_as(value: Value<'_>, tree: &Tree) {
    const ABSENT: &str = "a name that no test uses";
    let kind = match tree {
        Tree::Null => Kind::Null,
        Tree::Bool(_) => Kind::Bool,
        Tree::Number(_) => Kind::Number,
        Tree::String(_) => Kind::String,
        Tree::Array(_) => Kind::Array,
        Tree::Object(_) => Kind::Object,
    };
    assert_eq!(value.kind(), kind);
    assert_eq!(value.is_null(), kind == Kind::Null);
    let container = matches!(kind, Kind::Array | Kind::Object);
    assert_eq!(value.is_empty(), container && tree.children().is_empty());
    assert_eq!(value.raw(), &value.document().text()[value.span()]);

    let (mut boolean, mut number, mut string) = (None, None, None);
    match tree {
        Tree::Bool(own) => boolean = Some(*own),
        Tree::Number(digits) => number = Some(digits.as_str()),
        Tree::String(text) => string = Some(text.as_str()),
        _ => {}
    }
    assert_eq!(value.as_bool(), boolean);
    assert_eq!(value.as_number(), number);
    assert_eq!(value.as_str().as_deref(), string);
    assert_eq!(value.is_str(string.unwrap_or("")), string.is_some());
    assert!(!value.is_str(ABSENT));

    let elements: Vec<_> = value.elements().collect();
    if let Tree::Array(expected) = tree {
        assert_eq!(elements.len(), expected.len());
        for (element, expected) in elements.iter().zip(expected) {
            assert_eq!(element.name(), None);
            assert!(!element.is_named(""));
            assert_reads_as(*element, expected);
        }
        assert_eq!(spans(value.elements_or_self()), spans(value.elements()));
    } else {
        assert!(elements.is_empty());
        assert_eq!(spans(value.elements_or_self()), [value.span()]);
    }

    let members: Vec<_> = value.members().collect();
    if let Tree::Object(expected) = tree {
        assert_eq!(members.len(), expected.len());
        for (member, (name, expected)) in members.iter().zip(expected) {
            assert_eq!(member.name().as_deref(), Some(name.as_str()));
            assert!(member.is_named(name) && !member.is_named(ABSENT));
            let found = value.get(name).map(|found| found.span());
            assert_eq!(found, Some(member.span()));
            assert_reads_as(*member, expected);
        }
    } else {
        assert!(members.is_empty());
    }
    assert!(value.get(ABSENT).is_none());
}

/// Where the values stand.
pub(crate) fn spans<'a>(values: impl Iterator<Item = Value<'a>>) -> Vec<std::ops::Range<usize>> {
    values.map(Value::span).collect()
}
