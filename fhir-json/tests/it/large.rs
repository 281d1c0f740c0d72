//! Sizes at which a quadratic step or a recursion would show.

use std::fmt::Write;

use fhir_json::{Edits, Emitter, ErrorKind, HIGHEST_MAX_DEPTH, MAX_DEPTH, Tape};

const MANY: usize = 100_000;

fn members(count: usize) -> String {
    let mut text = String::from("{");
    for at in 0..count {
        let _ = write!(text, "\"member{at}\":{at},");
    }
    text
}

#[test]
fn object_of_many_members() {
    let text = members(MANY) + "\"last\":null}";
    let mut tape = Tape::new();
    let document = tape.parse(text.as_bytes()).unwrap();
    assert_eq!(document.root().members().count(), MANY + 1);
    assert!(
        document
            .root()
            .get("last")
            .is_some_and(|last| last.is_null())
    );

    let mut canonical = Vec::new();
    Emitter::new().canonical(document.root(), &Edits::new(), &mut canonical);
    assert_eq!(canonical.len(), text.len());
    assert!(canonical.starts_with(br#"{"last":null,"member0":0,"member1":1,"member10":10,"#));
    assert!(canonical.ends_with(br#","member9999":9999,"member99990":99990,"member99991":99991,"member99992":99992,"member99993":99993,"member99994":99994,"member99995":99995,"member99996":99996,"member99997":99997,"member99998":99998,"member99999":99999}"#));
}

#[test]
fn object_of_many_members_and_one_duplicate() {
    for duplicate in ["member0", "member50000", "member99999", r"\u006dember7"] {
        let mut text = members(MANY);
        let offset = text.len();
        let _ = write!(text, "\"{duplicate}\":0}}");
        let error = Tape::new().parse(text.as_bytes()).unwrap_err();
        assert_eq!(
            (error.kind(), error.offset()),
            (ErrorKind::DuplicateName, offset)
        );
    }
}

#[test]
fn array_of_a_million_numbers() {
    let text = format!("[{}0]", "0,".repeat(999_999));
    let mut tape = Tape::new();
    let document = tape.parse(text.as_bytes()).unwrap();
    assert_eq!(document.root().elements().count(), 1_000_000);
    assert_eq!(
        document.root().pointer("/999999").unwrap().span().end,
        text.len() - 1
    );

    let mut canonical = Vec::new();
    Emitter::new().canonical(document.root(), &Edits::new(), &mut canonical);
    assert_eq!(canonical, text.as_bytes());
}

#[test]
fn string_of_a_million_escapes() {
    let text = format!("\"{}\"", r"\u0061".repeat(1_000_000));
    let mut tape = Tape::new();
    let document = tape.parse(text.as_bytes()).unwrap();
    assert_eq!(document.root().as_str().unwrap(), "a".repeat(1_000_000));
}

#[test]
fn endless_nesting_is_refused_at_the_limit() {
    for open in ["[", r#"{"a":"#, r#"[{"a":"#] {
        let text = open.repeat(MANY);
        let error = Tape::new().parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooDeep);
        assert_eq!(
            text[..error.offset()].matches(['[', '{']).count(),
            MAX_DEPTH
        );
    }
}

#[test]
fn the_deepest_document_there_can_be_is_written_without_exhausting_the_stack() {
    let text = |depth| "[ ".repeat(depth) + &"]".repeat(depth);
    let mut tape = Tape::new();
    let deepest = text(HIGHEST_MAX_DEPTH);
    let document = tape.parse_nested(deepest.as_bytes(), usize::MAX).unwrap();
    assert_eq!(document.depth(), HIGHEST_MAX_DEPTH);
    let compact = deepest.replace(' ', "");
    let (mut written, mut canonical) = (Vec::new(), Vec::new());
    Edits::new().apply(document, &mut written);
    Emitter::new().canonical(document.root(), &Edits::new(), &mut canonical);
    assert!(written == compact.as_bytes() && canonical == compact.as_bytes());
    let deeper = text(HIGHEST_MAX_DEPTH + 1);
    let error = tape.parse_nested(deeper.as_bytes(), MANY).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooDeep);
}

#[test]
fn nesting_limits_are_exact() {
    let mut tape = Tape::new();
    for limit in [0, 1, 2, 3, 127, 128, 129, 300] {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#" [ "#, " ] ")] {
            let text = |depth| open.repeat(depth) + "1" + &close.repeat(depth);
            assert!(
                tape.parse_nested(text(limit).as_bytes(), limit).is_ok(),
                "{limit}"
            );
            let error = tape
                .parse_nested(text(limit + 1).as_bytes(), limit)
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooDeep, "{limit}");
        }
    }
    let twice = format!("[{0},{0}]", "[".repeat(127) + &"]".repeat(127));
    assert!(
        tape.parse(twice.as_bytes()).is_ok(),
        "closed levels don't count"
    );
}
