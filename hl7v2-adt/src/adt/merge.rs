use std::collections::BTreeMap;
use std::fmt;
use std::iter;
use std::rc::Rc;

use super::Identifier;
use super::patient::{Patient, Visit, first};
use crate::Segment;
use crate::message::Message;

/// What was there before: an MRG segment, and the PV1 segment behind it.
#[derive(Clone, Copy)]
pub struct Prior<'m> {
    message: &'m Message<'m>,
    mrg: Segment<'m>,
}

impl<'m> Prior<'m> {
    pub(super) fn new(message: &'m Message<'m>, mrg: Segment<'m>) -> Self {
        Self { message, mrg }
    }

    /// MRG-1, counterpart of PID-3.
    pub fn identifiers(&self) -> impl Iterator<Item = Identifier<'m>> + Clone + use<'m> {
        self.mrg.field(1).repetitions().map(Identifier::new)
    }

    /// MRG-2, counterpart of PID-4.
    pub fn alternate_ids(&self) -> impl Iterator<Item = Identifier<'m>> + Clone + use<'m> {
        self.mrg.field(2).repetitions().map(Identifier::new)
    }

    /// MRG-3, account number, counterpart of PID-18.
    #[must_use]
    pub fn account(&self) -> Option<Identifier<'m>> {
        first(self.mrg, 3)
    }

    /// MRG-4, counterpart of PID-2.
    #[must_use]
    pub fn external_id(&self) -> Option<Identifier<'m>> {
        first(self.mrg, 4)
    }

    /// MRG-5, visit number, counterpart of PV1-19.
    #[must_use]
    pub fn visit_number(&self) -> Option<Identifier<'m>> {
        first(self.mrg, 5)
    }

    /// MRG-6, alternate visit id, counterpart of PV1-50.
    #[must_use]
    pub fn alternate_visit_id(&self) -> Option<Identifier<'m>> {
        first(self.mrg, 6)
    }

    /// The visit that the prior one became: the PV1 segment before the next
    /// MRG or PID segment. A45 has one for each MRG.
    #[must_use]
    pub fn visit(&self) -> Option<Visit<'m>> {
        self.message
            .segments_from(self.mrg.position().segment)
            .take_while(|segment| !segment.is("MRG") && !segment.is("PID"))
            .find(|segment| segment.is("PV1"))
            .map(Visit::new)
    }

    /// The MRG segment.
    #[must_use]
    pub fn segment(&self) -> Segment<'m> {
        self.mrg
    }
}

/// No content.
impl fmt::Debug for Prior<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prior").field(&self.mrg).finish()
    }
}

/// Two identifiers that a merge, a move or a change puts together.
#[derive(Clone, Copy, Debug)]
pub struct Merge<'m> {
    /// What is gone: of MRG.
    pub prior: Identifier<'m>,
    /// What stays: of PID.
    pub surviving: Identifier<'m>,
}

impl Merge<'_> {
    /// Whether both are the same, which is a mistake of the sender.
    #[must_use]
    pub fn is_circular(&self) -> bool {
        self.prior.is_same(&self.surviving)
    }
}

/// See [`Patient::merges`].
pub(super) fn pairs<'m>(patient: Patient<'m>) -> impl Iterator<Item = Merge<'m>> + use<'m> {
    // A message may have any number of repetitions: no search for each.
    let mut by_kind = BTreeMap::new();
    for identifier in patient.identifiers().filter(|one| one.is_usable(None)) {
        if let Some(kind) = identifier.kind() {
            by_kind.entry(kind).or_insert(identifier);
        }
    }
    let by_kind = Rc::new(by_kind);
    patient.priors().flat_map(move |prior| {
        let by_kind = Rc::clone(&by_kind);
        let of_kind = move |one: &Identifier<'m>| by_kind.get(&one.kind()?).copied();
        let at_position = patient.identifiers().map(Some).chain(iter::repeat(None));
        let current = prior
            .identifiers()
            .zip(at_position)
            .filter_map(move |(prior, other)| pair(prior, of_kind(&prior).or(other)));
        let external = prior
            .external_id()
            .and_then(|prior| pair(prior, patient.external_id()));
        let alternate = prior
            .alternate_ids()
            .zip(patient.alternate_ids())
            .filter_map(|(prior, surviving)| pair(prior, Some(surviving)));
        current.chain(external).chain(alternate)
    })
}

fn pair<'m>(prior: Identifier<'m>, surviving: Option<Identifier<'m>>) -> Option<Merge<'m>> {
    let surviving = surviving.filter(|surviving| surviving.is_usable(None))?;
    prior.is_usable(None).then_some(Merge { prior, surviving })
}
