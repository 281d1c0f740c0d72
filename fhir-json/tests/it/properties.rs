//! Parsing, reading and canonical form, over generated texts.

use fhir_json::{Document, Edits, Emitter, Tape};
use proptest::prelude::*;
use serde::de::IgnoredAny;

use crate::oracle;
use crate::strategies::{bytes, choices, neighbours, trees};
use crate::tree::{Choices, assert_reads_as, spans};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn verdict_is_that_of_other_readers(text in bytes()) {
        assert_verdict(&text);
    }

    #[test]
    fn tree_reads_back(tree in trees(), choices in choices()) {
        let mut choices = choices;
        let source = tree.in_source_form(&mut choices);
        let text = source.print(&mut choices);
        let compact = source.print(&mut Choices::plain());

        let mut tape = Tape::new();
        let document = tape.parse(text.as_bytes()).unwrap();
        prop_assert_eq!(document.text(), &text);
        prop_assert_eq!(document.has_white_space(), text != compact);
        assert_reads_as(document.root(), &tree);
        prop_assert_eq!(document.root().name(), None);

        let descendants: Vec<_> = document.root().descendants().collect();
        let pointers = tree.pointers();
        prop_assert_eq!(descendants.len(), pointers.len());
        for (value, pointer) in descendants.iter().zip(&pointers) {
            let found = document.root().pointer(pointer).map(|found| found.span());
            prop_assert_eq!(found, Some(value.span()));
        }

        // Every part of a document can be written by itself.
        let mut emitter = Emitter::new();
        let parts = descendants.iter().zip(source.preorder()).zip(tree.preorder());
        for ((value, source), tree) in parts.step_by(1 + tree.size() / 20) {
            let (mut compact, mut canonical) = (Vec::new(), Vec::new());
            emitter.compact(*value, &Edits::new(), &mut compact);
            emitter.canonical(*value, &Edits::new(), &mut canonical);
            prop_assert_eq!(compact, source.print(&mut Choices::plain()).into_bytes());
            prop_assert_eq!(canonical, tree.canonical().into_bytes());
        }
    }

    #[test]
    fn canonical_form_is_one_for_all_writings(
        tree in trees(),
        writings in prop::collection::vec(choices(), 1..4),
    ) {
        let expected = tree.canonical();
        let (mut tape, mut emitter) = (Tape::new(), Emitter::new());
        for mut choices in writings {
            let source = tree.shuffled(&mut choices).in_source_form(&mut choices);
            let text = source.print(&mut choices);
            let mut out = Vec::new();
            let document = tape.parse(text.as_bytes()).unwrap();
            emitter.canonical(document.root(), &Edits::new(), &mut out);
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), &expected, "of {}", text);
        }
    }

    #[test]
    fn canonical_forms_differ_where_trees_do((one, other) in neighbours()) {
        let readings = [&one, &other].map(|text| oracle::read(text));
        if let [Some(one_read), Some(other_read)] = readings
            && other_read.is_acceptable()
        {
            let same = one_read.tree.sorted() == other_read.tree.sorted();
            prop_assert_eq!(canonical(&one) == canonical(&other), same);
        }
    }

    #[test]
    fn tape_remembers_nothing(before in bytes(), text in bytes()) {
        let mut used = Tape::new();
        let _ = used.parse(&before);
        let mut new = Tape::new();
        let expected = new.parse(&text).map(everything);
        prop_assert_eq!(used.parse(&text).map(everything), expected);
    }
}

/// Compares with a naive reader, and that one's grammar with `serde_json`,
/// which accepts duplicate names and, where nothing is kept, lone surrogates,
/// numbers of any size and any depth.
pub(crate) fn assert_verdict(text: &[u8]) {
    let reading = oracle::read(text);
    let grammatical = std::str::from_utf8(text)
        .is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    assert_eq!(reading.is_some(), grammatical, "{}", text.escape_ascii());

    let mut tape = Tape::new();
    match (tape.parse(text), reading) {
        (Ok(document), Some(reading)) if reading.is_acceptable() => {
            assert_eq!(document.depth(), reading.depth, "{}", text.escape_ascii());
            assert_reads_as(document.root(), &reading.tree);
        }
        (Err(error), reading) if reading.as_ref().is_none_or(|it| !it.is_acceptable()) => {
            assert!(error.offset() <= text.len(), "{error}");
        }
        (result, reading) => panic!("{} is {result:?}, but {reading:?}", text.escape_ascii()),
    }
}

fn canonical(text: &[u8]) -> Vec<u8> {
    let (mut tape, mut out) = (Tape::new(), Vec::new());
    let document = tape.parse(text).unwrap();
    Emitter::new().canonical(document.root(), &Edits::new(), &mut out);
    out
}

/// All that a document shows of itself.
pub(crate) fn everything(document: Document<'_>) -> impl PartialEq + std::fmt::Debug + use<> {
    let root = document.root();
    let kinds: Vec<_> = root.descendants().map(|value| value.kind()).collect();
    let names: Vec<_> = root
        .descendants()
        .map(|value| value.name().map(std::borrow::Cow::into_owned))
        .collect();
    let mut canonical = Vec::new();
    Emitter::new().canonical(root, &Edits::new(), &mut canonical);
    (
        document.depth(),
        document.has_white_space(),
        spans(root.descendants()),
        kinds,
        names,
        canonical,
    )
}
