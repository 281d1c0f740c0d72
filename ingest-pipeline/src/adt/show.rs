//! Dead letters, for whoever looks at the store.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use fhir_http::Random;
use fhir_store::{DeadLetter, SqliteStore};

use super::MessageArchive;
use super::work::retry_wait;
use crate::access::StoreAccess;
use crate::archive::RawKey;
use crate::state::State;
use crate::{Result, causes};

/// Keeps the view `dead_letters` of a store like the inbox, where the store has
/// views.
#[derive(Debug, Default)]
pub struct Shown {
    /// The archives, by connection.
    messages: BTreeMap<String, MessageArchive>,
    /// What the store shows, once that is known.
    ids: Option<BTreeSet<i64>>,
    trouble: Option<Trouble>,
}

/// Since the store can't be told.
#[derive(Debug)]
struct Trouble {
    problem: String,
    attempts: u32,
    /// From the last attempt to the next, in milliseconds since the Unix epoch.
    pause: Range<i64>,
}

impl Shown {
    /// With the archives that have the messages of connections.
    #[must_use]
    pub fn new(messages: impl IntoIterator<Item = (String, MessageArchive)>) -> Self {
        Self {
            messages: messages.into_iter().collect(),
            ids: None,
            trouble: None,
        }
    }

    /// Brings the view up to date, at a moment in milliseconds since the Unix
    /// epoch, or for the last time.
    ///
    /// It is no fault if that has to wait, as for a run that writes for hours:
    /// there is a line for each thing that goes wrong, and the longer it lasts
    /// the rarer it is tried.
    pub(super) fn keep_up(
        &mut self,
        state: &State,
        store: &dyn StoreAccess,
        moment: Option<i64>,
        random: &dyn Random,
    ) {
        let pauses = |trouble: &Trouble| moment.is_some_and(|now| trouble.pause.contains(&now));
        if self.trouble.as_ref().is_some_and(pauses) {
            return;
        }
        let Err(error) = self.update(state, store) else {
            if self.trouble.take().is_some() {
                tracing::info!("the store shows all dead letters again");
            }
            return;
        };
        let problem = causes(&error);
        let attempts = match &self.trouble {
            Some(trouble) if trouble.problem == problem => trouble.attempts + 1,
            _ => {
                tracing::warn!(
                    error = problem,
                    "the store does not show all dead letters yet"
                );
                0
            }
        };
        let wait = i64::try_from(retry_wait(attempts, random).as_millis()).unwrap_or(i64::MAX);
        let from = moment.unwrap_or_default();
        self.trouble = Some(Trouble {
            problem,
            attempts,
            pause: from..from.saturating_add(wait),
        });
    }

    fn update(&mut self, state: &State, store: &dyn StoreAccess) -> Result<()> {
        if !store.is_file() {
            return Ok(());
        }
        let db = store.file();
        let letters = state.dead_letters()?;
        let ids: BTreeSet<_> = letters.iter().map(|letter| letter.id).collect();
        // A store that is not there yet shows none.
        if self.ids.as_ref() == Some(&ids) || (ids.is_empty() && !db.exists()) {
            return Ok(());
        }
        let mut store = SqliteStore::open(db)?;
        let shown: BTreeSet<_> = store.dead_letters()?.into_iter().collect();
        let mut new = Vec::new();
        for letter in letters.iter().filter(|letter| !shown.contains(&letter.id)) {
            let body = match self.messages.get(&letter.connection) {
                Some(messages) => messages.get(state, &RawKey::parse(&letter.raw_key)?)?,
                None => None,
            };
            new.push(DeadLetter {
                id: letter.id,
                received: letter.received,
                reason: letter.reason.clone(),
                detail: letter.detail.clone(),
                attempts: letter.attempts,
                control_id: Some(String::from_utf8_lossy(&letter.control_id).into_owned())
                    .filter(|id| !id.is_empty()),
                body: body.map(|body| body.to_vec()).unwrap_or_default(),
            });
        }
        let gone: Vec<_> = shown.difference(&ids).copied().collect();
        store.show_dead_letters(&new, &gone)?;
        fhir_store::ResourceStore::flush(&mut store)?;
        self.ids = Some(ids);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fhir_http::SystemRandom;
    use tempfile::TempDir;

    use super::*;
    use crate::access::SqliteFile;

    #[test]
    fn a_store_that_others_write_is_asked_less_and_less() {
        let folder = TempDir::new().unwrap();
        let state = State::open(&folder.path().join("state.db")).unwrap();
        let path = folder.path().join("store.db");
        let other = SqliteStore::open(&path).unwrap();
        let store = SqliteFile(path.clone());
        let mut shown = Shown::default();
        let mut attempts = Vec::new();
        // Ten looks a second for ten minutes.
        for now in (1_000_000..1_600_000).step_by(100) {
            shown.keep_up(&state, &store, Some(now), &SystemRandom);
            let trouble = shown.trouble.as_ref().unwrap();
            assert!(trouble.problem.contains("in use by another writer"));
            if trouble.attempts as usize == attempts.len() {
                attempts.push(now);
            }
        }
        let pauses: Vec<_> = attempts.windows(2).map(|two| two[1] - two[0]).collect();
        assert!((6..14).contains(&attempts.len()), "{attempts:?}");
        for (number, pause) in pauses.into_iter().enumerate() {
            let most = 2_000 << number;
            let (least, most) = (most.min(300_000) / 2, most.min(300_000) + 100);
            assert!((least..=most).contains(&pause), "{attempts:?}");
        }

        // A clock that was put back takes no attempt away.
        let last = shown.trouble.as_ref().unwrap().attempts;
        shown.keep_up(&state, &store, Some(500_000), &SystemRandom);
        assert_eq!(shown.trouble.as_ref().unwrap().attempts, last + 1);
        drop(other);
        shown.keep_up(&state, &store, Some(500_100), &SystemRandom);
        assert!(shown.trouble.is_some() && shown.ids.is_none());
        shown.keep_up(&state, &store, None, &SystemRandom);
        assert!(shown.trouble.is_none() && shown.ids.is_some());
    }
}
