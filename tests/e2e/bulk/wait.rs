//! Waiting for what another process does.

use std::process::{Child, Command};
use std::time::Duration;

use fhir_http::{Clock as _, SystemClock};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_within(PATIENCE, what, is_so);
}

/// The same with another limit.
#[track_caller]
pub(crate) fn until_within(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let clock = SystemClock;
    let begin = clock.now();
    while !is_so() {
        let waited = clock.now().duration_since(begin).unwrap_or_default();
        assert!(waited < patience, "waited in vain: {what}");
        clock.sleep(Duration::from_millis(2));
    }
}

/// `kill -9`.
pub(crate) fn kill(mut child: Child) {
    child.kill().expect("a child");
    let status = child.wait().expect("a child");
    assert_eq!(status.code(), None, "it was killed, it did not end");
}

/// Asks it to end.
pub(crate) fn terminate(child: &Child) {
    let asked = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -TERM {}", child.id()))
        .status();
    assert!(asked.is_ok_and(|status| status.success()), "a signal");
}
