//! Bodies that are on the server only.

use std::collections::{BTreeMap, HashMap};

use fhir_http::Search;

use super::http::version_in;
use super::remote::Found;
use super::{ServerStore, body, is_lost, outbox};
use crate::{Result, Stored};

/// Resources asked for in one search.
pub(super) const GROUP: usize = 50;

impl ServerStore {
    /// Fills in the bodies of current versions.
    pub(super) fn complete(&mut self, mut all: Vec<Stored>) -> Result<Vec<Stored>> {
        let mut missing: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, stored) in all.iter_mut().enumerate() {
            if stored.deleted || stored.body.is_some() {
                continue;
            }
            if self.local.look(|connection| is_lost(connection, stored))? {
                stored.deleted = true;
                continue;
            }
            let of_type = missing.entry(stored.resource_type.clone()).or_default();
            of_type.push(index);
        }
        for (resource_type, indexes) in missing {
            for group in indexes.chunks(GROUP) {
                let ids: Vec<&str> = group.iter().map(|&index| all[index].id.as_str()).collect();
                let mut found = self.fetch(&resource_type, &ids)?;
                for &index in group {
                    let stored = &mut all[index];
                    match found.remove(&stored.id) {
                        Some(found) => stored.body = Some(body::bare(&found.body)),
                        None => {
                            // Somebody else has deleted it.
                            let seq = stored.sequence as i64;
                            stored.deleted = true;
                            self.report.drifted += 1;
                            if !self.local.is_read_only() {
                                self.local
                                    .change(|connection| outbox::lose(connection, seq))?;
                            }
                        }
                    }
                }
            }
        }
        Ok(all)
    }

    /// Fills in the bodies of versions before the current one, as far as the server has them.
    pub(super) fn complete_earlier(&mut self, mut all: Vec<Stored>) -> Result<Vec<Stored>> {
        for stored in &mut all {
            if stored.deleted || stored.body.is_some() {
                continue;
            }
            let seq = stored.sequence as i64;
            let name = self
                .local
                .look(|connection| outbox::name(connection, seq))?;
            if let Some(name) = name {
                let found = self.read(&stored.resource_type, &stored.id, Some(&name))?;
                stored.body = found.map(|found| body::bare(&found.body));
            }
        }
        Ok(all)
    }

    /// Reads resources of one type; what is not there is missing.
    pub(super) fn fetch(
        &mut self,
        resource_type: &str,
        ids: &[&str],
    ) -> Result<HashMap<String, Found>> {
        let mut found = HashMap::new();
        if self.id_lists && ids.len() > 1 {
            let mut there = HashMap::with_capacity(ids.len());
            for &id in ids {
                there.insert(self.server_id(resource_type, id)?, id);
            }
            let mut listed = HashMap::new();
            self.id_lists = self.search(resource_type, &there, &mut listed)?;
            for (id, one) in listed {
                let ours = there[&id];
                found.insert(ours.to_owned(), self.as_ours(ours, one)?);
            }
        }
        for &id in ids {
            if found.contains_key(id) {
                continue;
            }
            // Not only where there are no lists: a search may lag behind.
            if let Some(one) = self.read(resource_type, id, None)? {
                found.insert(id.to_owned(), one);
            }
        }
        Ok(found)
    }

    /// Reads a resource by our id, or a version of it by the server's name; none where it is not there.
    pub(super) fn read(
        &mut self,
        resource_type: &str,
        id: &str,
        version: Option<&str>,
    ) -> Result<Option<Found>> {
        let mut path = format!("{resource_type}/{}", self.server_id(resource_type, id)?);
        if let Some(version) = version {
            path.push_str("/_history/");
            path.push_str(version);
        }
        let found = self.remote.read(&path)?;
        found.map(|found| self.as_ours(id, found)).transpose()
    }

    /// Searches by a list of ids; `false` where the server doesn't do that.
    fn search(
        &self,
        resource_type: &str,
        wanted: &HashMap<String, &str>,
        found: &mut HashMap<String, Found>,
    ) -> Result<bool> {
        let ids: Vec<&str> = wanted.keys().map(String::as_str).collect();
        let search = Search::new(resource_type)
            .param("_id", ids.join(","))
            .count(GROUP as u32);
        for page in self.remote.server.search(&search)? {
            let page = match page {
                Ok(page) => page,
                Err(error)
                    if error
                        .status()
                        .is_some_and(|status| status.is_client_error()) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            };
            for entry in page.entries {
                let text = entry.resource.get();
                let Some(id) = id_in(text).filter(|id| wanted.contains_key(id)) else {
                    // A server that passes over `_id` would send everything it has.
                    return Ok(false);
                };
                let one = Found {
                    version: version_in(text).flatten(),
                    body: text.to_owned(),
                };
                found.insert(id, one);
            }
        }
        Ok(true)
    }
}

fn id_in(body: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    value["id"].as_str().map(str::to_owned)
}
