//! What becomes of one resource before it is stored: its id, its references,
//! what was missing, and the hash that tells whether anything changed.
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;

use fhir_normalize::{Normalizer, Settings};

/// The id has a character that FHIR forbids, `code` is missing, and the
/// subject is given as the server knows it.
const LINE: &str = r#"{"resourceType":"Observation","id":"weight_1","status":"final",
    "subject":{"reference":"https://ehr.example/fhir/Patient/p1/_history/2"},
    "valueQuantity":{"value":70.50,"unit":"kg"}}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let mut normalizer = Normalizer::new(Settings {
        bases: vec!["https://ehr.example/fhir".to_owned()],
        ..Settings::new("urn:example:memorial")
    });
    let normalized = normalizer.normalize(LINE.as_bytes())?;
    println!("source id   {}", normalized.source_id);
    println!("stored id   {}", normalized.id);
    for remediation in normalized.remediations {
        println!("mended      {}: {}", remediation.path, remediation.rule);
    }
    println!("body        {}", normalized.body);
    let hash: String = normalized
        .content_hash
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("hash        {hash}");

    // What can't be mended is refused, with a reason.
    let nobody = r#"{"resourceType":"Condition","id":"c1"}"#;
    if let Err(rejected) = normalizer.normalize(nobody.as_bytes()) {
        println!("refused     {rejected}");
    }
    Ok(())
}
