//! Who wrote what, when, and from where: a FHIR R4 Provenance from a handful
//! of facts.
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use fhir_provenance::{Activity, Message, ProvenanceIds, Record, Remediation, Sha256Ids};

fn main() -> Result<(), serde_json::Error> {
    let record = Record {
        provenance_id: Sha256Ids.id("urn:example:memorial", "Condition/c1/2"),
        source_system: "urn:example:memorial",
        source_id: "c1",
        resource_type: "Condition",
        id: "c1",
        version: 2,
        activity: Activity::Update,
        recorded: 1_767_323_045_678, // milliseconds since 1970-01-01T00:00:00Z
        organization: "Acme Health",
        remediations: &[Remediation {
            path: "Condition.code",
            rule: "unknown-concept",
        }],
        // The HL7 v2 message that told of the change.
        message: Some(Message {
            control_id: "MSG00001",
            raw_key: "acme/2026/01/02/MEMORIAL/MSG00001-0011223344556677.hl7",
        }),
    };
    let mut json = Vec::new();
    record.write_json(&mut json);
    let provenance: serde_json::Value = serde_json::from_slice(&json)?;
    println!("{}", serde_json::to_string_pretty(&provenance)?);
    Ok(())
}
