use std::io::{BufReader, Read};

use fhir_bulk::{Deletions, Error, NdjsonReader};
use proptest::prelude::*;

/// Bytes, number and offset of a line, or the number of one that is too long.
type Found = Result<(Vec<u8>, u64, u64), u64>;

fn read(text: &[u8], buffer: usize, limit: usize) -> Vec<Found> {
    let mut reader = NdjsonReader::new(BufReader::with_capacity(buffer, text)).limit(limit);
    let mut found = Vec::new();
    loop {
        match reader.next_line() {
            Ok(None) => return found,
            Ok(Some(line)) => found.push(Ok((line.bytes.to_vec(), line.number, line.offset))),
            Err(Error::LineTooLong { line, .. }) => found.push(Err(line)),
            Err(other) => panic!("{other}"),
        }
    }
}

/// What the reader should find, by splitting.
fn model(text: &[u8], limit: usize) -> Vec<Found> {
    let mut offset = 0;
    let mut found = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let (number, start) = (index as u64 + 1, offset);
        offset += line.len() as u64 + 1;
        let bare = if index == 0 {
            line.strip_prefix("\u{feff}".as_bytes())
        } else {
            None
        };
        let start = start + bare.map_or(0, |_| 3);
        let line = bare.unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > limit {
            found.push(Err(number));
        } else if !line.trim_ascii().is_empty() {
            found.push(Ok((line.to_vec(), number, start)));
        }
    }
    found
}

proptest! {
    #[test]
    fn lines_are_those_of_a_split(
        parts in prop::collection::vec(prop::sample::select(vec![
            "\n", "\r\n", "a", "{}", " ", "\u{feff}", "\r", "long line of text", "\u{0}",
        ]), 0..30),
        buffer in 1_usize..40,
        limit in prop::sample::select(vec![1, 5, 16, 1000]),
    ) {
        let text = parts.concat();
        let found = read(text.as_bytes(), buffer, limit);
        prop_assert_eq!(found, model(text.as_bytes(), limit));
    }

    #[test]
    fn any_bytes_can_be_read(text in prop::collection::vec(any::<u8>(), 0..200), buffer in 1_usize..9) {
        prop_assert_eq!(read(&text, buffer, 50), model(&text, 50));
        let _ = Deletions::new(&text[..]).count();
    }
}

#[test]
fn memory_stays_within_the_limit() {
    // 1 GiB of one line: reading it whole would be seen.
    let text = std::io::repeat(b'x').take(1 << 30).chain(&b"\n{}\n"[..]);
    let mut reader = NdjsonReader::new(BufReader::with_capacity(1 << 20, text)).limit(100);
    assert!(matches!(
        reader.next_line(),
        Err(Error::LineTooLong {
            line: 1,
            offset: 0,
            limit: 100
        })
    ));
    let line = reader.next_line().unwrap().unwrap();
    assert_eq!(
        (line.bytes, line.number, line.offset),
        (&b"{}"[..], 2, (1 << 30) + 1)
    );
}

#[test]
fn deletions() {
    let bundle = |method: &str, url: &str| {
        format!(
            r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"request":{{"method":"{method}","url":"{url}"}}}}]}}"#
        )
    };
    let cases = [
        (bundle("DELETE", "Patient/1"), Some("Patient/1")),
        (
            bundle("DELETE", "https://ehr.example/fhir/Condition/a.b-c"),
            Some("Condition/a.b-c"),
        ),
        (bundle("DELETE", "Patient/1/_history/2"), Some("Patient/1")),
        (bundle("DELETE", "Patient?identifier=x"), None),
        (bundle("DELETE", "nonsense"), None),
        (bundle("PUT", "Patient/1"), None),
        (r#"{"resourceType":"Bundle","entry":[{}]}"#.to_owned(), None),
        (r#"{"resourceType":"Patient","id":"1"}"#.to_owned(), None),
        ("not json".to_owned(), None),
    ];
    let text: String = cases.iter().map(|(line, _)| format!("{line}\n")).collect();
    let found: Vec<_> = Deletions::new(text.as_bytes()).collect();
    assert_eq!(found.len(), cases.len());
    for (index, (found, (line, expected))) in found.iter().zip(&cases).enumerate() {
        match (found, expected) {
            (Ok(found), Some(expected)) => {
                assert_eq!(format!("{}/{}", found.resource_type, found.id), *expected);
                assert_eq!(found.line, index as u64 + 1);
            }
            (Err(Error::Deleted { line, .. }), None) => assert_eq!(*line, index as u64 + 1),
            other => panic!("{line}: {other:?}"),
        }
    }
}
