use std::cell::RefCell;

use fhir_normalize::Settings;
use fhir_store::{InMemoryStore, Store};

use super::PatientKey;
use crate::Result;
use crate::access::StoreAccess;
use crate::load::StoreIds;

/// What is in the store already.
pub trait Known {
    /// Whether a resource is there, by its id at the source.
    ///
    /// # Errors
    /// When the store can't read.
    fn has(&self, resource_type: &str, source_id: &str) -> Result<bool>;

    /// The patients that are there by this id or identifier.
    ///
    /// # Errors
    /// When the store can't read.
    fn patients(&self, key: &PatientKey) -> Result<Vec<KnownPatient>>;
}

/// A patient of the store.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownPatient {
    /// Id in the store.
    pub id: String,
    /// Id at the source.
    pub source_id: String,
}

/// By hand: ids name patients.
impl std::fmt::Debug for KnownPatient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KnownPatient(…)")
    }
}

/// Nothing is known.
impl Known for () {
    fn has(&self, _: &str, _: &str) -> Result<bool> {
        Ok(false)
    }

    fn patients(&self, _: &PatientKey) -> Result<Vec<KnownPatient>> {
        Ok(Vec::new())
    }
}

/// What a store has of one source, at the time it is asked. It is made anew
/// for each fetch, or few of them: which patients are known by their medical
/// record number is learnt when it is made.
pub struct InStore {
    store: RefCell<Box<dyn Store>>,
    ids: StoreIds,
    source_system: String,
}

impl InStore {
    /// What `store` has of the source with these settings.
    ///
    /// # Errors
    /// When the store can't read.
    pub fn new(mut store: Box<dyn Store>, settings: &Settings) -> Result<Self> {
        let aliases = store.aliases(&settings.source_system)?;
        Ok(Self {
            ids: StoreIds::new(settings, aliases),
            store: RefCell::new(store),
            source_system: settings.source_system.clone(),
        })
    }

    /// What a store has, which another process may be writing; nothing where
    /// there is none yet.
    ///
    /// # Errors
    /// When the store can't be opened or read.
    pub fn read(store: &dyn StoreAccess, settings: &Settings) -> Result<Self> {
        match store.records()? {
            Some(store) => Self::new(Box::new(store), settings),
            None => Self::new(Box::new(InMemoryStore::new()), settings),
        }
    }

    /// The resource of this source with that id in the store.
    fn patient(&self, id: &str) -> Result<Option<KnownPatient>> {
        let stored = self.store.borrow_mut().get("Patient", id)?;
        let own =
            stored.filter(|stored| !stored.deleted && stored.source_system == self.source_system);
        Ok(own.map(|stored| KnownPatient {
            id: stored.id,
            source_id: stored.source_id,
        }))
    }
}

impl Known for InStore {
    fn has(&self, resource_type: &str, source_id: &str) -> Result<bool> {
        let id = self.ids.id(resource_type, source_id);
        let stored = self.store.borrow_mut().get(resource_type, &id)?;
        Ok(stored
            .is_some_and(|stored| !stored.deleted && stored.source_system == self.source_system))
    }

    fn patients(&self, key: &PatientKey) -> Result<Vec<KnownPatient>> {
        /// More than these can't be told apart anyhow.
        const MOST: usize = 8;
        let ids = match key {
            PatientKey::Id(id) => vec![self.ids.id("Patient", id)],
            PatientKey::Identifier { system, value } => {
                let system = system.as_deref().unwrap_or_default();
                self.store
                    .borrow_mut()
                    .find_by_identifier("Patient", system, value, MOST)?
            }
        };
        let mut patients = Vec::new();
        for id in ids {
            patients.extend(self.patient(&id)?);
        }
        Ok(patients)
    }
}

impl std::fmt::Debug for InStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InStore")
            .field("source_system", &self.source_system)
            .finish_non_exhaustive()
    }
}
