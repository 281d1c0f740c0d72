//! The commands around `load`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::process::Stdio;

use ingest_pipeline::state::State;

use crate::generate::{bundle, mixed, observation, patient};
use crate::util::{Ran, Sandbox, assert_counts};

/// A folder with a bit of everything, loaded into `ingest.db`.
fn loaded() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in mixed(200_000) {
        sandbox.write(&format!("in/{name}"), text);
    }
    sandbox.write(
        "in/b.json",
        bundle(&[patient("b_1", ""), observation("b2", "Patient/b_1")]),
    );
    sandbox.load(&["in"]);
    sandbox
}

fn rows(ran: &Ran) -> BTreeSet<String> {
    ran.text().lines().map(str::to_owned).collect()
}

const STORED: &str = "SELECT DISTINCT type || char(9) || id || char(9) || content_hash
                      FROM resource_versions WHERE deleted = 0";

#[test]
fn normalize_gives_what_load_stores() {
    for options in [
        ["--id-mode", "preserve"].as_slice(),
        &["--id-mode", "hash"],
        &[
            "--source-system",
            "urn:epic:x",
            "--mrn-system",
            "urn:test:mrn",
        ],
    ] {
        let sandbox = loaded();
        fs::remove_file(sandbox.path("ingest.db")).expect("it is there");
        sandbox.load_with(options, &["in"], 0);
        let stored: BTreeSet<_> = sandbox.query(STORED).into_iter().collect();

        let normalize = ["normalize", "in"].iter().chain(options);
        let ran = sandbox.run(normalize.clone().chain(&["--hashes"])).exits(0);
        let normalized = rows(&ran);
        let differing: Vec<_> = normalized.symmetric_difference(&stored).take(3).collect();
        assert!(differing.is_empty(), "{options:?}: {differing:?}");

        let ran = sandbox.run(normalize).exits(0);
        let bodies = "SELECT DISTINCT body FROM resource_versions WHERE deleted = 0";
        let bodies: BTreeSet<_> = sandbox.query(bodies).into_iter().collect();
        let differing: Vec<_> = rows(&ran).difference(&bodies).take(3).cloned().collect();
        assert!(differing.is_empty(), "{options:?}: {differing:?}");
    }
}

#[test]
fn normalize_reads_standard_input_and_tells_of_refusals() {
    let sandbox = Sandbox::new();
    let lines = [
        observation("o", "Patient/12345"),
        "{".to_owned(),
        crate::generate::mrn_patient("12345"),
    ]
    .join("\n");
    let ran = sandbox.run_with_stdin(["normalize", "-"], lines.as_bytes());
    let ran = ran.exits(0);
    assert_eq!(ran.text().lines().count(), 2);
    assert!(!ran.text().contains("Patient/12345"), "{}", ran.text());
    assert!(ran.stderr.contains("invalid-json"));
    let strict = ["normalize", "--strict", "-"];
    sandbox.run_with_stdin(strict, lines.as_bytes()).exits(3);
    assert!(!sandbox.path("ingest.db").exists());
}

#[test]
fn what_normalize_writes_loads_to_the_same_content() {
    let sandbox = loaded();
    let ran = sandbox.run(["normalize", "in"]).exits(0);
    let other = Sandbox::new();
    other.run_with_stdin(["load", "-"], &ran.stdout).exits(0);
    let stored = |sandbox: &Sandbox| -> BTreeSet<_> { sandbox.query(STORED).into_iter().collect() };
    assert!(stored(&sandbox) == stored(&other));
}

#[test]
fn an_export_loads_to_the_same_content() {
    let sandbox = loaded();
    let report = sandbox.run(["export", "--json", "--out", "out"]).exits(0);
    let current = "SELECT type, id, content_hash, body FROM resources WHERE deleted = 0
                   ORDER BY type, id";
    let expected = sandbox.query(current);
    assert_eq!(report.json()["resources"], expected.len());

    let other = Sandbox::new();
    let summary = other.load(&[sandbox.path("out")]);
    let count = expected.len() as u64;
    assert_counts(&summary, &[("resources", count), ("created", count)]);
    assert!(other.query(current) == expected);

    let files = || -> BTreeSet<_> {
        let entries = fs::read_dir(sandbox.path("some")).expect("a folder");
        entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect()
    };
    sandbox
        .run(["export", "--type", "Patient,Condition", "--out", "some"])
        .exits(0);
    assert_eq!(
        files(),
        ["Condition.ndjson", "Patient.ndjson"]
            .map(str::to_owned)
            .into()
    );
    // Once more, over the files that are there.
    sandbox
        .run(["export", "--type", "Patient", "--out", "some"])
        .exits(0);
    assert_eq!(files().len(), 2);
}

#[test]
fn runs_are_listed_and_shown() {
    let sandbox = loaded();
    let second = sandbox.load(&["in"]);
    let id = second["run"].as_str().expect("an id");

    let list = sandbox.run(["runs", "list", "--json"]).exits(0).json();
    let runs = list["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0]["id"], id, "the newest first");
    assert_eq!(runs[0]["state"], "completed");
    assert_eq!(runs[0]["created"], 0);
    assert_ne!(runs[1]["created"], 0);
    let one = ["runs", "list", "--limit", "1", "--json"];
    let list = sandbox.run(one).exits(0).json();
    assert_eq!(list["runs"].as_array().map(Vec::len), Some(1));

    let shown = sandbox.run(["runs", "show", id, "--json"]).exits(0).json();
    assert_eq!(shown["summary"], second);
    let text = sandbox.run(["runs", "list"]).exits(0).text();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains(id), "{text}");
    let text = sandbox.run(["runs", "show", id]).exits(0).text();
    assert!(text.contains("completed") && text.contains(id), "{text}");
    sandbox.run(["runs", "show", "no-such-run"]).exits(2);
    sandbox.run(["runs", "show", "0"]).exits(2);
}

#[test]
fn a_store_that_fails_is_none_without_runs() {
    let sandbox = loaded();
    let store = sandbox.path("ingest.db");
    drop(State::open(&State::path_beside(&store)).expect("state"));
    let list = ["runs", "list", "--json"];
    let runs = |code| sandbox.run(list).exits(code).json()["runs"].clone();
    assert_eq!(runs(0).as_array().map(Vec::len), Some(1));
    fs::write(&store, "no database\n".repeat(100)).expect("write");
    assert!(runs(10).is_null());
    // As before a first export has got as far as the store.
    fs::remove_file(&store).expect("remove");
    assert_eq!(runs(0).as_array().map(Vec::len), Some(0));
}

#[test]
fn the_quarantine_is_listed_shown_and_exported() {
    let sandbox = Sandbox::new();
    let latin = b"{\"resourceType\":\"Patient\",\"id\":\"\xE9\"}";
    let lines = [b"{\"id\":".as_slice(), latin, b"{\"id\":\"x\"}"];
    sandbox.write("in.ndjson", lines.join(&b'\n'));
    let summary = sandbox.load(&["in.ndjson"]);

    let list = sandbox
        .run(["quarantine", "list", "--json"])
        .exits(0)
        .json();
    let records = list["quarantine"].as_array().expect("records");
    let reasons: Vec<_> = records.iter().map(|record| &record["reason"]).collect();
    assert_eq!(
        reasons,
        ["invalid-json", "invalid-utf8", "missing-resource-type"]
    );
    assert_eq!(records[1]["line"], 2);
    assert_eq!(records[1]["byte_offset"], lines[0].len() + 1);
    assert_eq!(records[1]["run"], summary["run"]);
    assert!(
        records[1].get("body").is_none(),
        "content is for `show` alone"
    );
    let text = sandbox.run(["quarantine", "list"]).exits(0).text();
    assert_eq!(text.lines().count(), 4, "{text}");

    let id = records[1]["id"].to_string();
    let shown = sandbox.run(["quarantine", "show", &id]).exits(0);
    assert!(shown.stdout.ends_with(&[latin.as_slice(), b"\n"].concat()));
    sandbox.run(["quarantine", "show", "99"]).exits(2);

    let export = sandbox.run(["quarantine", "export"]).exits(0);
    assert_eq!(
        export.stdout,
        [lines.join(&b'\n').as_slice(), b"\n"].concat()
    );
    let run = summary["run"].as_str().expect("an id");
    let of_run = sandbox.run(["quarantine", "export", "--run", run]).exits(0);
    assert_eq!(of_run.stdout, export.stdout);
    let of_other = sandbox
        .run(["quarantine", "export", "--run", "other"])
        .exits(0);
    assert_eq!(of_other.text(), "");
}

#[test]
fn the_quarantine_keeps_every_byte_of_a_line() {
    let ends = ["", " ", "\t \t", " \r", "\u{b}", "  {} \r", "\u{feff} "];
    let starts = [
        r#"{"resourceType":"Patient","id":"p","name":[{"text":"Anna"#,
        r#"{"id":"of no type"}"#,
        "no JSON",
    ];
    let lines: Vec<_> = starts
        .iter()
        .flat_map(|start| ends.map(|end| format!("{start}{end}")))
        .collect();
    for separator in ["\n", "\r\n"] {
        let sandbox = Sandbox::new();
        sandbox.write("in.ndjson", lines.join(separator) + separator);
        sandbox.load(&["in.ndjson"]);
        let export = sandbox.run(["quarantine", "export"]).exits(0);
        // Together they are the end of a line, whoever wrote them.
        let kept = |line: &String| match separator {
            "\n" => line.strip_suffix('\r').unwrap_or(line).to_owned(),
            _ => line.clone(),
        };
        let kept: Vec<_> = lines.iter().map(kept).collect();
        assert_eq!(export.text(), kept.join("\n") + "\n");

        // Of one that is refused only when it is written as well.
        let taken = r#"{"resourceType":"Patient","id":"taken"}"#;
        sandbox.write("other.ndjson", taken);
        sandbox.load_with(&["--source-system", "urn:other"], &["other.ndjson"], 0);
        let lines = ["", " ", "\t \t"].map(|end| format!("{taken}{end}"));
        sandbox.write("taken.ndjson", lines.join(separator) + separator);
        let run = sandbox.load(&["taken.ndjson"])["run"].clone();
        let of_run = [
            "quarantine",
            "export",
            "--run",
            run.as_str().expect("an id"),
        ];
        let export = sandbox.run(of_run).exits(0);
        assert_eq!(export.text(), lines.join("\n") + "\n");
    }
}

#[test]
fn completions_and_the_manual() {
    let sandbox = Sandbox::new();
    for (shell, mark) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef ingest"),
        ("fish", "complete -c ingest"),
    ] {
        let ran = sandbox.run(["completions", shell]).exits(0);
        assert!(ran.text().contains(mark), "{shell}");
        for command in ["load", "normalize", "export", "quarantine"] {
            assert!(ran.text().contains(command), "{shell} {command}");
        }
        assert_eq!(ran.stderr, "");
    }
    let ran = sandbox.run(["man"]).exits(0);
    assert!(ran.text().contains(".TH ingest 1"), "{}", ran.text());
    let ran = sandbox.run(["--version"]).exits(0);
    assert!(ran.text().starts_with("ingest "), "{}", ran.text());
    let ran = sandbox.run(["load", "--help"]).exits(0);
    assert!(ran.text().contains("--source-system"), "{}", ran.text());
}

#[test]
fn a_reader_that_goes_away_is_fine() {
    let sandbox = loaded();
    for arguments in [["normalize", "in"].as_slice(), &["quarantine", "export"]] {
        let mut child = sandbox
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut first = [0];
        let mut stdout = child.stdout.take().expect("piped");
        stdout.read_exact(&mut first).expect("some output");
        drop(stdout);
        Ran::of(child.wait_with_output().expect("it ends")).exits(0);
    }
}
