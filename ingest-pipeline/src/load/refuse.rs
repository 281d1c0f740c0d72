//! Records that are not written, and why.

use fhir_normalize::Reason;
use fhir_store::{Refusal, Refused};

use super::batch::Place;
use super::writer::Writer;
use crate::{Event, Result};

/// What a record with the id of another source's resource is refused with.
pub(crate) const CONFLICT: &str =
    "the id belongs to a resource of another source: use id mode hash";

impl Writer<'_> {
    pub(super) fn conflict(
        &mut self,
        place: &Place,
        resource_type: &'static str,
        bytes: &[u8],
    ) -> Result<()> {
        self.refuse(place, resource_type, Reason::IdConflict, CONFLICT, bytes)
    }

    /// Keeps a record in the quarantine. `place` is relative to the batch.
    pub(super) fn refuse(
        &mut self,
        place: &Place,
        resource_type: &'static str,
        reason: Reason,
        detail: &str,
        bytes: &[u8],
    ) -> Result<()> {
        let line = place.line.map(|line| self.line + line + 1);
        let file = self.file.clone();
        self.quarantine(
            &file,
            line,
            place.offset,
            resource_type,
            reason,
            detail,
            bytes,
        )
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "they are the columns of the quarantine"
    )]
    pub(crate) fn quarantine(
        &mut self,
        file: &str,
        line: Option<u64>,
        offset: u64,
        resource_type: &'static str,
        reason: Reason,
        detail: &str,
        bytes: &[u8],
    ) -> Result<()> {
        let refused = Refused {
            file,
            line,
            byte_offset: Some(offset),
            reason: reason.code(),
            detail,
            body: bytes,
        };
        self.store.quarantine(&self.options.run, &refused)?;
        self.tally.resource(resource_type).quarantined += 1;
        // One record is not what it should be, but neither is its file.
        if reason == Reason::WrongResourceType && self.refusal.is_none() {
            self.refusal = Some(format!("{file}: {detail}"));
        }
        self.observer.event(&Event::Quarantined {
            file,
            line,
            reason: reason.code(),
            detail,
        });
        Ok(())
    }
}

/// What a record is refused with that the server behind the store turns down.
pub(crate) fn refused_by_server(refusal: Option<Refusal>) -> String {
    refusal.map_or_else(
        || "the server does not take it".to_owned(),
        |refusal| refusal.to_string(),
    )
}
