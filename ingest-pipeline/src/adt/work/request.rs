//! From what waits in the queue to what a fetcher takes, and back to why it
//! failed.

use crate::TriggerMessage;
use crate::fetch::{FetchError, FetchRequest, PatientKey};
use crate::state::inbox::{PatientIdentifier, QueuedFetch};

pub(super) fn request(fetch: &QueuedFetch) -> FetchRequest {
    let mut request = FetchRequest::new(key(&fetch.wanted.patient));
    request.since = fetch
        .fetched
        .and_then(|milliseconds| jiff::Timestamp::from_millisecond(milliseconds).ok());
    request.merged = fetch.wanted.merged.iter().map(key).collect();
    request.message = Some(TriggerMessage {
        control_id: String::from_utf8_lossy(&fetch.control_id).into_owned(),
        raw_key: fetch.raw_key.clone(),
    });
    request
}

fn key(patient: &PatientIdentifier) -> PatientKey {
    PatientKey::Identifier {
        system: Some(patient.system.clone()).filter(|system| !system.is_empty()),
        value: patient.value.clone(),
    }
}

/// As a code.
pub(super) fn reason(error: &FetchError) -> &'static str {
    match error {
        FetchError::NoPatient { .. } => "patient-not-found",
        FetchError::Ambiguous { .. } => "patient-ambiguous",
        FetchError::Links { .. } => "patient-links",
        FetchError::Unfiltered { .. } => "search-unfiltered",
        _ => "fetch-failed",
    }
}
