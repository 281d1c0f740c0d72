use std::collections::{BTreeMap, BTreeSet};

use fhir_provenance::{Activity, EARLIEST, LATEST, Record};

use crate::{
    Amend, Delete, DeleteOutcome, Error, Identifier, Message, Put, PutOutcome, Remediation,
    ResourceStore, Result, Stored, WriteContext,
};

mod runs;

/// A store in memory, for tests and for embedders that keep nothing.
///
/// Behaves as [`SqliteStore`](crate::SqliteStore) does, but for what needs a disk: a flush has nothing to do.
#[derive(Default)]
pub struct InMemoryStore {
    /// Every version, in the order written; `Stored::sequence` is the index plus one.
    versions: Vec<Version>,
    /// Type and id to the indexes of its versions, oldest first.
    by_id: BTreeMap<(String, String), Vec<usize>>,
    runs: runs::Runs,
}

struct Version {
    stored: Stored,
    current: bool,
    identifiers: Vec<(String, String)>,
    provenance: Vec<u8>,
}

impl InMemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn versions_of(&self, resource_type: &str, id: &str) -> &[usize] {
        self.by_id
            .get(&(resource_type.to_owned(), id.to_owned()))
            .map_or(&[], Vec::as_slice)
    }

    fn current(&self, resource_type: &str, id: &str) -> Option<&Version> {
        let last = self.versions_of(resource_type, id).last()?;
        Some(&self.versions[*last])
    }

    fn put_one(&mut self, context: &WriteContext<'_>, put: &Put<'_>) -> PutOutcome {
        let mut version = 1;
        if let Some(Version { stored, .. }) = self.current(put.resource_type, put.id) {
            if stored.source_system != context.source_system {
                return PutOutcome::Conflict;
            }
            if stored.content_hash == put.content_hash && !stored.deleted {
                return PutOutcome::Unchanged;
            }
            let earlier = self.versions_of(put.resource_type, put.id).iter().rev();
            let seen = earlier
                .map(|&index| &self.versions[index].stored)
                .find(|earlier| !earlier.deleted && earlier.content_hash == put.content_hash);
            if let (Some(seen), false) = (seen, put.revert) {
                return PutOutcome::SeenBefore {
                    version: seen.version,
                };
            }
            version = stored.version + 1;
        }
        self.push(
            context,
            &Write {
                resource_type: put.resource_type,
                id: put.id,
                source_id: put.source_id,
                version,
                hash: put.content_hash,
                body: Some(put.body),
                identifiers: put.identifiers,
                remediations: put.remediations,
                message: put.message,
            },
        );
        match version {
            1 => PutOutcome::Created,
            _ => PutOutcome::Updated { version },
        }
    }

    fn delete_one(&mut self, context: &WriteContext<'_>, delete: &Delete<'_>) -> DeleteOutcome {
        let Some(Version { stored, .. }) = self.current(delete.resource_type, delete.id) else {
            return DeleteOutcome::Absent;
        };
        if stored.source_system != context.source_system {
            return DeleteOutcome::Conflict;
        }
        if stored.deleted {
            return DeleteOutcome::Absent;
        }
        let version = stored.version + 1;
        let hash = stored.content_hash;
        self.push(
            context,
            &Write {
                resource_type: delete.resource_type,
                id: delete.id,
                source_id: delete.source_id,
                version,
                hash,
                body: None,
                identifiers: &[],
                remediations: &[],
                message: delete.message,
            },
        );
        DeleteOutcome::Deleted { version }
    }

    fn push(&mut self, context: &WriteContext<'_>, write: &Write<'_>) {
        let recorded = context.recorded.clamp(EARLIEST, LATEST);
        let target = format!("{}/{}/{}", write.resource_type, write.id, write.version);
        let mut provenance = Vec::new();
        Record {
            provenance_id: context.ids.id(context.source_system, &target),
            source_system: context.source_system,
            source_id: write.source_id,
            resource_type: write.resource_type,
            id: write.id,
            version: write.version,
            activity: match (write.body, write.version) {
                (None, _) => Activity::Delete,
                (Some(_), 1) => Activity::Create,
                (Some(_), _) => Activity::Update,
            },
            recorded,
            organization: context.organization,
            remediations: write.remediations,
            message: write.message,
        }
        .write_json(&mut provenance);

        let index = self.versions.len();
        let key = (write.resource_type.to_owned(), write.id.to_owned());
        let indexes = self.by_id.entry(key).or_default();
        if let Some(&last) = indexes.last() {
            self.versions[last].current = false;
        }
        indexes.push(index);
        self.versions.push(Version {
            stored: Stored {
                sequence: index as u64 + 1,
                resource_type: write.resource_type.to_owned(),
                id: write.id.to_owned(),
                version: write.version,
                content_hash: write.hash,
                source_system: context.source_system.to_owned(),
                source_id: write.source_id.to_owned(),
                last_updated: recorded,
                deleted: write.body.is_none(),
                body: write.body.map(str::to_owned),
                run: context.run.map(str::to_owned),
            },
            current: true,
            identifiers: owned(write.identifiers),
            provenance,
        });
    }
}

impl std::fmt::Debug for InMemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InMemoryStore")
            .field("versions", &self.versions.len())
            .finish_non_exhaustive()
    }
}

impl ResourceStore for InMemoryStore {
    fn put(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Put<'_>],
        outcomes: &mut Vec<PutOutcome>,
    ) -> Result<()> {
        outcomes.extend(batch.iter().map(|put| self.put_one(context, put)));
        Ok(())
    }

    fn delete(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Delete<'_>],
        outcomes: &mut Vec<DeleteOutcome>,
    ) -> Result<()> {
        outcomes.extend(batch.iter().map(|delete| self.delete_one(context, delete)));
        Ok(())
    }

    fn amend(&mut self, batch: &[Amend<'_>]) -> Result<()> {
        let mut indexes = Vec::with_capacity(batch.len());
        for amend in batch {
            let mut versions = self.versions_of(amend.resource_type, amend.id).iter();
            indexes.push(
                versions
                    .find(|&&index| self.versions[index].stored.version == amend.version)
                    .copied()
                    .filter(|&index| !self.versions[index].stored.deleted)
                    .ok_or(Error::UnknownResource)?,
            );
        }
        for (amend, index) in batch.iter().zip(indexes) {
            let version = &mut self.versions[index];
            version.stored.content_hash = amend.content_hash;
            version.stored.body = Some(amend.body.to_owned());
            version.identifiers = owned(amend.identifiers);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn get(&mut self, resource_type: &str, id: &str) -> Result<Option<Stored>> {
        Ok(self
            .current(resource_type, id)
            .map(|version| version.stored.clone()))
    }

    fn history(&mut self, resource_type: &str, id: &str) -> Result<Vec<Stored>> {
        let indexes = self.versions_of(resource_type, id).iter();
        Ok(indexes
            .map(|&index| self.versions[index].stored.clone())
            .collect())
    }

    fn scan(
        &mut self,
        resource_type: Option<&str>,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<Stored>> {
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let mut page = Vec::new();
        let mut bytes = 0;
        for Version { stored, .. } in self
            .versions
            .iter()
            .skip(after)
            .filter(|version| version.current)
            .filter(|version| resource_type.is_none_or(|name| name == version.stored.resource_type))
        {
            bytes += stored.body.as_ref().map_or(0, String::len);
            page.push(stored.clone());
            if bytes >= max_bytes {
                break;
            }
        }
        Ok(page)
    }

    fn find_by_identifier(
        &mut self,
        resource_type: &str,
        system: &str,
        value: &str,
        limit: usize,
    ) -> Result<Vec<String>> {
        Ok(self
            .versions
            .iter()
            .filter(|version| version.current && version.stored.resource_type == resource_type)
            .filter(|version| {
                let mut identifiers = version.identifiers.iter();
                identifiers
                    .any(|(its_system, its_value)| its_system == system && its_value == value)
            })
            .take(limit)
            .map(|version| version.stored.id.clone())
            .collect())
    }

    fn provenance(
        &mut self,
        resource_type: &str,
        id: &str,
        version: u64,
    ) -> Result<Option<Vec<u8>>> {
        let mut indexes = self.versions_of(resource_type, id).iter();
        Ok(indexes
            .find(|&&index| self.versions[index].stored.version == version)
            .map(|&index| self.versions[index].provenance.clone()))
    }

    fn types(&mut self) -> Result<Vec<String>> {
        let types: BTreeSet<&String> = self.by_id.keys().map(|(name, _)| name).collect();
        Ok(types.into_iter().cloned().collect())
    }
}

/// A version about to be written; a delete has no body.
struct Write<'a> {
    resource_type: &'a str,
    id: &'a str,
    source_id: &'a str,
    version: u64,
    hash: [u8; 32],
    body: Option<&'a str>,
    identifiers: &'a [Identifier<'a>],
    remediations: &'a [Remediation<'a>],
    message: Option<Message<'a>>,
}

fn owned(identifiers: &[Identifier<'_>]) -> Vec<(String, String)> {
    identifiers
        .iter()
        .map(|identifier| (identifier.system.to_owned(), identifier.value.to_owned()))
        .collect()
}
