//! Workers, an EHR without sockets, and a clock that only waiting moves.

use std::sync::Arc;
use std::time::Duration;

use ehr_sandbox::adt::{Day, MergeStyle, Outcome};
use ehr_sandbox::{Builder, Data, FaultPlan, Sandbox, SearchSettings, Where};
use fhir_http::testing::FakeClock;
use fhir_http::{Clock as _, SystemRandom};
use ingest_pipeline::access::{SqliteFile, StoreAccess};
use ingest_pipeline::adt::{Inbox, Received, Receiver, Rules, Shown, Work, WorkOptions};
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::state::inbox::Revived;
use ingest_pipeline::store::{ResourceStore as _, SqliteStore};
use ingest_pipeline::{Interrupt, RunSummary, millis};

use super::site::{self, code};

pub(super) struct Site {
    pub(super) own: site::Site,
    sandbox: Sandbox,
    clock: Arc<FakeClock>,
}

impl Site {
    pub(super) fn new(build: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Arc::new(FakeClock::new(crate::site::start()));
        let builder = Sandbox::builder()
            .open()
            .data(Data::synthetic(7, 20))
            .clock(clock.clone());
        let sandbox = build(builder).in_process().unwrap();
        let wanted = Day::default().allowed;
        let own = site::Site::at(
            &sandbox.base(),
            &format!(
                "triggers = {wanted:?}\nsource_system = \"urn:t\"\n[connections.c.http]\nretries = 0"
            ),
        );
        Self {
            own,
            sandbox,
            clock,
        }
    }

    fn around(&self) -> Surroundings {
        Surroundings {
            clock: self.clock.clone(),
            random: Arc::new(SystemRandom),
            interrupt: Interrupt::new(),
            env: |_| None,
            transport: Some(Arc::new(self.sandbox.transport())),
        }
    }

    pub(super) fn receiver(&self) -> Receiver {
        let inbox = Inbox::open(&self.own.state_path(), self.own.archive()).unwrap();
        Receiver::new(
            Rules::new(&self.own.settings),
            Arc::new(inbox),
            self.clock.clone(),
            Arc::new(SystemRandom),
        )
    }

    /// Fetches until nothing is left to do.
    fn drain(&self) -> RunSummary {
        self.drain_into(&SqliteFile(self.own.db()))
    }

    pub(super) fn drain_into(&self, store: &dyn StoreAccess) -> RunSummary {
        let around = self.around();
        let options = WorkOptions {
            drain: true,
            ..WorkOptions::new(around.run_id())
        };
        let state = self.own.state_path();
        let spool = self.own.db().parent().unwrap().to_owned();
        let shown = Shown::new([("c".to_owned(), self.own.archive())]);
        let settings = vec![self.own.settings.clone()];
        let mut work = Work::new(settings, &around, store, spool, &state, shown, options).unwrap();
        work.run().unwrap()
    }

    pub(super) fn store(&self) -> SqliteStore {
        SqliteStore::open_read_only(self.own.db()).unwrap()
    }

    fn sql(&self, sql: &str) -> Vec<String> {
        let reader = rusqlite::Connection::open(self.own.db()).unwrap();
        let mut statement = reader.prepare(sql).unwrap();
        let rows = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    fn searches(&self, resource_type: &str) -> usize {
        let requests = self.sandbox.requests();
        requests
            .iter()
            .filter(|it| {
                it.place == Some(Where::Search) && it.resource_type() == Some(resource_type)
            })
            .count()
    }

    /// Number of an invented patient, with the MRN its record has.
    pub(super) fn mrn(&self, number: usize) -> (String, String) {
        let data = self.sandbox.data();
        let patient = data
            .resources()
            .filter(|it| it.resource_type() == "Patient")
            .nth(number)
            .unwrap();
        let json: serde_json::Value = serde_json::from_str(patient.json()).unwrap();
        let identifiers = json["identifier"].as_array().unwrap();
        let mrn = identifiers
            .iter()
            .find(|it| it["system"] == Data::MRN_SYSTEM)
            .unwrap();
        (
            patient.id().to_owned(),
            mrn["value"].as_str().unwrap().to_owned(),
        )
    }
}

/// About a patient, as the sandbox's hospital names them.
pub(super) fn message(trigger: &str, control_id: &str, mrn: &str, more: &str) -> Vec<u8> {
    let oid = Data::MRN_SYSTEM.trim_start_matches("urn:oid:");
    format!(
        "MSH|^~\\&|REG|GHH|IN|R|20270115080000||ADT^{trigger}|{control_id}|P|2.5.1\r\
         EVN|{trigger}|20270115075900\rPID|1||{mrn}^^^GHH&{oid}&ISO^MR||CANARY\r{more}"
    )
    .into_bytes()
}

#[test]
fn a_day_of_messages_brings_the_store_to_what_the_ehr_has() {
    for style in [MergeStyle::ReplacedBy, MergeStyle::Unmarked] {
        let site = Site::new(|builder| builder);
        let receiver = site.receiver();
        let mut day = Day::default();
        day.merge = style;
        day.stories = 24;
        let (mut expected, mut merged) = (Vec::new(), Vec::new());
        for event in day.events(3, &site.sandbox.data()) {
            site.sandbox.apply(&event);
            let (received, replies) = receiver.take_one(event.message());
            let wanted = event.expected();
            assert_eq!(
                code(&replies[0]),
                wanted.acknowledgement,
                "{}",
                event.message_type()
            );
            let outcome = match received {
                Received::Accepted { .. } => Outcome::Accepted,
                Received::Ignored => Outcome::Ignored,
                Received::Duplicate => Outcome::Duplicate,
                _ => Outcome::Rejected,
            };
            assert_eq!(outcome, wanted.outcome, "{}", event.message_type());
            expected.extend(wanted.patients.iter().filter_map(|it| it.patient.clone()));
            merged.extend(wanted.merged.iter().filter_map(|it| it.patient.clone()));
        }
        let summary = site.drain();
        assert!(summary.created > 0, "{summary:?}");
        assert_eq!(
            summary.provenance,
            summary.created + summary.updated + summary.deleted
        );
        let data = site.sandbox.data();
        let mut store = site.store();
        for id in &expected {
            let stored = store.get("Patient", id).unwrap().expect("it was fetched");
            assert!(!stored.deleted);
        }
        for resource in data.resources() {
            let json: serde_json::Value = serde_json::from_str(resource.json()).unwrap();
            let of = json["subject"]["reference"].as_str().unwrap_or_default();
            let Some(id) = of.strip_prefix("Patient/") else {
                continue;
            };
            let types = ["Encounter", "Observation", "Condition", "MedicationRequest"];
            if expected.iter().any(|it| it == id) && types.contains(&resource.resource_type()) {
                let stored = store.get(resource.resource_type(), resource.id()).unwrap();
                assert!(
                    stored.is_some(),
                    "{} of a fetched patient",
                    resource.resource_type()
                );
            }
        }
        // Whatever the EHR shows of a merge, the store says who was replaced.
        assert!(!merged.is_empty());
        for id in &merged {
            let body = site.sql(&format!(
                "SELECT body FROM resources WHERE type = 'Patient' AND id = '{id}'"
            ));
            assert!(body[0].contains("replaced-by"), "{style:?}");
        }
        // Once more changes nothing: the messages are known, the queue is empty.
        let (again, _) = receiver.take_one(day.events(3, &Data::synthetic(7, 20))[0].message());
        assert!(matches!(
            again,
            Received::Duplicate | Received::Ignored | Received::Dead { .. }
        ));
        let idle = site.drain();
        assert_eq!((idle.resources, idle.provenance), (0, 0));
    }
}

#[test]
fn several_events_of_one_patient_are_one_fetch_that_knows_its_message() {
    let site = Site::new(|builder| builder);
    let (id, mrn) = site.mrn(0);
    let receiver = site.receiver();
    for (trigger, control_id) in [("A01", "M1"), ("A02", "M2"), ("A03", "M3")] {
        receiver.take_one(&message(trigger, control_id, &mrn, ""));
    }
    let summary = site.drain();
    assert!(summary.created > 0);
    assert_eq!(site.searches("Encounter"), 1, "one fetch");
    let provenance = site.sql(&format!(
        "SELECT body FROM provenances WHERE target_type = 'Patient' AND target_id = '{id}'"
    ));
    let provenance: serde_json::Value = serde_json::from_str(&provenance[0]).unwrap();
    let entities = provenance["entity"].as_array().unwrap();
    let message = entities
        .iter()
        .find(|it| it["what"]["identifier"]["value"] == "M3")
        .expect("the last message");
    let key = message["what"]["display"].as_str().expect("its key");
    assert!(
        String::from_utf8(site.own.archived(key))
            .unwrap()
            .contains("|M3|")
    );
    assert_eq!(site.sql("SELECT kind FROM runs"), ["adt"]);
}

#[test]
fn a_later_fetch_asks_for_what_has_changed() {
    let site = Site::new(|builder| builder.search(SearchSettings::default()));
    let (_, mrn) = site.mrn(0);
    let receiver = site.receiver();
    receiver.take_one(&message("A01", "1", &mrn, ""));
    site.drain();
    let asked = |since: bool| {
        let requests = site.sandbox.requests();
        let searches = requests
            .iter()
            .filter(|it| it.resource_type() == Some("Observation"));
        searches
            .filter(|it| {
                it.query
                    .as_deref()
                    .unwrap_or_default()
                    .contains("_lastUpdated")
                    == since
            })
            .count()
    };
    assert_eq!((asked(false), asked(true)), (1, 0));
    site.clock.advance(Duration::from_secs(3_600));
    receiver.take_one(&message("A08", "2", &mrn, ""));
    let second = site.drain();
    assert_eq!((asked(false), asked(true)), (1, 1));
    assert_eq!((second.created, second.updated), (0, 0));
}

#[test]
fn what_passes_is_tried_again_and_what_lasts_becomes_a_dead_letter() {
    let site = Site::new(|builder| builder);
    let (_, mrn) = site.mrn(1);
    let receiver = site.receiver();
    receiver.take_one(&message("A01", "1", &mrn, ""));
    receiver.take_one(&message("A01", "2", "nobody-has-this", ""));
    site.sandbox
        .set_faults(FaultPlan::of(["search:first-3:status=503"]).unwrap());
    let before = site.clock.now();
    let summary = site.drain();
    assert!(summary.created > 0, "it came through in the end");
    assert!(
        site.clock.now() > before,
        "and was not asked for without a pause"
    );
    let letters = site.own.state().dead_letters().unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "patient-not-found");
    assert!(
        letters[0].detail.contains("mrn_system"),
        "{}",
        letters[0].detail
    );
    assert!(!letters[0].detail.contains("nobody-has-this"));
    let shown = site.sql("SELECT reason || '|' || control_id || '|' || body FROM dead_letters");
    assert_eq!(shown.len(), 1);
    assert!(
        shown[0].starts_with("patient-not-found|2|MSH|"),
        "readers of the store see it"
    );

    // Mended, put back, fetched, and gone from the view.
    let mut state = site.own.state();
    let now = millis(site.clock.now());
    assert_eq!(state.revive(letters[0].id, now).unwrap(), Revived::Queued);
    site.drain();
    let again = state.dead_letters().unwrap();
    assert_eq!(again.len(), 1, "nobody has it still");
    assert_ne!(again[0].id, letters[0].id);
    let ids = site.sql("SELECT CAST(id AS TEXT) FROM dead_letters");
    assert_eq!(ids, [again[0].id.to_string()]);
}

#[test]
fn an_ehr_that_stays_away_gives_dead_letters_that_can_be_replayed() {
    let site = Site::new(|builder| builder);
    let (id, mrn) = site.mrn(2);
    let receiver = site.receiver();
    receiver.take_one(&message("A01", "1", &mrn, ""));
    site.sandbox
        .set_faults(FaultPlan::of(["search:every:status=500"]).unwrap());
    let before = site.clock.now();
    site.drain();
    let waited = site.clock.now().duration_since(before).unwrap();
    assert!(
        waited > Duration::from_secs(600),
        "{waited:?}: an outage is not over in minutes"
    );
    let letters = site.own.state().dead_letters().unwrap();
    assert_eq!(
        (&*letters[0].reason, letters[0].attempts),
        ("fetch-failed", 12)
    );
    site.sandbox.set_faults(FaultPlan::none());
    site.own
        .state()
        .revive(letters[0].id, millis(site.clock.now()))
        .unwrap();
    site.drain();
    assert!(site.store().get("Patient", &id).unwrap().is_some());
    assert!(site.own.state().dead_letters().unwrap().is_empty());
}

#[test]
fn workers_share_an_inbox() {
    let site = Site::new(|builder| builder);
    let receiver = site.receiver();
    for number in 0..12 {
        let (_, mrn) = site.mrn(number);
        receiver.take_one(&message("A01", &number.to_string(), &mrn, ""));
    }
    let created: u64 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(|| site.drain())).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap().created)
            .sum()
    });
    let resources: u64 = site.sql("SELECT CAST(count(*) AS TEXT) FROM resource_versions")[0]
        .parse()
        .unwrap();
    assert_eq!(created, resources, "nothing was written twice");
    let patients = site.sql("SELECT CAST(count(*) AS TEXT) FROM resources WHERE type = 'Patient'");
    assert_eq!(patients, ["12"]);
    assert_eq!(site.own.state().open_fetches(None).unwrap(), 0);
}

#[test]
fn a_store_that_was_replaced_gets_all_of_a_record() {
    let site = Site::new(|builder| builder.search(SearchSettings::default()));
    let (_, mrn) = site.mrn(0);
    let receiver = site.receiver();
    receiver.take_one(&message("A01", "1", &mrn, ""));
    let first = site.drain();
    std::fs::remove_file(site.own.db()).unwrap();
    site.clock.advance(Duration::from_secs(3_600));
    receiver.take_one(&message("A08", "2", &mrn, ""));
    let second = site.drain();
    assert_eq!(
        second.created, first.created,
        "and not only what has changed since"
    );
}
