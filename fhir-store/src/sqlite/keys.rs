use std::hash::{BuildHasher as _, RandomState};

use rusqlite::Connection;

use super::current::{Current, look_up};
use super::early::{self, Early, Found};
use super::filter::Filter;
use super::pending::Pending;
use crate::Result;

/// Where versions are found by type and id.
pub(super) struct Keys {
    hasher: RandomState,
    place: Place,
    /// Present where the store was empty.
    filter: Option<Filter>,
}

/// Under which a resource is found.
pub(super) struct Key<'a> {
    pub(super) type_id: i64,
    pub(super) id: &'a str,
    pub(super) hash: u64,
}

enum Place {
    /// The index, or what waits to be written to it.
    Index,
    /// There is no index before the run ends.
    Early(Early),
    /// There is no index, since a run did not come to its end.
    Nowhere,
}

impl Keys {
    pub(super) fn new(connection: &Connection, is_empty: bool) -> Result<Self> {
        Ok(Self {
            hasher: RandomState::new(),
            place: match early::is_indexed(connection)? {
                true => Place::Index,
                false => Place::Nowhere,
            },
            filter: is_empty.then(Filter::new),
        })
    }

    /// In an empty store, leaves the index to the end of the run.
    pub(super) fn begin_early(&mut self, connection: &Connection) -> Result<()> {
        if self.is_indexed() {
            self.place = Place::Early(Early::begin(connection)?);
        }
        Ok(())
    }

    /// Where others write, what was not there may come at any time.
    pub(super) fn expect_others(&mut self) {
        self.filter = None;
    }

    pub(super) const fn is_indexed(&self) -> bool {
        matches!(self.place, Place::Index)
    }

    pub(super) const fn is_early(&self) -> bool {
        matches!(self.place, Place::Early(_))
    }

    /// Whether there is no index, and nothing that stands in for it.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.place, Place::Nowhere)
    }

    /// Builds the index where that was left for later.
    pub(super) fn build_index(&mut self, connection: &Connection) -> Result<()> {
        if self.is_indexed() {
            return Ok(());
        }
        // Sorting takes memory too. Should it fail, all of this is made anew.
        self.place = Place::Nowhere;
        early::build_index(connection)?;
        self.place = Place::Index;
        Ok(())
    }

    /// Builds the index where that was left for the end of a run, with no more memory taken than for that.
    pub(super) fn end_run(&mut self, connection: &Connection) -> Result<()> {
        self.filter = None;
        self.build_index(connection)
    }

    pub(super) fn key<'a>(&self, type_id: i64, id: &'a str) -> Key<'a> {
        Key {
            type_id,
            id,
            hash: self.hasher.hash_one((type_id, id)),
        }
    }

    /// `false` where it is certain that there is no such resource, without more than a glance.
    pub(super) fn may_hold(&self, connection: &Connection, key: &Key<'_>) -> Result<bool> {
        if self.is_new(key) {
            return Ok(false);
        }
        let Place::Early(early) = &self.place else {
            return Ok(true);
        };
        let found = early.find(connection, key)?;
        Ok(!matches!(found, Found::Nothing))
    }

    /// Brings what the filter will be asked for into the caches of the processor: a batch is all over it, and waits for memory once in place of once a resource.
    pub(super) fn foresee(&self, keys: &[Key<'_>]) {
        if let Some(filter) = &self.filter {
            filter.touch(keys.iter().map(|key| key.hash));
        }
    }

    /// Whether the filter proves that there is no such resource.
    pub(super) fn is_new(&self, key: &Key<'_>) -> bool {
        let filter = self.filter.as_ref();
        filter.is_some_and(|filter| !filter.may_contain(key.hash))
    }

    /// The current version of a resource that the filter has not ruled out.
    pub(super) fn find(
        &mut self,
        connection: &Connection,
        pending: &mut Pending,
        key: &Key<'_>,
    ) -> Result<Option<Current>> {
        if let Place::Early(early) = &self.place {
            match early.find(connection, key)? {
                Found::Nothing => return Ok(None),
                Found::Current(current) => return Ok(Some(current)),
                Found::Clash => {}
            }
        }
        self.build_index(connection)?;
        if pending.may_contain(key) {
            pending.settle(connection)?;
        }
        look_up(connection, key)
    }

    /// Notes the first version of a resource that was not found.
    pub(super) fn insert(
        &mut self,
        connection: &Connection,
        key: &Key<'_>,
        seq: i64,
    ) -> Result<()> {
        if let Place::Early(early) = &mut self.place {
            early.insert(connection, key.hash, seq)?;
        }
        if let Some(filter) = &mut self.filter {
            filter.insert(key.hash);
        }
        Ok(())
    }
}
