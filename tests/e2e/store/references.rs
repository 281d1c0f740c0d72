//! A server that takes no reference to what is not there.

use ehr_sandbox::{Data, WriteSettings};
use serde_json::{Value, json};

use super::site::{Site, assert_alike};
use crate::generate::{observation, patient};

fn strict(status: u16) -> Site {
    let mut settings = WriteSettings::default();
    settings.dangling_references = Some(status);
    Site::with(settings)
}

fn held(writes: u64, summary: &Value) {
    let held = summary["held"].as_array().expect("what is held");
    assert_eq!(held.len(), 1, "{summary}");
    assert_eq!(held[0]["type"], "Observation", "{summary}");
    assert_eq!(held[0]["writes"], writes, "{summary}");
}

#[test]
fn what_refers_to_nobody_is_held_and_told_until_the_patient_comes() {
    for status in [409, 422] {
        let site = strict(status);
        let orphans = ["o1", "o2"].map(|id| observation(id, "Patient/late"));
        site.folder.lines("orphans.ndjson", &orphans);
        site.folder.lines("patient.ndjson", &[patient("late", "")]);

        let summary = site.loads(&["orphans.ndjson"]);
        assert_eq!(summary["created"], 2, "{summary}");
        held(2, &summary);
        assert_eq!(site.server.data().resources().count(), 0);
        let says = "Observation: 2 not taken by the store's server";
        let text = site.folder.run(["load", "orphans.ndjson"]).exits(0).text();
        assert!(text.contains(says), "{text}");
        assert!(text.contains("the next run sends them again"), "{text}");
        let ran = site.folder.run(["load", "--strict", "orphans.ndjson"]);
        assert!(ran.exits(3).text().contains(says));

        let text = site.folder.run(["status"]).exits(0).text();
        assert!(text.contains(says), "{text}");
        let status = site.folder.run(["status", "--json"]).exits(0).json();
        held(2, &status);
        // What waits is part of the store.
        let exported = site.folder.run(["export", "--json"]).exits(0).json();
        assert_eq!(exported["resources"], 2, "{exported}");

        let summary = site.loads(&["patient.ndjson"]);
        assert_eq!(summary["created"], 1, "{summary}");
        assert!(summary.get("held").is_none(), "{summary}");
        let status = site.folder.run(["status", "--json"]).exits(0).json();
        assert!(status.get("held").is_none(), "{status}");
        for name in ["orphans.ndjson", "patient.ndjson"] {
            site.twin.load(&[site.folder.path(name)]);
        }
        let strict = ["load", "--json", "--strict", "orphans.ndjson"];
        let summary = site.folder.run(strict).exits(0).json();
        assert_eq!(summary["unchanged"], 2, "{summary}");
        let server = site.server.data();
        assert_eq!(server.resources().count(), 2 * 3);
    }
}

/// Files come in the order of their names, which is not that of references.
#[test]
fn the_order_of_the_input_does_not_matter() {
    let data = Data::synthetic(5, 20);
    let mut lines: Vec<_> = data.resources().map(|own| own.json().to_owned()).collect();
    // What refers comes before what it refers to.
    lines.reverse();
    let site = strict(422);
    site.configure("bundle_writes = 15", "");
    site.folder.lines("all.ndjson", &lines);
    let here = site.loads(&["all.ndjson"]);
    let there = site.twin.load(&[site.folder.path("all.ndjson")]);
    assert_alike(&here, &there, "a summary");
    assert_eq!(here["created"], json!(lines.len()), "{here}");
    site.assert_same("reversed");
    let writes = site.writes();
    site.loads(&["all.ndjson"]);
    assert_eq!(site.writes(), writes);
}
