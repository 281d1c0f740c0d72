//! Broken and odd NDJSON: every line has a verdict.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use crate::util::{Sandbox, assert_counts, data};

#[derive(Deserialize)]
struct File {
    file: String,
    #[serde(default)]
    bytes: Option<usize>,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    line: u64,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// Stored.
    Ok,
    /// Stored, and mended where the specification says so.
    Warn,
    /// Stored, or the same as what is stored.
    Dup,
    /// Kept in the quarantine.
    Reject,
    /// The file is refused whole.
    File,
    /// Blank.
    Skip,
    /// Stored or refused.
    Any,
}

/// Where the specification decides otherwise than the manifest, with the reason.
const DECIDED: &[(&str, &[u64], Verdict, &str)] = &[
    (
        "resource-type.ndjson",
        &[5, 6, 7, 8, 10],
        Verdict::Reject,
        "resources of an unknown type are refused: unknown-resource-type",
    ),
    (
        "deep-nesting-100.ndjson",
        &[2],
        Verdict::Reject,
        "more than 128 levels are refused: too-deep",
    ),
    (
        "deep-nesting-1000.ndjson",
        &[2],
        Verdict::Reject,
        "more than 128 levels are refused: too-deep",
    ),
];

/// Reason codes of what each file has refused, with the number of lines.
const REASONS: &[(&str, &[(&str, u64)])] = &[
    ("bom-every-line.ndjson", &[("invalid-json", 1)]),
    ("cr-only.ndjson", &[("invalid-json", 1)]),
    ("truncated-last-line.ndjson", &[("invalid-json", 1)]),
    ("truncated-mid-utf8.ndjson", &[("invalid-utf8", 1)]),
    ("invalid-utf8.ndjson", &[("invalid-utf8", 5)]),
    ("unicode-bad.ndjson", &[("invalid-json", 6)]),
    ("duplicate-keys.ndjson", &[("duplicate-key", 5)]),
    ("deep-nesting-100.ndjson", &[("too-deep", 1)]),
    ("deep-nesting-1000.ndjson", &[("too-deep", 1)]),
    ("deep-nesting-100000.ndjson", &[("too-deep", 1)]),
    ("numbers.ndjson", &[("invalid-json", 8)]),
    (
        "resource-type.ndjson",
        &[("missing-resource-type", 5), ("unknown-resource-type", 5)],
    ),
    ("ids.ndjson", &[("invalid-json", 2)]),
    (
        "not-an-object.ndjson",
        &[("invalid-json", 14), ("missing-resource-type", 1)],
    ),
];

fn manifest() -> Vec<File> {
    let text = fs::read_to_string(data("dirty/manifest.jsonl")).expect("the manifest");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of the manifest"))
        .collect()
}

/// The file: committed, or made here where it is large.
fn path(file: &File, sandbox: &Sandbox) -> PathBuf {
    let committed = data("dirty").join(&file.file);
    if committed.exists() {
        return committed;
    }
    let patient = |id: &str| format!(r#"{{"resourceType":"Patient","id":"{id}"}}"#);
    let text = match file.file.as_str() {
        "deep-nesting-100000.ndjson" => format!(
            "{}\n{{\"resourceType\":\"Patient\",\"id\":\"b\",\"extension\":[{}{}]}}\n{}\n",
            patient("a"),
            r#"{"extension":["#.repeat(100_000),
            "]}".repeat(100_000),
            patient("c")
        ),
        "large-line-1MB.ndjson" => format!(
            "{}\n{{\"resourceType\":\"DocumentReference\",\"id\":\"big\",\"status\":\"current\",\"content\":[{{\"attachment\":{{\"contentType\":\"application/pdf\",\"data\":\"{}\"}}}}]}}\n{}\n",
            patient("a"),
            "QUJD".repeat(262_144),
            patient("b")
        ),
        "many-members.ndjson" => {
            let member = |at| format!(r#"{{"entity":{{"reference":"Patient/p{at}"}}}}"#);
            let members: Vec<_> = (0..20_000).map(member).collect();
            format!(
                "{{\"resourceType\":\"Group\",\"id\":\"g\",\"type\":\"person\",\"actual\":true,\"member\":[{}]}}\n",
                members.join(",")
            )
        }
        other => panic!("{other} is neither there nor known"),
    };
    assert_eq!(Some(text.len()), file.bytes, "{}", file.file);
    sandbox.write(&file.file, text)
}

fn verdict(file: &str, line: &Line) -> Verdict {
    let decided = DECIDED
        .iter()
        .find(|(name, lines, ..)| *name == file && lines.contains(&line.line));
    decided.map_or(line.verdict, |(_, _, verdict, _)| *verdict)
}

#[test]
fn every_line_has_its_verdict() {
    let files = manifest();
    assert!(files.len() >= 37);
    for file in files {
        let name = file.file.as_str();
        let sandbox = Sandbox::new();
        let path = path(&file, &sandbox);
        let refused = file.lines.iter().any(|line| line.verdict == Verdict::File);
        let summary = sandbox.load_with(&[], &[&path], if refused { 11 } else { 0 });
        if refused {
            assert_counts(&summary, &[("resources", 0), ("refused_files", 1)]);
            assert_eq!(sandbox.query("SELECT * FROM resources"), [""; 0], "{name}");
            continue;
        }
        let found: Vec<u64> = sandbox
            .query("SELECT line FROM quarantine ORDER BY line")
            .iter()
            .map(|line| line.parse().expect("a line number"))
            .collect();
        let mut accepted = 0;
        for line in &file.lines {
            let quarantined = found.contains(&line.line);
            let at = format!("{name}:{}", line.line);
            match verdict(name, line) {
                Verdict::Ok | Verdict::Warn | Verdict::Dup => {
                    assert!(!quarantined, "{at} is to be stored");
                }
                Verdict::Reject => assert!(quarantined, "{at} is to be refused"),
                Verdict::Skip => {
                    assert!(!quarantined, "{at} is blank");
                    continue;
                }
                Verdict::Any => {}
                Verdict::File => unreachable!("seen above"),
            }
            accepted += u64::from(!quarantined);
        }
        // The one Bundle of deletions counts each of them.
        accepted += u64::from(name == "deleted.ndjson");
        let quarantined = found.len() as u64;
        assert_counts(
            &summary,
            &[
                ("resources", accepted + quarantined),
                ("quarantined", quarantined),
                ("refused_files", 0),
            ],
        );
        reasons(name, &sandbox);
        bytes(&path, &sandbox);
    }
}

fn reasons(name: &str, sandbox: &Sandbox) {
    let rows =
        sandbox.query("SELECT reason, count(*) FROM quarantine GROUP BY reason ORDER BY reason");
    let found: BTreeMap<_, _> = rows.iter().filter_map(|row| row.split_once('|')).collect();
    let expected = REASONS.iter().find(|(file, _)| *file == name);
    let expected: BTreeMap<_, _> = expected
        .map_or(&[] as &[_], |(_, reasons)| reasons)
        .iter()
        .map(|(reason, lines)| (*reason, lines.to_string()))
        .collect();
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(reason, lines)| (*reason, lines.as_str()))
        .collect();
    assert_eq!(found, expected, "{name}");
}

/// What the quarantine keeps is what stands at its place in the file.
fn bytes(path: &std::path::Path, sandbox: &Sandbox) {
    let text = fs::read(path).expect("the file");
    let lines: Vec<_> = text.split(|&byte| byte == b'\n').collect();
    let reader = sandbox.reader();
    let mut statement = reader
        .prepare("SELECT file, line, byte_offset, CAST(body AS BLOB) FROM quarantine")
        .expect("the view");
    let mut rows = statement.query([]).expect("rows");
    while let Some(row) = rows.next().expect("a row") {
        let file: String = row.get(0).expect("file");
        let line: usize = row.get::<_, i64>(1).expect("line") as usize;
        let offset: usize = row.get::<_, i64>(2).expect("byte_offset") as usize;
        let body: Vec<u8> = row.get(3).expect("body");
        assert_eq!(file, path.display().to_string());
        assert_eq!(body, text[offset..offset + body.len()], "{file}:{line}");
        assert_eq!(body, lines[line - 1].trim_ascii(), "{file}:{line}");
    }
}

#[test]
fn the_whole_folder_in_one_run() {
    let sandbox = Sandbox::new();
    let summary = sandbox.load_with(&[], &[data("dirty")], 11);
    assert_eq!(summary["state"], "partial");
    assert_counts(&summary, &[("refused_files", 4)]);
    let before = crate::dump::Dump::whole(&sandbox.reader());
    let again = sandbox.load_with(&[], &[data("dirty")], 11);
    assert_counts(&again, &[("created", 0), ("updated", 0), ("deleted", 0)]);
    let after = crate::dump::Dump::whole(&sandbox.reader());
    after.assert_eq(&before, "the second load of the folder");
}

#[test]
fn odd_ids_are_kept_or_hashed() {
    let sandbox = Sandbox::new();
    sandbox.load(&[data("dirty/ids.ndjson")]);
    let kept = sandbox.query("SELECT id FROM resources WHERE id = source_id ORDER BY id");
    // Without an id, the content's hash is the id: SHA-256 of
    // {"id":"","resourceType":"Patient"} and of {"resourceType":"Patient"}.
    let empty = "4357a64499498656eaea93704d08eec6e471724e9ba1210d42e540ddc0c03a02";
    let none = "b6cd92f25733dc6efed4ca9541f59545c63a39c6310d3b873363f970c6f7e0c3";
    let long = "x".repeat(64);
    assert_eq!(kept, ["..", "1", "12345", empty, "A", "a", none, &long]);
    let hashed = sandbox.query("SELECT DISTINCT length(id) FROM resources WHERE id <> source_id");
    assert_eq!(hashed, ["64"]);
    assert_eq!(
        sandbox.query("SELECT id FROM resources WHERE source_id = 'a_b'"),
        // SHA-256 of "urn:ingest:local\nPatient\na_b".
        ["836bae640858492eb455ac650f2f9eb4095cd41e82c04aa6b2390625ba6d0713"]
    );
}

#[test]
fn later_lines_that_differ_are_versions() {
    let sandbox = Sandbox::new();
    let summary = sandbox.load(&[data("dirty/duplicates.ndjson")]);
    assert_counts(
        &summary,
        &[("created", 5), ("updated", 4), ("unchanged", 2)],
    );
    let versions = sandbox.query(
        "SELECT version, json_extract(body, '$.gender') FROM resource_versions
         WHERE id = 'a' ORDER BY version",
    );
    assert_eq!(
        versions,
        ["1|male", "2|female", "3|other", "4|unknown", "5|male"]
    );
    // Two of these differ by Unicode normalisation only; no one is merged.
    let rest = sandbox.query("SELECT id FROM resources WHERE id > 'a' ORDER BY id");
    assert_eq!(rest, ["b", "c", "d", "e"]);
}

#[test]
fn digits_and_odd_elements_survive() {
    let sandbox = Sandbox::new();
    sandbox.load(&[
        data("dirty/numbers.ndjson"),
        data("dirty/empties-and-nulls.ndjson"),
    ]);
    for (id, part) in [
        ("j", r#""value":1E-22}"#),
        ("k", r#""value":3.1400}"#),
        ("l", r#""value":0.1000000000000000055511151231257827}"#),
        ("m", r#""value":12345678901234567890.123456789}"#),
        ("n", r#""value":-0}"#),
        ("o", r#""value":"7.0"}"#),
    ] {
        let sql = format!("SELECT body FROM resources WHERE type = 'Observation' AND id = '{id}'");
        let body = sandbox.query(&sql);
        assert!(body[0].contains(part), "{id}: {body:?}");
    }
    let unknown = "SELECT body FROM resources WHERE type = 'Patient' AND id = 'm'";
    assert!(sandbox.query(unknown)[0].contains(r#""unknownElement":1"#));
}
