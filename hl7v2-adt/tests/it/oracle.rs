//! Another parser agrees on single segments.
//!
//! `hl7-parser` is right about those when it is given the separators and takes
//! the whole text; see `Cargo.toml` for what it is not used for.

use hl7_parser::message::Separators;
use hl7_parser::parser::parse_segment_with_separators;
use hl7v2_adt::{Message, Messages, Segment};

use crate::support::{corpora, files};

#[test]
fn another_parser_finds_the_same_parts_in_a_segment() {
    for corpus in corpora() {
        let mut compared = 0;
        for (name, bytes) in files(&corpus) {
            for part in Messages::new(&bytes) {
                let Ok(message) = Message::parse(part.bytes) else {
                    continue;
                };
                let Some(separators) = separators(&message) else {
                    continue;
                };
                // MSH-1 and MSH-2 are not separated, and it reads some others differently.
                let segments = message.segments().skip(1);
                compared += segments
                    .filter(|one| agrees(one, separators, &name))
                    .count();
            }
        }
        assert!(
            compared > 400,
            "{compared} segments of {}",
            corpus.display()
        );
    }
}

/// Its own, where the message names all that it knows.
fn separators(message: &Message<'_>) -> Option<Separators> {
    let ours = message.delimiters();
    Some(Separators {
        field: ours.field.into(),
        component: ours.component.into(),
        repetition: ours.repetition?.into(),
        escape: ours.escape?.into(),
        subcomponent: ours.subcomponent?.into(),
        lenient_newlines: false,
    })
}

/// Whether both could be compared. Panics where they differ.
fn agrees(ours: &Segment<'_>, separators: Separators, name: &str) -> bool {
    let Ok(text) = std::str::from_utf8(ours.raw()) else {
        return false;
    };
    let Ok(theirs) = parse_segment_with_separators(text, separators) else {
        return false;
    };
    if theirs.raw_value().len() != text.len() || ours.is("MSH") {
        return false;
    }
    let place = format!("{name}, {}", ours.position());
    assert_eq!(theirs.name.as_bytes(), ours.name(), "{place}");
    assert_eq!(theirs.fields.len(), ours.fields().count(), "{place}");
    for (theirs, ours) in theirs.fields().zip(ours.fields()) {
        assert_eq!(theirs.raw_value().as_bytes(), ours.raw(), "{place}");
        let repetitions: Vec<_> = ours.repetitions().collect();
        if !ours.is_empty() {
            assert_eq!(theirs.repeats.len(), repetitions.len(), "{place}");
        }
        for (theirs, ours) in theirs.repeats().zip(repetitions) {
            assert_eq!(theirs.raw_value().as_bytes(), ours.raw(), "{place}");
            for (index, theirs) in theirs.components().enumerate() {
                let ours = ours.component(index + 1);
                assert_eq!(theirs.raw_value().as_bytes(), ours.raw(), "{place}");
                for (index, theirs) in theirs.subcomponents().enumerate() {
                    let ours = ours.subcomponent(index + 1);
                    assert_eq!(theirs.raw_value().as_bytes(), ours.raw(), "{place}");
                }
            }
        }
    }
    true
}
