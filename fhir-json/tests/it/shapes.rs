//! Texts that are the same but for what strings and numbers say.

use fhir_json::{ErrorKind, Tape};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::properties::everything;
use crate::strategies::{bytes, choices, mutations, numbers, texts, trees};
use crate::tree::{Choices, assert_reads_as};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn texts_of_a_known_shape_read_like_others(
        tree in trees(),
        writing in choices(),
        strings in vec(texts(), 1..8),
        digits in vec(numbers(), 1..8),
        mutations in vec(mutations(), 0..4),
    ) {
        let other = tree.with_scalars(&strings, &digits);
        let [text, other_text] = [&tree, &other].map(|tree| {
            // Names are escaped by the same choices; strings in the one way.
            let source = tree.in_source_form(&mut Choices::plain());
            source.print(&mut writing.clone())
        });
        let mut tape = Tape::new();
        for _ in 0..2 {
            let shape = tape.parse(text.as_bytes()).unwrap().shape();
            prop_assert_eq!(shape, None, "what was seen once is not known");
        }
        let shape = tape.parse(text.as_bytes()).unwrap().shape();
        prop_assert!(shape.is_some(), "not known again: {}", text);

        let document = tape.parse(other_text.as_bytes()).unwrap();
        prop_assert_eq!(document.shape(), shape);
        assert_reads_as(document.root(), &other);
        for (position, value) in (0..).zip(document.root().descendants()) {
            prop_assert_eq!(value.position(), position);
            let found = document.value_at(position).map(|value| value.span());
            prop_assert_eq!(found, Some(value.span()));
        }
        prop_assert!(document.value_at(other.size() as u32).is_none());
        prop_assert_eq!(everything(document), everything(Tape::new().parse(other_text.as_bytes()).unwrap()));

        // Nearly of that shape.
        let mut damaged = other_text.into_bytes();
        for mutation in mutations {
            damaged = mutation.of(damaged);
            let mut new = Tape::new();
            let expected = new.parse(&damaged).map(everything);
            prop_assert_eq!(tape.parse(&damaged).map(everything), expected);
        }
        assert_reads_as(tape.parse(text.as_bytes()).unwrap().root(), &tree);
    }

    #[test]
    fn a_tape_reads_like_a_new_one_whatever_it_has_seen(seen in vec(bytes(), 1..12)) {
        let mut tape = Tape::new();
        for _ in 0..2 {
            for text in &seen {
                let mut new = Tape::new();
                let expected = new.parse(text).map(everything);
                prop_assert_eq!(tape.parse(text).map(everything), expected);
            }
        }
    }
}

#[test]
fn names_booleans_and_white_space_make_the_shape() {
    let mut tape = Tape::new();
    let mut shape = |text: &str| {
        (0..2).for_each(|_| assert!(tape.parse(text.as_bytes()).is_ok()));
        tape.parse(text.as_bytes()).unwrap().shape().unwrap()
    };
    let same = shape(r#"{"a":"x","b":[1,true,null]}"#);
    for text in [
        r#"{"a":"","b":[-2.50e3,true,null]}"#,
        r#"{"a":"\n \"longer than that\"","b":[0,true,null]}"#,
    ] {
        assert_eq!(shape(text), same, "{text}");
    }
    for text in [
        r#"{"a":"x","c":[1,true,null]}"#,
        r#"{"\u0061":"x","b":[1,true,null]}"#,
        r#"{"a":"x","b":[1,false,null]}"#,
        r#"{"a":"x","b":["1",true,null]}"#,
        r#"{"a":"x","b":[1,true,null,null]}"#,
        r#"{"a":"x","b":[1,true,null]} "#,
        r#"{"a": "x","b":[1,true,null]}"#,
        r#"{"a":["x"],"b":[1,true,null]}"#,
    ] {
        assert_ne!(shape(text), same, "{text}");
    }
}

#[test]
fn a_known_shape_may_be_too_deep() {
    let mut tape = Tape::new();
    for text in ["[[[1]]]", "[[[2]]]", "[[[3]]]"] {
        assert!(tape.parse_nested(text.as_bytes(), 3).is_ok());
        let error = tape.parse_nested(text.as_bytes(), 2).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::TooDeep, 2));
    }
}

#[test]
fn shapes_are_forgotten_and_learned_again() {
    let mut tape = Tape::new();
    // Far more than are kept.
    for round in 0..2 {
        for number in 0..6_000 {
            let text = format!(r#"{{"a{number}":[{round},"{number}"]}}"#);
            for _ in 0..3 {
                let root = tape.parse(text.as_bytes()).unwrap().root();
                let found = root.pointer(&format!("/a{number}/1"));
                assert!(found.is_some_and(|own| own.is_str(&number.to_string())));
            }
        }
    }
    for text in ["[1,\"a\"]", "[2,\"b\"]"] {
        tape.parse(text.as_bytes()).unwrap();
    }
    assert!(tape.parse(b"[3,\"c\"]").unwrap().shape().is_some());
}

#[test]
fn what_never_comes_again_is_not_learned_and_what_does_is() {
    let mut tape = Tape::new();
    let mut known = |text: String| tape.parse(text.as_bytes()).unwrap().shape().is_some();
    // Two in three, for long: texts are looked at seldom after that.
    for number in 0..3_000 {
        assert!(!known(format!(r#"{{"a{number}":1}}"#)), "{number}");
    }
    let at_first = (0..64).filter(|number| known(format!("[{number},{number}]")));
    assert!(at_first.count() < 2);
    let later = (0..500).filter(|number| known(format!("[{number},{number}]")));
    assert!(later.count() > 250);
}
