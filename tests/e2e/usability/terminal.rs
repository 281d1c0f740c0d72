//! What reaches a terminal, and what is no terminal.

use crate::generate::patient;
use crate::util::{Ran, Sandbox};

/// A name that would colour a terminal, and turn its line around.
const NAME: &str = "e\u{1b}[31mvil\r\n\u{9b}2J\u{202e}x";
const ESCAPED: &str = "e\\u{1b}[31mvil\\r\\n\\u{9b}2J\\u{202e}x";

/// Every line is ours, and nothing in it steers a terminal.
#[track_caller]
fn assert_plain(what: &str, text: &str) {
    let steers = |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{202a}'..='\u{202e}');
    let found = text.chars().find(steers);
    assert!(found.is_none(), "{what} has {found:?}: {text}");
    let broken = text.lines().any(|line| line.starts_with("\\u{9b}"));
    assert!(!broken, "{what}: {text}");
}

#[test]
fn without_a_terminal_nothing_is_coloured() {
    let folder = Sandbox::new();
    folder.lines("in/ok.ndjson", &[patient("a", ""), "no".to_owned()]);
    folder.write("bad.toml", "[");
    for (variable, value) in [
        ("NO_COLOR", "1"),
        ("TERM", "xterm-256color"),
        ("TERM", "dumb"),
    ] {
        for arguments in [
            &["--help"][..],
            &["help", "bulk"],
            &["load", "--help"],
            &["load", "in", "-vvv"],
            &["load", "in", "-vvv", "--log-format", "json"],
            &["load", "in", "--json", "--quiet"],
            &["normalize", "in"],
            &["quarantine", "list"],
            &["runs", "list"],
            &["status"],
            &["demo", "--patients", "1"],
            &["load"],
            &["load", "no.ndjson"],
            &["lod"],
            &["test", "--config", "bad.toml", "x"],
        ] {
            let mut command = folder.command(arguments);
            let ran = Ran::of(command.env(variable, value).output().expect("it runs"));
            assert!(!ran.stderr.is_empty() || !ran.stdout.is_empty());
            assert_plain(&format!("{variable}, {arguments:?}"), &ran.stderr);
            assert_plain(&format!("{variable}, {arguments:?}"), &ran.text());
        }
    }
}

/// Names of files come from anywhere, as from an archive that was unpacked.
#[cfg(unix)]
#[test]
fn names_do_not_steer_a_terminal() {
    let folder = Sandbox::new();
    let name = |end: &str| format!("{NAME}{end}");
    let (lines, array) = (name(".ndjson"), name("-array.ndjson"));
    let good = patient("a", "");
    folder.lines(&format!("in/{lines}"), &["no", &good]);
    folder.lines(&format!("in/{array}"), &["[", "]"]);
    let message = folder.write(&name(".hl7"), "no message\n");
    folder.write(&name(".toml"), "[tenants]\nt = 1\n");
    folder.write(
        "ingest.toml",
        "[tenants.t]\nkeys = \"keys\"\n[connections.c]\nfhir_base = \"http://127.0.0.1:1\"\n",
    );
    let (message, config) = (message.to_str().expect("UTF-8"), name(".toml"));
    for (arguments, exit) in [
        (&["load", "in", "-vvv"][..], 11),
        (&["normalize", "in"], 11),
        (&["quarantine", "list"], 0),
        (&["quarantine", "show", "1"], 0),
        (&["load", NAME], 2),
        (&["load", "--db", &format!("{NAME}/x"), "in"], 10),
        (&["runs", "list", "--db", NAME], 10),
        (&["status", "--db", "in"], 10),
        (&["status", "--config", NAME], 4),
        (&["status", "--config", &config], 4),
        (&["test", NAME], 4),
        (&["keys", "import", NAME], 4),
        (&["adt", "process", message], 0),
        (&["adt", "dead-letters", "list"], 0),
        (&["export", "--out", NAME], 0),
    ] {
        let ran = folder.run(arguments);
        let what = format!("{arguments:?}");
        assert_eq!(ran.code, Some(exit), "{what}: {}", ran.stderr);
        assert_plain(&what, &ran.stderr);
        assert_plain(&what, &ran.text());
        let named = format!("{}{}", ran.text(), ran.stderr);
        if arguments.iter().any(|own| own.contains(NAME)) {
            assert!(named.contains(ESCAPED), "{what}: {named}");
        }
    }
    let list = folder.run(["quarantine", "list", "--json"]).exits(0).json();
    let file = list["quarantine"][0]["file"].as_str();
    assert_eq!(file, Some(format!("in/{lines}").as_str()), "as it is");
    let list = folder.run(["quarantine", "list"]).text();
    assert!(list.contains(&format!("in/{ESCAPED}.ndjson")), "{list}");
    assert_eq!(list.lines().count(), 2, "{list}");
}
