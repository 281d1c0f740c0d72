//! What belongs to a patient.

use fhir_http::Search;
use jiff::{SignedDuration, Timestamp};

use super::gathered::{Gathering, Haul};
use super::server::{MOST_OTHERS, was_used};
use super::{FetchError, Fetcher};

/// Clocks differ, and what was being written when the last fetch read may bear
/// an earlier time.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

impl Fetcher {
    /// Searches for all configured types by patient.
    pub(super) fn search_types(
        &self,
        patient: &str,
        since: Option<Timestamp>,
        gathering: &mut Gathering,
    ) -> Result<(), FetchError> {
        gathering.settle()?;
        let haul = gathering.haul();
        let hauls = self.server.side_by_side(&self.adt.types, |name| {
            self.search_type(name, patient, since, haul())
        })?;
        hauls.into_iter().try_for_each(|haul| gathering.add(haul))
    }

    fn search_type(
        &self,
        resource_type: &str,
        patient: &str,
        since: Option<Timestamp>,
        mut haul: Haul,
    ) -> Result<Haul, FetchError> {
        let mut search = Search::new(resource_type)
            .token("patient", None, patient)
            .count(self.adt.page_size);
        if let Some(since) = since
            && self.server.knows_last_updated(resource_type)
        {
            let since = since.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN);
            // Whole seconds are what every server can read.
            let instant = since.strftime("ge%Y-%m-%dT%H:%M:%SZ");
            search = search.param("_lastUpdated", instant.to_string());
        }
        let mut others = 0;
        self.server.search(&search, |page| {
            for entry in page.entries {
                let text: Box<str> = entry.resource.into();
                let head = haul.take(&text)?;
                // After a merge, servers give what is still about the other.
                others += usize::from(head.patient.is_some_and(|own| own != patient));
            }
            let was_used = was_used(page.self_link.as_deref(), "patient");
            if others > MOST_OTHERS || others > 0 && !was_used {
                return Err(self.unfiltered(resource_type, "patient"));
            }
            Ok(true)
        })?;
        Ok(haul)
    }
}
