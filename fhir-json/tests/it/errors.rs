//! What an error says: kind, offset, text.

use fhir_json::{Error, ErrorKind, Tape};

use ErrorKind::*;

/// Text, kind, offset.
const CASES: &[(&[u8], ErrorKind, usize)] = &[
    // Before anything else.
    (b"\xff", InvalidUtf8, 0),
    (b"[\"a\xe9\"]", InvalidUtf8, 3),
    (b"\"\xe2\x82", InvalidUtf8, 1),
    (b"{\"a\":\"\xed\xa0\x80\"}", InvalidUtf8, 6),
    (b"[1,,\x80]", InvalidUtf8, 4),
    // The end of the text.
    (b"", UnexpectedEnd, 0),
    (b"  \n", UnexpectedEnd, 3),
    (b"[", UnexpectedEnd, 1),
    (b"[ ", UnexpectedEnd, 2),
    (b"[1", UnexpectedEnd, 2),
    (b"[1,", UnexpectedEnd, 3),
    (b"{", UnexpectedEnd, 1),
    (b"{\"a\"", UnexpectedEnd, 4),
    (b"{\"a\":", UnexpectedEnd, 5),
    (b"{\"a\":1", UnexpectedEnd, 6),
    (b"{\"a\":1, ", UnexpectedEnd, 8),
    (b"\"", UnexpectedEnd, 1),
    (b"\"abc", UnexpectedEnd, 4),
    (b"\"abc\\", UnexpectedEnd, 5),
    (b"\"abc\\\"", UnexpectedEnd, 6),
    ("\"é".as_bytes(), UnexpectedEnd, 3),
    (b"t", UnexpectedEnd, 1),
    (b"[fals", UnexpectedEnd, 5),
    (b"-", UnexpectedEnd, 1),
    (b"1.", UnexpectedEnd, 2),
    (b"1e", UnexpectedEnd, 2),
    (b"1e+", UnexpectedEnd, 3),
    // A byte that can't stand there.
    (b"]", UnexpectedByte, 0),
    (b"  x", UnexpectedByte, 2),
    (b"\xef\xbb\xbf{}", UnexpectedByte, 0),
    (b"\0", UnexpectedByte, 0),
    (b"[1 2]", UnexpectedByte, 3),
    (b"[1}", UnexpectedByte, 2),
    (b"[,1]", UnexpectedByte, 1),
    (b"[1,]", UnexpectedByte, 3),
    (b"{1:2}", UnexpectedByte, 1),
    (b"{,}", UnexpectedByte, 1),
    (b"{\"a\" 1}", UnexpectedByte, 5),
    (b"{\"a\"::1}", UnexpectedByte, 5),
    (b"{\"a\":1]", UnexpectedByte, 6),
    (b"{\"a\":1,}", UnexpectedByte, 7),
    (b"{\"a\":}", UnexpectedByte, 5),
    (b"'a'", UnexpectedByte, 0),
    (b"[\x0b1]", UnexpectedByte, 1),
    (b"+1", UnexpectedByte, 0),
    (b"[.5]", UnexpectedByte, 1),
    (b"nil", UnexpectedByte, 1),
    (b"[truth]", UnexpectedByte, 4),
    (b"[truex]", UnexpectedByte, 5),
    (b"NaN", UnexpectedByte, 0),
    // Numbers, at their first byte.
    (b"01", InvalidNumber, 0),
    (b"[1, -01]", InvalidNumber, 4),
    (b"[-]", InvalidNumber, 1),
    (b"-a", InvalidNumber, 0),
    (b"[1.]", InvalidNumber, 1),
    (b"{\"a\":1.e1}", InvalidNumber, 5),
    (b"[1e]", InvalidNumber, 1),
    (b"[1e+]", InvalidNumber, 1),
    (b"[0,1.2.3]", InvalidNumber, 3),
    (b"0x1F", InvalidNumber, 0),
    (b"1e1e1", InvalidNumber, 0),
    (b"-Infinity", InvalidNumber, 0),
    // Control characters, at themselves.
    (b"\"a\nb\"", ControlCharacter, 2),
    (b"[\"\x00\"]", ControlCharacter, 2),
    (b"{\"name\x1f\":1}", ControlCharacter, 6),
    (b"\"0123456789abcdef\t\"", ControlCharacter, 17),
    (b"\"\\n\x01\"", ControlCharacter, 3),
    // Escapes, at their backslash.
    (b"\"\\a\"", InvalidEscape, 1),
    (b"[\"ab\\x41\"]", InvalidEscape, 4),
    (b"{\"\\'\":1}", InvalidEscape, 2),
    (b"\"\\u12g4\"", InvalidEscape, 1),
    (b"\"\\u12", InvalidEscape, 1),
    (b"\"\\u+123\"", InvalidEscape, 1),
    ("\"\\é\"".as_bytes(), InvalidEscape, 1),
    // Halves of pairs, at the backslash of the half.
    (b"\"\\ud800\"", LoneSurrogate, 1),
    (b"[\"ab\\udfff\"]", LoneSurrogate, 4),
    (b"\"\\ud83d\\ude00\\ude00\"", LoneSurrogate, 13),
    (b"\"\\ud83d\\u0041\"", LoneSurrogate, 1),
    (b"\"\\ud83d\\n\"", LoneSurrogate, 1),
    (b"{\"\\udbff\":1}", LoneSurrogate, 2),
    // Duplicate names, at the opening quote of the second.
    (b"{\"a\":1,\"a\":2}", DuplicateName, 7),
    (b"{ \"a\" : 1 , \"a\" : 2 }", DuplicateName, 12),
    (b"[{\"b\":{},\"a\":1,\"b\":2}]", DuplicateName, 15),
    (b"{\"a\":1,\"\\u0061\":2}", DuplicateName, 7),
    (
        b"{\"\\u0061\":1,\"b\":2,\"a\":3,\"a\":4}",
        DuplicateName,
        18,
    ),
    (b"{\"\":1,\"\":2}", DuplicateName, 6),
    (b"{\"a\":1,\"a\"}", DuplicateName, 7),
    // After the value, at the first byte of what follows.
    (b"1 2", TrailingContent, 2),
    (b"{} {}", TrailingContent, 3),
    (b"[]]", TrailingContent, 2),
    (b"[]\n\0", TrailingContent, 3),
    (b"truex", TrailingContent, 4),
    (b"\"a\"b\"", TrailingContent, 3),
    (b"1_000", TrailingContent, 1),
];

#[test]
fn every_kind_where_it_is() {
    let mut tape = Tape::new();
    for &(text, kind, offset) in CASES {
        let error = tape.parse(text).unwrap_err();
        let found = (error.kind(), error.offset());
        assert_eq!(found, (kind, offset), "{}", text.escape_ascii());
    }
}

#[test]
fn too_deep_at_the_bracket_beyond_the_limit() {
    let error = |text: &str, limit| {
        let error = Tape::new()
            .parse_nested(text.as_bytes(), limit)
            .unwrap_err();
        assert_eq!(error.kind(), TooDeep, "{text}");
        error.offset()
    };
    assert_eq!(error(" []", 0), 1);
    assert_eq!(error("[1,{}]", 1), 3);
    assert_eq!(error(r#"{"a":[{"b":1}]}"#, 2), 6);
    assert_eq!(error(&"[".repeat(129), fhir_json::MAX_DEPTH), 128);
}

#[cfg(target_pointer_width = "64")]
#[test]
fn too_long_at_the_start() {
    let mut tape = Tape::new();
    // Zeroed memory that nobody reads is never really there.
    let error = tape.parse(&vec![0; 1 << 32]).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (TooLong, 0));
}

/// Resources are patient data, and error texts end up in logs.
#[test]
fn texts_of_errors_hold_nothing_of_the_text() {
    let parse = |text: &[u8]| -> Error { Tape::new().parse(text).unwrap_err() };
    for text in [
        &b"{\"Zaphod\":1,\"Zaphod\":2}"[..],
        b"[Zaphod]",
        b"\"Zaphod\n\"",
        b"\"Zaphod",
        b"\"Zaphod\\q\"",
        b"\"Zaphod\xff\"",
        b"[\"Zaphod\"] \"Zaphod\"",
        b"{\"Zaphod\":-Zaphod}",
    ] {
        let error = parse(text);
        assert!(!format!("{error} {error:?}").contains("Zaphod"), "{error}");
    }
    let error = parse(b"[1,2");
    assert_eq!(error.to_string(), "the text ends inside a value at byte 4");
}
