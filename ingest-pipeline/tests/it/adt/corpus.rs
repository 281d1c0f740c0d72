//! Messages of others, and some that were made to hurt. `ADT_CORPUS` names a
//! folder with more of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use hl7v2_adt::Messages;
use ingest_pipeline::adt::Received;
use serde_json::Value;

use super::site::{Site, code};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../hl7v2-adt/tests/data/adt")
}

/// What the index says of a file of ours becomes of it. What it leaves to the
/// policy of the receiver is ours, and documented here.
fn expected(name: &str, expect: &str) -> &'static [&'static str] {
    match (expect, name) {
        ("ok" | "no-patient", _) => &["AA"],
        ("filtered", _) => &["ignored"],
        ("dead-letter", _) => &["AE"],
        ("reject", _) => &["AR"],
        ("split", _) => &["AA", "AA"],
        ("split+warn", _) => &["AA"],
        // Missing separators are the usual ones, small letters are letters, the
        // trigger may be in EVN-1 or contradict it, any processing id is taken,
        // an identifier needs no authority and a message no control id.
        ("policy", "hostile/lowercase-pid.hl7")
        | ("policy", "hostile/enc-3-no-escape.hl7")
        | ("policy", "hostile/enc-3-no-repeat.hl7")
        | ("policy", "hostile/enc-empty.hl7")
        | ("policy", "hostile/pid3-no-authority.hl7")
        | ("policy", "hostile/no-control-id.hl7")
        | ("policy", "hostile/msh9-structure-only.hl7")
        | ("policy", "hostile/evn-disagrees.hl7")
        | ("policy", "hostile/processing-id-T.hl7")
        | ("policy", "hostile/truncated-mid-pid.hl7")
        | ("policy", "hostile/two-pids-in-a08.hl7")
        | ("policy", "hostile/huge-field-1MB.hl7")
        | ("policy", "hostile/100k-pipes.hl7") => &["AA"],
        // PID-2 has to be configured, and UTF-16 is no HL7 v2.
        ("policy", "hostile/pid2-only.hl7") => &["AE"],
        ("policy", "hostile/utf16le.hl7") => &["AR"],
        other => panic!("{other:?} is not known"),
    }
}

#[test]
fn every_message_gets_the_outcome_that_its_index_names() {
    let folder = corpus().join("_own-synthetic");
    let index = fs::read_to_string(folder.join("expected.json")).unwrap();
    let index: BTreeMap<String, Value> = serde_json::from_str(&index).unwrap();
    let mut seen = 0;
    for (name, about) in &index {
        // Two are made by the tests of the parser: they are large.
        let Ok(bytes) = fs::read(folder.join(name)) else {
            continue;
        };
        seen += 1;
        // Original mode: what is answered does not depend on MSH-15 and MSH-16.
        let site = Site::new("ack_mode = \"original\"");
        let (received, replies) = site.receiver().take(&bytes);
        let answers: Vec<_> = replies
            .iter()
            .flat_map(|frame| acknowledgements(frame))
            .collect();
        let expect = about["expect"].as_str().unwrap();
        let wanted = expected(name, expect);
        let told: Vec<&str> = received
            .iter()
            .zip(&answers)
            .map(|(received, code)| match received {
                Received::Ignored => {
                    assert_eq!(code, "AA", "{name}");
                    "ignored"
                }
                // The same message twice in one file.
                Received::Duplicate => "AA",
                _ => code.as_str(),
            })
            .collect();
        assert_eq!(told, wanted, "{name}");
        if let Some(control) = about["control"].as_str().filter(|it| !it.is_empty()) {
            let first = String::from_utf8_lossy(&replies[0]).into_owned();
            assert!(
                // Other separators, and what has no header that could be read.
                first.contains(&format!("MSA|{}|{control}", answers[0]))
                    || name.contains("delims")
                    || name.contains("utf16"),
                "{name}: {first}"
            );
        }
        same_bytes(&site, &bytes, &received, name);
    }
    assert!(seen >= 118, "{seen}");
}

/// Codes of the acknowledgements in one frame.
fn acknowledgements(frame: &[u8]) -> Vec<String> {
    Messages::new(frame).map(|ack| code(ack.bytes)).collect()
}

/// The archive has every byte of every message that was not ignored.
fn same_bytes(site: &Site, text: &[u8], received: &[Received], name: &str) {
    let mut messages: Vec<Vec<u8>> = Messages::new(text).map(|raw| raw.bytes.to_vec()).collect();
    if messages.is_empty() {
        messages.push(text.to_vec());
    }
    assert_eq!(messages.len(), received.len(), "{name}");
    let kept: Vec<Vec<u8>> = keys(site).iter().map(|key| site.archived(key)).collect();
    for (message, received) in messages.iter().zip(received) {
        if *received != Received::Ignored {
            assert!(kept.contains(message), "{name}: other bytes in the archive");
        }
    }
}

/// Keys of all messages that were recorded.
fn keys(site: &Site) -> Vec<String> {
    let state = rusqlite::Connection::open(site.state_path()).unwrap();
    let mut statement = state.prepare("SELECT raw_key FROM message").unwrap();
    let keys = statement.query_map([], |row| row.get(0)).unwrap();
    keys.map(Result::unwrap).collect()
}

#[test]
fn messages_of_others_are_taken_and_kept_as_they_are() {
    let folder = std::env::var_os("ADT_CORPUS").map_or_else(corpus, PathBuf::from);
    let site = Site::new("");
    let receiver = site.receiver();
    let (mut files, mut messages) = (0, 0);
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let extension = path.extension().unwrap_or_default();
            if ["md", "json", "jsonl", "csv"]
                .iter()
                .any(|other| extension == *other)
            {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let (received, replies) = receiver.take(&bytes);
            files += 1;
            messages += received.len() as u64;
            assert!(!received.contains(&Received::Failed), "{}", path.display());
            for reply in replies {
                assert!(
                    reply.starts_with(b"MSH") && reply.ends_with(b"\r"),
                    "{}",
                    path.display()
                );
            }
        }
    }
    let summary = receiver.summary();
    assert!(files > 150, "{files}");
    assert_eq!(summary.received, messages);
    assert_eq!(
        summary.received,
        summary.accepted + summary.ignored + summary.duplicates + summary.rejected
    );
    drop(receiver);
    let counts = site.state().inbox("c").unwrap().unwrap().counts;
    assert_eq!(
        counts.received, messages,
        "the state database says the same"
    );
    assert!(
        site.state().unarchived(1).unwrap().is_empty(),
        "all are in the archive"
    );
}
