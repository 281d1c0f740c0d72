//! The texts in `tests/corpus`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fhir_json::ErrorKind::{DuplicateName, LoneSurrogate, TooDeep, UnexpectedByte};
use fhir_json::{Edits, Emitter, ErrorKind, Tape};
use serde_json::Value as Serde;

use crate::oracle;
use crate::properties::assert_verdict;
use crate::tree::assert_reads_as;

/// The verdicts on the texts that RFC 8259 leaves to the implementation, by the
/// beginning of their names.
const EITHER: &[(&str, Result<(), ErrorKind>)] = &[
    ("byte_order_mark_", Err(UnexpectedByte)),
    ("duplicate_name_", Err(DuplicateName)),
    ("huge_number_", Ok(())),
    ("lone_surrogate_", Err(LoneSurrogate)),
    ("depth_128_", Ok(())),
    ("depth_129_", Err(TooDeep)),
    ("depth_130_", Err(TooDeep)),
    ("depth_500_", Err(TooDeep)),
    ("depth_1000_", Err(TooDeep)),
];

#[test]
fn accept() {
    let mut tape = Tape::new();
    for (name, text) in corpus("accept") {
        let document = tape
            .parse(&text)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let reading = oracle::read(&text).unwrap_or_else(|| panic!("{name}: the oracle refuses"));
        assert_reads_as(document.root(), &reading.tree);
        let serde = serde_json::from_slice::<Serde>(&text);
        assert!(serde.is_ok(), "{name}: {serde:?}");
    }
}

#[test]
fn reject() {
    let mut tape = Tape::new();
    for (name, text) in corpus("reject") {
        assert!(tape.parse(&text).is_err(), "{name}");
        assert!(
            serde_json::from_slice::<Serde>(&text).is_err(),
            "{name}: serde_json"
        );
    }
}

#[test]
fn either() {
    let mut tape = Tape::new();
    let mut used = BTreeSet::new();
    for (name, text) in corpus("either") {
        let mut verdicts = EITHER.iter().filter(|(start, _)| name.starts_with(start));
        let (start, verdict) = verdicts
            .next()
            .unwrap_or_else(|| panic!("{name} is not listed"));
        let found = tape.parse(&text).map(drop).map_err(|error| error.kind());
        assert_eq!(found, *verdict, "{name}");
        used.insert(start);
    }
    assert_eq!(used.len(), EITHER.len(), "a verdict without a text");
}

#[test]
fn other_readers_agree() {
    for folder in ["accept", "reject", "either"] {
        corpus(folder)
            .iter()
            .for_each(|(_, text)| assert_verdict(text));
    }
}

#[test]
fn written_texts_are_the_same_tree() {
    let (mut tape, mut emitter) = (Tape::new(), Emitter::new());
    let mut accepted = 0;
    for (name, text) in [corpus("accept"), corpus("either")].concat() {
        let Ok(document) = tape.parse(&text) else {
            continue;
        };
        accepted += 1;
        let tree = oracle::read(&text).expect("accepted").tree;
        let (mut compact, mut canonical) = (Vec::new(), Vec::new());
        emitter.compact(document.root(), &Edits::new(), &mut compact);
        emitter.canonical(document.root(), &Edits::new(), &mut canonical);

        let mut other = Tape::new();
        let document = other.parse(&compact).unwrap();
        assert_reads_as(document.root(), &tree);
        assert!(!document.has_white_space(), "{name}");

        let document = other.parse(&canonical).unwrap();
        assert_reads_as(document.root(), &tree.sorted());
        let mut again = Vec::new();
        emitter.canonical(document.root(), &Edits::new(), &mut again);
        assert_eq!(again, canonical, "{name}");
    }
    assert!(accepted > 300);
}

/// The names, without their ending, and bytes of the `.json` files of a
/// folder, in order.
pub(crate) fn texts_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut texts: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter_map(|path| {
            let name = path
                .file_name()?
                .to_str()?
                .strip_suffix(".json")?
                .to_owned();
            Some((name, fs::read(&path).expect("a readable file")))
        })
        .collect();
    texts.sort();
    texts
}

fn corpus(folder: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let texts = texts_in(&root.join(folder));
    assert!(texts.len() > 50, "{folder} is incomplete");
    texts
}
