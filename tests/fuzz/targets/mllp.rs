use std::io::{BufReader, ErrorKind};

use hl7v2_adt::mllp::{Decoder, Event, TOO_LONG_KEEPS, encode, read_frame};

use super::{Entry, assert_silent};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, Split, texts};

/// Frames in a stream of bytes.
pub(super) const FRAMES: Entry = Entry {
    target: Target {
        name: "mllp",
        check,
        grammar: Grammar {
            tokens: &[
                "\x0b",
                "\x1c\r",
                "\x1c",
                "\r",
                "\x0b\x0b",
                "\x1c\x0b",
                "\x1c\x1c\r",
                "MSH|^~\\&|",
            ],
            separators: b"\x0b\x1c\r",
            pairs: &[("\x0b", "\x1c\r"), ("\x0b", "\x1c")],
        },
    },
    seeds: Seeds {
        own: || {
            texts(&[
                "\x0bMSH|^~\\&|Kanarienvogel-7\r\x1c\r",
                "\x0bA\x1c\r\x0bB\x1cC\x1c\r",
                "x\x0b\x0bA\x0bB\x1c\x0bC\x1c\r\r\n",
                "\x0b0123456789012345678901234567890123456789012345678901234567890123456789\x1c\r",
            ])
        },
        places: &["hl7v2-adt/tests/data/adt/_own-synthetic/hostile"],
        names: &[".hl7"],
        split: Split::Whole,
    },
    smoke: 8_000,
};

/// An event that outlives its decoder.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Frame(Vec<u8>),
    Cut(Vec<u8>),
    TooLong(Vec<u8>),
}

fn check(stream: &[u8]) -> Outcome {
    const LIMIT: usize = 64;
    let (seen, dropped, without_return) = decode(stream, stream.len().max(1), LIMIT);
    for size in [1, 3, 50] {
        if size < 50 && stream.len() > 20_000 {
            continue;
        }
        let again = decode(stream, size, LIMIT);
        assert_eq!(
            (&seen, dropped, without_return),
            (&again.0, again.1, again.2),
            "by {size}"
        );
    }
    let mut kept = 0;
    let mut kinds = Outcome::new();
    for event in &seen {
        let (kind, bytes) = match event {
            Seen::Frame(bytes) => (0, bytes),
            Seen::Cut(bytes) => (1, bytes),
            Seen::TooLong(bytes) => (2, bytes),
        };
        kept += bytes.len();
        assert!(bytes.len() <= LIMIT.min(TOO_LONG_KEEPS));
        if seen.len() < 6 {
            kinds = kinds.with(kind);
        }
        if let Seen::Frame(message) = event {
            let frame = encode(message).expect("no frame holds what ends one");
            assert_eq!(
                decode(&frame, frame.len(), LIMIT).0,
                [Seen::Frame(message.clone())]
            );
        }
    }
    assert!(
        kept as u64 + dropped <= stream.len() as u64,
        "{kept} kept and {dropped} dropped"
    );

    // One who waits for one frame gets the first, if that comes first.
    let read = read_frame(&mut BufReader::with_capacity(7, stream), LIMIT);
    match (seen.first(), read) {
        (Some(Seen::Frame(first)), Ok(Some(read))) => assert_eq!(&read, first),
        (None, Ok(None)) => {}
        (Some(Seen::Cut(_) | Seen::TooLong(_)), Err(error)) => {
            let kinds = [ErrorKind::InvalidData, ErrorKind::UnexpectedEof];
            assert!(kinds.contains(&error.kind()));
            assert_silent(&error.to_string());
        }
        (first, read) => panic!("{first:?}, but {read:?}"),
    }
    kinds
        .size(seen.len())
        .size(dropped as usize)
        .size(without_return as usize)
}

fn decode(stream: &[u8], size: usize, limit: usize) -> (Vec<Seen>, u64, u64) {
    let mut decoder = Decoder::new(limit);
    let mut seen = Vec::new();
    for mut chunk in stream.chunks(size) {
        while let Some(event) = decoder.decode(&mut chunk) {
            assert_silent(&format!("{event:?}"));
            seen.push(kept(event));
        }
        assert!(chunk.is_empty());
    }
    seen.extend(decoder.finish().map(kept));
    assert!(!decoder.is_inside());
    (seen, decoder.dropped(), decoder.without_return())
}

fn kept(event: Event<'_>) -> Seen {
    match event {
        Event::Frame(bytes) => Seen::Frame(bytes.to_vec()),
        Event::Cut(bytes) => Seen::Cut(bytes.to_vec()),
        Event::TooLong { first } => Seen::TooLong(first.to_vec()),
        other => panic!("{other:?}"),
    }
}
