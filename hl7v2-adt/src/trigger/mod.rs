//! Trigger events: what happened, to how many patients, and to their identity.

mod table;

use table::EVENTS;
pub use table::TriggerEvent;

impl TriggerEvent {
    /// The event with a code such as `A01`; [`Other`](Self::Other) for those
    /// that are not A01 to A62.
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        let digits = code.strip_prefix('A').filter(|digits| digits.len() == 2);
        let index = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse::<usize>().ok())
            .and_then(|number| number.checked_sub(1));
        let event = index.and_then(|index| EVENTS.get(index));
        event.map_or(Self::Other, |event| event.trigger)
    }

    /// Its code; empty for [`Other`](Self::Other).
    #[must_use]
    pub fn code(self) -> &'static str {
        self.event().map_or("", |event| event.code)
    }

    /// What happened, in English.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.event().map_or("no ADT event", |event| event.meaning)
    }

    /// Structure of the message in a version of HL7 v2 such as `2.5.1`: that of
    /// the nearest version before it that changed it. `None` where the version
    /// doesn't have the event.
    ///
    /// Never route by the structure that a message names (MSH-9.3): it is
    /// often missing and sometimes wrong.
    #[must_use]
    pub fn structure(self, version: &str) -> Option<&'static str> {
        let mut parts = version.split('.').skip(1);
        let mut part = || parts.next().and_then(|part| part.parse::<u8>().ok());
        let column = match (part().unwrap_or(0), part()) {
            (0..=3, _) => 0,
            (4, _) => 1,
            (5..=6, _) => 2,
            (7..=8, _) => 3,
            _ => 4,
        };
        let structure = self.event()?.structures[column];
        Some(structure).filter(|structure| !structure.is_empty())
    }

    /// What it is about. `None` for codes that are not assigned.
    #[must_use]
    pub fn level(self) -> Option<Level> {
        self.event().and_then(|event| event.level)
    }

    /// What it does to the identity of a patient, an account or a visit; which
    /// of these, its [`level`](Self::level) says.
    #[must_use]
    pub fn identity_effect(self) -> IdentityEffect {
        self.event()
            .map_or(IdentityEffect::None, |event| event.identity_effect)
    }

    /// How many patients a message of this event names by design.
    #[must_use]
    pub fn patients(self) -> PatientCount {
        self.event()
            .map_or(PatientCount::One, |event| event.patients)
    }

    /// Whether the standard no longer has it. It is still sent.
    #[must_use]
    pub fn is_withdrawn(self) -> bool {
        self.event().is_some_and(|event| event.withdrawn)
    }

    fn event(self) -> Option<&'static Event> {
        EVENTS.get(self as usize)
    }
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// A visit, or the bed or account of one.
    Visit,
    /// An account.
    Account,
    /// A patient of one organisation.
    Patient,
    /// A person, over organisations.
    Person,
    /// A bed without a patient.
    Bed,
    /// It asks; nothing happened.
    Query,
}

/// What an event does to identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdentityEffect {
    /// Nothing.
    None,
    /// Two become one: what MRG names is gone, what PID or PV1 names stays.
    Merge,
    /// Two are the same, and both stay.
    Link,
    /// They are not, after all.
    Unlink,
    /// What MRG names now belongs to what PID names.
    Move,
    /// An identifier is replaced: MRG has the old one. A06 and A07 do so only
    /// where they have an MRG.
    ChangeId,
    /// New.
    Create,
    /// Gone, or entered in error.
    Delete,
}

/// How many patients a message names by design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatientCount {
    /// None (A20).
    None,
    /// One. Also taken for codes that are not assigned.
    One,
    /// Two (A17, A24, A37).
    Two,
    /// Any number, one in a group (A39 to A44).
    Groups,
}

/// A row of the table.
struct Event {
    trigger: TriggerEvent,
    code: &'static str,
    meaning: &'static str,
    /// Of versions 2.3.1, 2.4, 2.5.1, 2.8 and 2.9.1.
    structures: [&'static str; 5],
    level: Option<Level>,
    identity_effect: IdentityEffect,
    patients: PatientCount,
    withdrawn: bool,
}
