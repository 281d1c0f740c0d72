//! What a store has to hold after exports.

use std::collections::BTreeMap;

use ehr_sandbox::Data;

use super::site::Site;

/// Every resource with its version, as it has to be in the store.
#[derive(Clone, Default)]
pub(crate) struct Expected(BTreeMap<String, Stored>);

/// What an export changes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) deleted: u64,
}

#[derive(Clone, PartialEq, Eq)]
struct Stored {
    version: u64,
    /// `None` when it is deleted.
    body: Option<String>,
}

impl Expected {
    /// After a complete export of `data` into an empty store.
    pub(crate) fn of(data: &Data) -> Self {
        let mut expected = Self::default();
        expected.export(data);
        expected
    }

    /// After a complete export of `data` on top of what is there.
    /// Gives what changed by it.
    pub(crate) fn export(&mut self, data: &Data) -> Changes {
        let mut changes = Changes::default();
        for (key, stored) in &mut self.0 {
            let (resource_type, id) = key.split_once('/').expect("Type/id");
            if stored.body.is_some() && data.resource(resource_type, id).is_none() {
                changes.deleted += 1;
                stored.version += 1;
                stored.body = None;
            }
        }
        for resource in data.resources() {
            let key = format!("{}/{}", resource.resource_type(), resource.id());
            let body = Some(resource.json().to_owned());
            let stored = self.0.entry(key).or_insert(Stored {
                version: 0,
                body: None,
            });
            if stored.body != body {
                changes.created += u64::from(stored.version == 0);
                changes.updated += u64::from(stored.version > 0);
                stored.version += 1;
                stored.body = body;
            }
        }
        changes
    }

    /// Everything is in the store, once, and nothing else: bytes, versions,
    /// and a Provenance for each version.
    #[track_caller]
    pub(crate) fn assert_in(&self, site: &Site, what: &str) {
        let found = Self::found(site);
        let differing = |one: &Self, other: &Self| -> Vec<String> {
            let only = one
                .0
                .iter()
                .filter(|&(key, stored)| other.0.get(key) != Some(stored));
            only.take(3)
                .map(|(key, stored)| {
                    let body = stored.body.as_deref().unwrap_or("deleted");
                    format!("{key} version {}: {body}", stored.version)
                })
                .collect()
        };
        let (missing, surplus) = (differing(self, &found), differing(&found, self));
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{what}: {} expected, {} found\nexpected only: {missing:#?}\nfound only: {surplus:#?}",
            self.0.len(),
            found.0.len(),
        );
        let versions: u64 = self.0.values().map(|stored| stored.version).sum();
        assert_consistent(site, Some(versions), what);
    }

    fn found(site: &Site) -> Self {
        let reader = site.folder.reader();
        let mut statement = reader
            .prepare("SELECT type || '/' || id, version, deleted, body FROM resources")
            .expect("SQL");
        let rows = statement.query_map([], |row| {
            let deleted: bool = row.get(2)?;
            let body: Option<String> = row.get(3)?;
            let stored = Stored {
                version: row.get::<_, u32>(1)?.into(),
                body: body.filter(|_| !deleted),
            };
            Ok((row.get(0)?, stored))
        });
        let rows: Result<_, _> = rows.expect("rows").collect();
        Self(rows.expect("rows"))
    }
}

/// The database is whole, and each version has its Provenance.
#[track_caller]
pub(crate) fn assert_consistent(site: &Site, versions: Option<u64>, what: &str) {
    assert_eq!(
        site.folder.query("PRAGMA integrity_check"),
        ["ok"],
        "{what}"
    );
    let versions_sql = "SELECT type, id, version FROM resource_versions";
    let targets_sql = "SELECT target_type, target_id, target_version FROM provenances";
    let differing = format!(
        "SELECT count(*) FROM (SELECT * FROM ({versions_sql} EXCEPT {targets_sql})
         UNION ALL SELECT * FROM ({targets_sql} EXCEPT {versions_sql}))"
    );
    assert_eq!(site.folder.query(&differing), ["0"], "{what}");
    let counts = site.folder.query(
        "SELECT (SELECT count(*) FROM resource_versions), (SELECT count(*) FROM provenances)",
    );
    if let Some(versions) = versions {
        assert_eq!(counts, [format!("{versions}|{versions}")], "{what}");
    }
}
