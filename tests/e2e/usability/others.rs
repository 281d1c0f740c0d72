//! Files that belong to others, or are read-only.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use super::{Row, assert_answers};
use crate::bulk::site::key;
use crate::generate::patient;
use crate::util::{Ran, Sandbox, tell};

/// A user that owns nothing.
const NOBODY: u32 = 65_534;

#[track_caller]
fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

/// A folder with a store; everybody may write to the folder itself.
fn folder() -> Sandbox {
    let folder = Sandbox::new();
    folder.lines("ok.ndjson", &[patient("a", "")]);
    folder.load(&["ok.ndjson"]);
    folder.write("client.pem", key().0);
    folder.write(
        "ingest.toml",
        "[tenants.t]\n[connections.a]\nfhir_base = \"http://127.0.0.1:1/fhir\"\nlevel = \"system\"\n\
         [connections.a.http]\nretries = 0\n",
    );
    mode(&folder.path(""), 0o777);
    folder
}

/// Runs each as a user whom modes hold back: root reads everything.
#[track_caller]
fn assert_held_back(folder: &Sandbox, rows: &[Row<'_>]) {
    let probe = folder.write("probe", "");
    mode(&probe, 0o000);
    let is_root = fs::read(&probe).is_ok();
    mode(&probe, 0o600);
    let command = |arguments: &[&str]| {
        let mut command = folder.command(arguments);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    if let Err(error) = command(&["--version"]).output() {
        tell(&format!("left out: as another user {error}"));
        return;
    }
    assert_answers(rows, |arguments| {
        Ran::of(command(arguments).output().expect("the command runs"))
    });
}

#[test]
fn a_store_of_somebody_else() {
    let folder = folder();
    for name in ["ingest.db", "ingest.db.lock"] {
        mode(&folder.path(name), 0o000);
    }
    let words = ["could not open ingest.db", "this user's to read and write"];
    let readers: [&[&str]; 5] = [
        &["runs", "list"],
        &["quarantine", "list"],
        &["quarantine", "export"],
        &["export"],
        &["load", "ok.ndjson"],
    ];
    for command in readers {
        assert_held_back(&folder, &[(command, 10, &words)]);
    }
    mode(&folder.path("ingest.db.lock"), 0o666);
    assert_held_back(&folder, &[(&["load", "ok.ndjson"], 10, &words)]);
}

#[test]
fn a_store_that_is_read_only() {
    let folder = folder();
    mode(&folder.path("ingest.db.lock"), 0o666);
    mode(&folder.path("ingest.db"), 0o444);
    let words = ["could not open ingest.db", "read-only", "writable"];
    assert_held_back(&folder, &[(&["load", "ok.ndjson"], 10, &words)]);
    mode(&folder.path("ingest.db"), 0o666);
    mode(&folder.path(""), 0o555);
    assert_held_back(&folder, &[(&["load", "ok.ndjson"], 10, &words)]);
    let lock = ["could not open new.db", "writable"];
    assert_held_back(
        &folder,
        &[(&["load", "--db", "new.db", "ok.ndjson"], 10, &lock)],
    );
    mode(&folder.path(""), 0o777);
}

#[test]
fn a_state_of_somebody_else() {
    let folder = folder();
    folder.run(["bulk", "a"]).exits(6);
    mode(&folder.path("ingest.db"), 0o666);
    let words = [
        "cannot use ingest.state.db",
        "this user's to read and write",
    ];
    let rows: [Row<'_>; 3] = [
        (&["bulk", "a"], 10, &words),
        (&["status"], 10, &words),
        (&["adt", "dead-letters", "list"], 10, &words),
    ];
    mode(&folder.path("ingest.state.db"), 0o000);
    assert_held_back(&folder, &rows);
    mode(&folder.path("ingest.state.db.lock"), 0o666);
    assert_held_back(&folder, &rows);
    mode(&folder.path("ingest.state.db"), 0o444);
    assert_held_back(&folder, &rows[..1]);
}

#[test]
fn a_configuration_and_keys_of_somebody_else() {
    let folder = folder();
    mode(&folder.path("client.pem"), 0o000);
    let key = "client_id = \"x\"\nsigning_key = { file = \"client.pem\" }\n";
    let text = fs::read_to_string(folder.path("ingest.toml")).expect("a file");
    let text = text.replace("level", &format!("{key}level"));
    mode(&folder.write("ingest.toml", text), 0o644);
    let words = ["cannot read client.pem", "this user may read it"];
    assert_held_back(&folder, &[(&["bulk", "a"], 4, &words)]);
    mode(&folder.path("ingest.toml"), 0o000);
    let words = [
        "cannot read the configuration ingest.toml",
        "ermission denied",
    ];
    assert_held_back(&folder, &[(&["bulk", "a"], 4, &words)]);
}
