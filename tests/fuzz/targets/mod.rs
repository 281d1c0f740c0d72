//! Every parser that reads bytes from outside.

mod bulk;
mod bundle;
mod config;
mod exchange;
mod fhir;
mod headers;
mod hl7;
mod http_head;
mod json;
mod keys;
mod mllp;
mod ndjson;
mod outcome;
mod smart;
mod store;

use std::error::Error;

use tempfile::TempDir;

use crate::engine::{Grammar, Target};
use crate::seeds::Seeds;

/// A target with what it begins with.
pub(crate) struct Entry {
    pub(crate) target: Target,
    pub(crate) seeds: Seeds,
    /// Inputs of the test that every change has to pass.
    pub(crate) smoke: u64,
}

/// All of them.
pub(crate) const ALL: [&Entry; 17] = [
    &json::TAPE,
    &ndjson::LINES,
    &ndjson::DELETIONS,
    &bulk::JOB,
    &outcome::OUTCOME,
    &outcome::CAPABILITIES,
    &hl7::MESSAGES,
    &mllp::FRAMES,
    &keys::PRIVATE,
    &keys::PUBLIC,
    &config::CONFIG,
    &http_head::HEAD,
    &headers::HEADERS,
    &smart::SMART,
    &fhir::CLIENT,
    &bundle::BUNDLE,
    &store::SERVER,
];

/// Stands in seeds where content, keys and tokens stand. Nothing that is shown
/// may hold it.
const CANARY: &str = "Kanarienvogel-7";

fn assert_silent(shown: &str) {
    assert!(!shown.contains(CANARY), "content is shown: {shown}");
}

/// The text of an error and of its causes, none of which may show content.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    assert_silent(&text);
    text
}

/// A folder for files that have to be there while an input is read; in memory
/// where the system has such a place, for a disk is slow to forget.
fn folder() -> TempDir {
    let memory = tempfile::tempdir_in("/dev/shm").ok();
    memory.unwrap_or_else(|| tempfile::tempdir().expect("a folder for temporary files"))
}

const JSON: Grammar = Grammar {
    tokens: &[
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.50",
        "1e5",
        "\"\"",
        "\"a\"",
        "{}",
        "[]",
        ",",
        ":",
        "{\"a\":",
        "[[",
        "}",
        "]",
        "\"",
        "\\",
        "\\u0000",
        "\\ud83d\\ude00",
        "\\udc00",
        "\\u00e9",
        "\\\"",
        "\"resourceType\":\"Patient\"",
        "\"id\":\"a\"",
        "\"id\":null",
        "\"id\":7",
        "\"extension\":[]",
        "\"reference\":\"Patient/a\"",
        " ",
        "\t",
    ],
    separators: b"{}[],:\"",
    pairs: &[
        ("[", "]"),
        ("{\"a\":", "}"),
        ("\"", "\""),
        ("{\"a\":[", "]}"),
    ],
};
