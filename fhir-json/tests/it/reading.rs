//! Reading values, where examples say more than properties.

use std::borrow::Cow;

use fhir_json::Tape;

/// The document of RFC 6901 section 5, and what its pointers evaluate to.
#[test]
fn pointers_of_rfc_6901() {
    let text = br#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
    let mut tape = Tape::new();
    let root = tape.parse(text).unwrap().root();
    for (pointer, raw) in [
        ("/foo", r#"["bar","baz"]"#),
        ("/foo/0", r#""bar""#),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ("/k\"l", "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
    ] {
        assert_eq!(
            root.pointer(pointer).map(|value| value.raw()),
            Some(raw),
            "{pointer}"
        );
    }
    assert_eq!(
        root.pointer("").map(|value| value.span()),
        Some(0..text.len())
    );
}

#[test]
fn pointers_to_nothing() {
    let text = br#"{"a":["x",{"b":null}],"0":{"~1":1},"s":"text"}"#;
    let mut tape = Tape::new();
    let root = tape.parse(text).unwrap().root();
    for pointer in [
        "a",
        "0",
        "#/a",
        "/A",
        "/a/",
        "/a/2",
        "/a/-",
        "/a/-1",
        "/a/00",
        "/a/01",
        "/a/+1",
        "/a/1 ",
        "/a/0x1",
        "/a/1/b/",
        "/a/1/b/c",
        "/a/18446744073709551616",
        "/s/0",
        "//a",
        "/0/~1",
    ] {
        assert!(root.pointer(pointer).is_none(), "{pointer}");
    }
    assert!(root.pointer("/a/1/b").is_some_and(|value| value.is_null()));
    assert!(root.pointer("/0/~01").is_some());
}

#[test]
fn strings_are_borrowed_where_they_have_no_escape() {
    let mut tape = Tape::new();
    let text = r#"{"plain":"é/'","\u0065scaped":"\u00e9"}"#;
    let root = tape.parse(text.as_bytes()).unwrap().root();
    let members: Vec<_> = root.members().collect();
    assert!(matches!(members[0].as_str(), Some(Cow::Borrowed("é/'"))));
    assert!(matches!(members[0].name(), Some(Cow::Borrowed("plain"))));
    assert!(matches!(members[1].as_str(), Some(Cow::Owned(text)) if text == "é"));
    assert!(matches!(members[1].name(), Some(Cow::Owned(name)) if name == "escaped"));
}

#[test]
fn one_value_stands_for_an_array_of_it() {
    let mut tape = Tape::new();
    let text = br#"{"many":[1,[2],3],"one":{"a":[4]},"none":[],"null":null}"#;
    let root = tape.parse(text).unwrap().root();
    let raw = |name| -> Vec<&str> {
        let value = root.get(name).unwrap();
        value
            .elements_or_self()
            .map(|element| element.raw())
            .collect()
    };
    assert_eq!(raw("many"), ["1", "[2]", "3"]);
    assert_eq!(raw("one"), [r#"{"a":[4]}"#]);
    assert_eq!(raw("null"), ["null"]);
    assert!(raw("none").is_empty());
}

#[test]
fn depth_counts_open_containers() {
    let mut tape = Tape::new();
    for (text, depth) in [
        ("1", 0),
        ("[]", 1),
        ("{}", 1),
        ("[1,2]", 1),
        ("[[],[]]", 2),
        (r#"{"a":[{}],"b":{}}"#, 3),
        (r#"[[[]],{"a":1}]"#, 3),
        (r#""[[[""#, 0),
    ] {
        assert_eq!(
            tape.parse(text.as_bytes()).unwrap().depth(),
            depth,
            "{text}"
        );
    }
}
