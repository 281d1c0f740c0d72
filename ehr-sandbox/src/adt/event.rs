use std::fmt;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::data::Change;

/// A message, when it is sent, and what a right receiver does with it.
///
/// What it does to the data happens when it is applied: see
/// [`Sandbox::apply`](crate::Sandbox::apply).
#[derive(Clone)]
pub struct Event {
    pub(crate) at: Timestamp,
    pub(crate) changes: Vec<Change>,
    pub(super) message: Vec<u8>,
    pub(super) message_type: String,
    pub(super) control_id: String,
    pub(super) expected: Expected,
}

/// What a right receiver does with a message.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expected {
    /// What becomes of the message.
    pub outcome: Outcome,
    /// MSA-1 of the acknowledgement, in original mode: no message fills MSH-15
    /// or MSH-16.
    pub acknowledgement: &'static str,
    /// Whose records are to be fetched: none where nothing is queued, and none
    /// for an event that names no patient by design (A20). Of a merge it is
    /// who remains.
    pub patients: Vec<Subject>,
    /// Who is no more after a merge.
    pub merged: Option<Subject>,
    /// The sender used the control id before, for a message of other bytes:
    /// this one is new all the same, and worth a warning.
    pub reused_control_id: bool,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It is kept and leads to its patients.
    Accepted,
    /// Its type is not among those wanted: acknowledged, and that is all.
    Ignored,
    /// The same bytes came before: acknowledged again, and that is all.
    Duplicate,
    /// It should name a patient and doesn't: a dead letter.
    Rejected,
}

/// A patient, as messages and the FHIR server name them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Subject {
    /// `system` of the identifier, which PID-3.4 holds as a HD.
    pub system: String,
    /// The medical record number, PID-3.1.
    pub mrn: String,
    /// Id of the Patient resource once the event was applied. `None` for
    /// someone that the FHIR server does not know.
    pub patient: Option<String>,
}

impl Event {
    /// When it happens, and the message is sent (MSH-7, EVN-2).
    #[must_use]
    pub fn at(&self) -> SystemTime {
        self.at.into()
    }

    /// The message: segments that end in a carriage return, without a frame.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// MSH-9.1 and MSH-9.2, such as `ADT^A01`.
    #[must_use]
    pub fn message_type(&self) -> &str {
        &self.message_type
    }

    /// MSH-10, which is unique for its sender (MSH-3 and MSH-4), except where
    /// [`Expected`] says otherwise.
    #[must_use]
    pub fn control_id(&self) -> &str {
        &self.control_id
    }

    /// What a right receiver does with it, when it gets the events of a day in
    /// their order.
    #[must_use]
    pub const fn expected(&self) -> &Expected {
        &self.expected
    }

    /// The same bytes once more, at another time.
    pub(super) fn resent(&self, at: Timestamp) -> Self {
        let mut resent = self.clone();
        resent.at = at;
        resent.changes.clear();
        if resent.expected.outcome == Outcome::Accepted {
            resent.expected.outcome = Outcome::Duplicate;
            resent.expected.patients.clear();
        }
        resent
    }
}

/// By hand: the message may be about real patients where the data is a folder.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("message_type", &self.message_type)
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

/// By hand, as that of the event.
impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected")
            .field("outcome", &self.outcome)
            .field("patients", &self.patients.len())
            .finish_non_exhaustive()
    }
}

/// By hand, as that of the event.
impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject(…)")
    }
}
