//! Why an input is loaded, where that is a message.

use std::fmt;
use std::sync::Arc;

use super::unproved::Standing;
use super::writer::Writer;
use crate::source::Proof;

/// The HL7 v2 message that an input is loaded for. The Provenance of every
/// write of the input names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerMessage {
    /// Message control id, MSH-10.
    pub control_id: String,
    /// Key of the raw message in the archive.
    pub raw_key: String,
}

/// A patient of the store who turned out to be another one: the record gets a
/// `Patient.link` of type `replaced-by`, when all of the input is written.
#[derive(Clone, PartialEq, Eq)]
pub struct MergedPatient {
    /// Id in the store. One that is not there, or deleted, stays as it is.
    pub id: String,
    /// Id at the source of the patient who remains.
    pub survivor: String,
}

/// By hand: ids name patients.
impl fmt::Debug for MergedPatient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MergedPatient(…)")
    }
}

/// What an input brings along besides its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) message: Option<TriggerMessage>,
    pub(crate) merged: Vec<MergedPatient>,
}

/// A message, and its number among those of the run.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) number: u64,
    message: Arc<TriggerMessage>,
}

impl Message {
    /// As the store takes it.
    pub(crate) fn borrowed(&self) -> fhir_store::Message<'_> {
        fhir_store::Message {
            control_id: &self.message.control_id,
            raw_key: &self.message.raw_key,
        }
    }
}

impl Writer<'_> {
    /// From here on records are of this file.
    pub(crate) fn begin(
        &mut self,
        file: String,
        cause: Option<Arc<Cause>>,
        proof: Option<Arc<Proof>>,
    ) {
        self.standing = Standing::of(proof, &self.tally);
        self.file = file;
        self.line = 0;
        self.message = None;
        let Some(cause) = cause else { return };
        if let Some(message) = &cause.message {
            self.messages.push(Arc::new(message.clone()));
            self.message = self.message(self.messages.len() as u64);
        }
        for merged in &cause.merged {
            self.merged.push((merged.clone(), self.message.clone()));
        }
    }

    /// The message of that number, from 1.
    pub(crate) fn message(&self, number: u64) -> Option<Message> {
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        let message = self.messages.get(index)?;
        Some(Message {
            number,
            message: Arc::clone(message),
        })
    }
}
