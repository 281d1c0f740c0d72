//! Input that is no file: named pipes, as a shell's `<(…)` makes them, and who
//! writes to them.
#![cfg(unix)]

use std::process::Command;
use std::{fs, thread};

use crate::bulk::wait::terminate;
use crate::generate::{mixed, observation, patient};
use crate::sources::gzip;
use crate::util::{Ran, Sandbox, assert_balances, assert_counts, until_logged};

/// Runs the command while each of these is written to the pipe of its name.
fn run_with_pipes(sandbox: &Sandbox, arguments: &[&str], pipes: &[(&str, Vec<u8>)]) -> Ran {
    thread::scope(|scope| {
        for (name, bytes) in pipes {
            let path = sandbox.path(name);
            pipe(sandbox, name);
            scope.spawn(move || fs::write(path, bytes).expect("it is read"));
        }
        sandbox.run(arguments)
    })
}

fn pipe(sandbox: &Sandbox, name: &str) {
    let made = Command::new("mkfifo").arg(sandbox.path(name)).status();
    assert!(made.expect("mkfifo").success());
}

#[test]
fn a_pipe_is_as_good_as_a_file() {
    let pretty = "{\n  \"resourceType\": \"Patient\",\n  \"id\": \"pretty\"\n}\n";
    let mut files: Vec<_> = mixed(600_000)
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()))
        .collect();
    let lines = format!("{}\n{{\n", observation("late", "Patient/zipped"));
    files.push(("refused.ndjson", lines.into_bytes()));
    files.push(("zipped", gzip(patient("zipped", ""))));
    files.push(("pretty.json", pretty.into()));
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();

    let of_files = Sandbox::new();
    for (name, bytes) in &files {
        of_files.write(name, bytes);
    }
    let wanted = of_files.load(&names);
    let of_pipes = Sandbox::new();
    let load = [&["load", "--json"], names.as_slice()].concat();
    let summary = run_with_pipes(&of_pipes, &load, &files).exits(0).json();
    assert_balances(&summary);
    for count in ["resources", "created", "quarantined", "bytes"] {
        assert_eq!(summary[count], wanted[count], "{count}");
    }
    of_pipes
        .dump()
        .assert_eq(&of_files.dump(), "pipes and files");

    // Which reads everything twice.
    let normalize = [&["normalize"], names.as_slice()].concat();
    let wanted = of_files.run(&normalize).exits(0).text();
    let ran = run_with_pipes(&Sandbox::new(), &normalize, &files).exits(0);
    assert_eq!(ran.text(), wanted);
}

#[test]
fn nothing_is_taken_of_a_cut_gzip_stream_in_a_pipe() {
    let sandbox = Sandbox::new();
    let whole = gzip(patient("a", ""));
    let pipes = [
        ("cut", whole[..whole.len() - 5].to_vec()),
        ("plain", patient("b", "").into_bytes()),
    ];
    let ran = run_with_pipes(&sandbox, &["load", "--json", "cut", "plain"], &pipes).exits(11);
    assert_counts(&ran.json(), &[("created", 1), ("refused_files", 1)]);
    assert_eq!(sandbox.query("SELECT id FROM resources"), ["b"]);
}

/// An operator who stops a load, or a machine that is shut down, does not
/// depend on whoever has gone silent at the other end.
#[test]
fn a_signal_ends_a_load_that_waits_for_a_silent_pipe() {
    let silent = |paths: &[&str]| {
        let sandbox = Sandbox::new();
        sandbox.lines("a.ndjson", &[patient("a", "")]);
        pipe(&sandbox, "pipe");
        let arguments = [&["load", "--json", "-v", "a.ndjson"], paths].concat();
        let mut child = sandbox.spawn(&arguments);
        let _log = until_logged(&mut child, "started");
        // Stays open until it has ended.
        let stdin = child.stdin.take();
        terminate(&child);
        let ran = Ran::of(child.wait_with_output().expect("it ends")).exits(12);
        drop(stdin);
        let summary = ran.json();
        assert_eq!(summary["state"], "interrupted");
        assert_counts(&summary, &[("refused_files", 0)]);
        assert_balances(&summary);
        assert_counts(&sandbox.load(&["a.ndjson"]), &[("resources", 1)]);
    };
    silent(&["-"]);
    // Nobody has opened it.
    silent(&["pipe"]);
    silent(&["-", "pipe"]);
}
