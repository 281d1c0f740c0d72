use fhir_provenance::{Activity, Message, ProvenanceIds as _, Record, Remediation, Sha256Ids};

use super::{NOW, context, deletion, put_as, resource};
use crate::{Put, Store, WriteContext};

/// Every version has the Provenance of its write, byte for byte as [`Record`] renders it.
pub fn renders_provenance(store: &mut dyn Store) {
    let path = "a \"quoted\" \\ path\n\t\r\u{7f}é😀/";
    renders(store, path, "A \\ \"B\"", &[0, -1, 999]);
}

/// The same with characters that FHIR forbids and with instants at the ends of the calendar, which not every server takes.
///
/// For stores that are none; not in [`run_all`](super::run_all).
pub fn renders_provenance_at_its_limits(store: &mut dyn Store) {
    let times = [i64::MIN, i64::MAX];
    renders(store, "\u{1}\u{8}\u{c}\u{1f}", "A\u{1f}", &times);
}

fn renders(store: &mut dyn Store, path: &str, organization: &str, times: &[i64]) {
    let remediations = [
        Remediation {
            path: "Condition.code",
            rule: "data-absent-reason",
        },
        Remediation { path, rule: "r" },
    ];
    let message = |control_id, raw_key| {
        Some(Message {
            control_id,
            raw_key,
        })
    };
    let context = WriteContext {
        source_system: "urn:\"test\":é",
        organization,
        recorded: NOW,
        ..context()
    };
    let messages = [
        None,
        message("M1", "tenant/key.hl7"),
        message("M1", "tenant/key.hl7"),
        message("M2", ""),
        message("", "tenant/key.hl7"),
        message("", ""),
    ];
    let contents = ["0", "1", "2", "3", "4", "5"];
    let batch: Vec<Put<'_>> = messages
        .iter()
        .zip(contents)
        .enumerate()
        .map(|(index, (&message, content))| Put {
            source_id: "id/\"in\" source",
            message,
            remediations: &remediations[..index % 3],
            ..resource("Condition", "c", content)
        })
        .collect();
    put_as(store, &context, &batch);
    let times: Vec<_> = times.iter().map(|time| (*time, time.to_string())).collect();
    for (recorded, id) in &times {
        let context = WriteContext {
            recorded: *recorded,
            ..context
        };
        put_as(store, &context, &[resource("Device", id, "d")]);
    }
    let mut outcomes = Vec::new();
    let batch_deleted = [deletion("Condition", "c")];
    store
        .delete(&context, &batch_deleted, &mut outcomes)
        .expect("delete");

    let record =
        |resource_type, id, version, recorded| bare(&context, resource_type, id, version, recorded);
    let last = messages.len() as u64;
    for (put, version) in batch.iter().zip(1..) {
        let activity = if version == 1 {
            Activity::Create
        } else {
            Activity::Update
        };
        let expected = Record {
            source_id: put.source_id,
            activity,
            remediations: put.remediations,
            message: put.message,
            ..record("Condition", "c", version, NOW)
        };
        check_provenance(store, &expected);
    }
    check_provenance(
        store,
        &Record {
            activity: Activity::Delete,
            ..record("Condition", "c", last + 1, NOW)
        },
    );
    for (recorded, id) in &times {
        check_provenance(store, &record("Device", id, 1, *recorded));
    }
    for (resource_type, id, version) in [
        ("Condition", "c", 0),
        ("Condition", "c", last + 2),
        ("Condition", "c", u64::MAX),
        ("Condition", "x", 1),
        ("Group", "c", 1),
    ] {
        let none = store.provenance(resource_type, id, version);
        assert_eq!(none.expect("provenance"), None);
    }
}

/// A create with nothing mended.
fn bare<'a>(
    context: &WriteContext<'a>,
    resource_type: &'a str,
    id: &'a str,
    version: u64,
    recorded: i64,
) -> Record<'a> {
    let target = format!("{resource_type}/{id}/{version}");
    Record {
        provenance_id: Sha256Ids.id(context.source_system, &target),
        source_system: context.source_system,
        source_id: id,
        resource_type,
        id,
        version,
        activity: Activity::Create,
        recorded,
        organization: context.organization,
        remediations: &[],
        message: None,
    }
}

fn check_provenance(store: &mut dyn Store, expected: &Record<'_>) {
    let stored = store
        .provenance(expected.resource_type, expected.id, expected.version)
        .expect("provenance")
        .expect("every version has a Provenance");
    let mut json = Vec::new();
    expected.write_json(&mut json);
    assert_eq!(
        String::from_utf8_lossy(&stored),
        String::from_utf8_lossy(&json)
    );
}
