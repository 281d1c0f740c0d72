//! Patients who were merged into another.

use super::gathered::Gathering;
use super::{FetchError, Fetcher, Known, PatientKey};
use crate::MergedPatient;
use crate::load::with_link;

impl Fetcher {
    /// Takes the record of a patient who was merged into `survivor`, with the
    /// link that says so; where the server has none, the store's own gets it.
    pub(super) fn merge(
        &self,
        key: &PatientKey,
        survivor: &str,
        known: &dyn Known,
        gathering: &mut Gathering,
    ) -> Result<(), FetchError> {
        let (mut others, _) = self.records(key)?;
        // The identifier may belong to the survivor by now, and servers may
        // give who remains for the id of who doesn't.
        others.retain(|record| record.id != survivor);
        if others.is_empty() {
            return self.merge_stored(key, survivor, known, gathering);
        }
        let mut unmarked = Vec::new();
        for record in &others {
            gathering.take(&record.text)?;
            if !record.is_replaced {
                unmarked.push(record);
            }
        }
        match unmarked[..] {
            [] => {}
            [record] => {
                if let Some(marked) = with_link(&record.text, &format!("Patient/{survivor}")) {
                    gathering.take_again(&marked)?;
                }
            }
            // Which of them it is can't be told.
            _ => gathering.counts.unknown_merged += 1,
        }
        Ok(())
    }

    fn merge_stored(
        &self,
        key: &PatientKey,
        survivor: &str,
        known: &dyn Known,
        gathering: &mut Gathering,
    ) -> Result<(), FetchError> {
        let fail = |error| FetchError::Store(Box::new(error));
        let mut others = known.patients(key).map_err(fail)?;
        others.retain(|patient| patient.source_id != survivor);
        match <[_; 1]>::try_from(others) {
            Ok([patient]) => gathering.merged.push(MergedPatient {
                id: patient.id,
                survivor: survivor.to_owned(),
            }),
            Err(_) => gathering.counts.unknown_merged += 1,
        }
        Ok(())
    }
}
