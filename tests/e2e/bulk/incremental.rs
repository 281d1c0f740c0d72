//! What changed since the last run, and when that is not enough.

use std::fs;

use ehr_sandbox::{Data, Where};
use serde_json::Value;

use super::expected::Expected;
use super::site::Site;
use super::wait::{kill, until};
use crate::dump::Dump;
use crate::util::assert_counts;

#[test]
fn exactly_what_changed_is_counted() {
    counts_what_changed(&[]);
}

#[test]
fn also_where_the_first_run_has_the_store_for_itself() {
    counts_what_changed(&["--exclusive"]);
}

fn counts_what_changed(arguments: &[&str]) {
    let site = Site::new(Data::synthetic(9, 20));
    let mut expected = Expected::default();
    let counts = expected.export(&site.ehr.data());
    let first = site.completes(arguments);
    assert_counts(
        &first,
        &[("created", counts.created), ("updated", 0), ("deleted", 0)],
    );
    assert_eq!(first["since"], Value::Null);
    expected.assert_in(&site, "everything");

    site.change(1, 20);
    let counts = expected.export(&site.ehr.data());
    assert!(counts.created > 0 && counts.updated > 0 && counts.deleted > 0);
    let second = site.completes(arguments);
    assert_counts(
        &second,
        &[
            ("created", counts.created),
            ("updated", counts.updated),
            ("deleted", counts.deleted),
            ("unchanged", 0),
            ("quarantined", 0),
        ],
    );
    expected.assert_in(&site, "the changes");
    let time = first["transaction_time"].as_str().map(str::to_owned);
    assert_eq!(second["since"].as_str(), time.as_deref());
    assert_eq!(site.sinces(), [None, time], "as the manifest had it");

    let before = Dump::whole(&site.folder.reader());
    let third = site.completes(arguments);
    assert_counts(&third, &[("resources", 0), ("provenance", 0)]);
    before.assert_eq(&Dump::whole(&site.folder.reader()), "nothing changed");
    assert_eq!(
        site.watermark().as_deref(),
        third["transaction_time"].as_str()
    );
}

#[test]
fn a_new_type_makes_the_next_run_a_full_one() {
    let site = Site::new(Data::synthetic(9, 5));
    site.configure(r#"types = ["Patient", "Encounter"]"#, "");
    site.completes(&[]);
    site.configure(r#"types = ["Patient", "Encounter", "Condition"]"#, "");
    let summary = site.completes(&[]);
    assert_eq!(summary["since"], Value::Null);
    let notices = summary["notices"].to_string();
    assert!(notices.contains("Condition"), "{notices}");
    assert!(summary["by_type"]["Condition"]["created"].as_u64() > Some(0));
    assert_eq!(
        summary["created"],
        summary["by_type"]["Condition"]["created"]
    );
    // Fewer types are no reason.
    let earlier = summary["transaction_time"].as_str().map(str::to_owned);
    site.configure(r#"types = ["Patient"]"#, "");
    let summary = site.completes(&[]);
    assert_eq!(site.sinces(), [None, None, earlier.clone()]);
    assert_counts(&summary, &[("resources", 0)]);
    // What the last one did not have may have changed before: the run that
    // had both counts.
    site.configure(r#"types = ["Patient", "Encounter"]"#, "");
    let summary = site.completes(&[]);
    assert_eq!(summary["since"].as_str(), earlier.as_deref(), "{summary}");
}

#[test]
fn another_level_makes_the_next_run_a_full_one() {
    let site = Site::new(Data::synthetic(9, 6));
    let half = site.completes(&["--group", "half"]);
    let all = site.completes(&[]);
    assert_eq!(all["since"], Value::Null);
    assert!(all["created"].as_u64() > Some(0) && half["created"].as_u64() > Some(0));
    Expected::of(&site.ehr.data()).assert_in(&site, "the group, then all");
    let summary = site.completes(&["--patient"]);
    assert_eq!(summary["since"], Value::Null);
    assert_counts(&summary, &[("created", 0), ("updated", 0)]);
}

#[test]
fn everything_is_exported_again_where_that_is_asked_for() {
    let site = Site::new(Data::synthetic(9, 5));
    let first = site.completes(&[]);
    let before = Dump::whole(&site.folder.reader());
    let again = site.completes(&["--since", "full"]);
    assert_eq!(again["since"], Value::Null);
    assert_eq!(again["unchanged"], first["created"]);
    assert_counts(&again, &[("created", 0), ("updated", 0), ("provenance", 0)]);
    before.assert_eq(&Dump::whole(&site.folder.reader()), "the same once more");

    let instant = "2025-01-01T00:00:00.000+01:00";
    let part = site.completes(&["--since", instant]);
    assert_eq!(part["since"], instant);
    assert_eq!(site.sinces(), [None, None, Some(instant.to_owned())]);
    assert!(part["unchanged"].as_u64() < first["created"].as_u64());
    assert!(part["unchanged"].as_u64() > Some(0));

    for nonsense in ["yesterday", "2025-01-01", "2025-01-01T00:00:00"] {
        site.bulk(&["--since", nonsense]).exits(2);
    }
}

#[test]
fn a_run_from_a_later_instant_leaves_no_hole() {
    let site = Site::new(Data::synthetic(9, 5));
    let mut expected = Expected::default();
    expected.export(&site.ehr.data());
    site.completes(&[]);
    site.change(1, 30);
    expected.export(&site.ehr.data());
    let summary = site.completes(&["--since", "2100-01-01T00:00:00Z"]);
    assert_counts(&summary, &[("resources", 0)]);
    // What changed before that instant is still to come.
    site.completes(&[]);
    expected.assert_in(&site, "after a run that skipped something");
}

#[test]
fn the_watermark_is_that_of_the_store() {
    let site = Site::new(Data::synthetic(9, 8));
    let store = site.folder.path("ingest.db");
    let mut expected = Expected::default();
    let first = site.completes(&[]);
    expected.export(&site.ehr.data());
    // Closed in order, it is one file.
    let copy = fs::read(&store).expect("a store");
    let other = site.folder.path("ingest.db-wal");
    assert!(fs::metadata(&other).map_or(0, |file| file.len()) == 0);
    site.change(1, 30);
    site.completes(&[]);

    // A copy of an earlier day is put back.
    remove(&site);
    fs::write(&store, copy).expect("a store");
    assert_eq!(
        site.watermark().as_deref(),
        first["transaction_time"].as_str()
    );
    let summary = site.completes(&[]);
    assert_eq!(summary["since"], first["transaction_time"]);
    expected.export(&site.ehr.data());
    expected.assert_in(&site, "restored");

    // The store is lost.
    remove(&site);
    assert_eq!(site.watermark(), None);
    let summary = site.completes(&[]);
    assert_eq!(summary["since"], Value::Null);
    Expected::of(&site.ehr.data()).assert_in(&site, "anew");
}

#[test]
fn changes_that_were_asked_for_are_not_enough_for_another_store() {
    let site = Site::new(Data::synthetic(9, 5));
    site.completes(&[]);
    site.change(1, 30);
    site.faults(&["status:every:stuck"]);
    let child = site.folder.spawn(["bulk", "c", "--quiet"]);
    until("a look", || site.status()["last"]["state"] == "exporting");
    until("a look", || site.ehr.count(&Where::Status) > 2);
    kill(child);
    site.mend();
    remove(&site);
    let summary = site.completes(&[]);
    assert_eq!(summary["since"], Value::Null, "{summary}");
    Expected::of(&site.ehr.data()).assert_in(&site, "a new store");
}

#[test]
fn an_export_under_way_is_given_up_for_another_one() {
    let site = Site::new(Data::synthetic(9, 5));
    site.configure("", "deadline = \"1s\"");
    site.faults(&["status:every:stuck"]);
    site.bulk(&[]).exits(7);
    assert_eq!(site.status()["resumable"], true);
    site.mend();
    site.ehr.clear_requests();
    let summary = site.completes(&["--type", "Patient"]);
    assert_eq!(site.ehr.count(&Where::KickOff), 1);
    // The one that nobody wants any more, and the one that is through.
    assert_eq!(site.ehr.count(&Where::Delete), 2);
    assert_eq!(
        summary["by_type"].as_object().map(serde_json::Map::len),
        Some(1)
    );
}

#[test]
fn a_longer_deadline_counts_for_an_export_under_way() {
    let mut settings = super::site::export();
    settings.polls = 60;
    let site = Site::with(Data::synthetic(9, 5), settings);
    site.configure("", "deadline = \"300ms\"");
    site.bulk(&[]).exits(7);
    site.configure("", "deadline = \"1h\"");
    site.ehr.clear_requests();
    site.completes(&[]);
    assert_eq!(site.ehr.count(&Where::KickOff), 0);
}

fn remove(site: &Site) {
    for name in ["ingest.db", "ingest.db-wal", "ingest.db-shm"] {
        let _ = fs::remove_file(site.folder.path(name));
    }
}
