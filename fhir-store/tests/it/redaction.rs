//! Nothing of a patient in what ends up in a log.

use fhir_store::{
    Amend, Delete, Identifier, InMemoryStore, Put, QuarantineRecord, Refused, ResourceStore as _,
    Sha256Ids, WriteContext,
};

const SECRET: &str = "S3CRET";

#[test]
fn debug_texts_hold_no_ids_and_no_content() {
    let identifier = Identifier {
        system: "urn:mrn",
        value: SECRET,
    };
    let put = Put {
        resource_type: "Patient",
        id: SECRET,
        source_id: SECRET,
        content_hash: [0; 32],
        body: SECRET,
        identifiers: &[identifier],
        remediations: &[],
        message: None,
        revert: false,
        line: None,
    };
    let delete = Delete {
        resource_type: "Patient",
        id: SECRET,
        source_id: SECRET,
        message: None,
    };
    let amend = Amend {
        resource_type: "Patient",
        id: SECRET,
        version: 1,
        content_hash: [0; 32],
        body: SECRET,
        identifiers: &[identifier],
        keeps_line: false,
    };
    let refused = Refused {
        file: "Patient.ndjson",
        line: None,
        byte_offset: None,
        reason: "invalid-json",
        detail: "",
        body: SECRET.as_bytes(),
    };
    let kept = QuarantineRecord {
        id: 1,
        run: String::new(),
        file: String::new(),
        line: None,
        byte_offset: None,
        reason: String::new(),
        detail: String::new(),
        body: SECRET.into(),
    };
    let context = WriteContext {
        source_system: "urn:test:a",
        organization: "Test",
        run: None,
        recorded: 0,
        ids: &Sha256Ids,
    };
    let mut store = InMemoryStore::new();
    store.put(&context, &[put], &mut Vec::new()).expect("put");
    let stored = store.get("Patient", SECRET).expect("get").expect("stored");

    let texts = [
        format!("{put:?}"),
        format!("{delete:?}"),
        format!("{amend:?}"),
        format!("{identifier:?}"),
        format!("{refused:?}"),
        format!("{kept:?}"),
        format!("{stored:?}"),
        format!("{store:?}"),
    ];
    let bytes = format!("{:?}", SECRET.as_bytes());
    for text in texts {
        assert!(!text.contains(SECRET) && !text.contains(&bytes), "{text}");
    }
}
