//! Names that somebody else chose, and links laid where something is written.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::generate::patient;
use crate::util::{Sandbox, assert_counts};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

/// A sandbox with one patient in its store, and a file that nobody may touch.
fn loaded() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.lines("in/a.ndjson", &[patient("a", "")]);
    sandbox.load(&["in"]);
    sandbox.write("outside/kept", "kept");
    sandbox
}

#[track_caller]
fn assert_untouched(sandbox: &Sandbox) {
    let outside = sandbox.path("outside");
    let names: Vec<_> = fs::read_dir(&outside)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["kept"]);
    assert_eq!(fs::read(outside.join("kept")).expect("a file"), b"kept");
}

#[test]
fn what_is_no_file_is_passed_over_in_a_folder() {
    let sandbox = Sandbox::new();
    sandbox.lines("in/a.ndjson", &[patient("a", "")]);
    let at = |name: &str| sandbox.path("in").join(name);
    // Reading any of these would never end.
    let made = Command::new("mkfifo").arg(at("pipe.ndjson")).status();
    assert!(made.is_ok_and(|status| status.success()), "a pipe");
    symlink("/dev/zero", at("zero.ndjson")).expect("a link");
    symlink("pipe.ndjson", at("link-to-pipe.json")).expect("a link");
    symlink("..", at("loop")).expect("a link");
    symlink("/", at("root.ndjson")).expect("a link");
    let _listener = UnixListener::bind(at("socket.ndjson")).expect("a socket");
    let summary = sandbox.load(&["in"]);
    assert_counts(&summary, &[("resources", 1), ("created", 1)]);
}

#[test]
fn names_of_input_are_only_names() {
    let sandbox = Sandbox::new();
    let long = format!("{}.ndjson", "x".repeat(248));
    let mut names: Vec<&[u8]> = vec![
        b"..ndjson.ndjson",
        b"...ndjson",
        b"-rf.ndjson",
        b"a\\..\\b.ndjson",
        b"a\nb.ndjson",
        b"%2e%2e%2f.ndjson",
        b"CON.ndjson",
        b"a:b.ndjson",
        b"$(id).ndjson",
        "\u{2025}\u{2215}etc.ndjson".as_bytes(),
        "e\u{301}.ndjson".as_bytes(),
        long.as_bytes(),
    ];
    // Elsewhere the file system takes no such names, or takes both for one.
    if cfg!(target_os = "linux") {
        names.extend([b"\xFF.ndjson".as_slice(), "\u{e9}.ndjson".as_bytes()]);
    }
    fs::create_dir(sandbox.path("in")).expect("a folder");
    for (number, name) in names.iter().enumerate() {
        let path = sandbox.path("in").join(OsStr::from_bytes(name));
        // The second line is refused, and its file's name kept with it.
        let text = format!("{}\nx\n", patient(&format!("p{number}"), ""));
        fs::write(path, text).expect("a file");
    }
    let count = names.len() as u64;
    let summary = sandbox.load(&["in"]);
    assert_counts(&summary, &[("created", count), ("quarantined", count)]);
    let listed = sandbox.run(["quarantine", "list"]).exits(0);
    assert!(listed.text().contains("%2e%2e%2f.ndjson"));
    // Nothing was made but the store, and what belongs to it.
    let stray = fs::read_dir(sandbox.path(""))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .find(|name| name != "in" && !name.to_string_lossy().starts_with("ingest."));
    assert_eq!(stray, None);
}

#[test]
fn an_export_replaces_links_and_takes_no_path_for_a_type() {
    let sandbox = loaded();
    fs::create_dir(sandbox.path("out")).expect("a folder");
    let file = sandbox.path("out/Patient.ndjson");
    symlink(sandbox.path("outside/kept"), &file).expect("a link");
    sandbox.run(["export", "--out", "out"]).exits(0);
    let found = fs::symlink_metadata(&file).expect("a file");
    assert!(found.is_file());
    assert_eq!(mode(&file), 0o600);
    assert_untouched(&sandbox);

    let absolute = sandbox.path("outside/x").display().to_string();
    let long = "P".repeat(300);
    for name in [
        "../outside/x",
        absolute.as_str(),
        "Patient/../../outside/x",
        "Patient\\x",
        "..",
        "",
        "patient",
        "P\u{430}tient",
        long.as_str(),
    ] {
        let arguments = ["export", "--json", "--out", "new", "--type", name];
        let ran = sandbox.run(arguments).exits(2);
        assert_eq!(ran.error_code(), "usage", "{name}");
        assert!(!sandbox.path("new").exists(), "{name}");
    }
    assert_untouched(&sandbox);
}

#[test]
fn a_store_is_not_made_through_a_link() {
    let sandbox = Sandbox::new();
    sandbox.lines("in/a.ndjson", &[patient("a", "")]);
    sandbox.write("outside/kept", "kept");
    // The lock is taken on what the link leads to, and nothing written there.
    let lock = sandbox.path("ingest.db.lock");
    symlink(sandbox.path("outside/kept"), &lock).expect("a link");
    sandbox.load(&["in"]);
    assert_untouched(&sandbox);

    let other = sandbox.path("other.db");
    symlink(sandbox.path("outside/new.db"), &other).expect("a link");
    let ran = sandbox.run(["load", "--json", "--db", "other.db", "in"]);
    assert_ne!(ran.code, Some(0));
    assert_eq!(ran.error_code(), "store");
    assert_untouched(&sandbox);
}
