use std::io::{BufReader, ErrorKind, Read};

use hl7v2_adt::mllp::{Decoder, Event, TOO_LONG_KEEPS, encode, read_frame};
use proptest::collection::vec;
use proptest::prelude::*;

/// An event that outlives its decoder.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Frame(Vec<u8>),
    Cut(Vec<u8>),
    TooLong(Vec<u8>),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Frame(message) => Self::Frame(message.to_vec()),
            Event::Cut(bytes) => Self::Cut(bytes.to_vec()),
            Event::TooLong { first } => Self::TooLong(first.to_vec()),
            other => panic!("{other:?}"),
        }
    }
}

/// What came of a whole stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    seen: Vec<Seen>,
    dropped: u64,
    without_return: u64,
}

fn decode<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = Decoder::new(limit);
    let mut seen = Vec::new();
    for mut chunk in chunks {
        while let Some(event) = decoder.decode(&mut chunk) {
            seen.push(event.into());
        }
        assert!(chunk.is_empty());
    }
    seen.extend(decoder.finish().map(Seen::from));
    assert!(!decoder.is_inside());
    Outcome {
        seen,
        dropped: decoder.dropped(),
        without_return: decoder.without_return(),
    }
}

fn frame(message: &str) -> Seen {
    Seen::Frame(message.into())
}

fn cut(bytes: &str) -> Seen {
    Seen::Cut(bytes.into())
}

fn too_long(first: &str) -> Seen {
    Seen::TooLong(first.into())
}

#[test]
fn streams_become_messages() {
    // Stream, events, bytes dropped, ends without a CR. The limit is 8 bytes.
    let cases: &[(&str, Vec<Seen>, u64, u64)] = &[
        ("", vec![], 0, 0),
        ("\x0bA\r\x1c\r", vec![frame("A\r")], 0, 0),
        ("\x0bA\x1c\r\x0bB\x1c\r", vec![frame("A"), frame("B")], 0, 0),
        ("\x0b\x1c\r", vec![frame("")], 0, 0),
        // Outside.
        ("MSH|A\r", vec![], 6, 0),
        (
            "\0\r\n\x0bA\x1c\r\r\n\x1c\r\x0bB\x1c\rx",
            vec![frame("A"), frame("B")],
            8,
            0,
        ),
        ("\x0b\x0b\x0bA\x1c\r", vec![frame("A")], 2, 0),
        ("\x0bA\x1c\r\x1c\r", vec![frame("A")], 2, 0),
        // FS as data.
        ("\x0bA\x1cB\x1c\r", vec![frame("A\x1cB")], 0, 0),
        ("\x0bA\x1c\x1c\r", vec![frame("A\x1c")], 0, 0),
        ("\x0bA\x1c\nB\x1c\r", vec![frame("A\x1c\nB")], 0, 0),
        ("\x0bA\r\r\x1c\r", vec![frame("A\r\r")], 0, 0),
        // FS without CR.
        ("\x0bA\x1c", vec![frame("A")], 0, 1),
        ("\x0bA\x1c\x0bB\x1c\r", vec![frame("A"), frame("B")], 0, 1),
        ("\x0b\x1c\x0bB\x1c", vec![frame(""), frame("B")], 0, 2),
        ("\x0bA\x1c\x1c", vec![frame("A\x1c")], 0, 1),
        // Cut.
        ("\x0bA", vec![cut("A")], 0, 0),
        ("\x0b", vec![], 1, 0),
        ("\x0bA\x0b", vec![cut("A")], 1, 0),
        ("\x0bA\x0bB\x1c\r", vec![cut("A"), frame("B")], 0, 0),
        ("\x0bA\x1cB\x0b\x0bC", vec![cut("A\x1cB"), cut("C")], 1, 0),
        // The limit.
        ("\x0b12345678\x1c\r", vec![frame("12345678")], 0, 0),
        ("\x0b12345678\x1c", vec![frame("12345678")], 0, 1),
        ("\x0b12345678", vec![cut("12345678")], 0, 0),
        ("\x0b123456789\x1c\r", vec![too_long("12345678")], 1, 0),
        ("\x0b12345678\x1c\x1c\r", vec![too_long("12345678")], 1, 0),
        ("\x0b12345678\x1c9", vec![too_long("12345678")], 2, 0),
        (
            "\x0b123456789\x1cX\x1c\rY\x0bB\x1c\r",
            vec![too_long("12345678"), frame("B")],
            4,
            0,
        ),
        (
            "\x0b1234567890\x0bB\x1c\r",
            vec![too_long("12345678"), frame("B")],
            2,
            0,
        ),
        (
            "\x0b1234567890\x1c\x0bB\x1c\r",
            vec![too_long("12345678"), frame("B")],
            2,
            0,
        ),
    ];
    for (stream, seen, dropped, without_return) in cases {
        let expected = Outcome {
            seen: seen.clone(),
            dropped: *dropped,
            without_return: *without_return,
        };
        let stream = stream.as_bytes();
        assert_eq!(decode(8, [stream]), expected, "{stream:?} whole");
        for length in 1..stream.len() {
            let found = decode(8, stream.chunks(length));
            assert_eq!(found, expected, "{stream:?} by {length}");
        }
    }
}

#[test]
fn of_a_message_too_long_the_beginning_is_shown() {
    let stream = [&[0x0b][..], &vec![b'x'; 3 * TOO_LONG_KEEPS], b"\x1c\r"].concat();
    let first = vec![b'x'; TOO_LONG_KEEPS];
    let found = decode(2 * TOO_LONG_KEEPS, stream.chunks(1000));
    assert_eq!(found.seen, [Seen::TooLong(first)]);
    assert_eq!(found.dropped, TOO_LONG_KEEPS as u64);
}

#[test]
fn a_decoder_can_be_used_again() {
    for start in ["\x0bA", "\x0b123456789\x1c", "\x0bA\x1c", "\x0b", "junk"] {
        let mut decoder = Decoder::new(8);
        let mut input = start.as_bytes();
        while decoder.decode(&mut input).is_some() {}
        decoder.finish();
        let mut input = &b"\r\x0bB\x1c\r"[..];
        assert_eq!(
            decoder.decode(&mut input),
            Some(Event::Frame(b"B")),
            "{start:?}"
        );
    }
}

#[test]
fn what_would_break_a_frame_is_not_framed() {
    assert_eq!(encode(b"MSH|\r").unwrap(), b"\x0bMSH|\r\x1c\r");
    for message in ["A\x0bB", "\x0b", "A\x1c\rB", "MSA|AA|\x1c\r"] {
        assert_eq!(encode(message.as_bytes()), None, "{message:?}");
    }
}

#[test]
fn frames_are_read_one_by_one() {
    let stream = b"junk\x0bA\x1c\r\r\n\x0bB\x1c\r\x0bC\x1c";
    for capacity in 1..stream.len() {
        let mut reader = BufReader::with_capacity(capacity, &stream[..]);
        for expected in [Some("A"), Some("B"), Some("C"), None] {
            let message = read_frame(&mut reader, 100).unwrap();
            assert_eq!(message.as_deref(), expected.map(str::as_bytes));
        }
    }
    let mut reader = BufReader::new(&b"\x0bA\x1c\rrest"[..]);
    read_frame(&mut reader, 100).unwrap();
    assert_eq!(reader.buffer(), b"rest");
}

#[test]
fn what_is_no_frame_is_an_error_without_content() {
    let cases = [
        ("\x0bSECRET", ErrorKind::UnexpectedEof),
        ("\x0bSECRET\x0bB\x1c\r", ErrorKind::InvalidData),
        ("\x0bSECRET SECRET\x1c\r", ErrorKind::InvalidData),
    ];
    for (stream, kind) in cases {
        let error = read_frame(&mut stream.as_bytes(), 10).unwrap_err();
        assert_eq!(error.kind(), kind, "{stream:?}");
        assert!(!format!("{error} {error:?}").contains("SECRET"));
    }
    let mut failing = BufReader::new(Failing);
    let error = read_frame(&mut failing, 10).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn debug_shows_no_message() {
    let mut decoder = Decoder::new(6);
    let mut input = &b"\x0bSECRET\x1c\r\x0bSECRET\x0bSECRETS\x1c\r"[..];
    let mut events = Vec::new();
    while let Some(event) = decoder.decode(&mut input) {
        events.push(format!("{event:?}"));
    }
    let expected = ["Frame(6 bytes)", "Cut(6 bytes)", "TooLong(6 bytes)"];
    assert_eq!(events, expected);
    decoder.decode(&mut &b"\x0bSECRET"[..]);
    let shown = format!("{decoder:?}");
    assert!(
        shown.contains("inside: true") && !shown.contains("SECRET"),
        "{shown}"
    );
}

/// Bytes of which many mean something.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        2 => Just(0x0b_u8),
        2 => Just(0x1c_u8),
        2 => Just(b'\r'),
        3 => any::<u8>(),
    ];
    vec(byte, 0..200)
}

/// Cuts `bytes` into pieces of these lengths, over and over.
fn cut_up<'a>(bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(rest.len().min(*length));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

proptest! {
    #[test]
    fn what_is_framed_comes_back(
        messages in vec((hostile(), vec(0x0c_u8..=255, 0..4)), 0..8),
        lengths in vec(1_usize..40, 1..8),
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (message, junk) in messages {
            stream.extend_from_slice(&junk);
            if let Some(framed) = encode(&message) {
                stream.extend_from_slice(&framed);
                expected.push(Seen::Frame(message));
            }
        }
        let found = decode(200, cut_up(&stream, &lengths));
        prop_assert_eq!(found.seen, expected);
        prop_assert_eq!(found.without_return, 0);
    }

    #[test]
    fn pieces_make_no_difference(
        bytes in hostile(),
        limit in 0_usize..20,
        lengths in vec(1_usize..40, 1..8),
    ) {
        let whole = decode(limit, [&bytes[..]]);
        prop_assert_eq!(&decode(limit, cut_up(&bytes, &lengths)), &whole);
        prop_assert_eq!(&decode(limit, bytes.chunks(1)), &whole);
        for seen in &whole.seen {
            let (Seen::Frame(held) | Seen::Cut(held) | Seen::TooLong(held)) = seen;
            prop_assert!(held.len() <= limit);
        }
    }

    /// No byte vanishes: it is told, dropped, or part of a frame's ends.
    #[test]
    fn every_byte_is_accounted_for(bytes in hostile()) {
        let found = decode(200, [&bytes[..]]);
        let told = found.seen.iter().map(|seen| match seen {
            Seen::Frame(message) => message.len() as u64 + 3,
            Seen::Cut(bytes) | Seen::TooLong(bytes) => bytes.len() as u64 + 1,
        });
        let total = told.sum::<u64>() + found.dropped - found.without_return;
        prop_assert_eq!(total, bytes.len() as u64);
    }
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(ErrorKind::TimedOut.into())
    }
}
