//! Patients who were merged into others.

use ehr_sandbox::adt::{Day, MergeStyle};
use ingest_pipeline::fetch::{FetchRequest, PatientKey, TriggerMessage};
use ingest_pipeline::store::InMemoryStore;
use ingest_pipeline::{Input, Load, LoadOptions, MergedPatient, Settings};
use serde_json::{Value, json};

use crate::support::{Folder, content};

use super::site::{Site, by_id, by_mrn, data, encounter, mrn, patient};

fn merge(survivor: &str, gone: PatientKey) -> FetchRequest {
    FetchRequest {
        merged: vec![gone],
        message: Some(TriggerMessage {
            control_id: "MERGE".to_owned(),
            raw_key: "raw".to_owned(),
        }),
        ..by_mrn(survivor)
    }
}

fn link(to: &str) -> Value {
    json!([{"other": {"reference": format!("Patient/{to}")}, "type": "replaced-by"}])
}

const BY_MESSAGE: &str = "MERGE raw";

#[test]
fn a_day_of_the_sandbox_ends_with_a_link_in_both_styles() {
    for style in [MergeStyle::ReplacedBy, MergeStyle::Unmarked] {
        let site = Site::new("");
        let mut day = Day::default();
        day.merge = style;
        for number in 1..=10 {
            site.fetch_patient(&format!("p{number}"));
        }
        let mut merges = 0;
        for event in day.events(1, &site.sandbox.data()) {
            let expected = event.expected();
            let Some(gone) = &expected.merged else {
                site.sandbox.apply(&event);
                continue;
            };
            let from = gone.patient.clone().unwrap();
            site.fetch_patient(&from);
            let before = site.versions("Patient", &from).len();
            site.sandbox.apply(&event);
            merges += 1;
            let survivor = expected.patients[0].clone();
            let into = survivor.patient.unwrap();
            let request = merge(&survivor.mrn, mrn(&gone.mrn));
            site.fetch(&request);
            let body = site.body("Patient", &from);
            assert_eq!(body["link"], link(&into), "{style:?}");
            let versions = site.versions("Patient", &from);
            assert_eq!(versions.len(), before + 1, "{style:?}");
            assert_eq!(
                versions[before],
                [format!("Patient/{from}").as_str(), BY_MESSAGE]
            );
            // What was theirs is the survivor's.
            let about = format!("Patient/{from}");
            let left = site.current().into_iter().filter(|(kind, _, body)| {
                ["Encounter", "Observation", "Condition"].contains(&kind.as_str())
                    && body.contains(&format!("\"{about}\""))
            });
            assert_eq!(left.count(), 0, "{style:?}");
            // Once more changes nothing.
            let again = site.fetch(&request);
            assert_eq!((again.created, again.updated), (0, 0), "{style:?}");
            assert_eq!(site.versions("Patient", &from).len(), before + 1);
        }
        assert_eq!(merges, 1);
    }
}

#[test]
fn the_servers_own_record_comes_first_and_the_link_after_it() {
    let lines = [patient("new", "1", ""), patient("old", "2", r#","x":1.00"#)];
    for gone in [mrn("2"), PatientKey::Id("old".to_owned())] {
        let site = Site::of(&lines, "");
        let summary = site.fetch(&merge("1", gone));
        assert_eq!((summary.created, summary.updated), (2, 1));
        let mut store = site.store();
        use ingest_pipeline::store::ResourceStore as _;
        let history = store.history("Patient", "old").unwrap();
        assert_eq!(history[0].body.as_deref(), Some(lines[1].as_str()));
        let marked = history[1].body.as_deref().unwrap();
        assert!(marked.ends_with(r#""x":1.00}"#), "{marked}");
        assert_eq!(
            serde_json::from_str::<Value>(marked).unwrap()["link"],
            link("new")
        );
    }
}

#[test]
fn who_is_at_the_store_only_is_marked_there() {
    let seealso = r#","link":[{"other":{"reference":"Patient/x"},"type":"seealso"}]"#;
    let also = format!(
        r#""value":"1"}},{{"system":"{}","value":"2"}}"#,
        ehr_sandbox::Data::MRN_SYSTEM
    );
    for (mode, new, old, takes_number) in [
        ("preserve", "new", "old", false),
        ("hash", "new", "old", false),
        // The number is the survivor's by now.
        ("preserve", "new", "old", true),
        // Known by their numbers, and so stored under other ids.
        ("preserve", "1", "2", false),
        ("hash", "1", "2", true),
    ] {
        let what = format!("{mode} {new} {takes_number}");
        let both = [patient(new, "1", ""), patient(old, "2", seealso)];
        let site = Site::of(&both, &format!("id_mode = \"{mode}\"\n"));
        site.fetch_patient(old);
        let stored = site.current().remove(0).1;
        assert_eq!(stored == old, mode == "preserve" && new == "new", "{what}");
        let mut survivor = both[0].clone();
        if takes_number {
            survivor = survivor.replace(r#""value":"1"}"#, &also);
        }
        site.sandbox.set_data(data(&[survivor]));
        for (round, gone) in [mrn("2"), PatientKey::Id(old.to_owned()), mrn("2")]
            .into_iter()
            .enumerate()
        {
            let gathered = site.gather(&merge("1", gone)).unwrap();
            assert_eq!(gathered.counts().unknown_merged, 0, "{what}");
            let summary = site.load(&[gathered]);
            let written = if round == 0 { (1, 1, 2) } else { (0, 0, 0) };
            let counts = (summary.created, summary.updated, summary.provenance);
            assert_eq!(counts, written, "{what}: nothing is written twice");
        }
        let current = site.current();
        let (_, remains, _) = current.iter().find(|(_, id, _)| *id != stored).unwrap();
        let body = site.body("Patient", &stored);
        assert_eq!(body["link"][1], link(remains)[0], "{what}");
        assert_eq!(body["link"][0]["type"], "seealso");
        let versions = site.versions("Patient", &stored);
        assert_eq!(versions[1], [format!("Patient/{old}").as_str(), BY_MESSAGE]);
    }
}

#[test]
fn who_is_known_to_nobody_is_counted() {
    let site = Site::of(&[patient("new", "1", "")], "");
    let request = FetchRequest {
        merged: vec![mrn("2"), PatientKey::Id("old".to_owned()), mrn("1")],
        ..by_mrn("1")
    };
    let gathered = site.gather(&request).unwrap();
    assert_eq!(gathered.counts().unknown_merged, 3);
    let summary = site.load(&[gathered]);
    assert_eq!((summary.resources, summary.created), (1, 1));
    assert_eq!(
        site.body("Patient", "new").get("link"),
        None,
        "nobody replaces themselves"
    );
}

#[test]
fn who_can_t_be_told_apart_is_not_marked() {
    let lines = [
        patient("new", "1", ""),
        patient("a", "2", ""),
        patient("b", "2", ""),
    ];
    let site = Site::of(&lines, "");
    let gathered = site.gather(&merge("1", mrn("2"))).unwrap();
    assert_eq!(gathered.counts().unknown_merged, 1);
    site.load(&[gathered]);
    for id in ["a", "b"] {
        assert_eq!(site.body("Patient", id).get("link"), None);
    }
}

#[test]
fn the_link_stays_until_the_server_has_a_newer_record() {
    let lines = [patient("new", "1", ""), patient("old", "2", "")];
    for stored_before in [false, true] {
        let site = Site::of(&lines, "");
        if stored_before {
            site.fetch_patient("old");
        }
        site.fetch(&merge("1", mrn("2")));
        // By a fetch, and by a file as an export has it.
        for _ in 0..2 {
            let summary = site.fetch_patient("old");
            assert_eq!((summary.unchanged, summary.updated), (1, 0));
        }
        let file = site.folder.path().join("Patient.ndjson");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let options = site.fetcher().load_options(site.around().run_id());
        let inputs = ingest_pipeline::inputs(&[file]).unwrap();
        let summary = Load::new(options, &inputs)
            .run(&mut site.store(), &*site.clock, &mut ())
            .unwrap();
        assert_eq!((summary.unchanged, summary.updated), (2, 0));
        assert_eq!(site.body("Patient", "old")["link"], link("new"));

        let newer = lines[1].replace("2026-01-01", "2026-01-02");
        site.sandbox.set_data(data(&[lines[0].clone(), newer]));
        site.fetch_patient("old");
        assert_eq!(
            site.body("Patient", "old").get("link"),
            None,
            "somebody after all"
        );
    }
}

#[test]
fn a_merge_asks_for_everything_since_what_moves_may_look_old() {
    let lines = [
        patient("new", "1", ""),
        patient("old", "2", ""),
        encounter("e", "new", ""),
    ];
    let site = Site::of(&lines, "");
    let since = Some("2027-01-01T00:00:00Z".parse().unwrap());
    site.fetch_patient("new");
    site.sandbox.clear_requests();
    site.gather(&FetchRequest {
        since,
        ..by_id("new")
    })
    .unwrap();
    assert!(site.searches("Encounter")[0].contains("_lastUpdated"));
    site.sandbox.clear_requests();
    let request = FetchRequest {
        since,
        ..merge("1", mrn("2"))
    };
    site.fetch(&request);
    assert!(!site.searches("Encounter")[0].contains("_lastUpdated"));
    assert!(site.stored("Encounter", "e").is_some());
}

#[test]
fn the_servers_own_link_counts_wherever_it_leads() {
    let elsewhere = r#","link":[{"other":{"reference":"Patient/third"},"type":"replaced-by"}]"#;
    let lines = [patient("new", "1", ""), patient("old", "2", elsewhere)];
    let site = Site::of(&lines, "");
    let summary = site.fetch(&merge("1", mrn("2")));
    assert_eq!((summary.created, summary.updated), (2, 0));
    assert_eq!(site.body("Patient", "old")["link"], link("third"));
}

#[test]
fn marks_that_make_no_sense_are_not_made() {
    let site = Site::new("");
    let folder = Folder::new(&[
        ("a.ndjson", &patient("a", "1", "")),
        ("b.ndjson", &patient("b", "2", "")),
    ]);
    let mut store = InMemoryStore::new();
    let load = |store: &mut InMemoryStore, source: &str, inputs: &[Input]| {
        let run = site.around().run_id();
        let options = LoadOptions::new(Settings::new(source), run, folder.path());
        Load::new(options, inputs)
            .run(store, &*site.clock, &mut ())
            .unwrap()
    };
    let inputs = folder.inputs();
    load(&mut store, "urn:x", &inputs[..1]);
    load(&mut store, "urn:y", &inputs[1..]);
    let before = content(&mut store);
    let merged = [("a", "a"), ("b", "a"), ("none", "a")];
    let merged = merged.map(|(id, survivor)| MergedPatient {
        id: id.to_owned(),
        survivor: survivor.to_owned(),
    });
    let empty = Input::opened(tempfile::tempfile().unwrap(), 0, "empty".to_owned());
    let summary = load(&mut store, "urn:x", &[empty.merging(merged)]);
    assert_eq!((summary.resources, summary.provenance), (0, 0));
    assert_eq!(content(&mut store), before);
}
