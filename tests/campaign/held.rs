//! What an SQLite store holds, and whether that is sound by itself and the
//! right thing. Reads the views alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use crate::finding::Finding;
use crate::model::{Body, Model, canonical, sha256};

/// A row of `resources` or `resource_versions`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    number: i64,
    body: Body,
    hash: String,
    source_system: String,
    source_id: String,
    last_updated: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Provenance {
    id: String,
    version: i64,
    activity: String,
    body: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    file: String,
    line: i64,
    offset: i64,
    reason: String,
    body: Vec<u8>,
}

/// Everything in a store but its runs. Two that are equal are the same to
/// whoever looks at them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    integrity: String,
    current: BTreeMap<String, Vec<Version>>,
    versions: BTreeMap<String, Vec<Version>>,
    provenances: BTreeMap<String, Vec<Provenance>>,
    quarantine: Vec<Line>,
}

/// Opens a database as a reader that knows nothing of this project.
pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let tables = reader.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match tables {
        // It was killed before there was a WAL: somebody has to roll that back.
        Err(error) if error.to_string().contains("readonly") => {
            let writer = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            writer.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(writer)
        }
        _ => Ok(reader),
    }
}

/// What `PRAGMA integrity_check` says, `ok` where all is well.
pub(crate) fn integrity(reader: &Connection) -> rusqlite::Result<String> {
    reader.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
}

impl Held {
    /// Nothing where there is no store yet.
    pub(crate) fn read(path: &Path) -> rusqlite::Result<Self> {
        let Ok(reader) = open(path) else {
            return Ok(Self::default());
        };
        let tables: i64 =
            reader.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables == 0 {
            return Ok(Self::default());
        }
        let integrity = integrity(&reader)?;
        let versions = |view: &str| -> rusqlite::Result<BTreeMap<String, Vec<Version>>> {
            let sql = format!(
                "SELECT type || '/' || id, version, deleted, body, content_hash, source_system, \
                 source_id, last_updated FROM {view}"
            );
            grouped(&reader, &sql, |row| {
                Ok(Version {
                    number: row.get(1)?,
                    body: match row.get(2)? {
                        true => None,
                        false => Some(text(row, 3)?),
                    },
                    hash: text(row, 4)?,
                    source_system: text(row, 5)?,
                    source_id: text(row, 6)?,
                    last_updated: text(row, 7)?,
                })
            })
        };
        let provenances = grouped(
            &reader,
            "SELECT target_type || '/' || target_id, id, target_version, activity, body \
             FROM provenances",
            |row| {
                Ok(Provenance {
                    id: text(row, 1)?,
                    version: row.get(2)?,
                    activity: text(row, 3)?,
                    body: text(row, 4)?,
                })
            },
        )?;
        let sql = "SELECT '', file, line, byte_offset, reason, body FROM quarantine";
        let mut quarantine = grouped(&reader, sql, |row| {
            Ok(Line {
                file: text(row, 1)?,
                line: row.get::<_, Option<i64>>(2)?.unwrap_or_default(),
                offset: row.get::<_, Option<i64>>(3)?.unwrap_or_default(),
                reason: text(row, 4)?,
                body: bytes(row, 5)?,
            })
        })?;
        Ok(Self {
            integrity,
            current: versions("resources")?,
            versions: versions("resource_versions")?,
            provenances,
            quarantine: quarantine.remove("").unwrap_or_default(),
        })
    }

    /// What is wrong with it whatever was sent: seen from the store alone.
    pub(crate) fn unsound(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if !["", "ok"].contains(&self.integrity.as_str()) {
            findings.push(Finding::wrong(format!("integrity: {}", self.integrity)));
        }
        for (key, versions) in &self.versions {
            findings.extend(unsound(key, versions));
            let current = self.current.get(key).map_or(&[][..], Vec::as_slice);
            let newest = versions.last();
            match current {
                [] => findings.push(Finding::lost(format!("{key} has no current version"))),
                [one] if Some(one) == newest => {}
                [_] => findings.push(Finding::lost(format!("{key} shows an earlier version"))),
                _ => findings.push(Finding::duplicated(format!("{key} is there twice"))),
            }
            findings.extend(self.unsound_provenances(key, versions));
        }
        let gone = |key: &&String| !self.versions.contains_key(*key);
        for key in self.current.keys().filter(gone) {
            findings.push(Finding::lost(format!("{key} has no versions")));
        }
        for key in self.provenances.keys().filter(gone) {
            findings.push(Finding::duplicated(format!("a Provenance without {key}")));
        }
        findings
    }

    fn unsound_provenances(&self, key: &str, versions: &[Version]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let told = self.provenances.get(key).map_or(&[][..], Vec::as_slice);
        let numbers: BTreeSet<_> = told.iter().map(|own| own.version).collect();
        if numbers.len() < told.len() {
            findings.push(Finding::duplicated(format!("{key}: Provenances")));
        }
        for version in versions {
            let number = version.number;
            let Some(own) = told.iter().find(|own| own.version == number) else {
                let text = format!("{key}: no Provenance of version {number}");
                findings.push(Finding::lost(text));
                continue;
            };
            let id = sha256(&format!(
                "{}\nProvenance\n{key}/{number}",
                version.source_system
            ));
            let activity = match (number, &version.body) {
                (_, None) => &["DELETE"][..],
                (1, _) => &["CREATE"],
                _ => &["UPDATE", "CREATE"],
            };
            let target = format!("\"{key}\"");
            if own.id != id || !activity.contains(&own.activity.as_str()) {
                findings.push(Finding::wrong(format!("{key}: Provenance of {number}")));
            } else if !own.body.contains(&target) || !own.body.contains(&id) {
                findings.push(Finding::wrong(format!("{key}: text of a Provenance")));
            }
        }
        if numbers.len() > versions.len() {
            let text = format!("{key}: more Provenances than versions");
            findings.push(Finding::duplicated(text));
        }
        findings
    }

    /// What is wrong with it after what was sent. `settled`: everything has to
    /// be there.
    pub(crate) fn against(&self, model: &Model, settled: bool) -> Vec<Finding> {
        let mut findings = self.unsound();
        let keys: BTreeSet<_> = model.keys().chain(self.versions.keys()).collect();
        for key in keys {
            let versions = self.versions.get(key).map_or(&[][..], Vec::as_slice);
            let bodies: Vec<_> = versions.iter().map(|own| own.body.clone()).collect();
            findings.extend(model.judge(key, &bodies, settled));
            let foreign = |own: &&Version| own.source_system != model.source_system;
            if versions.iter().any(|own| foreign(&own)) {
                findings.push(Finding::wrong(format!("{key} is of another source")));
            }
        }
        findings
    }

    /// What is wrong with the quarantine: each bad line once, byte for byte.
    pub(crate) fn quarantined(&self, model: &Model, settled: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let is = |own: &Line, refused: &crate::model::Refused| {
            own.file.ends_with(&refused.file)
                && own.line == refused.line as i64
                && own.offset == refused.offset as i64
                && own.reason == refused.reason
                && own.body == refused.body
        };
        for refused in &model.refused {
            let place = format!("{}:{} {}", refused.file, refused.line, refused.reason);
            match self
                .quarantine
                .iter()
                .filter(|own| is(own, refused))
                .count()
            {
                0 if refused.must && settled => {
                    findings.push(Finding::lost(format!("not in quarantine: {place}")));
                }
                0 | 1 => {}
                _ => findings.push(Finding::duplicated(format!("in quarantine: {place}"))),
            }
        }
        for own in &self.quarantine {
            if !model.refused.iter().any(|refused| is(own, refused)) {
                let text = format!(
                    "in quarantine for no reason: {}:{} at {} {}",
                    own.file, own.line, own.offset, own.reason
                );
                findings.push(Finding::wrong(text));
            }
        }
        findings
    }
}

fn unsound(key: &str, versions: &[Version]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let numbers = versions.iter().map(|own| own.number);
    for (number, expected) in numbers.zip(1..) {
        if number < expected {
            findings.push(Finding::duplicated(format!("{key}: version {number}")));
        } else if number > expected {
            let text = format!("{key}: version {number} stands where {expected} should");
            findings.push(Finding::lost(text));
        }
    }
    let (_, id) = key.split_once('/').unwrap_or_default();
    for version in versions {
        let number = version.number;
        if let Some(body) = &version.body {
            let hash = canonical(body, true).map(|text| sha256(&text));
            if hash.as_ref() != Some(&version.hash) {
                let text = format!("{key}: version {number} is not what its hash says");
                findings.push(Finding::wrong(text));
            }
        }
        if id.len() == 64 && version.source_id != id {
            let (resource_type, _) = key.split_once('/').unwrap_or_default();
            let origin = [&version.source_system, resource_type, &version.source_id];
            if sha256(&origin.join("\n")) != id {
                findings.push(Finding::wrong(format!("{key}: its id in the source")));
            }
        }
        if version.last_updated.len() != "2026-01-01T00:00:00.000Z".len() {
            findings.push(Finding::wrong(format!("{key}: when it was written")));
        }
    }
    findings
}

/// Rows by what their first column says, in order.
fn grouped<T: Ord>(
    reader: &Connection,
    sql: &str,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<BTreeMap<String, Vec<T>>> {
    let mut all: BTreeMap<String, Vec<T>> = BTreeMap::new();
    let mut statement = reader.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        all.entry(text(row, 0)?).or_default().push(read(row)?);
    }
    all.values_mut().for_each(|rows| rows.sort());
    Ok(all)
}

/// Damaged texts need not be UTF-8.
fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<String> {
    Ok(String::from_utf8_lossy(&bytes(row, at)?).into_owned())
}

fn bytes(row: &Row<'_>, at: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(match row.get_ref(at)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        ValueRef::Integer(number) => number.to_string().into_bytes(),
        ValueRef::Real(number) => number.to_string().into_bytes(),
        ValueRef::Null => Vec::new(),
    })
}
