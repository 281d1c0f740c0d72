use super::{NOW, SOURCE};
use crate::{Counts, Error, NewRun, QuarantineRecord, Refused, RunRecord, RunState, Store};

/// A run is kept with its counts from start to end.
pub fn keeps_runs(store: &mut dyn Store) {
    assert_eq!(store.runs(9).expect("runs"), []);
    assert_eq!(store.run("01A").expect("run"), None);
    start(store, "01A", Some("memorial"));
    start(store, "01B", None);
    assert!(matches!(
        store.start_run(&new_run("01A", None)),
        Err(Error::DuplicateRun)
    ));
    let mut expected = RunRecord {
        id: "01A".to_owned(),
        connection: Some("memorial".to_owned()),
        kind: "bulk".to_owned(),
        source_system: SOURCE.to_owned(),
        state: RunState::Running,
        started: NOW,
        finished: None,
        counts: Counts::default(),
        error: None,
        summary: None,
    };
    assert_eq!(store.run("01A").expect("run").as_ref(), Some(&expected));

    expected.counts = Counts {
        resources: 10,
        created: 4,
        updated: 3,
        unchanged: 1,
        deleted: 0,
        quarantined: 2,
        remediated: 5,
        provenance: 7,
        bytes: 1 << 40,
    };
    store
        .update_run("01A", &expected.counts)
        .expect("update_run");
    assert_eq!(store.run("01A").expect("run").as_ref(), Some(&expected));

    expected.state = RunState::Partial;
    expected.finished = Some(NOW + 1);
    expected.counts.deleted = 9;
    expected.error = Some("one file failed".to_owned());
    expected.summary = Some(r#"{"run":"01A"}"#.to_owned());
    store
        .finish_run(
            "01A",
            expected.state,
            NOW + 1,
            &expected.counts,
            expected.error.as_deref(),
            expected.summary.as_deref(),
        )
        .expect("finish_run");
    assert_eq!(store.run("01A").expect("run").as_ref(), Some(&expected));

    let newest_first = store.runs(9).expect("runs");
    assert_eq!(newest_first.len(), 2);
    assert_eq!(newest_first[0].id, "01B");
    assert_eq!(newest_first[0].connection, None);
    assert_eq!(newest_first[1], expected);
    assert_eq!(store.runs(1).expect("runs").len(), 1);

    let counts = Counts::default();
    assert!(matches!(
        store.update_run("01X", &counts),
        Err(Error::UnknownRun)
    ));
    assert!(matches!(
        store.finish_run("01X", RunState::Failed, NOW, &counts, None, None),
        Err(Error::UnknownRun)
    ));
}

/// Runs that were running are interrupted, others stay; those that have not come to their end are unfinished.
pub fn interrupts_stale_runs(store: &mut dyn Store) {
    let states = [
        ("01A", RunState::Completed),
        ("01B", RunState::Partial),
        ("01C", RunState::Failed),
        ("01D", RunState::Interrupted),
    ];
    for (id, state) in states {
        start(store, id, None);
        store
            .finish_run(id, state, NOW, &Counts::default(), None, None)
            .expect("finish_run");
    }
    start(store, "01E", None);
    assert_eq!(
        store.unfinished_runs().expect("unfinished"),
        ["01C", "01D", "01E"]
    );
    assert_eq!(store.interrupt_stale_runs(NOW + 5).expect("interrupt"), 1);
    assert_eq!(store.interrupt_stale_runs(NOW + 6).expect("interrupt"), 0);
    let run = store.run("01E").expect("run").expect("stored");
    assert_eq!(run.state, RunState::Interrupted);
    assert_eq!(run.finished, Some(NOW + 5));
    assert_eq!(
        store.unfinished_runs().expect("unfinished"),
        ["01C", "01D", "01E"]
    );
    for (id, state) in states {
        let run = store.run(id).expect("run").expect("stored");
        assert_eq!((run.state, run.finished), (state, Some(NOW)), "{id}");
    }
}

/// A refused record is kept byte for byte, and once however often it comes.
pub fn keeps_the_refused_once(store: &mut dyn Store) {
    start(store, "01A", None);
    let record = Refused {
        file: "Patient.ndjson",
        line: Some(3),
        byte_offset: Some(1 << 33),
        reason: "invalid-utf8",
        detail: "not UTF-8 at byte 7",
        body: b"{\"a\":\xff}\0",
    };
    let others = [
        Refused {
            file: "Other.ndjson",
            ..record
        },
        Refused {
            line: Some(4),
            ..record
        },
        Refused {
            line: None,
            ..record
        },
        Refused {
            byte_offset: None,
            ..record
        },
        Refused {
            reason: "invalid-json",
            ..record
        },
        Refused {
            body: "{\"é\":".as_bytes(),
            ..record
        },
        Refused {
            body: b"",
            ..record
        },
    ];
    let all = [&[record], &others[..]].concat();
    for refused in &all {
        assert!(store.quarantine("01A", refused).expect("quarantine"));
    }
    let again = Refused {
        detail: "said otherwise",
        ..record
    };
    for refused in all.iter().chain([&again]) {
        assert!(!store.quarantine("01B", refused).expect("quarantine"));
    }
    let fresh = Refused {
        line: Some(99),
        ..record
    };
    assert!(store.quarantine("01B", &fresh).expect("quarantine"));
    store.flush().expect("flush");

    let kept = store.quarantined(None, 0, usize::MAX).expect("list");
    assert_eq!(kept.len(), all.len() + 1);
    for (kept, refused) in kept.iter().zip(&all) {
        let expected = QuarantineRecord {
            id: kept.id,
            run: "01A".to_owned(),
            file: refused.file.to_owned(),
            line: refused.line,
            byte_offset: refused.byte_offset,
            reason: refused.reason.to_owned(),
            detail: refused.detail.to_owned(),
            body: refused.body.to_vec(),
        };
        assert_eq!(*kept, expected);
        let one = store.quarantine_record(kept.id).expect("one");
        assert_eq!(one, Some(expected));
    }
    assert!(kept.is_sorted_by(|a, b| a.id < b.id));
    assert_eq!(store.quarantine_record(u64::MAX).expect("one"), None);
    assert_eq!(store.quarantine_record(0).expect("one"), None);

    let page = store.quarantined(Some("01A"), kept[1].id, 2).expect("list");
    assert_eq!(page, kept[2..4]);
    let second = store.quarantined(Some("01B"), 0, 9).expect("list");
    assert_eq!(second, kept[all.len()..]);
}

/// Patients that got another id are known by source, and pending until settled.
pub fn renames_patients(store: &mut dyn Store) {
    let other = "urn:test:b";
    store
        .add_patient_references(SOURCE, &["1", "2", "2", "9"])
        .expect("references");
    store
        .add_patient_references(other, &["3"])
        .expect("references");
    store
        .add_aliases(SOURCE, &["2", "1", "3"])
        .expect("aliases");
    assert_eq!(store.aliases(SOURCE).expect("aliases"), ["1", "2", "3"]);
    assert_eq!(store.aliases(other).expect("aliases"), [""; 0]);
    assert_eq!(pending(store, SOURCE), ["1", "2"]);
    assert_eq!(pending(store, other), [""; 0]);

    store.settle_aliases(other).expect("settle");
    assert_eq!(pending(store, SOURCE), ["1", "2"]);
    store.settle_aliases(SOURCE).expect("settle");
    assert_eq!(pending(store, SOURCE), [""; 0]);
    assert_eq!(store.aliases(SOURCE).expect("aliases"), ["1", "2", "3"]);

    // A settled alias stays settled; one that comes later is pending, and meets earlier references.
    store.add_aliases(SOURCE, &["1", "9"]).expect("aliases");
    store
        .add_patient_references(SOURCE, &["1"])
        .expect("references");
    assert_eq!(pending(store, SOURCE), ["9"]);
}

fn pending(store: &mut dyn Store, source_system: &str) -> Vec<String> {
    store.pending_repoints(source_system).expect("pending")
}

fn new_run<'a>(id: &'a str, connection: Option<&'a str>) -> NewRun<'a> {
    NewRun {
        id,
        connection,
        kind: "bulk",
        source_system: SOURCE,
        started: NOW,
    }
}

fn start(store: &mut dyn Store, id: &str, connection: Option<&str>) {
    store
        .start_run(&new_run(id, connection))
        .expect("start_run");
}
