//! What a record refers to.

use std::collections::BTreeSet;

use fhir_http::Search;
use fhir_normalize::is_legal_id;

use super::gathered::{Gathering, Haul};
use super::person::is_absent;
use super::reference::Key;
use super::server::was_used;
use super::{FetchError, Fetcher, Known};

/// Ids asked for at once: more would make addresses too long for some servers.
const GROUP: usize = 50;

/// What came of one resource that is referred to.
enum Found {
    There(Box<Haul>),
    Missing,
    Refused,
}

impl Fetcher {
    /// Reads what is referred to, and what that refers to, until there is
    /// nothing new or it is far enough.
    pub(super) fn follow(
        &self,
        known: &dyn Known,
        gathering: &mut Gathering,
    ) -> Result<(), FetchError> {
        gathering.settle()?;
        let mut tried: BTreeSet<Key> = BTreeSet::new();
        for _ in 0..self.adt.depth {
            let mut wanted = Vec::new();
            for key in std::mem::take(&mut gathering.references) {
                if gathering.has(&key) || !tried.insert(key.clone()) {
                    continue;
                }
                let has = || known.has(key.0, &key.1);
                let fail = |error| FetchError::Store(Box::new(error));
                if self.options.full || !has().map_err(fail)? {
                    wanted.push(key);
                }
            }
            if wanted.is_empty() {
                return Ok(());
            }
            self.read_all(wanted, gathering)?;
        }
        Ok(())
    }

    /// Reads resources by lists of ids first, and what that doesn't give one
    /// by one.
    fn read_all(&self, wanted: Vec<Key>, gathering: &mut Gathering) -> Result<(), FetchError> {
        let haul = gathering.haul();
        let hauls = self
            .server
            .side_by_side(&self.groups(&wanted), |(name, ids)| {
                self.read_group(name, ids, haul())
            })?;
        for haul in hauls.into_iter().flatten() {
            gathering.add(haul)?;
        }
        let rest: Vec<_> = wanted
            .into_iter()
            .filter(|key| !gathering.has(key))
            .collect();
        let found = self
            .server
            .side_by_side(&rest, |(name, id)| self.read_one(name, id, haul()))?;
        for found in found {
            match found {
                Found::There(haul) => gathering.add(*haul)?,
                Found::Missing => gathering.counts.missing += 1,
                Found::Refused => gathering.counts.refused += 1,
            }
        }
        Ok(())
    }

    /// Lists of ids of one type each, of types that can be asked for so.
    fn groups<'k>(&self, wanted: &'k [Key]) -> Vec<(&'static str, Vec<&'k str>)> {
        let mut groups: Vec<(&'static str, Vec<&str>)> = Vec::new();
        for (name, id) in wanted {
            // Others would have to be escaped, which not all servers undo.
            if !is_legal_id(id) || !self.server.takes_lists(name) {
                continue;
            }
            match groups.last_mut() {
                Some((last, ids)) if last == name && ids.len() < GROUP => ids.push(id),
                _ => groups.push((name, vec![id])),
            }
        }
        groups.retain(|(_, ids)| ids.len() > 1);
        groups
    }

    /// `None` where the server does not take lists of ids.
    fn read_group(
        &self,
        resource_type: &'static str,
        ids: &[&str],
        mut haul: Haul,
    ) -> Result<Option<Haul>, FetchError> {
        if !self.server.takes_lists(resource_type) {
            return Ok(None);
        }
        let search = Search::new(resource_type)
            .param("_id", ids.join(","))
            .count(GROUP as u32);
        let mut is_list = true;
        let searched = self.server.search(&search, |page| {
            let was_used = was_used(page.self_link.as_deref(), "_id");
            for entry in page.entries {
                let text: Box<str> = entry.resource.into();
                let key = haul.peek(&text);
                let is_wanted = key
                    .is_some_and(|(name, id)| name == resource_type && ids.contains(&id.as_str()));
                if is_wanted {
                    haul.take(&text)?;
                } else if !was_used {
                    is_list = false;
                    return Ok(false);
                }
            }
            Ok(true)
        });
        match searched {
            Ok(()) if is_list => Ok(Some(haul)),
            Ok(()) => {
                self.server.refuses_lists(resource_type);
                Ok(Some(haul))
            }
            Err(FetchError::Http(error)) if refuses_lists(&error) => {
                self.server.refuses_lists(resource_type);
                Ok(Some(haul))
            }
            Err(error) => Err(error),
        }
    }

    fn read_one(
        &self,
        resource_type: &'static str,
        id: &str,
        mut haul: Haul,
    ) -> Result<Found, FetchError> {
        match self.server.read(resource_type, id) {
            Ok(text) => {
                haul.take(&text)?;
                Ok(Found::There(Box::new(haul)))
            }
            Err(error) if is_absent(&error) => Ok(Found::Missing),
            Err(error) if is_refusal(&error) => {
                // A patient's record is worth having without it.
                tracing::warn!(
                    connection = self.connection,
                    %error,
                    "a resource that a record refers to is not given to us"
                );
                Ok(Found::Refused)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the server does not take a search by a list of ids, while it may
/// well give each of them.
fn refuses_lists(error: &fhir_http::Error) -> bool {
    let status = error.status().map(|status| status.as_u16());
    matches!(status, Some(400 | 403 | 404 | 405 | 414 | 422 | 501))
}

/// Whether the server will not give this resource, whoever else it may give
/// one to.
fn is_refusal(error: &fhir_http::Error) -> bool {
    let status = error.status().map(|status| status.as_u16());
    status.is_some_and(|status| (400..500).contains(&status) && status != 401)
        && !error.is_transient()
}
