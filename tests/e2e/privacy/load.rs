//! Files into the store, and the commands around it.

use std::fs;
use std::process::Stdio;

use super::audit::{Audit, LEVELS};
use super::canary::ID_KEY;
use super::content::{self, records};
use super::disk;
use crate::bulk::wait::kill;

fn audit() -> Audit {
    let audit = Audit::new();
    content::give(&audit);
    audit.give("key", ID_KEY);
    let settings = "[tenants.acme]\norganization = \"Acme\"\nid_key = { file = \"key\" }\n";
    audit.give("ingest.toml", settings);
    audit
}

#[test]
fn loads_tell_nothing_at_any_level() {
    for level in LEVELS {
        let audit = audit();
        let run =
            |arguments: &[&str], exit: i32| audit.run(&[arguments, *level].concat()).exits(exit);
        let load = ["load", "--max-line", "8000", "in"];
        run(&[&load[..], &["--json"]].concat(), 11);
        run(&load, 11);
        // The same ids from elsewhere: conflicts.
        run(
            &[&load[..], &["--source-system", "urn:test:other"]].concat(),
            11,
        );
        for arguments in [
            &["quarantine", "list"][..],
            &["quarantine", "list", "--json"],
            &["runs", "list"],
            &["runs", "list", "--json"],
            &["status"],
            &["status", "--json"],
            &["export", "--out", "out", "--json"],
        ] {
            run(arguments, 0);
        }
        audit.is_content("out");
        audit.assert_disk();
    }
}

#[test]
fn what_shows_content_shows_it_on_standard_output_only() {
    let audit = audit();
    audit.run(&["load", "in"]).exits(11);
    for arguments in [
        &["quarantine", "show", "1", "-vvv"][..],
        &["quarantine", "export", "-vvv"],
        &["normalize", "in", "-vvv"],
        &["normalize", "--hashes", "in", "-vvv"],
    ] {
        audit.shows(arguments);
    }
    audit.run_with_stdin(&["load", "-", "-vvv"], &records());
    audit.run_with_stdin(&["normalize", "-", "-vvv"], &records());
    audit.assert_disk();
    let columns = [
        "body.data",
        "version.id",
        "version.source_id",
        "identifier.value",
        "patient_alias.patient",
        "patient_reference.patient",
        "refused.body",
    ];
    disk::assert_content(&audit.path("ingest.db"), &columns);
}

/// What standard input brought is gone with the process, however it ends.
#[test]
fn a_kill_leaves_no_temporary_file() {
    for arguments in [&["load", "-"][..], &["normalize", "-"]] {
        let audit = audit();
        let mut child = audit.start(arguments, Stdio::piped());
        let mut stdin = child.stdin.take().expect("piped");
        // More than a pipe holds: some of it has been read when this returns.
        for _ in 0..20 {
            std::io::Write::write_all(&mut stdin, &records()).expect("it is read");
        }
        audit.assert_process(&child);
        kill(child);
        let left = disk::files(&audit.path("tmp"));
        assert!(left.is_empty(), "{arguments:?} left {left:?}");
        if fs::exists(audit.path("ingest.db")).expect("a folder") {
            audit.assert_disk();
        }
    }
}
