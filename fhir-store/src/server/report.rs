use rusqlite::Connection;

use super::{ServerStore, outbox};
use crate::{Result, StoreReport, Stored, Unresolved};

impl ServerStore {
    pub(super) fn report_now(&mut self) -> Result<StoreReport> {
        Ok(StoreReport {
            unresolved: self.local.look(unresolved)?,
            ..self.report.clone()
        })
    }
}

/// What waits, as the state of a store has it.
pub(crate) fn unresolved(connection: &Connection) -> Result<Vec<Unresolved>> {
    let waiting = outbox::waiting(connection)?;
    let waiting = waiting
        .into_iter()
        .map(|(resource_type, code, writes)| Unresolved {
            resource_type,
            code,
            writes: writes.unsigned_abs(),
        });
    Ok(waiting.collect())
}

/// Whether the server turned out not to have it any more.
pub(crate) fn is_lost(connection: &Connection, stored: &Stored) -> Result<bool> {
    outbox::is_lost(connection, stored.sequence as i64)
}
