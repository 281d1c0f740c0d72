use fhir_provenance::{ProvenanceIds, Sha256Ids};

#[test]
fn is_sha256_over_three_lines() {
    // printf 'urn:epic:memorial\nProvenance\nPatient/p1/1' | sha256sum
    let id = Sha256Ids.id("urn:epic:memorial", "Patient/p1/1");
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "8f65d236221f4206e917dca66e5a505da725f6087889b78c23cc831359b9ca1b"
    );
}

#[test]
fn differs_by_system_and_by_version() {
    let first = Sha256Ids.id("urn:a", "Patient/p1/1");
    assert_ne!(first, Sha256Ids.id("urn:b", "Patient/p1/1"));
    assert_ne!(first, Sha256Ids.id("urn:a", "Patient/p1/2"));
}
