use sha2::{Digest, Sha256};

/// Makes the id of a Provenance from what it is about.
///
/// The id is a pure function of its arguments: writing the same version again gives the same Provenance.
/// Implement it with a keyed hash where ids must not be guessable.
pub trait ProvenanceIds {
    /// The id of the Provenance of `target`, which is `Type/id/version`, as written from `source_system`.
    ///
    /// FHIR ids hold at most 64 characters of `[A-Za-z0-9\-.]`; the 32 bytes are written as 64 hex digits.
    fn id(&self, source_system: &str, target: &str) -> [u8; 32];
}

/// Unkeyed ids: SHA-256 of the lines `SOURCE_SYSTEM`, `Provenance` and `Type/id/version`.
///
/// The lines are joined by single line feeds, with none at the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sha256Ids;

impl ProvenanceIds for Sha256Ids {
    fn id(&self, source_system: &str, target: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(source_system)
            .chain_update("\nProvenance\n")
            .chain_update(target)
            .finalize()
            .into()
    }
}
