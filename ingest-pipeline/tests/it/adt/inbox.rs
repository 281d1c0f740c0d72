//! The inbox: what it promises to senders and to workers.

use ingest_pipeline::adt::Received;
use ingest_pipeline::causes;
use ingest_pipeline::state::State;
use ingest_pipeline::state::inbox::{
    Arrival, Disposition, PatientIdentifier, QueuedFetch, Recorded, Revived, Wanted, Worker,
};
use rusqlite::Connection;

use super::site::{Site, message};

pub(super) fn patient(value: &str) -> PatientIdentifier {
    PatientIdentifier {
        system: "urn:mrn".into(),
        value: value.into(),
    }
}

/// Message `number`, which asks for these patients: `1`, or `1<2` where 2 was
/// merged into it.
pub(super) fn arrival(number: u8, patients: &[&str]) -> Arrival {
    let wanted = patients.iter().map(|text| {
        let (own, merged) = text.split_once('<').unwrap_or((text, ""));
        Wanted {
            patient: patient(own),
            merged: Some(merged)
                .filter(|it| !it.is_empty())
                .map(patient)
                .into_iter()
                .collect(),
        }
    });
    Arrival {
        connection: "c".into(),
        received: 1_000 + i64::from(number),
        sender: b"A\rB".to_vec(),
        control_id: vec![number],
        hash: [number; 32],
        raw_key: format!("t/2027/01/01/F/{number}-0123456789abcdef.hl7"),
        sealed: vec![number],
        trigger: "A01".into(),
        event_time: None,
        disposition: Disposition::Queue(wanted.collect()),
    }
}

pub(super) struct Bench {
    folder: tempfile::TempDir,
    pub(super) state: State,
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            state: State::open(&folder.path().join("state.db")).unwrap(),
            folder,
        }
    }

    pub(super) fn record(&mut self, arrivals: &[Arrival]) -> Vec<Recorded> {
        self.state.record(arrivals).unwrap()
    }

    pub(super) fn take(&mut self, worker: &Worker, now: i64) -> Vec<QueuedFetch> {
        self.state.take_fetches(worker, None, now, 100).unwrap()
    }
}

pub(super) fn values(fetches: &[QueuedFetch]) -> Vec<&str> {
    fetches
        .iter()
        .map(|fetch| &*fetch.wanted.patient.value)
        .collect()
}

const FRESH: Recorded = Recorded::Accepted {
    queued: 1,
    reused: false,
    late: false,
};
const COALESCED: Recorded = Recorded::Accepted {
    queued: 0,
    reused: false,
    late: false,
};

#[test]
fn events_of_one_patient_become_one_fetch_with_the_last_message() {
    let mut bench = Bench::new();
    let recorded = bench.record(&[arrival(1, &["p"]), arrival(2, &["q"]), arrival(3, &["p<o"])]);
    assert_eq!(recorded, [FRESH, FRESH, COALESCED]);
    let worker = bench.state.worker("w").unwrap();
    let fetches = bench.take(&worker, 2_000);
    assert_eq!(values(&fetches), ["p", "q"]);
    assert_eq!(fetches[0].control_id, [3]);
    assert_eq!(fetches[0].queued, 1_001, "since the first");
    assert_eq!(fetches[0].wanted.merged, [patient("o")]);
    // What comes while it is read is another one, which has to wait.
    assert_eq!(bench.record(&[arrival(4, &["p"])]), [FRESH]);
    let other = bench.state.worker("other").unwrap();
    assert!(
        bench.take(&other, 2_000).is_empty(),
        "one patient, one worker"
    );
    bench
        .state
        .finish_fetch(&worker, &fetches[0], Some(1_500), "r")
        .unwrap();
    let next = bench.take(&other, 2_000);
    assert_eq!(values(&next), ["p"]);
    assert_eq!(next[0].fetched, Some((1_500, "r".to_owned())));
}

#[test]
fn a_merge_waits_for_both_of_its_patients() {
    let mut bench = Bench::new();
    bench.record(&[arrival(1, &["old"])]);
    let worker = bench.state.worker("w").unwrap();
    let first = bench.take(&worker, 2_000);
    bench.record(&[
        arrival(2, &["new<old"]),
        arrival(3, &["old"]),
        arrival(4, &["third"]),
    ]);
    assert_eq!(
        values(&bench.take(&worker, 2_000)),
        ["third"],
        "nothing overtakes the merge"
    );
    bench
        .state
        .finish_fetch(&worker, &first[0], Some(1_500), "r")
        .unwrap();
    assert_eq!(values(&bench.take(&worker, 2_000)), ["new"]);
}

#[test]
fn what_a_clock_that_was_ahead_put_off_does_not_wait_for_that_day() {
    let mut bench = Bench::new();
    let worker = bench.state.worker("w").unwrap();
    let year = 365 * 24 * 3_600_000;
    for (number, name, received) in [(1, "ahead", year), (2, "soon", 100_000), (3, "now", 1_000)] {
        bench.record(&[Arrival {
            received,
            ..arrival(number, &[name])
        }]);
    }
    let taken = bench.take(&worker, 2_000);
    assert_eq!(values(&taken), ["ahead", "now"]);
    bench
        .state
        .retry_fetch(&worker, &taken[0], year + 2_000)
        .unwrap();
    assert_eq!(values(&bench.take(&worker, 3_000)), ["ahead"]);
}

#[test]
fn resends_are_told_from_new_messages() {
    let mut bench = Bench::new();
    assert_eq!(bench.record(&[arrival(1, &["p"])]), [FRESH]);
    assert_eq!(bench.record(&[arrival(1, &["p"])]), [Recorded::Duplicate]);
    let mut other_bytes = arrival(1, &["p"]);
    other_bytes.hash = [9; 32];
    let flagged = Recorded::Accepted {
        queued: 0,
        reused: true,
        late: false,
    };
    assert_eq!(bench.record(&[other_bytes]), [flagged]);
    let mut other_sender = arrival(1, &["p"]);
    other_sender.sender = b"X\rY".to_vec();
    assert_eq!(bench.record(&[other_sender]), [COALESCED]);
    // Without a control id the bytes tell.
    let mut nameless = arrival(2, &["q"]);
    nameless.control_id.clear();
    assert_eq!(
        bench.record(&[nameless.clone(), nameless.clone()]),
        [FRESH, Recorded::Duplicate]
    );
    nameless.hash = [8; 32];
    assert_eq!(bench.record(&[nameless]), [COALESCED]);
    let counts = bench.state.inbox("c").unwrap().unwrap().counts;
    assert_eq!(
        (
            counts.received,
            counts.accepted,
            counts.duplicates,
            counts.reused_control_ids
        ),
        (7, 5, 2, 1)
    );
}

#[test]
fn late_events_are_counted_and_fetched_all_the_same() {
    let mut bench = Bench::new();
    let at = |number, time| Arrival {
        event_time: Some(time),
        ..arrival(number, &["p"])
    };
    let recorded = bench.record(&[at(1, 100), at(2, 50), at(3, 100), at(4, 200)]);
    let late: Vec<_> = recorded
        .iter()
        .map(|it| matches!(it, Recorded::Accepted { late: true, .. }))
        .collect();
    assert_eq!(late, [false, true, false, false]);
    assert_eq!(bench.state.open_fetches(None).unwrap(), 1);
    assert_eq!(
        bench.state.inbox("c").unwrap().unwrap().counts.out_of_order,
        1
    );
}

#[test]
fn what_a_dead_worker_had_comes_back_at_once_and_of_a_hanging_one_later() {
    let mut bench = Bench::new();
    bench.record(&[arrival(1, &["p"]), arrival(2, &["q"])]);
    let dead = bench.state.worker("dead").unwrap();
    assert_eq!(bench.take(&dead, 2_000).len(), 2);
    let other = bench.state.worker("other").unwrap();
    assert!(bench.take(&other, 2_000).is_empty());
    // As the system does when a process ends in whatever way.
    drop(dead);
    let back = bench.take(&other, 2_000);
    assert_eq!(values(&back), ["p", "q"]);
    let third = bench.state.worker("third").unwrap();
    let lease = i64::try_from(Worker::LEASE.as_millis()).unwrap();
    assert!(bench.take(&third, 2_000 + lease - 1).is_empty());
    bench
        .state
        .renew_fetches("other", 2_000 + lease - 1)
        .unwrap();
    assert!(
        bench.take(&third, 2_000 + lease).is_empty(),
        "it is still at it"
    );
    assert_eq!(bench.take(&third, 2_000 + 2 * lease).len(), 2);
    // Who comes too late changes nothing.
    bench
        .state
        .finish_fetch(&other, &back[0], Some(1), "r")
        .unwrap();
    bench
        .state
        .bury_fetch(&other, &back[1], 1, "x", "x")
        .unwrap();
    assert_eq!(bench.state.open_fetches(None).unwrap(), 2);
    assert!(bench.state.dead_letters().unwrap().is_empty());
}

#[test]
fn a_fetch_that_fails_waits_and_joins_what_came_meanwhile() {
    let mut bench = Bench::new();
    bench.record(&[arrival(1, &["p<o"])]);
    let worker = bench.state.worker("w").unwrap();
    let fetch = bench.take(&worker, 2_000).remove(0);
    bench.state.retry_fetch(&worker, &fetch, 5_000).unwrap();
    assert_eq!(bench.state.next_due(None).unwrap(), Some(5_000));
    assert!(bench.take(&worker, 4_999).is_empty());
    let fetch = bench.take(&worker, 5_000).remove(0);
    assert_eq!(fetch.attempts, 1);
    bench.record(&[arrival(2, &["p"])]);
    bench.state.retry_fetch(&worker, &fetch, 9_000).unwrap();
    let one = bench.take(&worker, 9_000);
    assert_eq!(one.len(), 1, "the two became one");
    assert_eq!(one[0].wanted.merged, [patient("o")], "and forgot nothing");
    assert_eq!(one[0].control_id, [2]);
}

#[test]
fn a_merge_that_cannot_be_read_is_not_forgotten() {
    let mut bench = Bench::new();
    bench.record(&[arrival(1, &["p<o"])]);
    let raw = Connection::open(bench.folder.path().join("state.db")).unwrap();
    let merged = |text: &str| raw.execute("UPDATE fetch SET merged = ?1", [text]).unwrap();
    let worker = bench.state.worker("w").unwrap();
    for damaged in ["", "[", "\"Anna\"", r#"[{"system":"urn:mrn"}]"#] {
        merged(damaged);
        let taken = bench.state.take_fetches(&worker, None, 2_000, 100);
        let error = causes(&taken.unwrap_err());
        assert!(
            error.contains("merged") && !error.contains("Anna"),
            "{error}"
        );
        assert!(bench.state.record(&[arrival(2, &["p"])]).is_err());
    }
    merged(r#"[{"system":"urn:mrn","value":"o"}]"#);
    let fetch = bench.take(&worker, 2_000).remove(0);
    assert_eq!(fetch.wanted.merged, [patient("o")]);
    // Neither is one that is being read.
    merged("[");
    assert!(bench.state.retry_fetch(&worker, &fetch, 9_000).is_err());
    assert!(bench.state.take_fetches(&worker, None, 9_000, 100).is_err());
}

#[test]
fn dead_letters_are_put_back() {
    let mut bench = Bench::new();
    bench.record(&[arrival(1, &["p<o"])]);
    let worker = bench.state.worker("w").unwrap();
    let fetch = bench.take(&worker, 2_000).remove(0);
    bench
        .state
        .bury_fetch(&worker, &fetch, 3_000, "patient-not-found", "no words")
        .unwrap();
    assert_eq!(bench.state.open_fetches(None).unwrap(), 0);
    let letter = bench.state.dead_letters().unwrap().remove(0);
    assert!(letter.is_fetch);
    assert_eq!((letter.attempts, &*letter.reason), (1, "patient-not-found"));
    assert_eq!(
        bench.state.revive(letter.id, 4_000).unwrap(),
        Revived::Queued
    );
    assert_eq!(
        bench.state.revive(letter.id, 4_000).unwrap(),
        Revived::Unknown
    );
    let again = bench.take(&worker, 4_000).remove(0);
    assert_eq!(again.wanted, fetch.wanted);
    assert_eq!(again.raw_key, fetch.raw_key);
}

#[test]
fn a_dead_message_is_received_once_more_when_rules_have_changed() {
    let bare = b"MSH|^~\\&|A|B|C|D|20270101||ADT^A01|1|P|2.5\rPID||8";
    let site = Site::new("");
    assert!(matches!(site.take(bare).0, Received::Dead { .. }));
    let letter = site.state().dead_letters().unwrap().remove(0);
    let Revived::Receive(found) = site.state().revive(letter.id, 1).unwrap() else {
        panic!("a message is received");
    };
    assert_eq!(found, letter);
    let changed = Site::new("[connections.c.adt]\nfallback_pid2 = true");
    let site = Site {
        settings: changed.settings,
        ..site
    };
    let message = site.archived(&letter.raw_key);
    assert_eq!(message, bare);
    assert_eq!(site.take(&message).0, Received::Accepted { queued: 1 });
    assert!(site.state().dead_letters().unwrap().is_empty());
    assert_eq!(site.take(&message).0, Received::Duplicate);
}

#[test]
fn many_senders_at_once_lose_nothing() {
    let site = Site::new("");
    let receiver = site.receiver();
    std::thread::scope(|scope| {
        for sender in 0..16 {
            let receiver = &receiver;
            scope.spawn(move || {
                for number in 0..25 {
                    let text = message(
                        "A08",
                        &format!("{sender}-{number}"),
                        &format!("{}", number % 5),
                    );
                    let (received, _) = receiver.take_one(&text);
                    assert!(matches!(received, Received::Accepted { .. }));
                }
            });
        }
    });
    assert_eq!(receiver.summary().accepted, 400);
    assert_eq!(receiver.summary().queued_fetches, 5);
    drop(receiver);
    let status = site.state().inbox("c").unwrap().unwrap();
    assert_eq!(
        (status.counts.accepted, status.queued, status.dead),
        (400, 5, 0)
    );
    assert!(site.state().unarchived(1).unwrap().is_empty());
}

#[test]
fn a_state_of_an_earlier_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(State::open(&path).unwrap());
    let old = rusqlite::Connection::open(&path).unwrap();
    for table in [
        "message",
        "adt_count",
        "fetch",
        "adt_patient",
        "dead_letter",
        "raw",
    ] {
        old.execute_batch(&format!("DROP TABLE {table}")).unwrap();
    }
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    let mut state = State::open(&path).unwrap();
    assert_eq!(state.record(&[arrival(1, &["p"])]).unwrap(), [FRESH]);
}
