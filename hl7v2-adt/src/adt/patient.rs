use std::borrow::Cow;
use std::fmt;

use super::identifier::trimmed;
use super::{Identifier, Merge, Prior, merge};
use crate::message::Message;
use crate::{Repetition, Segment, Timestamp};

/// A patient of a message: a PID segment, and the MRG and PV1 segments that
/// follow it before the next one.
#[derive(Clone, Copy)]
pub struct Patient<'m> {
    message: &'m Message<'m>,
    pid: Segment<'m>,
}

impl<'m> Patient<'m> {
    pub(super) fn new(message: &'m Message<'m>, pid: Segment<'m>) -> Self {
        Self { message, pid }
    }

    /// The PID segment.
    #[must_use]
    pub fn segment(&self) -> Segment<'m> {
        self.pid
    }

    /// PID-3, all repetitions, also the null, empty and expired ones:
    /// [`PatientIdentifierRule`](super::PatientIdentifierRule) chooses.
    pub fn identifiers(&self) -> impl Iterator<Item = Identifier<'m>> + Clone + use<'m> {
        self.pid.field(3).repetitions().map(Identifier::new)
    }

    /// PID-2, the patient id before there was PID-3.
    #[must_use]
    pub fn external_id(&self) -> Option<Identifier<'m>> {
        first(self.pid, 2)
    }

    /// PID-4, alternate ids.
    pub fn alternate_ids(&self) -> impl Iterator<Item = Identifier<'m>> + Clone + use<'m> {
        self.pid.field(4).repetitions().map(Identifier::new)
    }

    /// PID-5, names.
    pub fn names(&self) -> impl Iterator<Item = PersonName<'m>> + Clone + use<'m> {
        self.pid.field(5).repetitions().map(PersonName)
    }

    /// PID-7, date of birth.
    #[must_use]
    pub fn birth_date(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.pid.field(7).text())
    }

    /// PID-8, administrative sex by HL7 table 0001 or a local one.
    #[must_use]
    pub fn sex(&self) -> Cow<'m, str> {
        self.pid.field(8).text()
    }

    /// PID-18, account number.
    #[must_use]
    pub fn account(&self) -> Option<Identifier<'m>> {
        first(self.pid, 18)
    }

    /// The first PV1 segment.
    #[must_use]
    pub fn visit(&self) -> Option<Visit<'m>> {
        let visit = self.group().find(|segment| segment.is("PV1"));
        visit.map(Visit::new)
    }

    /// What its MRG segments name: what was merged into it, moved to it, or
    /// what it was called before.
    pub fn priors(&self) -> impl Iterator<Item = Prior<'m>> + Clone + use<'m> {
        let message = self.message;
        self.group()
            .filter(|segment| segment.is("MRG"))
            .map(move |segment| Prior::new(message, segment))
    }

    /// Its identifiers with the prior ones they replace, for every MRG
    /// segment: PID-3 with MRG-1, PID-2 with MRG-4, PID-4 with MRG-2 (section
    /// 3.6.2.1.6).
    ///
    /// In PID-3, the partner is the one of the same type and authority, where
    /// the prior one has both; else the one at the same position. Null and
    /// empty ones have no partner.
    pub fn merges(&self) -> impl Iterator<Item = Merge<'m>> + use<'m> {
        merge::pairs(*self)
    }

    /// The segments between it and the next patient.
    fn group(&self) -> impl Iterator<Item = Segment<'m>> + Clone + use<'m> {
        // The number of a segment is the index of the one behind it.
        self.message
            .segments_from(self.pid.position().segment)
            .take_while(|segment| !segment.is("PID"))
    }
}

/// No content.
impl fmt::Debug for Patient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Patient").field(&self.pid).finish()
    }
}

/// A visit: a PV1 segment.
#[derive(Clone, Copy)]
pub struct Visit<'m> {
    pv1: Segment<'m>,
}

impl<'m> Visit<'m> {
    pub(super) fn new(pv1: Segment<'m>) -> Self {
        Self { pv1 }
    }

    /// PV1-2, patient class by HL7 table 0004: `I` for inpatients.
    #[must_use]
    pub fn class(&self) -> Cow<'m, str> {
        self.pv1.field(2).text()
    }

    /// PV1-19, visit number.
    #[must_use]
    pub fn number(&self) -> Option<Identifier<'m>> {
        first(self.pv1, 19)
    }

    /// PV1-50, alternate visit id.
    #[must_use]
    pub fn alternate_id(&self) -> Option<Identifier<'m>> {
        first(self.pv1, 50)
    }

    /// The PV1 segment.
    #[must_use]
    pub fn segment(&self) -> Segment<'m> {
        self.pv1
    }
}

/// No content.
impl fmt::Debug for Visit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Visit").field(&self.pv1).finish()
    }
}

/// The name of a person: data type XPN (section 2A.2.89).
#[derive(Clone, Copy)]
pub struct PersonName<'m>(Repetition<'m>);

impl<'m> PersonName<'m> {
    /// Family name, the first subcomponent of XPN-1.
    #[must_use]
    pub fn family(&self) -> Cow<'m, str> {
        self.part(1)
    }

    /// Given name, XPN-2.
    #[must_use]
    pub fn given(&self) -> Cow<'m, str> {
        self.part(2)
    }

    /// Further given names, XPN-3.
    #[must_use]
    pub fn middle(&self) -> Cow<'m, str> {
        self.part(3)
    }

    /// XPN-4, such as `JR`.
    #[must_use]
    pub fn suffix(&self) -> Cow<'m, str> {
        self.part(4)
    }

    /// XPN-5, such as `DR`.
    #[must_use]
    pub fn prefix(&self) -> Cow<'m, str> {
        self.part(5)
    }

    /// What the name is for, XPN-7 by HL7 table 0200: `L` for the legal one.
    #[must_use]
    pub fn type_code(&self) -> Cow<'m, str> {
        self.part(7)
    }

    fn part(&self, number: usize) -> Cow<'m, str> {
        trimmed(self.0.component(number).text()).unwrap_or_default()
    }
}

/// No content.
impl fmt::Debug for PersonName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonName({} bytes)", self.0.raw().len())
    }
}

/// The first value of a field, if that isn't empty.
pub(super) fn first(segment: Segment<'_>, field: usize) -> Option<Identifier<'_>> {
    let repetition = segment.field(field).repetitions().next();
    repetition.map(Identifier::new)
}
