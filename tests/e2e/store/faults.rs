//! What goes wrong with a server while it is written to, as a table: one more
//! run ends with everything, once.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ehr_sandbox::WriteSettings;
use serde_json::Value;

use super::site::{Expected, Site, everything, synthea};
use crate::util::Sandbox;

/// What has to come of the run with the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is got over.
    Whole,
    /// The run ends with the exit code of a store that fails.
    Failed,
}

use Outcome::{Failed, Whole};

const TABLE: &[(&str, Outcome)] = &[
    ("write:2:status=413", Whole),
    ("write:first-2:status=413", Whole),
    ("write:2:status=429,retry-after=1", Whole),
    ("write:every:status=429,retry-after=0", Failed),
    ("write:2:status=503", Whole),
    ("write:every:status=503", Failed),
    ("write:2:status=409", Whole),
    ("write:2:status=412,body=outcome/conflict", Whole),
    ("write:2:status=408", Whole),
    ("write:2:status=401", Failed),
    ("write:3:status=403,body=outcome/forbidden", Failed),
    ("write:2:html", Failed),
    ("write:2:redirect", Failed),
    ("write:2:drop", Whole),
    ("write:every:drop", Failed),
    ("write:2:cut=20", Whole),
    ("write:2:after=drop", Whole),
    ("write:every:after=drop", Failed),
    ("write:2:after=status=503", Whole),
    ("write:2:after=status=504,body=html", Whole),
    ("write:2:after=html", Failed),
    ("write:3:after=transient", Whole),
    // It is carried out, and the answer comes later than the client waits.
    ("write:2:after=delay=1200", Whole),
];

/// Cases that are under way at a time: they wait more than they work.
const PARALLEL: usize = 6;

#[test]
fn one_more_run_ends_with_everything_once() {
    let mut cases = Vec::new();
    for &(fault, outcome) in TABLE {
        cases.push((fault, outcome, true));
    }
    // Where resource and Provenance are not one transaction, some.
    for &(fault, outcome) in TABLE.iter().step_by(4) {
        cases.push((fault, outcome, false));
    }
    let input = Sandbox::new();
    let folder = everything(&input);
    let expected = Expected::loaded(&[&folder]);
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut failed = Vec::new();
        while let Some(&case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (fault, outcome, transactions) = case;
            let name = format!("{fault}, transactions {transactions}");
            let ended = thread::scope(|scope| {
                let thread = thread::Builder::new().name(name.clone());
                let run = || recovers((fault, outcome, transactions), &folder, &expected);
                thread.spawn_scoped(scope, run).expect("a thread").join()
            });
            failed.extend(ended.err().map(|_| name));
        }
        failed
    };
    let failed: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..PARALLEL).map(|_| scope.spawn(worker)).collect();
        let ended = workers.into_iter().map(|worker| worker.join());
        ended.flat_map(|failed| failed.expect("no panic")).collect()
    });
    assert!(failed.is_empty(), "failed, see above: {failed:?}");
}

/// The server does later what the client has given up, and sent again: the
/// same, so that it does no harm.
#[test]
fn a_request_that_is_carried_out_late_changes_nothing() {
    let expected = Expected::loaded(&[synthea()]);
    recovers(("write:2:delay=1200", Whole, true), &synthea(), &expected);
}

fn recovers(case: (&str, Outcome, bool), folder: &Path, expected: &Expected) {
    let (fault, outcome, transactions) = case;
    let mut settings = WriteSettings::default();
    settings.transactions = transactions;
    let site = Site::with(settings);
    let timeouts = "first_byte_timeout = \"600ms\", read_timeout = \"600ms\"";
    site.configure(
        &format!("bundle_writes = 40\nconcurrency = 2\nhttp = {{ retries = 1, {timeouts} }}"),
        "",
    );
    site.faults(&[fault]);
    let ran = site.load(&[folder]);
    let requests = site.server.requests();
    assert!(requests.len() > 1, "the fault is met");
    // What is written goes nowhere else, whatever the server says.
    assert!(!requests.iter().any(|own| own.elsewhere));
    match outcome {
        Whole => {
            let summary = ran.exits(0).json();
            assert_eq!(summary.get("drifted"), None, "{summary}");
        }
        Failed => {
            let ran = ran.exits(10);
            assert_eq!(ran.error_code(), "store");
            let error = &ran.json()["error"];
            assert_ne!(error["hint"], Value::Null, "{error}");
        }
    }

    site.mend();
    let summary = site.loads(&[folder]);
    assert_eq!(summary.get("refused_late"), None, "{summary}");
    let refused = "SELECT count(*) FROM quarantine WHERE reason = 'store-refused'";
    assert_eq!(site.state(refused), ["0"], "{fault}");
    match outcome {
        Whole => site.assert_holds(expected, fault),
        // What a run that failed wrote under a record number becomes another version.
        Failed => site.assert_whole(&expected.content, fault),
    }
    let states = site.state("SELECT state, count(*) FROM runs GROUP BY 1 ORDER BY 1");
    let before = match outcome {
        Whole => vec!["completed|2"],
        Failed => vec!["completed|1", "failed|1"],
    };
    assert_eq!(states, before, "{fault}");
}
