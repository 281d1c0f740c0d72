//! Tests at the public seams of `fhir-store`.

mod redaction;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;

use fhir_store::{InMemoryStore, conformance};

#[test]
fn memory_conforms() {
    conformance::run_all(&mut || Box::new(InMemoryStore::new()));
    conformance::renders_provenance_at_its_limits(&mut InMemoryStore::new());
}
