//! What a record refers to.

use ehr_sandbox::{FaultPlan, SearchSettings};
use ingest_pipeline::access::SqliteFile;
use ingest_pipeline::fetch::{FetchOptions, Fetcher, InStore, Known as _, PatientKey};
use ingest_pipeline::store::{
    Delete, InMemoryStore, Put, ResourceStore as _, Sha256Ids, WriteContext,
};

use super::site::{Site, by_id, by_mrn, encounter, patient};

fn organization(id: &str, part_of: &str) -> String {
    let part_of = match part_of {
        "" => String::new(),
        other => format!(r#","partOf":{{"reference":"Organization/{other}"}}"#),
    };
    format!(r#"{{"resourceType":"Organization","id":"{id}","name":"x"{part_of}}}"#)
}

fn provider(id: &str) -> String {
    format!(r#","serviceProvider":{{"reference":"Organization/{id}"}}"#)
}

/// Ids of the organizations in the store.
fn organizations(site: &Site) -> Vec<String> {
    let current = site.current().into_iter();
    current
        .filter(|(kind, _, _)| kind == "Organization")
        .map(|(_, id, _)| id)
        .collect()
}

#[test]
fn references_are_followed_as_far_as_configured() {
    let lines = [
        patient("a", "1", ""),
        encounter("e", "a", &provider("o1")),
        organization("o1", "o2"),
        organization("o2", "o3"),
        organization("o3", "o4"),
        organization("o4", ""),
    ];
    for (configuration, expected) in [
        ("", vec!["o1", "o2"]),
        ("[connections.c.adt]\ndepth = 0\n", vec![]),
        (
            "[connections.c.adt]\ndepth = 5\n",
            vec!["o1", "o2", "o3", "o4"],
        ),
        ("[connections.c.adt]\nfollow = [\"Location\"]\n", vec![]),
    ] {
        let site = Site::of(&lines, configuration);
        site.fetch_patient("a");
        assert_eq!(organizations(&site), expected, "{configuration}");
    }
}

#[test]
fn circles_are_read_once() {
    let lines = [
        patient("a", "1", ""),
        encounter("e", "a", &provider("o1")),
        organization("o1", "o2"),
        organization("o2", "o1"),
        encounter("e2", "a", &provider("gone")),
        organization("o3", "gone"),
        encounter("e3", "a", &provider("o3")),
    ];
    let site = Site::of(&lines, "[connections.c.adt]\ndepth = 5\nconcurrency = 1\n");
    let gathered = site.gather(&by_id("a")).unwrap();
    assert_eq!(gathered.counts().missing, 1);
    assert_eq!(site.reads("Organization"), ["gone", "o2"]);
    let summary = site.load(&[gathered]);
    assert_eq!(summary.by_type["Organization"].resources, 3);
}

/// Patients with this many organizations.
fn many(number: usize) -> Vec<String> {
    let mut lines = vec![patient("a", "1", "")];
    for n in 0..number {
        lines.push(organization(&format!("o{n}"), ""));
        lines.push(encounter(
            &format!("e{n}"),
            "a",
            &provider(&format!("o{n}")),
        ));
    }
    lines
}

#[test]
fn many_are_read_in_lists_of_fifty() {
    let site = Site::of(&many(120), "");
    site.fetch_patient("a");
    assert_eq!(organizations(&site).len(), 120);
    let mut lists: Vec<_> = site
        .searches("Organization")
        .iter()
        .map(|query| query.matches("o").count() - query.matches("_count").count())
        .collect();
    lists.sort_unstable();
    assert_eq!(lists, [20, 50, 50]);
    assert!(site.reads("Organization").is_empty());
}

#[test]
fn a_server_without_lists_is_asked_one_by_one_and_that_is_remembered() {
    let mut settings = SearchSettings::default();
    settings.id_lists = false;
    let site = Site::with(
        |builder| builder.search(settings).data(super::data(&many(5))),
        "[connections.c.adt]\nconcurrency = 1\n",
    );
    let fetcher = site.fetcher();
    let first = fetcher.gather(&by_id("a"), &()).unwrap();
    assert_eq!(site.searches("Organization").len(), 1);
    assert_eq!(site.reads("Organization").len(), 5);
    let second = fetcher.gather(&by_id("a"), &()).unwrap();
    assert_eq!(site.searches("Organization").len(), 1, "it was asked once");
    assert_eq!(first.counts(), second.counts());
    site.load(&[first]);
    assert_eq!(organizations(&site).len(), 5);
}

#[test]
fn each_way_to_refuse_lists_leads_to_single_reads() {
    for status in [400, 403, 404, 501] {
        let lines = "[connections.c.adt]\nconcurrency = 1\ntypes = [\"Encounter\"]\n";
        let site = Site::of(&many(3), lines);
        let fault = format!("search:2:status={status}");
        site.sandbox
            .set_faults(FaultPlan::of([fault.as_str()]).unwrap());
        let gathered = site.gather(&by_id("a")).unwrap();
        assert_eq!(site.reads("Organization").len(), 3, "{status}");
        assert_eq!(
            (gathered.counts().missing, gathered.counts().refused),
            (0, 0)
        );
    }
}

#[test]
fn what_is_not_there_or_not_given_is_counted() {
    let mut lines = many(3);
    lines.retain(|line| !line.contains(r#""Organization","id":"o1""#));
    let site = Site::of(&lines, "[connections.c.adt]\nconcurrency = 1\n");
    let gathered = site.gather(&by_id("a")).unwrap();
    assert_eq!(
        (gathered.counts().missing, gathered.counts().refused),
        (1, 0)
    );
    assert!(gathered.since().is_some());
    assert_eq!(
        site.reads("Organization"),
        ["o1"],
        "lists may be cut: it is asked for itself"
    );

    // The second read is that of the organization.
    site.sandbox
        .set_faults(FaultPlan::of(["read:2:status=403"]).unwrap());
    let gathered = site.gather(&by_id("a")).unwrap();
    assert_eq!(
        (gathered.counts().missing, gathered.counts().refused),
        (0, 1)
    );
    assert_eq!(gathered.since(), None, "the next asks for everything");
    let summary = site.load(&[gathered]);
    assert_eq!(summary.by_type["Organization"].created, 2);

    // Who we are is a question for all of them.
    site.sandbox
        .set_faults(FaultPlan::of(["read:every:status=401"]).unwrap());
    assert!(site.gather(&by_mrn("1")).is_err());
}

#[test]
fn odd_ids_are_read_one_by_one() {
    let long = "x".repeat(70);
    let mut lines = many(2);
    for (n, id) in ["under_score", long.as_str(), "gone_away"]
        .iter()
        .enumerate()
    {
        if *id != "gone_away" {
            lines.push(organization(id, ""));
        }
        lines.push(encounter(&format!("x{n}"), "a", &provider(id)));
    }
    let site = Site::of(&lines, "");
    let gathered = site.gather(&by_id("a")).unwrap();
    assert_eq!(site.searches("Organization").len(), 1);
    assert_eq!(site.reads("Organization").len(), 3);
    assert_eq!(gathered.counts().missing, 1);
    site.load(&[gathered]);
    assert_eq!(organizations(&site).len(), 4);
    // They are stored under hashed ids, by which they are known.
    assert!(site.stored("Organization", "under_score").is_none());
    site.sandbox.clear_requests();
    site.gather(&by_id("a")).unwrap();
    assert_eq!(site.reads("Organization"), ["gone_away"]);
    assert!(site.searches("Organization").is_empty());
}

#[test]
fn what_the_store_has_is_read_again_on_demand() {
    for mode in ["preserve", "hash"] {
        let site = Site::of(&many(3), &format!("id_mode = \"{mode}\"\n"));
        site.fetch_patient("a");
        site.sandbox.clear_requests();
        let gathered = site.gather(&by_id("a")).unwrap();
        assert_eq!(site.searches("Organization").len(), 0, "{mode}");
        assert_eq!(gathered.counts().resources, 4);
        let options = FetchOptions {
            full: true,
            ..FetchOptions::new(site.folder.path())
        };
        let fetcher = Fetcher::new(&site.settings, &site.around(), options).unwrap();
        let known = InStore::read(&SqliteFile(site.db()), fetcher.normalize()).unwrap();
        let gathered = fetcher.gather(&by_id("a"), &known).unwrap();
        assert_eq!(gathered.counts().resources, 7, "{mode}");
    }
}

#[test]
fn what_is_deleted_or_of_another_source_is_not_known() {
    let site = Site::new("");
    let fetcher = site.fetcher();
    let mut store = InMemoryStore::new();
    for (source_system, id) in [
        ("urn:ingest:c", "own"),
        ("urn:ingest:c", "gone"),
        ("urn:x", "theirs"),
    ] {
        let context = WriteContext {
            source_system,
            organization: "test",
            run: None,
            recorded: 0,
            ids: &Sha256Ids,
        };
        let put = Put {
            resource_type: "Patient",
            id,
            source_id: id,
            content_hash: [1; 32],
            body: "{}",
            identifiers: &[],
            remediations: &[],
            message: None,
            revert: false,
            line: None,
        };
        store.put(&context, &[put], &mut Vec::new()).unwrap();
        if id == "gone" {
            let delete = Delete {
                resource_type: "Patient",
                id,
                source_id: id,
                message: None,
            };
            store.delete(&context, &[delete], &mut Vec::new()).unwrap();
        }
    }
    let known = InStore::new(Box::new(store), fetcher.normalize()).unwrap();
    for (id, expected) in [
        ("own", true),
        ("gone", false),
        ("theirs", false),
        ("none", false),
    ] {
        assert_eq!(known.has("Patient", id).unwrap(), expected, "{id}");
        let patients = known.patients(&PatientKey::Id(id.to_owned())).unwrap();
        assert_eq!(patients.len(), usize::from(expected), "{id}");
    }
}
