//! Nothing of a message where logs are kept.

use std::fs;

use super::site::{Site, eventually, message, state};

/// Parts of names and identifiers in the messages.
const MARKERS: &[&str] = &["Zebulon", "Canary", "4711-0815", "PID|", "|Zeb"];

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    for marker in MARKERS {
        assert!(!text.contains(marker), "{what} has {marker}: {text}");
    }
}

#[test]
fn logs_and_reports_hold_nothing_of_messages() {
    let site = Site::new(2);
    let mrn = site.mrns()[0].clone();
    for format in ["text", "json"] {
        let listening =
            site.listen_logging(&format!("{format}.log"), &["-vvv", "--log-format", format]);
        let mut sender = listening.sender();
        for text in [
            message("A01", &format!("{format}1"), &mrn),
            message("A01", &format!("{format}2"), "4711-0815"),
            message("A40", &format!("{format}3"), "4711-0815"),
            message("A20", &format!("{format}4"), ""),
            b"Zebulon Canary 4711-0815".to_vec(),
            [b"MSH|^~\\&|".as_slice(), &b"Zebulon|".repeat(400)].concat(),
        ] {
            let _ = sender.send(&text);
        }
        drop(sender);
        let _ = listening
            .sender()
            .break_off(&message("A01", "x", "4711-0815"), 90);
        let _ = listening.sender().write(b"Zebulon Canary without a frame");
        eventually("an empty queue", || {
            state(&site, "SELECT count(*) FROM fetch") == ["0"]
        });
        let (summary, log) = listening.stop();
        assert!(log.len() > 1_000, "{log}");
        assert_clean("the log", &log);
        assert!(!log.contains(&mrn), "an MRN: {log}");
        assert_clean("the summary", &summary.to_string());
    }
    for arguments in [
        &["adt", "dead-letters", "list"][..],
        &["adt", "dead-letters", "list", "--json"],
        &["adt", "dead-letters", "replay", "--all", "--json"],
        &["adt", "work", "--drain", "--json", "-vvv"],
        &["status", "--json"],
        &["fetch", "c", "--mrn", "4711-0815", "--json", "-vvv"],
    ] {
        let ran = site.folder.run(arguments);
        assert_clean(&format!("{arguments:?}"), &ran.stderr);
        assert_clean(&format!("{arguments:?}"), &ran.text());
    }
    // What is archived is sealed.
    let mut folders = vec![site.folder.path("ingest.state.db.archive")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
            assert_clean(&path.display().to_string(), &text);
        }
    }
    assert!(files >= 6, "{files}");
}
