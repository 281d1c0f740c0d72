//! An ADT message as what it says about patients.

mod identifier;
mod merge;
mod patient;
mod rule;

use std::borrow::Cow;
use std::fmt;

pub use identifier::{Authority, Identifier};
pub use merge::{Merge, Prior};
pub use patient::{Patient, PersonName, Visit};
pub use rule::{PatientIdentifierRule, Preference};

use crate::{Message, Segment, Timestamp, TriggerEvent};

/// A message read as ADT: what happened, when, and to which patients.
///
/// A view: everything is looked up when it is asked for. It is no check; of a
/// message of another type, it says what little there is.
#[derive(Clone, Copy)]
pub struct AdtMessage<'m> {
    message: &'m Message<'m>,
    msh: Segment<'m>,
}

impl<'m> AdtMessage<'m> {
    /// Of a message.
    #[must_use]
    pub fn new(message: &'m Message<'m>) -> Self {
        let msh = message.header();
        Self { message, msh }
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &'m Message<'m> {
        self.message
    }

    /// MSH-9.1, message code: `ADT`.
    #[must_use]
    pub fn message_code(&self) -> Cow<'m, str> {
        self.msh.field(9).component(1).text()
    }

    /// MSH-9.2; EVN-1 where that is empty.
    #[must_use]
    pub fn trigger_code(&self) -> Cow<'m, str> {
        let code = self.msh.field(9).component(2).text();
        if code.is_empty() {
            self.event_type()
        } else {
            code
        }
    }

    /// The event of [`trigger_code`](Self::trigger_code).
    #[must_use]
    pub fn trigger(&self) -> TriggerEvent {
        TriggerEvent::from_code(&self.trigger_code())
    }

    /// Whether EVN-1 names another event than MSH-9.2, which counts.
    #[must_use]
    pub fn is_trigger_disputed(&self) -> bool {
        let event_type = self.event_type();
        !event_type.is_empty() && event_type != self.trigger_code()
    }

    /// MSH-9.3, message structure. Often missing, sometimes wrong.
    #[must_use]
    pub fn structure(&self) -> Cow<'m, str> {
        self.msh.field(9).component(3).text()
    }

    /// MSH-10 as it was sent.
    #[must_use]
    pub fn control_id(&self) -> &'m [u8] {
        self.msh.field(10).raw()
    }

    /// MSH-3, sending application: first component.
    #[must_use]
    pub fn sending_application(&self) -> Cow<'m, str> {
        self.msh.field(3).text()
    }

    /// MSH-4, sending facility: first component.
    #[must_use]
    pub fn sending_facility(&self) -> Cow<'m, str> {
        self.msh.field(4).text()
    }

    /// MSH-5, receiving application: first component.
    #[must_use]
    pub fn receiving_application(&self) -> Cow<'m, str> {
        self.msh.field(5).text()
    }

    /// MSH-6, receiving facility: first component.
    #[must_use]
    pub fn receiving_facility(&self) -> Cow<'m, str> {
        self.msh.field(6).text()
    }

    /// MSH-11.1, processing id: `P` for production, `T` for training, `D` for
    /// debugging.
    #[must_use]
    pub fn processing_id(&self) -> Cow<'m, str> {
        self.msh.field(11).text()
    }

    /// MSH-12.1, version.
    #[must_use]
    pub fn version(&self) -> Cow<'m, str> {
        self.msh.field(12).text()
    }

    /// When it happened: EVN-2, or MSH-7, when the message was made.
    #[must_use]
    pub fn event_time(&self) -> Option<Timestamp> {
        let recorded = self.event().map(|event| event.field(2).text());
        recorded
            .and_then(|text| Timestamp::parse(&text))
            .or_else(|| Timestamp::parse(&self.msh.field(7).text()))
    }

    /// The patients, one for each PID segment: none in A20, two in A17, A24
    /// and A37, any number in merges. [`TriggerEvent::patients`] says how many
    /// there should be.
    pub fn patients(&self) -> impl Iterator<Item = Patient<'m>> + Clone + use<'m> {
        let message = self.message;
        message
            .segments()
            .filter(|segment| segment.is("PID"))
            .map(move |pid| Patient::new(message, pid))
    }

    fn event(&self) -> Option<Segment<'m>> {
        self.message.segment("EVN")
    }

    fn event_type(&self) -> Cow<'m, str> {
        let event = self.event();
        event.map_or(Cow::Borrowed(""), |event| event.field(1).text())
    }
}

/// No content.
impl fmt::Debug for AdtMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AdtMessage").field(self.message).finish()
    }
}
