use std::io::BufReader;

use fhir_bulk::{Deletions, Error, NdjsonReader};

use super::{Entry, assert_silent, told};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, Split, texts};

/// Lines, whatever pieces they come in.
pub(super) const LINES: Entry = Entry {
    target: Target {
        name: "ndjson",
        check: lines,
        grammar: Grammar {
            tokens: &[
                "\n", "\r\n", "\r", "\n\n", " ", "\t", "{}", "\u{FEFF}", "\0",
            ],
            separators: b"\r\n",
            pairs: &[("\n", "\n"), ("\r", "\n")],
        },
    },
    seeds: Seeds {
        own: || {
            texts(&[
                "{\"id\":\"a\"}\r\n\n{\"id\":\"b\"}",
                "\u{FEFF}{}\n \n\t\r\n{}\r",
                "\n\n",
                "",
            ])
        },
        places: &["tests/data/dirty"],
        names: &[".ndjson"],
        split: Split::Start,
    },
    smoke: 6_000,
};

/// Files of Bundles that name what was deleted.
pub(super) const DELETIONS: Entry = Entry {
    target: Target {
        name: "deleted",
        check: deletions,
        grammar: Grammar {
            tokens: &[
                "\n",
                "\"DELETE\"",
                "\"url\":",
                "Patient/a",
                "https://ehr.example/r4/Patient/",
                "/_history/1",
                "?a=b",
                "null",
                "[]",
                "{}",
                "//",
            ],
            ..super::JSON
        },
    },
    seeds: Seeds {
        own: || {
            texts(&[concat!(
                r#"{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/Kanarienvogel-7"}},"#,
                r#"{"request":{"method":"PUT","url":"Patient/Kanarienvogel-7"}},{"fullUrl":"urn:uuid:Kanarienvogel-7"}]}"#,
                "\n\n",
                r#"{"resourceType":"Bundle","entry":[{"request":{"method":"delete","url":"https://ehr.example/r4/Observation/o/_history/2"}}]}"#,
            )])
        },
        places: &["tests/data/dirty/deleted.ndjson"],
        names: &[".ndjson"],
        split: Split::Start,
    },
    smoke: 10_000,
};

/// A line that outlives its reader: its bytes, number and offset; no bytes
/// where it is too long.
type Seen = (Option<Vec<u8>>, u64, u64);

fn lines(text: &[u8]) -> Outcome {
    const LIMIT: usize = 100;
    let expected = split(text, LIMIT);
    for capacity in [text.len().max(1), 1, 3, 64] {
        // Bytes one by one are slow, and say nothing more of long texts.
        if capacity < 64 && text.len() > 20_000 {
            continue;
        }
        let reader = NdjsonReader::new(BufReader::with_capacity(capacity, text)).limit(LIMIT);
        assert_eq!(collect(reader), expected, "in pieces of {capacity}");
    }
    let too_long = expected.iter().filter(|line| line.0.is_none()).count();
    Outcome::new()
        .size(expected.len())
        .size(too_long)
        .with(text.ends_with(b"\n"))
        .with(text.starts_with(b"\xEF\xBB\xBF"))
}

fn collect(mut reader: NdjsonReader<impl std::io::BufRead>) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        match reader.next_line() {
            Ok(None) => return seen,
            Ok(Some(line)) => seen.push((Some(line.bytes.to_vec()), line.number, line.offset)),
            Err(Error::LineTooLong { line, offset, .. }) => seen.push((None, line, offset)),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The same, written down as plainly as can be.
fn split(text: &[u8], limit: usize) -> Vec<Seen> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        let line_start = start;
        start += line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let marked = (number == 1)
            .then(|| line.strip_prefix(b"\xEF\xBB\xBF"))
            .flatten();
        let content = marked.unwrap_or(line);
        let offset = line_start + line.len() - content.len();
        if content.len() > limit {
            lines.push((None, number, line_start as u64));
        } else if !content.iter().all(u8::is_ascii_whitespace) {
            lines.push((Some(content.to_vec()), number, offset as u64));
        }
    }
    assert_eq!(start, text.len());
    lines
}

fn deletions(text: &[u8]) -> Outcome {
    let lines = text.split(|byte| *byte == b'\n').count() as u64;
    let mut last = 0;
    let mut outcome = Outcome::new();
    let mut count = 0;
    for deletion in Deletions::new(text) {
        count += 1;
        match deletion {
            Ok(deletion) => {
                assert!((last..=lines).contains(&deletion.line));
                last = deletion.line;
                assert!(
                    deletion
                        .resource_type
                        .bytes()
                        .all(|byte| byte.is_ascii_alphabetic())
                );
                assert!(!deletion.id.is_empty() && !deletion.id.contains(['/', '?', '#']));
                assert_silent(&format!("{deletion:?}"));
            }
            Err(error) if count < 8 => outcome = outcome.text(&told(&error)),
            Err(error) => assert_silent(&error.to_string()),
        }
    }
    assert!(count <= text.len());
    outcome.size(count).size(last as usize)
}
