//! Tests at the public seams of `fhir-provenance`.

mod ids;
mod instant;
mod json;
mod shape;

use fhir_provenance::{Activity, Message, Record, Remediation};

/// A record with every optional part present.
fn full() -> Record<'static> {
    Record {
        provenance_id: [0xab; 32],
        source_system: "urn:epic:memorial",
        source_id: "a/b",
        resource_type: "Condition",
        id: "c1",
        version: 3,
        activity: Activity::Update,
        recorded: 1_767_323_045_678,
        organization: "Acme Health",
        remediations: &[Remediation {
            path: "Condition.code",
            rule: "data-absent-reason",
        }],
        message: Some(Message {
            control_id: "MSG00001",
            raw_key: "acme/2026/01/02/MEM/MSG00001-0123456789abcdef.hl7",
        }),
    }
}

fn json(record: &Record<'_>) -> String {
    let mut out = Vec::new();
    record.write_json(&mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}
