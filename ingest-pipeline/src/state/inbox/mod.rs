//! The inbox: messages that were acknowledged, and the fetches they asked for.

mod count;
mod dead;
mod queue;
mod raw;
mod record;
mod worker;

use serde::{Deserialize, Serialize};

pub use count::{AdtCounts, InboxStatus};
pub use dead::{DeadLetter, Revived};
pub use queue::QueuedFetch;
pub use raw::Unarchived;
pub use record::{Arrival, Disposition, Recorded};
pub use worker::Worker;

/// A patient as messages name one: by an identifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PatientIdentifier {
    /// `identifier.system` at the EHR; empty where the configuration has none
    /// for the authority that assigned it.
    pub system: String,
    /// The identifier.
    pub value: String,
}

/// By hand: it is a medical record number.
impl std::fmt::Debug for PatientIdentifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PatientIdentifier(…)")
    }
}

/// A patient whose record is to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The patient.
    pub patient: PatientIdentifier,
    /// Patients that were merged into this one.
    pub merged: Vec<PatientIdentifier>,
}
