use super::{
    NOW, SOURCE, body, context, current, delete, deletion, found, has_content, identifier, put,
    put_as, resource,
};
use crate::{
    Amend, Counts, DeleteOutcome, Error, NewRun, Put, PutOutcome, RunState, Store, Stored,
    WriteContext,
};

/// The first content creates, the same again does nothing, another is the next version.
pub fn creates_updates_and_skips(store: &mut dyn Store) {
    assert_eq!(store.get("Patient", "p").expect("get"), None);
    let first = resource("Patient", "p", "1");
    assert_eq!(put(store, &[first]), [PutOutcome::Created]);
    assert_eq!(put(store, &[first]), [PutOutcome::Unchanged]);
    store.flush().expect("flush");
    assert_eq!(put(store, &[first]), [PutOutcome::Unchanged]);

    let other = resource("Patient", "p", "2");
    let other = Put {
        source_id: "p in the source",
        ..other
    };
    assert_eq!(put(store, &[other]), [PutOutcome::Updated { version: 2 }]);
    let stored = current(store, "Patient", "p");
    assert_eq!(stored.version, 2);
    assert_eq!(stored.content_hash, other.content_hash);
    assert_eq!(stored.body.as_deref(), Some(other.body));
    assert_eq!(stored.source_system, SOURCE);
    assert_eq!(stored.source_id, "p in the source");
    assert_eq!(stored.last_updated, NOW);
    assert_eq!(stored.run.as_deref(), Some("01JRUN"));
    assert!(!stored.deleted);

    // The id is unique within its type only.
    let namesake = resource("Group", "p", "2");
    assert_eq!(put(store, &[namesake]), [PutOutcome::Created]);
}

/// Content that equals an earlier version is written only when asked for.
pub fn skips_what_was_seen_before(store: &mut dyn Store) {
    let old = resource("Patient", "p", "old");
    let new = resource("Patient", "p", "new");
    assert_eq!(
        put(store, &[old, new]),
        [PutOutcome::Created, PutOutcome::Updated { version: 2 }]
    );
    assert_eq!(put(store, &[old]), [PutOutcome::SeenBefore { version: 1 }]);
    assert_eq!(current(store, "Patient", "p").version, 2);

    let revert = Put {
        revert: true,
        ..old
    };
    assert_eq!(put(store, &[revert]), [PutOutcome::Updated { version: 3 }]);
    assert_eq!(put(store, &[revert]), [PutOutcome::Unchanged]);
    assert_eq!(put(store, &[new]), [PutOutcome::SeenBefore { version: 2 }]);
}

/// A delete is a version without a body, once; the resource can come back.
pub fn deletes_and_recreates(store: &mut dyn Store) {
    let first = resource("Patient", "p", "first");
    put(store, &[first]);
    assert_eq!(
        delete(store, "Patient", "p"),
        DeleteOutcome::Deleted { version: 2 }
    );
    assert_eq!(delete(store, "Patient", "p"), DeleteOutcome::Absent);
    assert_eq!(delete(store, "Patient", "q"), DeleteOutcome::Absent);
    assert_eq!(delete(store, "Device", "p"), DeleteOutcome::Absent);

    let gone = current(store, "Patient", "p");
    assert!(gone.deleted);
    assert_eq!((gone.version, gone.body), (2, None));
    assert_eq!(gone.content_hash, first.content_hash);

    assert_eq!(
        put(store, &[first]),
        [PutOutcome::SeenBefore { version: 1 }],
        "a replay doesn't bring it back"
    );
    let revert = Put {
        revert: true,
        ..first
    };
    assert_eq!(put(store, &[revert]), [PutOutcome::Updated { version: 3 }]);
    assert!(!current(store, "Patient", "p").deleted);

    delete(store, "Patient", "p");
    let new = resource("Patient", "p", "new");
    assert_eq!(put(store, &[new]), [PutOutcome::Updated { version: 5 }]);
}

/// A resource belongs to the source system that wrote it first.
pub fn refuses_another_source(store: &mut dyn Store) {
    let ours = resource("Patient", "p", "ours");
    put(store, &[ours]);
    let other = WriteContext {
        source_system: "urn:test:b",
        ..context()
    };
    let theirs = resource("Patient", "p", "theirs");
    assert_eq!(
        put_as(store, &other, &[theirs, ours]),
        [PutOutcome::Conflict, PutOutcome::Conflict]
    );
    let mut outcomes = Vec::new();
    let batch = [deletion("Patient", "p")];
    store.delete(&other, &batch, &mut outcomes).expect("delete");
    assert_eq!(outcomes, [DeleteOutcome::Conflict]);
    assert_eq!(current(store, "Patient", "p").version, 1);

    // Another run, or another name of the organisation, is no other source.
    let later = WriteContext {
        organization: "New Name",
        run: None,
        ..context()
    };
    assert_eq!(
        put_as(store, &later, &[ours, theirs]),
        [PutOutcome::Unchanged, PutOutcome::Updated { version: 2 }]
    );
    assert_eq!(current(store, "Patient", "p").run, None);
}

/// Members of a batch build on those before them, also on those before the batch and before the flush.
pub fn a_batch_sees_itself(store: &mut dyn Store) {
    let (a, b, c) = (
        resource("Patient", "p", "a"),
        resource("Patient", "p", "b"),
        resource("Patient", "q", "c"),
    );
    assert_eq!(
        put(store, &[a, c, a, b, b, a, c]),
        [
            PutOutcome::Created,
            PutOutcome::Created,
            PutOutcome::Unchanged,
            PutOutcome::Updated { version: 2 },
            PutOutcome::Unchanged,
            PutOutcome::SeenBefore { version: 1 },
            PutOutcome::Unchanged,
        ]
    );
    assert_eq!(put(store, &[b, c]), [PutOutcome::Unchanged; 2]);
    let mut outcomes = Vec::new();
    let batch = [deletion("Patient", "p"), deletion("Patient", "p")];
    store
        .delete(&context(), &batch, &mut outcomes)
        .expect("delete");
    assert_eq!(
        outcomes,
        [DeleteOutcome::Deleted { version: 3 }, DeleteOutcome::Absent]
    );
}

/// The same input again, in whatever order, leaves the store as it was.
pub fn reloads_unchanged(store: &mut dyn Store) {
    let ids: Vec<String> = (0..300)
        .map(|number| format!("{}", number * 7 % 300))
        .collect();
    let mut batch: Vec<Put<'_>> = ids
        .iter()
        .map(|id| resource("Observation", id, id))
        .collect();
    assert!(put(store, &batch).iter().all(|&o| o == PutOutcome::Created));
    store.flush().expect("flush");
    // A gap in the sequence, where the current version is further on.
    put(store, &[resource("Observation", "7", "changed")]);
    store.flush().expect("flush");
    let before = store.scan(None, 0, usize::MAX).expect("scan");
    batch.retain(|put| put.id != "7");

    assert!(
        put(store, &batch)
            .iter()
            .all(|&o| o == PutOutcome::Unchanged)
    );
    batch.reverse();
    assert!(
        put(store, &batch)
            .iter()
            .all(|&o| o == PutOutcome::Unchanged)
    );
    batch.sort_by_key(|put| put.id);
    assert!(
        put(store, &batch)
            .iter()
            .all(|&o| o == PutOutcome::Unchanged)
    );
    store.flush().expect("flush");
    assert_eq!(store.scan(None, 0, usize::MAX).expect("scan"), before);

    // New resources among the known ones.
    let mixed = [
        batch[0],
        resource("Observation", "new", "x"),
        batch[1],
        resource("Device", "new", "x"),
        batch[2],
    ];
    assert_eq!(
        put(store, &mixed),
        [
            PutOutcome::Unchanged,
            PutOutcome::Created,
            PutOutcome::Unchanged,
            PutOutcome::Created,
            PutOutcome::Unchanged,
        ]
    );
}

/// Every version stays readable, oldest first.
pub fn keeps_history(store: &mut dyn Store) {
    put(store, &[resource("Patient", "p", "a")]);
    put(store, &[resource("Patient", "other", "a")]);
    put(store, &[resource("Patient", "p", "b")]);
    delete(store, "Patient", "p");
    let history = store.history("Patient", "p").expect("history");
    let versions: Vec<_> = history
        .iter()
        .map(|stored| (stored.version, stored.body.clone(), stored.deleted))
        .collect();
    let body = |content| Some(body("Patient", "p", content));
    assert_eq!(
        versions,
        [
            (1, body("a"), false),
            (2, body("b"), false),
            (3, None, true)
        ]
    );
    assert!(history.is_sorted_by_key(|stored| stored.sequence));
    assert_eq!(store.history("Patient", "x").expect("history"), []);
    assert_eq!(store.history("Device", "p").expect("history"), []);
}

/// What a run has written can be read when it is over, and the same again is unchanged.
pub fn keeps_content_past_a_run(store: &mut dyn Store) {
    let run = NewRun {
        id: "01JRUN",
        connection: None,
        kind: "load",
        source_system: SOURCE,
        started: NOW,
    };
    store.start_run(&run).expect("start_run");
    put(store, &[resource("Patient", "p", "first")]);
    let batch = [
        resource("Patient", "p", "second"),
        resource("Patient", "q", "other"),
        resource("Device", "d", "device"),
        resource("Device", "gone", "gone"),
    ];
    put(store, &batch);
    delete(store, "Device", "gone");
    let counts = Counts::default();
    let completed = RunState::Completed;
    store
        .finish_run(run.id, completed, NOW, &counts, None, None)
        .expect("finish_run");

    let patient = current(store, "Patient", "p");
    assert_eq!(patient.version, 2);
    assert!(has_content(patient.body.as_deref(), "second"));
    let scanned = store.scan(None, 0, usize::MAX).expect("scan");
    let expected = [
        ("p", "second"),
        ("q", "other"),
        ("d", "device"),
        ("gone", ""),
    ];
    assert_eq!(scanned.len(), expected.len());
    for (stored, (id, content)) in scanned.iter().zip(expected) {
        assert_eq!(stored.id, id);
        assert_eq!(stored.deleted, content.is_empty());
        assert!(stored.deleted || has_content(stored.body.as_deref(), content));
    }
    let page = store.scan(None, 0, 1).expect("scan");
    assert_eq!(page, scanned[..1]);
    let history = store.history("Patient", "p").expect("history");
    assert_eq!(history.len(), 2);
    assert!(has_content(history[0].body.as_deref(), "first"));
    assert!(has_content(history[1].body.as_deref(), "second"));
    assert_eq!(put(store, &batch[..3]), [PutOutcome::Unchanged; 3]);
}

/// Amending changes content and identifiers of one version and nothing else.
pub fn amends_in_place(store: &mut dyn Store) {
    let identifiers = [identifier("urn:mrn", "1"), identifier("urn:mrn", "2")];
    let first = Put {
        identifiers: &identifiers,
        ..resource("Patient", "p", "first")
    };
    put(store, &[first]);
    let before = current(store, "Patient", "p");
    let provenance = store.provenance("Patient", "p", 1).expect("provenance");

    let new = resource("Patient", "p", "amended");
    let amend = Amend {
        resource_type: "Patient",
        id: "p",
        version: 1,
        content_hash: new.content_hash,
        body: new.body,
        identifiers: &[identifier("urn:mrn", "2"), identifier("urn:mrn", "3")],
        keeps_line: false,
    };
    store.amend(&[amend]).expect("amend");
    let after = current(store, "Patient", "p");
    assert_eq!(
        after,
        Stored {
            content_hash: new.content_hash,
            body: Some(new.body.to_owned()),
            ..before
        }
    );
    assert_eq!(store.history("Patient", "p").expect("history"), [after]);
    assert_eq!(
        store.provenance("Patient", "p", 1).expect("provenance"),
        provenance
    );
    assert_eq!(found(store, "urn:mrn", "1"), [""; 0]);
    assert_eq!(found(store, "urn:mrn", "2"), ["p"]);
    assert_eq!(found(store, "urn:mrn", "3"), ["p"]);
    assert_eq!(put(store, &[new]), [PutOutcome::Unchanged]);

    store.flush().expect("flush");
    for missing in [
        Amend { id: "q", ..amend },
        Amend {
            resource_type: "Device",
            ..amend
        },
        Amend {
            version: 2,
            ..amend
        },
    ] {
        assert!(matches!(
            store.amend(&[missing]),
            Err(Error::UnknownResource)
        ));
    }
    delete(store, "Patient", "p");
    store.flush().expect("flush");
    let deleted = Amend {
        version: 2,
        ..amend
    };
    assert!(matches!(
        store.amend(&[deleted]),
        Err(Error::UnknownResource)
    ));
}

/// Versions before the current one are amended without becoming current.
pub fn amends_earlier_versions(store: &mut dyn Store) {
    put(store, &[resource("Patient", "p", "first")]);
    let identifiers = [identifier("urn:mrn", "1")];
    let second = Put {
        identifiers: &identifiers,
        ..resource("Patient", "p", "second")
    };
    put(store, &[second]);
    let new = resource("Patient", "p", "amended");
    let amend = Amend {
        resource_type: "Patient",
        id: "p",
        version: 1,
        content_hash: new.content_hash,
        body: new.body,
        identifiers: &[identifier("urn:mrn", "2")],
        keeps_line: false,
    };
    store.amend(&[amend]).expect("amend");
    let history = store.history("Patient", "p").expect("history");
    let bodies: Vec<_> = history.iter().map(|own| own.body.as_deref()).collect();
    assert_eq!(bodies, [Some(new.body), Some(second.body)]);
    assert_eq!(current(store, "Patient", "p"), history[1]);
    assert_eq!(found(store, "urn:mrn", "1"), ["p"]);
    assert_eq!(found(store, "urn:mrn", "2"), [""; 0]);
    assert_eq!(put(store, &[second]), [PutOutcome::Unchanged]);
    let seen = PutOutcome::SeenBefore { version: 1 };
    assert_eq!(put(store, &[new]), [seen]);
    let first = resource("Patient", "p", "first");
    assert_eq!(put(store, &[first]), [PutOutcome::Updated { version: 3 }]);
}
