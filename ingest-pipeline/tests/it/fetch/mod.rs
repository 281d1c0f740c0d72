//! Fetches of patients on a clock that only sleeping moves, against a sandbox
//! without sockets.

mod clocks;
mod faults;
mod merges;
mod odd_servers;
mod people;
mod references;
mod settings;
mod site;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use ehr_sandbox::{Data, Level, SearchSettings, Where};
use fhir_http::Clock as _;
use ingest_pipeline::access::SqliteFile;
use ingest_pipeline::bulk::{Bulk, BulkOptions};
use ingest_pipeline::fetch::{FetchRequest, InStore, Known, TriggerMessage};
use ingest_pipeline::state::State;
use ingest_pipeline::store::{InMemoryStore, RunState, RunStore as _};
use ingest_pipeline::{Input, Load};
use jiff::Timestamp;

use self::site::{Site, TYPES, by_id, by_mrn, current, data, encounter, patient};

/// What belongs to a patient, as `Type/id`.
fn record(data: &Data, patient: &str) -> BTreeSet<String> {
    let about = format!(r#""subject":{{"reference":"Patient/{patient}"}}"#);
    data.resources()
        .filter(|resource| TYPES[..5].contains(&resource.resource_type()))
        .filter(|resource| resource.id() == patient || resource.json().contains(&about))
        .map(|resource| format!("{}/{}", resource.resource_type(), resource.id()))
        .collect()
}

#[test]
fn a_patient_comes_with_all_pages_and_what_is_referred_to() {
    let site = Site::new("[connections.c.adt]\npage_size = 2\n");
    let data = site.sandbox.data();
    let summary = site.fetch(&by_mrn("MRN000003"));
    assert_eq!(summary.state, RunState::Completed);
    let current = site.current();
    let there: BTreeSet<_> = current
        .iter()
        .map(|(kind, id, _)| format!("{kind}/{id}"))
        .collect();
    let own = record(&data, "p3");
    assert!(own.len() > 6, "more than a page of something");
    assert!(there.is_superset(&own));
    // A doctor, whose role is of an organization.
    for kind in [
        "Practitioner/",
        "PractitionerRole/",
        "Organization/",
        "Location/",
    ] {
        assert!(there.iter().any(|name| name.starts_with(kind)), "{kind}");
    }
    let foreign = there.iter().filter(|name| name.starts_with("Patient/"));
    assert_eq!(foreign.count(), 1);
    assert!(
        !there
            .iter()
            .any(|name| name.starts_with("DocumentReference/"))
    );
    // Nothing of a text is changed that need not be.
    for (kind, id, body) in &current {
        assert_eq!(
            body,
            data.resource(kind, id).expect(id).json(),
            "{kind}/{id}"
        );
    }
    assert_eq!(summary.created, current.len() as u64);
    assert!(site.searches("Observation").len() > 2);
    assert!(site.searches("Observation")[0].contains("_count=2"));
    let run = site.store().run(&summary.run).unwrap().unwrap();
    assert_eq!(
        (run.kind.as_str(), run.connection.as_deref()),
        ("fetch", Some("c"))
    );
}

#[test]
fn the_second_time_nothing_is_written_nor_read_without_need() {
    let site = Site::new("");
    let first = site.fetch_patient("p1");
    let before = site.current();
    site.sandbox.clear_requests();
    let second = site.fetch_patient("p1");
    assert_eq!((second.created, second.updated, second.deleted), (0, 0, 0));
    assert!(second.unchanged > 0 && second.resources < first.resources);
    assert_eq!(site.current(), before);
    for kind in [
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Location",
    ] {
        assert!(
            site.reads(kind).is_empty() && site.searches(kind).is_empty(),
            "{kind}"
        );
    }
}

#[test]
fn fetches_of_all_patients_come_to_what_an_export_does() {
    for mode in ["preserve", "hash"] {
        let lines = format!(
            "id_mode = \"{mode}\"\nscopes = [\"system/*.rs\"]\ntypes = {TYPES:?}\nlevel = \"group\"\ngroup = \"all\"\n"
        );
        let site = Site::new(&lines);
        let mut gathered = Vec::new();
        let fetcher = site.fetcher();
        for number in 1..=10 {
            gathered.push(fetcher.gather(&by_id(&format!("p{number}")), &()).unwrap());
        }
        let summary = site.load(&gathered);
        assert_eq!(
            (summary.state, summary.quarantined),
            (RunState::Completed, 0)
        );
        let fetched = site.current();

        let around = site.around();
        let db = site.folder.path().join("bulk.db");
        let mut state = State::open(&State::path_beside(&db)).unwrap();
        Bulk::new(
            &site.settings,
            BulkOptions::new(around.run_id(), "test"),
            &around,
        )
        .run(&SqliteFile(db.clone()), &mut state, &mut ())
        .unwrap();
        let exported = current(&db);
        let level = Level::Group("all".to_owned());
        let expected = site.sandbox.data().expected_resources(&level, &TYPES, None);
        assert_eq!(exported.len(), expected.len());
        assert_eq!(fetched, exported, "{mode}");
    }
}

#[test]
fn only_changes_are_asked_for_where_the_server_can_tell_them() {
    let quiet = SearchSettings::default();
    let mut forgetful = SearchSettings::default();
    forgetful.last_updated = false;
    for (what, settings, configuration, used) in [
        ("it says so", &quiet, "", true),
        ("it does not say so", &forgetful, "", false),
        ("the vendor does not", &quiet, "vendor = \"epic\"\n", false),
        (
            "the site does, whatever the vendor",
            &quiet,
            "vendor = \"epic\"\n[connections.c.adt]\nlast_updated = true\n",
            true,
        ),
        (
            "the site does not",
            &quiet,
            "[connections.c.adt]\nlast_updated = false\n",
            false,
        ),
    ] {
        let site = Site::with(|builder| builder.search(settings.clone()), configuration);
        let first = site.gather(&by_id("p2")).unwrap();
        assert!(
            !site.searches("Encounter")[0].contains("_lastUpdated"),
            "nothing is known yet"
        );
        assert_eq!(site.sandbox.count(&Where::Metadata), 0);
        site.load(std::slice::from_ref(&first));

        site.clock.advance(Duration::from_secs(3600));
        let request = FetchRequest {
            since: Some(Timestamp::try_from(first.since().unwrap()).unwrap()),
            ..by_id("p2")
        };
        site.sandbox.clear_requests();
        let summary = site.fetch(&request);
        let query = &site.searches("Encounter")[0];
        // Five minutes before the last fetch.
        let wanted = query.contains("_lastUpdated=ge2027-01-15T07:55:00Z");
        assert_eq!(wanted, used, "{what}: {query}");
        assert_eq!((summary.created, summary.updated), (0, 0), "{what}");
        assert_eq!(summary.resources == 1, used, "{what}: the Patient alone");

        site.sandbox.change_data(7, 100, site.clock.now());
        let summary = site.fetch(&request);
        assert!(summary.updated > 5, "{what}: {summary:?}");
    }
}

#[test]
fn what_the_server_can_do_is_asked_once() {
    let site = Site::new("");
    let fetcher = site.fetcher();
    let ask = |known: &dyn Known| {
        for number in 1..=3 {
            let request = FetchRequest {
                since: Some(Timestamp::UNIX_EPOCH),
                ..by_id(&format!("p{number}"))
            };
            fetcher.gather(&request, known).unwrap();
        }
    };
    ask(&());
    assert_eq!(
        site.sandbox.count(&Where::Metadata),
        0,
        "of an empty store, all is missing"
    );
    for number in 1..=3 {
        site.fetch_patient(&format!("p{number}"));
    }
    site.sandbox.clear_requests();
    ask(&InStore::read(&SqliteFile(site.db()), fetcher.normalize()).unwrap());
    assert_eq!(site.sandbox.count(&Where::Metadata), 1);
    assert_eq!(site.sandbox.count(&Where::Token), 0, "there is one");
}

#[test]
fn who_has_a_number_by_now_is_asked_for_everything() {
    let lines = [
        patient("a", "1", ""),
        patient("b", "2", ""),
        encounter("e", "b", ""),
    ];
    let site = Site::of(&lines, "");
    site.fetch(&by_mrn("1"));
    site.sandbox.set_data(data(&[
        patient("a", "9", ""),
        patient("b", "1", ""),
        lines[2].clone(),
    ]));
    let request = FetchRequest {
        since: Some("2027-01-01T00:00:00Z".parse().unwrap()),
        ..by_mrn("1")
    };
    site.fetch(&request);
    assert!(
        site.stored("Encounter", "e").is_some(),
        "long before the last fetch"
    );
    site.sandbox.clear_requests();
    site.fetch(&request);
    assert!(
        site.searches("Encounter")[0].contains("_lastUpdated"),
        "from then on"
    );
}

#[test]
fn several_patients_are_one_run_each_with_its_message() {
    let site = Site::new("");
    let message = |number: usize| TriggerMessage {
        control_id: format!("MSG{number}"),
        raw_key: format!("t/2027/01/15/GHH/MSG{number}-0123456789abcdef.hl7"),
    };
    let gathered: Vec<_> = (1..=3)
        .map(|number| {
            let request = FetchRequest {
                message: (number != 2).then(|| message(number)),
                ..by_mrn(&format!("MRN{number:06}"))
            };
            site.gather(&request).unwrap()
        })
        .collect();
    assert_eq!(gathered[0].patient(), "p1");
    let summary = site.load(&gathered);
    assert_eq!(summary.by_type["Patient"].created, 3);
    assert_eq!(
        site.versions("Patient", "p1"),
        [[
            "Patient/p1",
            "MSG1 t/2027/01/15/GHH/MSG1-0123456789abcdef.hl7"
        ]]
    );
    assert_eq!(site.versions("Patient", "p2"), [["Patient/p2"]]);
    assert_eq!(
        site.versions("Encounter", "e3-1")[0][1],
        "MSG3 t/2027/01/15/GHH/MSG3-0123456789abcdef.hl7"
    );
    assert_eq!(site.store().runs(10).unwrap().len(), 1);
    // What was gathered can be loaded again.
    let again = site.load(&gathered);
    assert_eq!((again.created, again.updated), (0, 0));
    assert_eq!(again.unchanged, summary.resources);
    assert_eq!(site.versions("Patient", "p1").len(), 1);
}

#[test]
fn an_open_file_is_read_from_its_beginning_gzipped_or_not() {
    let site = Site::new("");
    let line = patient("x", "1", "");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(line.as_bytes()).unwrap();
    for bytes in [line.as_bytes(), &gzip.finish().unwrap()] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let inputs = [Input::opened(file, bytes.len() as u64, "open".to_owned())];
        for _ in 0..2 {
            let options = site.fetcher().load_options(site.around().run_id());
            let summary = Load::new(options, &inputs)
                .run(&mut InMemoryStore::new(), &*site.clock, &mut ())
                .unwrap();
            assert_eq!((summary.created, summary.refused_files), (1, 0));
        }
    }
}

#[test]
fn the_message_is_kept_of_records_that_wait_for_the_end() {
    let managing = r#","managingOrganization":{"reference":"Organization?identifier=urn:o|7"}"#;
    let lines = [
        patient("a", "1", managing),
        r#"{"resourceType":"Organization","id":"o7","identifier":[{"system":"urn:o","value":"7"}]}"#.to_owned(),
        encounter("e", "a", r#","serviceProvider":{"reference":"Organization/o7"}"#),
    ];
    let site = Site::of(&lines, "");
    let request = FetchRequest {
        message: Some(TriggerMessage {
            control_id: "M1".to_owned(),
            raw_key: "raw".to_owned(),
        }),
        ..by_id("a")
    };
    site.fetch(&request);
    assert_eq!(
        site.body("Patient", "a")["managingOrganization"]["reference"],
        "Organization/o7"
    );
    assert_eq!(site.versions("Patient", "a"), [["Patient/a", "M1 raw"]]);
}

#[test]
fn what_can_t_be_stored_is_refused_and_the_rest_is_there() {
    let bad = encounter("bad", "a", "").replace("\"status\"", "\"class\":{},\"status\"");
    let lines = [patient("a", "1", ""), encounter("good", "a", ""), bad];
    let site = Site::of(&lines, "");
    for created in [2, 0] {
        let summary = site.fetch_patient("a");
        assert_eq!((summary.created, summary.quarantined), (created, 1));
        assert_eq!(summary.state, RunState::Completed);
    }
    let refused = site.store().quarantined(None, 0, 10).unwrap();
    assert_eq!(refused.len(), 1, "once, however often it comes");
    assert_eq!(refused[0].reason, "duplicate-key");
    assert_eq!(refused[0].body, lines[2].as_bytes());
}

#[test]
fn nothing_is_left_in_the_folder() {
    let site = Site::new("");
    let names = || -> BTreeSet<_> {
        let entries = std::fs::read_dir(site.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    };
    let before = names();
    let gathered = site.gather(&by_id("p1")).unwrap();
    assert_eq!(names(), before, "the temporary file has no name");
    drop(gathered);
    assert_eq!(names(), before);
}
