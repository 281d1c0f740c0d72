//! Wrong input of every kind: each answer says what is wrong, where, and what
//! to do, with the exit code of its kind, as text and as JSON.

mod files;
mod formats;
mod network;
#[cfg(unix)]
mod others;
mod settings;
mod terminal;

use crate::util::{Ran, Sandbox};

/// A command, the exit code it ends with, and what its answer has to hold.
type Row<'a> = (&'a [&'a str], i32, &'a [&'a str]);

/// Words that are for programmers, or show that something broke.
const NOT_FOR_PEOPLE: [&str; 7] = [
    "panicked",
    "RUST_BACKTRACE",
    "Os {",
    "Some(",
    "Error {",
    "Error(",
    "Error code",
];

/// Runs every row in the folder, as text and with `--json`.
#[track_caller]
fn assert_rows(folder: &Sandbox, rows: &[Row<'_>]) {
    assert_answers(rows, |arguments| folder.run(arguments));
}

/// The same of commands that are run in another way.
#[track_caller]
fn assert_answers(rows: &[Row<'_>], run: impl Fn(&[&str]) -> Ran) {
    for (arguments, exit, words) in rows {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(*exit), "{arguments:?}: {}", ran.stderr);
        let answer = ran.stderr.as_str();
        assert!(answer.contains("error: "), "{arguments:?}: {answer}");
        assert_eq!(ran.text(), "", "{arguments:?}: no result");
        assert_words(arguments, answer, words);

        let ran = run(&[arguments, &["--json"][..]].concat());
        assert_eq!(ran.code, Some(*exit), "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.error_code(), code(*exit), "{arguments:?}");
        let error = &ran.json()["error"];
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        // How clap goes on after its first paragraph is not in the JSON.
        if text("hint") != "see ingest --help" {
            let answer = format!("{}\n{}", text("message"), text("hint"));
            assert_words(arguments, &answer, words);
        }
    }
}

#[track_caller]
fn assert_words(arguments: &[&str], answer: &str, words: &[&str]) {
    for word in words {
        assert!(
            answer.contains(word),
            "{arguments:?}: no `{word}`: {answer}"
        );
    }
    for word in NOT_FOR_PEOPLE {
        assert!(!answer.contains(word), "{arguments:?}: {answer}");
    }
}

/// What JSON calls an exit code.
fn code(exit: i32) -> &'static str {
    match exit {
        2 => "usage",
        4 => "configuration",
        5 => "authentication",
        6 => "network",
        7 => "server",
        8 => "already-running",
        10 => "store",
        _ => "unexpected",
    }
}
