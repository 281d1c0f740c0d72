//! A load into a slow server that is asked to end.

use std::process::{Child, Command};
use std::time::Duration;

use ehr_sandbox::Where;
use fhir_http::{Clock as _, SystemClock};

use super::site::{Site, everything};
use crate::bulk::wait::until;
use crate::util::{Ran, assert_balances};

#[test]
fn a_signal_ends_a_load_and_the_next_one_finishes_the_work() {
    for signal in ["INT", "TERM"] {
        let site = Site::new();
        site.configure("bundle_writes = 10\nconcurrency = 1", "");
        site.faults(&["write:every:delay=150"]);
        let folder = everything(&site.twin);
        let input = folder.to_str().expect("UTF-8");
        let child = site.folder.spawn(["load", "--json", "--quiet", input]);
        until("a Bundle that is written", || {
            site.server.count(&Where::Write) >= 2
        });
        let asked = SystemClock.now();
        send(&child, signal);
        let ran = Ran::of(child.wait_with_output().expect("it ends")).exits(12);
        let took = SystemClock.now().duration_since(asked).unwrap_or_default();
        assert!(took < Duration::from_secs(8), "it took {took:?}");
        let summary = ran.json();
        assert_balances(&summary);
        assert_eq!(summary["state"], "interrupted", "{summary}");
        // Some of the writes are under way, and told of.
        assert!(summary["held"][0]["writes"].is_u64(), "{summary}");
        let there = site.server.data().resources().count();
        assert!((1..2 * 139).contains(&there), "{there} resources");

        let runs = site.folder.run(["runs", "list", "--json"]).exits(0).json();
        assert_eq!(runs["runs"][0]["state"], "interrupted", "{runs}");
        site.mend();
        site.loads(&[&folder]);
        site.twin.load(&[&folder]);
        site.assert_same(signal);
    }
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{signal} {}", child.id()))
        .status();
    assert!(sent.is_ok_and(|status| status.success()), "a signal");
}
