//! Bytes to segments, fields and text.

use hl7v2_adt::{Charset, Delimiters, Error, Message, Path, Position, Value, escape};

const MSH: &str = "MSH|^~\\&|APP|FAC|||20240305||ADT^A01|C1|P|2.5";

fn segments(text: &[u8]) -> Vec<String> {
    let message = Message::parse(text).unwrap();
    let name =
        |segment: hl7v2_adt::Segment<'_>| String::from_utf8_lossy(segment.raw()).into_owned();
    message.segments().skip(1).map(name).collect()
}

#[test]
fn segments_are_found_whatever_surrounds_them() {
    let cases: &[(&str, &[&str])] = &[
        ("@\rPID|1\rPV1|2\r", &["PID|1", "PV1|2"]),
        ("@\nPID|1\nPV1|2\n", &["PID|1", "PV1|2"]),
        ("@\r\nPID|1\r\nPV1|2\r\n", &["PID|1", "PV1|2"]),
        ("@\n\rPID|1\n\rPV1|2\n\r", &["PID|1", "PV1|2"]),
        ("@\r\r\nPID|1\r\r\nPV1|2\r\r\n", &["PID|1", "PV1|2"]),
        ("@\rPID|1\rPV1|2", &["PID|1", "PV1|2"]),
        // A line feed is data where there are carriage returns.
        ("@\rPID|a\nb\rPV1|2\r", &["PID|a\nb", "PV1|2"]),
        ("@\nPID|1\nPV1|2\r", &["PID|1", "PV1|2"]),
        ("\u{feff}@\rPID|1\r", &["PID|1"]),
        ("  \r\n\t@\rPID|1\r", &["PID|1"]),
        ("\u{b}@\rPID|1\r\u{1c}\r", &["PID|1"]),
        ("\u{b}\u{b}@\nPID|1\n\u{1c}\r\u{1c}\r", &["PID|1"]),
        ("@\rPID|1\u{1c}", &["PID|1"]),
        ("@\rPID|a\u{1c}b\u{0}c\r", &["PID|a\u{1c}b\u{0}c"]),
        // What is no segment hides none.
        (
            "@\r\r  \rPD1\r  PID|1\rsome text\rZABCD|x\rPV1",
            &["PD1", "PID|1", "some text", "ZABCD|x", "PV1"],
        ),
        ("@", &[]),
    ];
    for (text, expected) in cases {
        let text = text.replace('@', MSH);
        assert_eq!(segments(text.as_bytes()), *expected, "{text:?}");
    }
}

#[test]
fn what_is_no_message_is_an_error_with_its_place() {
    let cases: &[(&[u8], &str, usize)] = &[
        (b"", "nothing but white space", 0),
        (b" \r\n", "nothing but white space", 3),
        (b"GET / HTTP/1.1\r\n", "no MSH segment", 0),
        (b"\r\nPID|1\r", "no MSH segment", 2),
        (
            b"\xFF\xFEM\0S\0H\0|\0",
            "UTF-16, which HL7 v2 is not sent in",
            0,
        ),
        (b"M\0S\0H\0|\0^\0", "UTF-16, which HL7 v2 is not sent in", 0),
        (b"\x16\x03\x01\x02\x00", "a TLS handshake", 0),
        (
            b"BHS|^~\\&\rMSH|^~\\&|",
            "a batch, which is to be split into its messages,",
            0,
        ),
    ];
    for (bytes, problem, offset) in cases {
        let position = Position {
            offset: *offset,
            segment: 1,
        };
        let expected = Error::NoHeader { position, problem };
        assert_eq!(Message::parse(bytes).unwrap_err(), expected, "{bytes:?}");
    }
    let position = Position {
        offset: 1,
        segment: 1,
    };
    assert_eq!(
        Message::parse(b"\nMSH|\r").unwrap_err(),
        Error::Cut { position }
    );
    let text = Error::Cut { position }.to_string();
    assert!(text.contains("at byte 1 (segment 1)"), "{text}");
}

#[test]
fn fields_have_the_numbers_of_the_standard() {
    let text = format!("{MSH}\rPID|1||a^b&c~d^e|\"\"|\r");
    let message = Message::parse(text.as_bytes()).unwrap();
    let header = message.header();
    let raw = |number| header.field(number).raw();
    assert_eq!(
        [raw(1), raw(2), raw(3), raw(12)],
        [&b"|"[..], b"^~\\&", b"APP", b"2.5"]
    );
    assert_eq!(header.field(2).text(), "^~\\&");
    assert_eq!([raw(0), raw(13), raw(usize::MAX)], [b""; 3]);
    let all: Vec<_> = header.fields().map(|field| field.raw()).collect();
    assert_eq!(all, (1..=12).map(raw).collect::<Vec<_>>());

    let pid = message.segment("pid").unwrap();
    assert_eq!(
        pid.position(),
        Position {
            offset: MSH.len() + 1,
            segment: 2
        }
    );
    assert_eq!(pid.name(), b"PID");
    let field = pid.field(3);
    assert_eq!(field.repetitions().count(), 2);
    assert_eq!(field.repetition(2).component(2).text(), "e");
    assert_eq!(field.component(2).subcomponent(2).text(), "c");
    // Of what has parts, the first.
    assert_eq!([field.text(), field.component(2).text()], ["a", "b"]);
    assert_eq!(pid.fields().count(), 5);
    assert_eq!(pid.field(2).repetitions().count(), 0);
    assert_eq!(
        [
            pid.field(0).raw(),
            field.repetition(0).raw(),
            field.repetition(3).raw()
        ],
        [b""; 3]
    );
}

#[test]
fn null_is_neither_text_nor_nothing() {
    let text = format!("{MSH}\rPID|\"\"||\"\"^x|\"a\"");
    let message = Message::parse(text.as_bytes()).unwrap();
    let pid = message.segment("PID").unwrap();
    let values: Vec<_> = (1..=5).map(|number| pid.field(number).value()).collect();
    let text = Value::Text("\"a\"".into());
    assert_eq!(
        values,
        [Value::Null, Value::Empty, Value::Null, text, Value::Empty]
    );
    assert!(!pid.field(1).is_empty());
    assert_eq!(pid.field(1).text(), "");
}

#[test]
fn paths_lead_to_values_and_are_refused_where_they_end() {
    let text = format!("{MSH}\rNK1|1\rNK1|2||x^y&z~v^w");
    let message = Message::parse(text.as_bytes()).unwrap();
    for (path, expected) in [
        ("MSH-9.2", "A01"),
        ("NK1-1", "1"),
        ("NK1[2]-1", "2"),
        ("NK1[2]-3.2.2", "z"),
        ("NK1[2]-3[2].2", "w"),
        ("NK1[3]-1", ""),
        ("ZZZ-1", ""),
    ] {
        let parsed: Path = path.parse().unwrap();
        assert_eq!(message.value(&parsed).into_text(), expected, "{path}");
        assert_eq!(parsed.to_string(), path);
    }
    for (path, at) in [
        ("", 1),
        ("PID", 4),
        ("pid-1", 1),
        ("PI", 3),
        ("1PI-1", 1),
        ("PIDX-1", 4),
        ("PID-0", 5),
        ("PID-", 5),
        ("PID-3garbage", 6),
        ("PID-3[1", 8),
        ("PID[0]-3", 5),
        ("PID-3.", 7),
        ("PID-3.1.2.3", 10),
        ("PID-99999999999999999999", 5),
        ("PÄD-1", 2),
        ("PID-é", 5),
    ] {
        assert_eq!(path.parse::<Path>(), Err(Error::Path { at }), "{path}");
    }
}

#[test]
fn escape_sequences_that_stand_for_characters_are_replaced() {
    let usual = Delimiters::default();
    let with_truncation = Delimiters::read(b"MSH|^~\\&#|").unwrap();
    let other = Delimiters::read(b"MSH$~*!@$").unwrap();
    let cases: &[(&Delimiters, &str, &str)] = &[
        (&usual, r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
        (&usual, r"\X41\\X0d0A\\XC3a9\", "A\r\né"),
        (&usual, r"one\.br\two", "one\ntwo"),
        (&usual, r"日本\S\語 Müller\T\Söhne", "日本^語 Müller&Söhne"),
        (&usual, r"\E\F\E\", r"\F\"),
        // Kept: formatting, character sets, local ones, unknown and unterminated ones.
        (
            &usual,
            r"\H\bold\N\ \.sp2\ \.in+4\ \C2842\ \M263C\ \Zx1\ \X4\",
            r"\H\bold\N\ \.sp2\ \.in+4\ \C2842\ \M263C\ \Zx1\ \X4\",
        ),
        (&usual, r"C:\temp\file\F\x", r"C:\temp\file|x"),
        (&usual, r"C:\temp\F\x", r"C:\temp|x"),
        (&usual, r"\H\F\N\", r"\H\F\N\"),
        (&usual, r"\f\ \XZZ\ \\ \", r"\f\ \XZZ\ \\ \"),
        (&usual, r"4\5", r"4\5"),
        (&usual, r"\P\", r"\P\"),
        (&with_truncation, r"\P\", "#"),
        (&other, "!F!!S!!T!!R!!E! \\F\\", "$~@*! \\F\\"),
    ];
    for (delimiters, text, expected) in cases {
        let decoded = escape::decode(text.as_bytes(), delimiters);
        assert_eq!(String::from_utf8_lossy(&decoded), *expected, "{text}");
    }
    let encoded = escape::encode(b"a|b^c&d~e\\f\r\n#", &with_truncation);
    assert_eq!(encoded, &br"a\F\b\S\c\T\d\R\e\E\f\X0D\\.br\\P\"[..]);
    let without_escape = Delimiters::read(b"MSH|^~|").unwrap();
    assert_eq!(escape::encode(b"a|b", &without_escape), &b"a|b"[..]);
    assert_eq!(escape::decode(br"a\F\b", &without_escape), &br"a\F\b"[..]);
}

#[test]
fn text_is_decoded_by_mark_then_msh_18_then_as_utf_8_then_by_the_fallback() {
    let latin2 = Charset::named("8859/2").unwrap();
    let cases: &[(&str, &str, &[u8], Charset, &str)] = &[
        ("", "", b"M\xC3\xBCller", Charset::WINDOWS_1252, "Müller"),
        ("", "", b"M\xFCller \x93", Charset::WINDOWS_1252, "Müller “"),
        ("", "", b"\xA3", latin2, "Ł"),
        ("", "ASCII", b"M\xFCller", Charset::WINDOWS_1252, "Müller"),
        ("", "8859/1", b"M\xC3\xBCller", latin2, "MÃ¼ller"),
        ("", "8859/15", b"\xA4", Charset::WINDOWS_1252, "€"),
        ("", "8859/1~UNICODE UTF-8", b"\xE9", latin2, "é"),
        (
            "",
            "UNICODE UTF-8",
            b"M\xFCller",
            Charset::WINDOWS_1252,
            "M\u{fffd}ller",
        ),
        ("", "WINDOWS-1252", b"\x80", latin2, "€"),
        ("", "NONSENSE", b"\xFC", Charset::WINDOWS_1252, "ü"),
        ("\u{feff}", "8859/1", "é".as_bytes(), latin2, "é"),
        // Two characters of which a half is a separator.
        (
            "",
            "GB 18030-2000",
            b"\x81\x7c\x81\x5c",
            Charset::UTF_8,
            "\u{4ed6}\u{4e82}",
        ),
        ("", "~ISO IR87", b"\x1b$B;3ED\x1b(B", Charset::UTF_8, "山田"),
    ];
    for (mark, declared, name, fallback, expected) in cases {
        let mut bytes = format!("{mark}{MSH}||||||{declared}\rPID|||||").into_bytes();
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(b"^X\r");
        let message = Message::parse_with(&bytes, *fallback).unwrap();
        let field = message.segment("PID").unwrap().field(5);
        if *declared != "GB 18030-2000" {
            assert_eq!(field.component(1).text(), *expected, "{declared} {name:?}");
        } else {
            assert_eq!(
                field.component(1).text().chars().count(),
                2,
                "{}",
                field.text()
            );
        }
        assert_eq!(field.component(2).text(), "X", "{declared} {name:?}");
        assert_eq!(message.as_bytes(), bytes);
    }
}
