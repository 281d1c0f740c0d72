//! Tests at the public seams of `fhir-store`.

mod redaction;
#[cfg(feature = "sqlite")]
mod sqlite;

use fhir_store::{InMemoryStore, conformance};

#[test]
fn memory_conforms() {
    conformance::run_all(&mut || Box::new(InMemoryStore::new()));
}
