//! What a load reads: compression, encodings, documents, folders, limits.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::generate::{bundle, mixed, observation, patient};
use crate::util::{Ran, Sandbox, assert_counts};

pub(crate) fn gzip(text: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_ref()).expect("memory");
    encoder.finish().expect("memory")
}

fn ids(sandbox: &Sandbox) -> String {
    sandbox
        .query("SELECT id FROM resources ORDER BY id")
        .join(" ")
}

#[test]
fn encodings_of_the_same_lines() {
    let (a, b) = (patient("a", ""), patient("b", ""));
    let plain = format!("{a}\n{b}\n");
    let members = [gzip(format!("{a}\n")), gzip(""), gzip(&b)].concat();
    for (name, bytes) in [
        ("plain.ndjson", plain.clone().into_bytes()),
        ("plain.jsonl", plain.clone().into_bytes()),
        ("compressed.ndjson.gz", gzip(&plain)),
        ("members.ndjson.gz", members.clone()),
        // Told by content, whatever the name says.
        ("compressed.ndjson", gzip(&plain)),
        ("plain.ndjson.gz", plain.clone().into_bytes()),
        ("export", gzip(&plain)),
        ("bom.ndjson", format!("\u{feff}{plain}").into_bytes()),
        ("bom.ndjson.gz", gzip(format!("\u{feff}{plain}"))),
        ("crlf.ndjson", plain.replace('\n', "\r\n").into_bytes()),
        ("no-end.ndjson", plain.trim_end().as_bytes().to_vec()),
        (
            "blank.ndjson",
            format!("\n \n{a}\n\t\n\n{b}\n\n").into_bytes(),
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(name, &bytes);
        let summary = sandbox.load(&[name]);
        assert_counts(&summary, &[("resources", 2), ("created", 2)]);
        assert_eq!(ids(&sandbox), "a b", "{name}");

        let sandbox = Sandbox::new();
        let ran = sandbox.run_with_stdin(["load", "--json", "-"], &bytes);
        assert_counts(&ran.exits(0).json(), &[("resources", 2), ("created", 2)]);
        assert_eq!(ids(&sandbox), "a b", "{name} on standard input");
    }
}

#[test]
fn nothing_is_taken_of_a_cut_gzip_stream() {
    let text: String = mixed(300_000).into_iter().map(|(_, text)| text).collect();
    let whole = gzip(&text);
    let two = [gzip(format!("{}\n", patient("a", ""))), gzip(&text)].concat();
    let mut flipped = whole.clone();
    let checksum = whole.len() - 8;
    flipped[checksum] ^= 1;
    for (name, bytes) in [
        ("half", &whole[..whole.len() / 2]),
        ("without its checksum", &whole[..whole.len() - 5]),
        ("with a wrong checksum", &flipped),
        ("the second of two members", &two[..two.len() - 100]),
        ("only the magic number", &whole[..2]),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("in/cut.ndjson.gz", bytes);
        sandbox.lines("in/whole.ndjson", &[patient("z", "")]);
        let summary = sandbox.load_with(&[], &["in"], 11);
        assert_counts(&summary, &[("resources", 1), ("refused_files", 1)]);
        assert_eq!(ids(&sandbox), "z", "{name}");
        let ran = sandbox.run_with_stdin(["load", "--json", "-"], bytes);
        assert_counts(&ran.exits(11).json(), &[("resources", 0)]);
    }
}

#[test]
fn files_that_are_no_ndjson_are_refused_whole() {
    let pretty = "{\n  \"resourceType\": \"Patient\",\n  \"id\": \"a\"\n}\n";
    let utf16: Vec<u8> = "{\"resourceType\":\"Patient\"}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (name, bytes) in [
        ("array.ndjson", b"[{}]\n".as_slice()),
        ("page.ndjson", b"<html>\n<body/>\n</html>\n"),
        ("pretty.ndjson", pretty.as_bytes()),
        ("utf16.ndjson", &[&[0xFF, 0xFE], utf16.as_slice()].concat()),
        ("unmarked.ndjson", &utf16),
        ("utf16.json", &utf16),
        ("array.json", b"[{}]\n"),
        ("page.json", b"\xEF\xBB\xBF<html>\n<body/>\n</html>\n"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(name, bytes);
        let ran = sandbox.run(["load", "--json", name]).exits(11);
        let counts = [("resources", 0), ("quarantined", 0), ("refused_files", 1)];
        assert_counts(&ran.json(), &counts);
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
    }
    // The same resource is fine where the name says what it is.
    let sandbox = Sandbox::new();
    sandbox.write("pretty.json", pretty);
    assert_counts(&sandbox.load(&["pretty.json"]), &[("created", 1)]);
}

#[test]
fn json_documents() {
    let sandbox = Sandbox::new();
    let both = bundle(&[patient("a", ""), observation("b", "Patient/a")]);
    sandbox.write(
        "in/bundle.json",
        both.replace(",\"", ",\n  \"").replace("{\"", "{ \""),
    );
    sandbox.write(
        "in/resource.json",
        format!("\u{feff}{}\r\n", patient("c", "")),
    );
    sandbox.write("in/compressed.json.gz", gzip(bundle(&[patient("d", "")])));
    sandbox.write("in/broken.json", "{\"resourceType\":\n");
    let good = patient("e", "");
    sandbox.write(
        "in/half.json",
        bundle(&[good.as_str(), r#"{"resourceType":"Nothing"}"#]),
    );
    let summary = sandbox.load(&["in"]);
    assert_counts(&summary, &[("created", 5), ("quarantined", 2)]);
    assert_eq!(ids(&sandbox), "a b c d e");
    // Bodies are compact, whatever the input looked like.
    assert_eq!(
        sandbox.query("SELECT count(*) FROM resources WHERE body LIKE '%' || char(10) || '%'"),
        ["0"]
    );
    let refused = sandbox.query("SELECT file, line, reason, body FROM quarantine ORDER BY file");
    assert_eq!(
        refused,
        [
            "in/broken.json||invalid-json|{\"resourceType\":",
            "in/half.json||unknown-resource-type|{\"resourceType\":\"Nothing\"}",
        ]
    );
}

/// Some call an export `.json` that is NDJSON.
#[test]
fn lines_in_a_json_file_are_lines() {
    let (a, b) = (patient("a", ""), patient("b", ""));
    for (text, created, quarantined) in [
        (format!("{a}\n{b}\n"), 2, 0),
        (format!("\u{feff}\n{a}\r\n\r\n{b}"), 2, 0),
        (format!("{a}\n{{\n{b}\n"), 2, 1),
        // One text, or what was to be one.
        (format!("{a}\n"), 1, 0),
        (format!("{a}\n]\n"), 0, 1),
        (format!("{{\n{}\n", &a[1..]), 1, 0),
        (format!("{{\n{}\n{b}\n", &a[1..]), 0, 1),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("in/export.json", &text);
        sandbox.write("in/export.json.gz", gzip(&text));
        let ran = sandbox.run(["normalize", "in/export.json"]).exits(0);
        assert_eq!(ran.text().lines().count(), created, "{text}");
        let summary = sandbox.load(&["in/export.json"]);
        let counts = [("created", created as u64), ("quarantined", quarantined)];
        assert_counts(&summary, &counts);
        let summary = sandbox.load(&["in/export.json.gz"]);
        assert_counts(&summary, &[("unchanged", created as u64)]);
    }
}

#[test]
fn folders_are_read_to_the_bottom_with_patients_first() {
    let sandbox = Sandbox::new();
    sandbox.lines("in/b/Observation.ndjson", &[observation("o", "Patient/a")]);
    sandbox.lines("in/b/c/d/Patient.000.ndjson", &[patient("a", "")]);
    sandbox.lines(
        "in/a/Encounter.jsonl",
        &[r#"{"resourceType":"Group","id":"g","type":"person","actual":true}"#],
    );
    sandbox.lines("in/a/LOUD.NDJSON", &[patient("loud", "")]);
    sandbox.write("in/a/.hidden", "not read");
    let ran = sandbox.run(["load", "-v", "--log-format", "json", "--json", "in"]);
    let ran = ran.exits(0);
    assert_counts(&ran.json(), &[("resources", 4), ("created", 4)]);
    let read: Vec<String> = ran
        .stderr
        .lines()
        .filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            Some(line["fields"]["file"].as_str()?.to_owned())
        })
        .collect();
    assert_eq!(
        read,
        [
            "in/b/c/d/Patient.000.ndjson",
            "in/a/Encounter.jsonl",
            "in/a/LOUD.NDJSON",
            "in/b/Observation.ndjson"
        ]
    );
}

/// Nobody is to believe that everything in a folder was read.
#[test]
fn what_is_passed_over_in_a_folder_is_told() {
    let sandbox = Sandbox::new();
    sandbox.lines("in/a.ndjson", &[patient("a", "")]);
    for command in ["load", "normalize"] {
        let ran = sandbox.run([command, "in"]).exits(0);
        assert!(!ran.stderr.contains("passed over in"), "{}", ran.stderr);
    }
    for name in ["in/b/c.ndjson.1", "in/b/notes.txt", "in/d.ndjson.xz"] {
        sandbox.write(name, "not read");
    }
    sandbox.write("in/.hidden", "not read");
    for command in ["load", "normalize"] {
        let ran = sandbox.run([command, "in"]).exits(0);
        let told = r#"folder="in" count=3 first="in/b/c.ndjson.1""#;
        for text in ["WARN passed over in the folder", told] {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
        }
    }
    let all = ["load", "in", "in/b/notes.txt", "--json"];
    assert_counts(&sandbox.run(all).exits(0).json(), &[("quarantined", 1)]);
}

#[test]
fn lines_over_the_limit_are_refused_and_passed_over() {
    let sandbox = Sandbox::new();
    let long = patient(
        "long",
        &format!(r#","language":"{}""#, "x".repeat(2_000_000)),
    );
    let lines = [patient("a", ""), long.clone(), patient("b", "")];
    sandbox.lines("in.ndjson", &lines);
    sandbox.write("in.json", &long);
    let options = ["--max-line", "1000"];
    let summary = sandbox.load_with(&options, &["in.ndjson", "in.json"], 0);
    assert_counts(&summary, &[("created", 2), ("quarantined", 2)]);
    assert_eq!(ids(&sandbox), "a b");
    let refused = sandbox.query(
        "SELECT file, line, byte_offset, reason, length(body)
         FROM quarantine ORDER BY file",
    );
    let length = long.len();
    let offset = lines[0].len() + 1;
    let second = format!("in.ndjson|2|{offset}|too-long|1000");
    assert_eq!(refused, ["in.json||0|too-long|1000", &second]);
    // One that is over the limit, and still read together with others.
    let longer = patient("longer", &format!(r#","language":"{}""#, "x".repeat(5_000)));
    sandbox.lines("short.ndjson", &[&lines[0], &longer, &lines[2]]);
    let files = ["in.ndjson", "in.json", "short.ndjson"];
    let normalize = [&["normalize"], options.as_slice(), files.as_slice()].concat();
    let ran = sandbox.run(normalize).exits(0);
    let both = format!("{}\n{}\n", lines[0], lines[2]);
    assert_eq!(ran.text(), both.repeat(2));
    let told = [
        r#"reason="too-long""#,
        "bytes, over the limit of 1000 (max_line)",
    ];
    for text in told {
        assert_eq!(ran.stderr.matches(text).count(), 3, "{}", ran.stderr);
    }
    // A limit just as long as the line takes it.
    let limit = length.to_string();
    let summary = sandbox.load_with(&["--max-line", &limit], &["in.ndjson"], 0);
    assert_counts(
        &summary,
        &[("created", 1), ("unchanged", 2), ("quarantined", 0)],
    );
}

#[test]
fn standard_input_among_files() {
    let sandbox = Sandbox::new();
    sandbox.lines("a.ndjson", &[patient("a", "")]);
    sandbox.lines("c.ndjson", &[patient("c", "")]);
    let ran: Ran = sandbox.run_with_stdin(
        ["load", "--json", "a.ndjson", "-", "c.ndjson"],
        format!("{}\n{{\n", patient("b", "")).as_bytes(),
    );
    assert_counts(&ran.exits(0).json(), &[("created", 3), ("quarantined", 1)]);
    assert_eq!(
        sandbox.query("SELECT file, line, byte_offset FROM quarantine"),
        [format!("-|2|{}", patient("b", "").len() + 1)]
    );
}
