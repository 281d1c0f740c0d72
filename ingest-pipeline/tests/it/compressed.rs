//! What is compressed comes out as if it were not, and not at all where it is damaged.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ingest_pipeline::Load;
use ingest_pipeline::store::{RunState, SqliteStore};
use rusqlite::Connection;

use crate::support::{Folder, Stopped, content, options};

/// Enough for several pieces beyond all that is read ahead.
const LINES: usize = 1_500;

fn line(number: usize, word: &str) -> String {
    let text = word.repeat(4_000 / word.len());
    format!(r#"{{"resourceType":"Basic","id":"b{number}","code":{{"text":"{text}"}}}}"#)
}

fn lines() -> Vec<String> {
    (0..LINES).map(|number| line(number, "known")).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

/// Flips a bit of the byte `at`, counted from the end where it is negative.
fn flipped(stream: &[u8], at: isize) -> Vec<u8> {
    let mut stream = stream.to_vec();
    let end = if at < 0 { stream.len() } else { 0 };
    stream[end.checked_add_signed(at).expect("a byte")] ^= 4;
    stream
}

/// A store that has all lines, to be copied.
struct Known(tempfile::TempDir);

impl Known {
    fn new() -> Self {
        let known = Self(tempfile::tempdir().expect("a folder"));
        let folder = Folder::new(&[("a.ndjson", &lines().join("\n"))]);
        let mut store = SqliteStore::open(known.0.path().join("known.db")).expect("a store");
        let inputs = folder.inputs();
        let load = Load::new(options(&folder, 2), &inputs);
        let summary = load.run(&mut store, &Stopped, &mut ()).expect("a load");
        assert_eq!(summary.created, LINES as u64);
        known
    }

    /// Loads the files into a copy of the store; everything there is to see of it.
    fn load(&self, files: &[(&str, &[u8])], recognize: bool) -> Seen {
        let copy = tempfile::tempdir().expect("a folder");
        let path = copy.path().join("copy.db");
        fs::copy(self.0.path().join("known.db"), &path).expect("room");
        let folder = Folder::new(&[]);
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).expect("room");
        }
        let mut options = options(&folder, 2);
        options.recognize = recognize;
        let mut store = SqliteStore::open(&path).expect("a store");
        let inputs = folder.inputs();
        let load = Load::new(options, &inputs);
        let summary = load.run(&mut store, &Stopped, &mut ()).expect("a load");
        let reason = summary.error.as_deref().unwrap_or_default();
        Seen {
            state: summary.state,
            resources: summary.resources,
            counts: format!(
                "{:?} {} bytes, {} files refused",
                summary.by_type, summary.bytes, summary.refused_files
            ),
            reason: reason
                .rsplit("ndjson.gz: ")
                .next()
                .unwrap_or_default()
                .to_owned(),
            content: content(&mut store),
            quarantine: quarantine(&path),
        }
    }
}

#[derive(Debug, PartialEq)]
struct Seen {
    state: RunState,
    resources: u64,
    counts: String,
    reason: String,
    content: Vec<(String, String, u64, bool, String)>,
    quarantine: Vec<(i64, i64, String)>,
}

/// Line, offset and reason of refused records, in their order.
fn quarantine(path: &Path) -> Vec<(i64, i64, String)> {
    let connection = Connection::open(path).expect("a database");
    let mut select = connection
        .prepare("SELECT line, byte_offset, reason FROM quarantine ORDER BY id")
        .expect("a view");
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.expect("rows").collect::<Result<_, _>>().expect("rows")
}

#[test]
fn compressed_or_not_is_the_same() {
    let known = Known::new();
    let unchanged = lines();
    let mut last = lines();
    last[LINES - 1] = line(LINES - 1, "other");
    let mut first = lines();
    first[0] = line(0, "other");
    let mut refused = lines();
    refused[LINES / 3] = "{".to_owned();
    refused[LINES - 7] = "[1".to_owned();
    for (name, lines, updated) in [
        ("unchanged", unchanged, 0),
        ("the last line", last, 1),
        ("the first line", first, 1),
        ("refused", refused, 0),
    ] {
        let text = lines.join("\n");
        let plain = known.load(&[("a.ndjson", text.as_bytes())], true);
        assert_eq!(plain.resources, LINES as u64, "{name}");
        assert_eq!(plain.content.len(), LINES + updated, "{name}");
        let (head, tail) = lines.split_at(LINES / 2);
        let members = [gzip(&head.join("\n")), gzip("\n"), gzip(&tail.join("\n"))].concat();
        for stream in [gzip(&text), members] {
            for recognize in [true, false] {
                let seen = known.load(&[("a.ndjson.gz", &stream)], recognize);
                assert!(seen == plain, "{name}: {} {}", seen.counts, plain.counts);
            }
        }
    }
}

#[test]
fn of_a_damaged_stream_nothing_counts_whether_it_is_known_or_not() {
    let known = Known::new();
    let new = line(LINES, "other");
    let other = ("z.ndjson", new.as_bytes());
    let expected = known.load(&[other], true);
    let mut changed = lines();
    changed[LINES - 2] = line(LINES - 2, "other");
    let (head, tail) = changed.split_at(LINES / 2);
    for (lines, recognize) in [(&lines(), true), (&changed, true), (&changed, false)] {
        let whole = gzip(&lines.join("\n"));
        let half = whole.len() as isize / 2;
        let two = [gzip(&head.join("\n")), gzip("\n"), gzip(&tail.join("\n"))].concat();
        let cut = "the gzip stream is cut short: transfer the file again";
        let damaged = "the gzip stream is damaged: transfer the file again";
        for (name, stream, reason) in [
            ("header", flipped(&whole, 2), damaged),
            ("middle", flipped(&whole, half), damaged),
            ("end", flipped(&whole, -100), damaged),
            ("checksum", flipped(&whole, -8), damaged),
            ("length", flipped(&whole, -1), damaged),
            ("more", [&whole[..], b"more than that"].concat(), damaged),
            ("half", whole[..whole.len() / 2].to_vec(), cut),
            ("most", whole[..whole.len() - 9].to_vec(), cut),
            ("no length", whole[..whole.len() - 4].to_vec(), cut),
            ("second member", two[..two.len() - 1].to_vec(), cut),
        ] {
            let seen = known.load(&[("a.ndjson.gz", &stream), other], recognize);
            assert_eq!(seen.state, RunState::Partial, "{name}");
            assert_eq!(seen.reason, reason, "{name}");
            let counts = expected.counts.replace("0 files", "1 files");
            assert_eq!(seen.counts, counts, "{name}");
            assert!(seen.content == expected.content, "{name}");
            assert!(seen.quarantine.is_empty(), "{name}");
        }
    }
}

/// A line that was known until the file before changed what was made of it has
/// to be written again, and so its stream to be whole.
#[test]
fn a_line_known_no_more_asks_whether_its_stream_is_whole() {
    let known = Known::new();
    let text = lines().join("\n");
    let changed = line(1, "other");
    let before = ("a.ndjson", changed.as_bytes());
    let plain = known.load(&[before, ("b.ndjson", text.as_bytes())], true);
    let whole = gzip(&text);
    let seen = known.load(&[before, ("b.ndjson.gz", &whole)], true);
    assert!(seen == plain, "{} {}", seen.counts, plain.counts);

    let alone = known.load(&[before], true);
    let cut = &whole[..whole.len() - 1];
    for recognize in [true, false] {
        let seen = known.load(&[before, ("b.ndjson.gz", cut)], recognize);
        let counts = alone.counts.replace("0 files", "1 files");
        assert_eq!(seen.counts, counts);
        assert!(seen.content == alone.content);
    }
}

/// A line that gzip shortens little, so that the file is long.
fn noise(number: usize) -> String {
    let mut state = number as u64 + 1;
    let text: String = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        format!("{:016x}", state ^ state >> 32)
    })
    .take(4_000 / 16)
    .collect();
    format!(r#"{{"resourceType":"Basic","id":"n{number}","code":{{"text":"{text}"}}}}"#)
}

/// Those in the middle are proved while the one before is written.
#[test]
fn files_that_are_proved_early_are_taken_or_refused_as_ever() {
    let known = Known::new();
    let text = |first: usize| {
        (first..first + 1_200)
            .map(noise)
            .collect::<Vec<_>>()
            .join("\n")
    };
    let streams = [0, 10_000, 20_000, 30_000].map(|first| gzip(&text(first)));
    assert!(streams.iter().all(|stream| stream.len() > 1 << 20));
    let names = ["a.ndjson.gz", "b.ndjson.gz", "c.ndjson.gz", "d.ndjson.gz"];
    let cases: [(&[usize], bool); 4] = [
        (&[], true),
        (&[0], false),
        (&[1, 2], true),
        (&[2, 3], false),
    ];
    for (damaged, recognize) in cases {
        let mut all = streams.clone();
        for &at in damaged {
            all[at] = flipped(&all[at], -8);
        }
        let files: Vec<_> = names
            .into_iter()
            .zip(all.iter().map(Vec::as_slice))
            .collect();
        let is_whole = |at: &usize| !damaged.contains(at);
        let whole: Vec<_> = (0..4).filter(is_whole).map(|at| files[at]).collect();
        let seen = known.load(&files, recognize);
        let expected = known.load(&whole, recognize);
        let refused = format!("{} files", damaged.len());
        assert_eq!(seen.counts, expected.counts.replace("0 files", &refused));
        assert_eq!(seen.resources, whole.len() as u64 * 1_200);
        assert!(seen.content == expected.content, "{damaged:?}");
        assert_eq!(seen.state == RunState::Completed, damaged.is_empty());
    }
}
