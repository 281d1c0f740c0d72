//! Ids in the store of resources known by their id at the source.

use std::collections::HashSet;

use fhir_normalize::{IdHasher, IdMode, Settings, is_legal_id};

/// The rules of the normalizer, for ids alone.
pub(crate) struct StoreIds {
    preserve: bool,
    hasher: IdHasher,
    /// Patients whose id at the source is their medical record number.
    mrn_patients: HashSet<String>,
}

impl StoreIds {
    /// `aliases` are those that the store keeps of the source.
    pub(crate) fn new(settings: &Settings, aliases: impl IntoIterator<Item = String>) -> Self {
        Self {
            preserve: settings.id_mode == IdMode::Preserve,
            hasher: IdHasher::new(settings),
            mrn_patients: aliases.into_iter().collect(),
        }
    }

    pub(crate) fn id(&self, resource_type: &str, source_id: &str) -> String {
        let is_mrn = resource_type == "Patient" && self.mrn_patients.contains(source_id);
        if self.preserve && is_legal_id(source_id) && !is_mrn {
            return source_id.to_owned();
        }
        let digest = self.hasher.digest(resource_type, source_id);
        digest.map(|byte| format!("{byte:02x}")).concat()
    }
}
