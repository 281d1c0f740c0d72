//! Runs that are killed in every state, and the ones after them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Child;

use ehr_sandbox::{Data, Files, Where};

use super::expected::{Expected, assert_consistent};
use super::site::{Site, export};
use super::wait::{kill, until};
use crate::util::open;

const FILES: Where = Where::File(Files::Any);

fn start(site: &Site, arguments: &[&str]) -> Child {
    let own = ["bulk", "c", "--quiet"];
    site.folder.spawn(own.iter().chain(arguments))
}

/// What the state of a site is when its process has been killed.
#[track_caller]
fn assert_resumable(site: &Site) {
    let status = site.status();
    assert_eq!(status["running"], serde_json::Value::Null, "{status}");
    assert_eq!(status["resumable"], true, "{status}");
    assert_eq!(status["last"]["state"], "interrupted", "{status}");
    assert_eq!(status["watermark"], serde_json::Value::Null, "{status}");
}

/// The next run goes on with the same export and ends it.
#[track_caller]
fn assert_goes_on(site: &Site, expected: &Expected, what: &str) {
    let exports = site.exports();
    site.ehr.clear_requests();
    let summary = site.completes(&[]);
    assert_eq!(
        site.ehr.count(&Where::KickOff),
        0,
        "{what}: no second export"
    );
    let notices = summary["notices"].to_string();
    assert!(
        notices.contains("going on with the export"),
        "{what}: {notices}"
    );
    expected.assert_in(site, what);
    let again = site.exports();
    assert!(exports.is_empty() || again.is_empty() || exports == again);
    assert_eq!(
        site.watermark().as_deref(),
        summary["transaction_time"].as_str()
    );
    assert_eq!(site.status()["resumable"], false, "{what}");
    let running = site
        .folder
        .query("SELECT count(*) FROM runs WHERE state = 'running'");
    assert_eq!(running, ["0"], "{what}");
}

#[test]
fn killed_while_the_server_is_asked_for_an_export() {
    let site = Site::new(Data::synthetic(2, 5));
    site.faults(&["kick-off:1:delay=2000"]);
    let child = start(&site, &[]);
    // Its token is there, so the request is on its way or about to be.
    until("a token", || site.ehr.count(&Where::Token) > 0);
    kill(child);
    site.mend();
    // Nobody knows of an export: another one has to be asked for.
    site.completes(&[]);
    Expected::of(&site.ehr.data()).assert_in(&site, "afterwards");
}

#[test]
fn killed_while_exporting() {
    let site = Site::new(Data::synthetic(2, 5));
    site.faults(&["status:every:stuck"]);
    let child = start(&site, &[]);
    until("two looks", || site.ehr.count(&Where::Status) >= 2);
    kill(child);
    assert_resumable(&site);
    site.mend();
    assert_goes_on(&site, &Expected::of(&site.ehr.data()), "exporting");
}

#[test]
fn killed_while_downloading() {
    let site = Site::new(Data::synthetic(2, 20));
    site.faults(&["file/Observation:every:delay=8000"]);
    let child = start(&site, &[]);
    let observations = Where::File(Files::Type("Observation".to_owned()));
    // All that comes before them is there, or soon will be.
    until("files", || site.downloaded().len() >= 5);
    kill(child);
    let known = site.downloaded();
    assert_eq!(site.ehr.count(&observations), 0, "answered");
    assert_resumable(&site);
    assert_consistent_if_there(&site);
    site.mend();
    let expected = Expected::of(&site.ehr.data());
    assert_goes_on(&site, &expected, "downloading");
    let asked = site.asked();
    assert!(asked.is_disjoint(&known), "{asked:?} and {known:?}");
    assert!(!asked.is_empty());
}

#[test]
fn killed_while_processing() {
    goes_on_after_processing(&[]);
}

#[test]
fn killed_while_processing_into_a_store_that_nobody_else_reads() {
    goes_on_after_processing(&["--exclusive"]);
}

fn goes_on_after_processing(arguments: &[&str]) {
    let data = Data::synthetic(4, 150);
    let settings = || {
        let mut settings = export();
        settings.resources_per_file = 200;
        settings
    };
    let undisturbed = Site::with(data.clone(), settings());
    undisturbed.completes(arguments);
    let expected = Expected::of(&data);
    expected.assert_in(&undisturbed, "undisturbed");
    let size = written(&undisturbed.folder.path("ingest.db"));
    let dump = undisturbed.folder.dump();

    let mut in_time = 0;
    for share in [20, 50, 80] {
        let what = format!("{arguments:?} killed at {share} % of the writing");
        let site = Site::with(data.clone(), settings());
        let mut child = start(&site, arguments);
        let store = site.folder.path("ingest.db");
        until("something in the store", || {
            written(&store) >= size * share / 100 || child.try_wait().is_ok_and(|end| end.is_some())
        });
        if child.try_wait().expect("a child").is_some() {
            continue;
        }
        child.kill().expect("a child");
        if child.wait().expect("a child").code().is_some() {
            continue;
        }
        in_time += 1;
        let known = site.downloaded();
        assert_resumable(&site);
        assert_consistent_if_there(&site);
        assert_goes_on(&site, &expected, &what);
        let asked = site.asked();
        assert!(asked.is_disjoint(&known), "{what}: {asked:?} and {known:?}");
        site.folder.dump().assert_eq(&dump, &what);
    }
    assert!(in_time >= 2, "{in_time} were killed in time");
}

fn assert_consistent_if_there(site: &Site) {
    let path = site.folder.path("ingest.db");
    let begun = fs::metadata(&path).is_ok_and(|file| file.len() > 0);
    if begun
        && open(&path)
            .prepare("SELECT * FROM resource_versions")
            .is_ok()
    {
        assert_consistent(site, None, "killed");
    }
}

/// Bytes of the database and its write-ahead log.
fn written(store: &Path) -> u64 {
    let size = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    size(store) + size(&store.with_extension("db-wal"))
}

#[test]
fn files_that_were_there_are_not_asked_for_again_after_a_partial_run() {
    let site = Site::new(Data::synthetic(2, 10));
    site.faults(&["file/2:every:expired=404"]);
    site.bulk(&[]).exits(11);
    let all = site.ehr.count(&FILES);
    assert!(all > 3);
    site.mend();
    site.ehr.clear_requests();
    let summary = site.completes(&["--resume"]);
    assert_eq!(site.ehr.count(&Where::KickOff), 0, "{summary}");
    assert_eq!(site.asked(), BTreeSet::from([2]));
    Expected::of(&site.ehr.data()).assert_in(&site, "resumed");
}
