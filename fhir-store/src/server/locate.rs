//! Where resources are on a server that gives ids of its own.

use std::collections::HashSet;

use super::order::references;
use super::remote::Found;
use super::write::{Names, There, Write};
use super::{ServerStore, names, outbox};
use crate::Result;

impl ServerStore {
    /// Finds out where the resources of a group are, and what they refer to.
    ///
    /// What refers to something that has no id there yet, and gets none with this group, is held: once sent, its references could not be mended.
    pub(super) fn locate(&mut self, group: &mut Vec<Write>) -> Result<()> {
        let together: HashSet<String> = group.iter().map(Write::path).collect();
        let mut kept = Vec::with_capacity(group.len());
        for mut write in group.drain(..) {
            let mut names = Names::new();
            let there = self.there(&write, &mut names)?;
            let mut is_whole = true;
            for own in write.references() {
                let (name, id) = (&own.resource_type, &own.id);
                let assigned = self
                    .local
                    .look(|connection| outbox::assigned(connection, (name, id)))?;
                if let Some(id) = assigned {
                    names.insert(own.path(), format!("{name}/{id}"));
                } else {
                    is_whole &= together.contains(&own.path()) || self.resolves(&own)?;
                }
            }
            if is_whole {
                write.there = Some(There { names, ..there });
                kept.push(write);
            } else {
                self.local
                    .change(|connection| outbox::hold(connection, write.seq, "not-found"))?;
            }
        }
        *group = kept;
        Ok(())
    }

    fn there(&mut self, write: &Write, names: &mut Names) -> Result<There> {
        let (name, id) = (write.resource_type.as_str(), write.id.as_str());
        self.local.look(|connection| {
            let assigned = outbox::assigned(connection, (name, id))?;
            if let Some(id) = &assigned {
                names.insert(write.path(), format!("{name}/{id}"));
            }
            // It may have been taken under our id before. What was deleted there comes back under another.
            let is_there = outbox::is_there(connection, name, id)?;
            Ok(There {
                resource: is_there.then(|| assigned.unwrap_or_else(|| id.to_owned())),
                provenance: outbox::assigned(connection, ("Provenance", &write.provenance_id))?,
                names: Names::new(),
            })
        })
    }

    /// The id that a resource has on the server.
    pub(super) fn server_id(&mut self, resource_type: &str, id: &str) -> Result<String> {
        let assigned = match self.known.assigns_ids {
            true => self
                .local
                .look(|connection| outbox::assigned(connection, (resource_type, id)))?,
            false => None,
        };
        Ok(assigned.unwrap_or_else(|| id.to_owned()))
    }

    /// A resource of the server with our ids.
    pub(super) fn as_ours(&mut self, id: &str, found: Found) -> Result<Found> {
        if !self.known.assigns_ids {
            return Ok(found);
        }
        let mut ours = Names::new();
        for own in references(&found.body) {
            let (name, id) = (&own.resource_type, &own.id);
            let known = self
                .local
                .look(|connection| outbox::ours(connection, name, id))?;
            if let Some(id) = known {
                ours.insert(own.path(), format!("{name}/{id}"));
            }
        }
        let body = names::incoming(&found.body, id, |own| ours.get(&own.path()).cloned());
        Ok(Found { body, ..found })
    }
}
