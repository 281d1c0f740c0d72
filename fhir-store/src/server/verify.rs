use std::collections::BTreeMap;

use super::reads::GROUP;
use super::{ServerStore, body, outbox};
use crate::{ResourceStore as _, Result};

/// What [`ServerStore::verify`] found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Resources and Provenances that were looked at.
    pub checked: u64,
    /// Resources that somebody else has changed. The next run that has them writes them again.
    pub changed: u64,
    /// Resources that somebody else has deleted. The next run that has them creates them again.
    pub deleted: u64,
    /// Provenances that were not there. They are sent again before `verify` returns.
    pub provenance: u64,
}

impl ServerStore {
    /// Reads everything back that the server was told, and brings the state up to date with what somebody else did there.
    ///
    /// A resource that was changed or deleted counts as not stored from then on, so that the next run which has it in its input writes it as an update.
    /// What a source does not send any more is not restored: the store does not know its content.
    ///
    /// # Errors
    ///
    /// When the server can't be read. What was found by then is noted.
    pub fn verify(&mut self) -> Result<VerifyReport> {
        self.recover()?;
        let mut report = VerifyReport::default();
        let mut after = 0;
        loop {
            let told = self
                .local
                .look(|connection| outbox::told(connection, after))?;
            let Some(last) = told.last() else { break };
            after = last.seq;
            let mut by_type: BTreeMap<&str, Vec<&outbox::ToldVersion>> = BTreeMap::new();
            for version in told.iter().filter(|version| version.is_current) {
                let of_type = by_type.entry(&version.resource_type).or_default();
                of_type.push(version);
            }
            for (resource_type, versions) in by_type {
                for group in versions.chunks(GROUP) {
                    self.verify_resources(resource_type, group, &mut report)?;
                }
            }
            for group in told.chunks(GROUP) {
                self.verify_provenances(group, &mut report)?;
            }
            self.local.flush()?;
        }
        self.recovered = false;
        self.recover()?;
        self.report.drifted += report.changed + report.deleted;
        Ok(report)
    }

    fn verify_resources(
        &mut self,
        resource_type: &str,
        group: &[&outbox::ToldVersion],
        report: &mut VerifyReport,
    ) -> Result<()> {
        let ids: Vec<&str> = group.iter().map(|own| own.id.as_str()).collect();
        let mut found = self.fetch(resource_type, &ids)?;
        for own in group {
            report.checked += 1;
            let seq = own.seq;
            let Some(found) = found.remove(&own.id) else {
                report.deleted += 1;
                self.local
                    .change(|connection| outbox::lose(connection, seq))?;
                continue;
            };
            if found.version == own.name || own.name.is_none() {
                continue;
            }
            // A server may count a version more although nothing changed.
            let name = own.name.as_deref().unwrap_or_default();
            let before = self.read(resource_type, &own.id, Some(name))?;
            let is_same = before.is_some_and(|before| body::is_same(&before.body, &found.body));
            report.changed += u64::from(!is_same);
            self.local.change(|connection| {
                outbox::rename(connection, seq, found.version.as_deref())?;
                match is_same {
                    true => Ok(()),
                    false => outbox::doubt(connection, seq),
                }
            })?;
        }
        Ok(())
    }

    fn verify_provenances(
        &mut self,
        group: &[outbox::ToldVersion],
        report: &mut VerifyReport,
    ) -> Result<()> {
        let ids: Vec<&str> = group.iter().map(|own| own.provenance_id.as_str()).collect();
        let found = self.fetch("Provenance", &ids)?;
        for own in group {
            report.checked += 1;
            if found.contains_key(&own.provenance_id) {
                continue;
            }
            report.provenance += 1;
            self.local
                .change(|connection| outbox::add_provenance(connection, own.seq))?;
        }
        Ok(())
    }
}
