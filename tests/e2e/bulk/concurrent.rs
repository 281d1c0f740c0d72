//! Two processes, and one that is asked to end.

use std::time::Duration;

use ehr_sandbox::{Data, Where};
use fhir_http::{Clock as _, SystemClock};
use serde_json::Value;

use super::expected::{Expected, assert_consistent};
use super::site::Site;
use super::wait::{terminate, until};
use crate::util::Ran;

#[test]
fn a_second_process_is_told_of_the_first() {
    let site = Site::new(Data::synthetic(2, 5));
    site.faults(&["status:every:stuck"]);
    let first = site.folder.spawn(["bulk", "c", "--json"]);
    until("a look", || site.ehr.count(&Where::Status) > 0);
    let status = site.status();
    let run = status["last"]["id"].as_str().expect("a run").to_owned();
    let holder = status["running"].as_str().expect("a process").to_owned();
    assert!(holder.contains(&first.id().to_string()), "{status}");
    assert_eq!(status["last"]["state"], "exporting", "{status}");

    for arguments in [&[][..], &["--since", "full"], &["--resume"], &["--cancel"]] {
        // `--cancel` and `--since` exclude each other, hence one at a time.
        let ran = site.bulk(arguments).exits(8);
        assert_eq!(ran.error_code(), "already-running");
        let message = ran.json()["error"]["message"].to_string();
        assert!(message.contains(&run), "{message}");
        assert!(message.contains(&holder), "{message}");
    }
    assert_eq!(site.ehr.count(&Where::KickOff), 1);

    site.mend();
    let summary = Ran::of(first.wait_with_output().expect("it ends"))
        .exits(0)
        .json();
    assert_eq!(summary["run"], run.as_str());
    Expected::of(&site.ehr.data()).assert_in(&site, "the first");
}

#[test]
fn two_connections_share_a_store() {
    let site = Site::new(Data::synthetic(2, 30));
    let file = site.folder.path("ingest.toml");
    let one = std::fs::read_to_string(file).expect("a configuration");
    let (_, connection) = one.split_once("[connections.c]").expect("a connection");
    let other = connection
        .replace("connections.c", "connections.d")
        .replace("urn:test:ehr", "urn:test:other")
        .replace("level =", "id_mode = \"hash\"\nlevel =");
    site.folder
        .write("ingest.toml", format!("{one}\n[connections.d]{other}"));
    let run = |name| site.folder.spawn(["bulk", name, "--json", "--quiet"]);
    let children = ["c", "d"].map(run);
    for child in children {
        let ran = Ran::of(child.wait_with_output().expect("it ends")).exits(0);
        let summary = ran.json();
        assert_eq!(summary["state"], "completed", "{summary}");
    }
    let counts = site
        .folder
        .query("SELECT source_system, count(*) FROM resources GROUP BY source_system ORDER BY 1");
    let resources = site.ehr.data().resources().count();
    let expected = ["ehr", "other"].map(|name| format!("urn:test:{name}|{resources}"));
    assert_eq!(counts, expected);
    assert_consistent(&site, None, "both");
}

#[test]
fn a_signal_ends_the_waiting_and_the_next_run_goes_on() {
    let site = Site::new(Data::synthetic(2, 5));
    site.configure("", "poll_min = \"15s\"\npoll_max = \"15s\"");
    let child = site.folder.spawn(["bulk", "c", "--json"]);
    until("a kick-off", || site.ehr.count(&Where::KickOff) > 0);
    until("an export that is known", || {
        site.status()["resumable"] == true || site.status()["last"]["state"] == "exporting"
    });
    let asked = SystemClock.now();
    terminate(&child);
    let ran = Ran::of(child.wait_with_output().expect("it ends")).exits(12);
    let took = SystemClock.now().duration_since(asked).unwrap_or_default();
    assert!(took < Duration::from_secs(8), "it took {took:?}");
    assert_eq!(ran.error_code(), "interrupted");
    let status = site.status();
    assert_eq!(status["running"], Value::Null, "{status}");
    assert_eq!(status["last"]["state"], "interrupted", "{status}");
    assert_eq!(status["resumable"], true, "{status}");
    assert_eq!(site.ehr.count(&Where::Delete), 0);

    // The configuration is the one of now, not of then.
    site.configure("", "");
    site.ehr.clear_requests();
    site.completes(&[]);
    assert_eq!(site.ehr.count(&Where::KickOff), 0);
    Expected::of(&site.ehr.data()).assert_in(&site, "afterwards");
}

#[test]
fn a_signal_ends_downloads_and_the_next_run_fetches_the_rest() {
    let site = Site::new(Data::synthetic(2, 20));
    site.faults(&["file/Observation:every:delay=1500"]);
    let child = site.folder.spawn(["bulk", "c", "--json"]);
    until("files", || site.downloaded().len() >= 4);
    terminate(&child);
    let ran = Ran::of(child.wait_with_output().expect("it ends")).exits(12);
    let summary = ran.json();
    assert_eq!(summary["state"], "interrupted", "{summary}");
    assert_eq!(site.watermark(), None);
    assert_eq!(site.ehr.count(&Where::Delete), 0);
    let there = site.downloaded();

    site.mend();
    site.ehr.clear_requests();
    site.completes(&[]);
    assert_eq!(site.ehr.count(&Where::KickOff), 0);
    let asked = site.asked();
    assert!(asked.is_disjoint(&there), "{asked:?} and {there:?}");
    Expected::of(&site.ehr.data()).assert_in(&site, "afterwards");
}

#[test]
fn an_export_is_cancelled_at_the_server() {
    let site = Site::new(Data::synthetic(2, 5));
    let ran = site.bulk(&["--cancel"]).exits(2);
    assert_eq!(ran.error_code(), "usage");
    site.bulk(&["--resume"]).exits(2);
    site.faults(&["status:every:stuck"]);
    let child = site.folder.spawn(["bulk", "c", "--json"]);
    until("a look", || site.ehr.count(&Where::Status) > 0);
    terminate(&child);
    Ran::of(child.wait_with_output().expect("it ends")).exits(12);
    let answer = site.bulk(&["--cancel"]).exits(0).json();
    assert_eq!(answer["cancelled"], true, "{answer}");
    assert_eq!(site.ehr.count(&Where::Delete), 1);
    let status = site.status();
    assert_eq!(status["resumable"], false, "{status}");

    site.mend();
    site.ehr.clear_requests();
    site.completes(&[]);
    assert_eq!(site.ehr.count(&Where::KickOff), 1);
}
