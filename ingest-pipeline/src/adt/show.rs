//! Dead letters, for whoever looks at the store.

use std::collections::{BTreeMap, BTreeSet};

use fhir_store::{DeadLetter, SqliteStore};

use super::MessageArchive;
use crate::Result;
use crate::access::StoreAccess;
use crate::archive::RawKey;
use crate::state::State;

/// Keeps the view `dead_letters` of a store like the inbox, where the store has
/// views.
#[derive(Debug, Default)]
pub struct Shown {
    /// The archives, by connection.
    messages: BTreeMap<String, MessageArchive>,
    /// What the store shows, once that is known.
    ids: Option<BTreeSet<i64>>,
}

impl Shown {
    /// With the archives that have the messages of connections.
    #[must_use]
    pub fn new(messages: impl IntoIterator<Item = (String, MessageArchive)>) -> Self {
        Self {
            messages: messages.into_iter().collect(),
            ids: None,
        }
    }

    pub(super) fn update(&mut self, state: &State, store: &dyn StoreAccess) -> Result<()> {
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
