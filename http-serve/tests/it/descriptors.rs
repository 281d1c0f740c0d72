//! What happens when the process has no file descriptor left.

use std::env;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use http_serve::Limits;

use crate::client::{Client, echo, serve};

/// The limit is of a process, so that this runs in one of its own.
#[test]
fn accepting_waits_for_descriptors_and_goes_on() {
    if env::var_os(CHILD).is_some() {
        return exhaust();
    }
    let child = Command::new("sh")
        .args(["-c", "ulimit -n 40 && exec \"$@\"", "sh"])
        .arg(env::current_exe().unwrap())
        .args([
            "--exact",
            "descriptors::accepting_waits_for_descriptors_and_goes_on",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
}

fn exhaust() {
    let server = serve(Limits::default(), echo);
    let mut stat = File::open("/proc/self/stat").unwrap();
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // The last one is for the client, and none is left to accept it.
    files.pop();
    let mut client = Client::connect(&server);
    let before = ticks(&mut stat);
    let (_keep, never) = mpsc::channel::<()>();
    assert!(never.recv_timeout(Duration::from_millis(500)).is_err());
    // Of the 50 that a loop without a pause would take.
    let spent = ticks(&mut stat) - before;
    assert!(spent < 15, "{spent} ticks");
    files.clear();
    assert_eq!(client.get("/").status, 200);
}

/// Processor time of this process, in hundredths of a second.
fn ticks(stat: &mut File) -> u64 {
    let mut text = String::new();
    stat.rewind().unwrap();
    stat.read_to_string(&mut text).unwrap();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

const CHILD: &str = "HTTP_SERVE_TEST_CHILD";
