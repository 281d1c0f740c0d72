use super::{ServerStore, outbox};
use crate::Result;

/// What happened between a [`ServerStore`] and its server since it was opened.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerReport {
    /// Resources that somebody else had changed or deleted on the server, found when they were written again.
    pub drifted: u64,
    /// Resources that an earlier run had counted as written and the server refused now. They are in the quarantine.
    pub refused_late: u64,
    /// What waits for the next run.
    pub unresolved: Vec<Unresolved>,
}

/// Writes that the server did not take so far.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unresolved {
    /// Type of the resources.
    pub resource_type: String,
    /// [Type of the issue](https://hl7.org/fhir/R4/valueset-issue-type.html) the server named: `not-found` or `processing` for a reference to what is not there. Empty for what it was not told yet.
    pub code: String,
    /// How many there are.
    pub writes: u64,
}

impl ServerStore {
    /// What happened since the store was opened.
    ///
    /// # Errors
    ///
    /// When the state can't be read.
    pub fn report(&mut self) -> Result<ServerReport> {
        let waiting = self.local.look(outbox::waiting)?;
        let unresolved = waiting
            .into_iter()
            .map(|(resource_type, code, writes)| Unresolved {
                resource_type,
                code,
                writes: writes.unsigned_abs(),
            })
            .collect();
        Ok(ServerReport {
            unresolved,
            ..self.report.clone()
        })
    }
}
