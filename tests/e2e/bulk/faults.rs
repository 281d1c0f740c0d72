//! The whole fault plan, as a table: whatever happens, the data is there
//! exactly once and the command says so, or it says that it is not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ehr_sandbox::{Data, FaultPlan, ManifestStyle, What, Where};

use super::expected::{Expected, assert_consistent};
use super::site::{Site, export};
use crate::util::{Ran, assert_balances};

/// What has to come of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything arrived, exit code 0.
    Whole,
    /// What could be had is there, exit code 11.
    Partial,
    /// There is nothing new; this exit code.
    Failed(i32),
    /// No export comes by where it happens.
    NotMet,
}

use Outcome::{Failed, NotMet, Partial, Whole};

/// Every plan of [`FaultPlan::catalogue`].
const TABLE: &[(&str, Outcome)] = &[
    ("discovery-html", Failed(5)),
    ("discovery-relative", Whole),
    ("token-503", Whole),
    ("token-bare-400", Failed(5)),
    ("metadata-403", NotMet),
    ("kick-off-429", Whole),
    ("kick-off-503", Whole),
    ("kick-off-relative", Whole),
    ("kick-off-401", Whole),
    ("kick-off-dropped", Whole),
    ("status-429", Whole),
    ("status-500-html", Whole),
    ("status-transient", Whole),
    ("status-401", Whole),
    ("status-retry-after-date", Whole),
    ("status-retry-after-epoch-ms", Whole),
    ("status-retry-after-nonsense", Whole),
    ("status-gone", Failed(7)),
    ("status-stuck", Failed(7)),
    ("manifest-relative", Whole),
    ("manifest-no-error-key", Whole),
    ("manifest-next-link", Whole),
    ("manifest-duplicate-url", Whole),
    ("manifest-outcome-errors", Partial),
    ("manifest-count-high", Partial),
    ("manifest-count-low", Partial),
    ("manifest-cut", Whole),
    ("file-503", Whole),
    ("file-429", Whole),
    ("file-404", Partial),
    ("file-410", Partial),
    ("file-404-then-fine", Whole),
    ("file-401", Whole),
    ("file-cut-length", Whole),
    ("file-cut-chunked", Whole),
    ("file-cut-twice", Whole),
    ("file-cut-no-range", Whole),
    ("file-cut-changed", Whole),
    ("file-dropped", Whole),
    ("file-gzip-cut", Whole),
    ("file-short", Whole),
    ("file-short-always", Partial),
    ("file-html", Whole),
    ("file-html-always", Partial),
    ("file-content-type", Whole),
    ("file-wrong-type", Partial),
    ("file-redirect", Whole),
    ("file-slow", Whole),
    ("delete-500", Whole),
    ("read-503", NotMet),
    ("search-429", NotMet),
    ("search-relative", NotMet),
    ("search-redirect", NotMet),
    ("search-cut", NotMet),
    ("write-503", NotMet),
    ("write-429", NotMet),
    ("write-401", NotMet),
    ("write-dropped", NotMet),
    ("write-cut", NotMet),
    ("write-slow", NotMet),
    ("write-done-dropped", NotMet),
    ("write-done-504", NotMet),
    ("write-done-slow", NotMet),
];

/// What goes wrong once at every place and can be got over, for servers of
/// all kinds.
const PASSING: &[&str] = &[
    "kick-off:1:status=503,body=html",
    "status:1:transient",
    "manifest:1:cut=50",
    "file:1:cut=1000,chunked",
    "file:3:expire-token",
    "file:5:html",
    "file:7:drop",
    "file/2:1:gzip-cut=100",
];

/// Cases that are under way at a time: they wait more than they work.
const PARALLEL: usize = 6;

/// A limit for the export that never ends; the others take no such time.
const DEADLINE: &str = "deadline = \"6s\"";

#[test]
fn every_fault_is_got_over_or_told() {
    let catalogue = FaultPlan::catalogue();
    let names: Vec<_> = catalogue.iter().map(|(name, _)| *name).collect();
    let listed: Vec<_> = TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, names, "the table has to have the whole catalogue");
    let cases = catalogue.into_iter().zip(TABLE);
    let cases = cases.map(|((name, plan), (_, outcome))| {
        let case = move || {
            let site = Site::new(data());
            site.configure("", if name == "status-stuck" { DEADLINE } else { "" });
            exports(&site, &plan, *outcome);
        };
        (name, Box::new(case) as Case)
    });
    run_all(cases.collect());
}

#[test]
fn servers_of_all_kinds_are_read_whole() {
    let mut kinds = Vec::new();
    let mut kind = |name, settings| kinds.push((name, settings));
    for (name, style) in [
        ("as 1.0 to 3.0", ManifestStyle::V3),
        ("as 4.0", ManifestStyle::V4),
        ("minimal", ManifestStyle::Minimal),
        ("booleans as strings", ManifestStyle::StringBooleans),
    ] {
        let mut settings = export();
        settings.manifest = style;
        kind(name, settings);
    }
    let mut settings = export();
    settings.gzip = false;
    kind("without compression", settings);
    let mut settings = export();
    settings.files_elsewhere = true;
    kind("files at another origin", settings);
    let mut settings = export();
    settings.one_job = true;
    kind("one job at a time", settings);
    let mut settings = export();
    settings.polls = 0;
    kind("ready at once", settings);

    let cases = kinds.into_iter().map(|(name, settings)| {
        let case = move || {
            let elsewhere = settings.files_elsewhere;
            let site = Site::with(data(), settings.clone());
            let plan = FaultPlan::of(PASSING).expect("faults");
            exports(&site, &plan, Whole);
            let went = site.ehr.requests().iter().any(|request| request.elsewhere);
            assert_eq!(went, elsewhere);
        };
        (name, Box::new(case) as Case)
    });
    run_all(cases.collect());
}

#[test]
fn no_redirect_takes_a_token_along() {
    let places = [
        "discovery",
        "token",
        "kick-off",
        "status",
        "manifest",
        "delete",
    ];
    let cases = places.into_iter().map(|place| {
        let case = move || {
            let site = Site::new(data());
            site.faults(&[&format!("{place}:every:redirect")]);
            let ran = site.bulk(&[]);
            let expected = Expected::of(&site.ehr.data());
            match ran.code {
                Some(0) => expected.assert_in(&site, "redirected"),
                code => {
                    assert!(matches!(code, Some(5..=7)), "{code:?}: {}", ran.stderr);
                    assert_eq!(site.watermark(), None);
                }
            }
            site.assert_no_token_elsewhere();
            let posts = site.ehr.requests();
            let mut posts = posts.iter().filter(|request| request.elsewhere);
            assert!(posts.all(|request| request.place != Some(Where::Token)));
            site.mend();
            site.completes(&[]);
            expected.assert_in(&site, "in the end");
        };
        (place, Box::new(case) as Case)
    });
    run_all(cases.collect());
}

type Case = Box<dyn Fn() + Send + Sync>;

/// Runs the cases, some at a time, each in a thread of its name.
fn run_all(cases: Vec<(&'static str, Case)>) {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut failed = Vec::new();
        while let Some((name, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ended = thread::scope(|scope| {
                let thread = thread::Builder::new().name((*name).to_owned());
                thread.spawn_scoped(scope, case).expect("a thread").join()
            });
            if ended.is_err() {
                failed.push(*name);
            }
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

fn data() -> Data {
    Data::synthetic(5, 12)
}

/// A first export, and after some changes one of those, both with the same
/// things going wrong.
fn exports(site: &Site, plan: &FaultPlan, outcome: Outcome) {
    let mut expected = Expected::default();
    for _ in 0..2 {
        let before = site.watermark();
        expected.export(&site.ehr.data());
        site.ehr.clear_requests();
        site.ehr.set_faults(plan.clone());
        let ran = site.bulk(&[]);
        assert_met(site, plan, outcome);
        match outcome {
            Whole | NotMet => {
                let summary = ran.exits(0).json();
                assert_eq!(summary["state"], "completed", "{summary}");
                assert_balances(&summary);
            }
            Partial => assert_partial(site, ran, before.as_ref()),
            Failed(code) => assert_failed(site, ran, code, before.as_ref()),
        }
        if matches!(outcome, Partial | Failed(_)) {
            site.mend();
            site.completes(&[]);
        }
        expected.assert_in(site, "in the end");
        let since = site.sinces();
        assert!(
            !since.is_empty() && since.iter().all(|since| *since == before),
            "{since:?}"
        );
        assert_ne!(site.watermark(), before, "it has to move");
        for export in site.exports() {
            assert!(site.is_deleted(&export), "the server keeps {export}");
        }
        site.assert_no_token_elsewhere();
        site.change(7, 40);
    }
}

/// What is planned to go wrong has to be come by.
fn assert_met(site: &Site, plan: &FaultPlan, outcome: Outcome) {
    for fault in plan.faults() {
        // A manifest is the answer to a status request.
        let at = match fault.at() {
            Where::Manifest => &Where::Status,
            at => at,
        };
        let met = site.ehr.count(at) > 0;
        assert_eq!(met, outcome != NotMet, "{fault}");
        if met && *fault.what() == What::Redirect {
            assert!(site.ehr.requests().iter().any(|request| request.elsewhere));
        }
    }
}

fn assert_partial(site: &Site, ran: Ran, before: Option<&String>) {
    let summary = ran.exits(11).json();
    assert_eq!(summary["state"], "partial", "{summary}");
    assert!(summary["error"].is_string(), "{summary}");
    assert_balances(&summary);
    assert_unmoved(site, "partial", before);
}

fn assert_failed(site: &Site, ran: Ran, code: i32, before: Option<&String>) {
    let ran = ran.exits(code);
    let name = match code {
        5 => "authentication",
        6 => "network",
        _ => "server",
    };
    assert_eq!(ran.error_code(), name);
    assert_unmoved(site, "failed", before);
}

fn assert_unmoved(site: &Site, state: &str, before: Option<&String>) {
    let status = site.status();
    assert_eq!(status["last"]["state"], state, "{status}");
    assert_eq!(status["watermark"].as_str(), before.map(String::as_str));
    // The files may be wanted once more.
    assert_eq!(site.ehr.count(&Where::Delete), 0);
    assert_consistent(site, None, "after the fault");
}
