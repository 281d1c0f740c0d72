//! A load that is killed, and the one after it.

use std::fs;
use std::path::Path;

use crate::dump::Dump;
use crate::generate::mixed;
use crate::random::Random;
use crate::util::{Sandbox, assert_balances};

const BYTES: usize = 40_000_000;

/// Rounds, unless `KILL_ROUNDS` says otherwise.
const ROUNDS: u64 = 5;

#[test]
fn killed_at_any_moment_the_next_load_finishes_the_work() {
    finishes_the_work(&["load"]);
}

#[test]
fn also_where_the_load_has_the_store_for_itself() {
    finishes_the_work(&["load", "--exclusive"]);
}

fn finishes_the_work(load: &[&str]) {
    let input = Sandbox::new();
    for (name, text) in mixed(BYTES) {
        input.write(&format!("in/{name}"), text);
    }
    let folder = input.path("in");
    let undisturbed = Sandbox::new();
    undisturbed.load(&[&folder]);
    let expected = undisturbed.dump();
    assert_provenances(&undisturbed, "undisturbed");
    let size = written(&undisturbed.path("ingest.db"));
    for view in ["resources", "provenances", "quarantine"] {
        assert!(!expected.rows(view).is_empty(), "{view}");
    }

    let rounds = std::env::var("KILL_ROUNDS").map_or(ROUNDS, |rounds| {
        rounds.parse().expect("KILL_ROUNDS is a number")
    });
    let mut random = Random::new(2026);
    let mut killed = 0;
    for round in 0..rounds {
        // Past the size at the end, too: pages are written more than once.
        let moment = random.below(size * 5 / 4);
        killed += u64::from(round_trip(load, &folder, &expected, moment, round));
    }
    assert!(
        killed * 2 > rounds,
        "{killed} of {rounds} were killed in time"
    );
}

/// Kills a load once it has written so many bytes, and checks what the same
/// load makes of the rest. Whether it was in time.
fn round_trip(load: &[&str], folder: &Path, expected: &Dump, moment: u64, round: u64) -> bool {
    let what = format!("round {round}, {load:?} killed at {moment} bytes");
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .command(load)
        .arg("--quiet")
        .arg(folder)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the command starts");
    let store = sandbox.path("ingest.db");
    let in_time = loop {
        if child.try_wait().expect("a child").is_some() {
            break false;
        }
        if written(&store) >= moment {
            child.kill().expect("a child");
            break child.wait().expect("a child").code().is_none();
        }
        std::thread::yield_now();
    };
    // Killed before there was anything: the next load begins at nothing.
    let begun = store.exists() && fs::metadata(&store).is_ok_and(|file| file.len() > 0);
    if begun {
        if store.with_extension("db-journal").exists() {
            // Who may not write can't take back what was half done.
            sandbox.run(["runs", "list"]);
        }
        let reader = sandbox.reader();
        let check = crate::util::query(&reader, "PRAGMA integrity_check");
        assert_eq!(check, ["ok"], "{what}");
        if reader.prepare("SELECT * FROM resource_versions").is_ok() {
            assert_provenances(&sandbox, &what);
        }
    }

    let ran = sandbox
        .command(load)
        .arg("--json")
        .arg(folder)
        .output()
        .expect("the command runs");
    let summary = crate::util::Ran::of(ran).exits(0).json();
    assert_eq!(summary["state"], "completed", "{what}");
    assert_balances(&summary);
    assert_eq!(sandbox.query("PRAGMA integrity_check"), ["ok"], "{what}");
    // With this, every version has its Provenance, since there all have.
    sandbox.dump().assert_eq(expected, &what);
    let running = sandbox.query("SELECT count(*) FROM runs WHERE state = 'running'");
    assert_eq!(running, ["0"], "{what}");
    in_time
}

/// Bytes of the database and its write-ahead log.
fn written(store: &Path) -> u64 {
    let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    size(store) + size(&store.with_extension("db-wal"))
}

/// No version without its Provenance, and no Provenance without its version.
fn assert_provenances(sandbox: &Sandbox, what: &str) {
    let versions = "SELECT type, id, version FROM resource_versions";
    let targets = "SELECT target_type, target_id, target_version FROM provenances";
    let differing = sandbox.query(&format!(
        "SELECT count(*) FROM (SELECT * FROM ({versions} EXCEPT {targets})
         UNION ALL SELECT * FROM ({targets} EXCEPT {versions}))"
    ));
    assert_eq!(differing, ["0"], "{what}");
}
