//! From what waits in the queue to what a fetcher takes, and back to what it
//! read or why it failed.

use std::thread::{self, ScopedJoinHandle};

use crate::access::StoreAccess;
use crate::fetch::{FetchError, FetchRequest, Fetcher, Gathered, InStore, PatientKey};
use crate::state::inbox::{PatientIdentifier, QueuedFetch};
use crate::{Error, TriggerMessage};

fn request(fetch: &QueuedFetch, store: &dyn StoreAccess) -> FetchRequest {
    let mut request = FetchRequest::new(key(&fetch.wanted.patient));
    // Of a store that is new, or restored from a copy, more is missing than what
    // has changed since.
    request.since = fetch
        .fetched
        .as_ref()
        .filter(|(_, run)| store.has_completed(run).unwrap_or(false))
        .and_then(|(milliseconds, _)| jiff::Timestamp::from_millisecond(*milliseconds).ok());
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

/// What became of one fetch.
pub(super) enum Read {
    There(Gathered),
    Failed(FetchError),
}

/// Carries them out at the same time, each on a thread of its own.
pub(super) fn read_all(
    fetcher: &Fetcher,
    fetches: Vec<QueuedFetch>,
    store: &dyn StoreAccess,
) -> Vec<(QueuedFetch, Read)> {
    thread::scope(|scope| {
        let begin = |fetch: QueuedFetch| {
            let request = request(&fetch, store);
            let reading = scope.spawn(move || gather(fetcher, &request, store));
            (fetch, reading)
        };
        let reading: Vec<_> = fetches.into_iter().map(begin).collect();
        let end = |(fetch, reading): (_, ScopedJoinHandle<'_, Read>)| {
            let bug = |_| Read::Failed(FetchError::Store(Box::new(Error::Accounting)));
            (fetch, reading.join().unwrap_or_else(bug))
        };
        reading.into_iter().map(end).collect()
    })
}

fn gather(fetcher: &Fetcher, request: &FetchRequest, store: &dyn StoreAccess) -> Read {
    // What a store has of the patients changes with every batch.
    let known = match InStore::read(store, fetcher.normalize()) {
        Ok(known) => known,
        Err(error) => return Read::Failed(FetchError::Store(Box::new(error))),
    };
    match fetcher.gather(request, &known) {
        Ok(gathered) => Read::There(gathered),
        Err(error) => Read::Failed(error),
    }
}
