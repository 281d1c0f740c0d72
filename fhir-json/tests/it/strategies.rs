//! What the property tests generate.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::tree::{Choices, Tree};

/// Trees of every shape that matters to the tape: small and mixed, wide
/// (members are sorted by insertion up to 20, and names compared pairwise up to 32), deep.
pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let mixed = leaves().prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Tree::Array),
            vec((texts(), inner), 0..6).prop_map(object),
        ]
    });
    let wide = vec((texts(), leaves()), 16..48).prop_map(object);
    let deep = (leaves(), vec(any::<bool>(), 0..40)).prop_map(|(leaf, levels)| {
        levels.into_iter().fold(leaf, |inner, as_object| {
            if as_object {
                Tree::Object(vec![("a".to_owned(), inner)])
            } else {
                Tree::Array(vec![inner])
            }
        })
    });
    prop_oneof![8 => mixed, 1 => wide, 1 => deep]
}

fn leaves() -> impl Strategy<Value = Tree> {
    prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        numbers().prop_map(Tree::Number),
        texts().prop_map(Tree::String),
    ]
}

pub(crate) fn numbers() -> impl Strategy<Value = String> {
    const TELLING: [&str; 10] = [
        "0", "-0", "1", "1.0", "1.00", "0.10", "1E+2", "1e2", "100", "-0.0e-00",
    ];
    prop_oneof![
        select(&TELLING[..]).prop_map(str::to_owned),
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?",
    ]
}

/// Strings and member names.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    const EDGES: [char; 20] = [
        '\0',
        '\u{1}',
        '\u{8}',
        '\t',
        '\n',
        '\u{b}',
        '\u{c}',
        '\r',
        '\u{1f}',
        ' ',
        '"',
        '/',
        '\\',
        '\u{7f}',
        '\u{80}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{ffff}',
        '\u{10000}',
        '\u{10ffff}',
    ];
    prop_oneof![
        "[a-c]{0,2}",
        "(value|identifier)[A-C]{0,2}",
        // Sorted by eight bytes at a time, which may reach beyond a name.
        "(abcdef|abcdefg|abcdefgh)[ !#]{0,2}",
        "[ -~]{0,20}",
        vec(select(&EDGES[..]), 0..4).prop_map(String::from_iter),
        ("[a-z]{0,9}", select(&EDGES[..]), "[a-z]{0,9}")
            .prop_map(|(before, edge, after)| format!("{before}{edge}{after}")),
        vec(any::<char>(), 0..12).prop_map(String::from_iter),
    ]
}

/// An object of the members whose names are new.
fn object(members: Vec<(String, Tree)>) -> Tree {
    let mut own: Vec<(String, Tree)> = Vec::new();
    for member in members {
        if own.iter().all(|(name, _)| *name != member.0) {
            own.push(member);
        }
    }
    Tree::Object(own)
}

pub(crate) fn choices() -> impl Strategy<Value = Choices> {
    vec(any::<u8>(), 0..200).prop_map(Choices::new)
}

/// Texts of trees, in all their ways of writing.
pub(crate) fn documents() -> impl Strategy<Value = String> {
    (trees(), choices()).prop_map(|(tree, mut choices)| {
        let source = tree.shuffled(&mut choices).in_source_form(&mut choices);
        source.print(&mut choices)
    })
}

/// Bytes from noise to nearly JSON.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    const TOKENS: [&str; 34] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"b\"",
        "\"\\u0061\"",
        "\"a\":",
        "\"\"",
        "\\",
        "\\u",
        "\\ud83d",
        "\\ude00",
        "d83d",
        "0",
        "1",
        "-",
        ".",
        "e",
        "E+",
        "true",
        "false",
        "null",
        "tru",
        " ",
        "\n",
        "\u{1f}",
        "\u{feff}",
        "/",
        "{\"a\":1}",
        "é",
    ];
    prop_oneof![
        1 => vec(any::<u8>(), 0..40),
        3 => vec(select(&TOKENS[..]), 0..14).prop_map(|tokens| tokens.concat().into_bytes()),
        4 => (documents(), vec(mutations(), 0..3)).prop_map(|(text, mutations)| {
            mutations
                .iter()
                .fold(text.into_bytes(), |text, mutation| mutation.of(text))
        }),
    ]
}

/// A text of a tree, and bytes that differ from it in one place.
pub(crate) fn neighbours() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    (documents(), mutations())
        .prop_map(|(text, mutation)| (text.clone().into_bytes(), mutation.of(text.into_bytes())))
}

#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    Overwrite(Index, u8),
    Insert(Index, u8),
    Delete(Index),
    Truncate(Index),
    /// Writes a range once more, right after itself.
    Repeat(Index, Index),
}

pub(crate) fn mutations() -> impl Strategy<Value = Mutation> {
    let byte = || {
        prop_oneof![
            any::<u8>(),
            select(&b"{}[],:\"\\u0123456789-+.eE tfn\x1f"[..])
        ]
    };
    let index = any::<Index>;
    prop_oneof![
        (index(), byte()).prop_map(|(at, byte)| Mutation::Overwrite(at, byte)),
        (index(), byte()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        index().prop_map(Mutation::Delete),
        index().prop_map(Mutation::Truncate),
        (index(), index()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ]
}

impl Mutation {
    pub(crate) fn of(&self, mut text: Vec<u8>) -> Vec<u8> {
        if text.is_empty() {
            return text;
        }
        let length = text.len();
        match self {
            Self::Overwrite(at, byte) => text[at.index(length)] = *byte,
            Self::Insert(at, byte) => text.insert(at.index(length + 1), *byte),
            Self::Delete(at) => drop(text.remove(at.index(length))),
            Self::Truncate(at) => text.truncate(at.index(length)),
            Self::Repeat(from, to) => {
                let (a, b) = (from.index(length), to.index(length));
                let range = a.min(b)..a.max(b);
                let copy = text[range.clone()].to_vec();
                text.splice(range.end..range.end, copy);
            }
        }
        text
    }
}
