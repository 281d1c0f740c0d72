use super::{Identifier, Patient, Prior};
use crate::Timestamp;

/// Which of a patient's identifiers to use: set up for each sender, since
/// types and authorities are often missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatientIdentifierRule {
    /// Kinds of identifiers in PID-3, the best first.
    pub preferences: Vec<Preference>,
    /// Whether the first usable one in PID-3 is taken where no preference is met.
    pub or_first: bool,
    /// Whether PID-2 is looked at if PID-3 gave none. Withdrawn in 2.7.
    pub or_external_id: bool,
    /// Whether PID-4 is looked at if PID-2 gave none either. Withdrawn in 2.7.
    pub or_alternate_id: bool,
}

/// A kind of identifier. What is `None` may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// Type by HL7 table 0203, such as `MR`. Empty means that none is given.
    pub type_code: Option<String>,
    /// Assigning authority, by its local or its universal name.
    pub authority: Option<String>,
}

impl PatientIdentifierRule {
    /// The patient's identifier: neither empty nor null nor, on the day that
    /// is given, expired.
    #[must_use]
    pub fn select<'a>(
        &self,
        patient: &Patient<'a>,
        on: Option<&Timestamp>,
    ) -> Option<Identifier<'a>> {
        self.pick(patient.identifiers(), on)
            .or_else(|| first(patient.external_id(), on).filter(|_| self.or_external_id))
            .or_else(|| first(patient.alternate_ids(), on).filter(|_| self.or_alternate_id))
    }

    /// The identifier of what an MRG segment names.
    #[must_use]
    pub fn select_prior<'a>(
        &self,
        prior: &Prior<'a>,
        on: Option<&Timestamp>,
    ) -> Option<Identifier<'a>> {
        self.pick(prior.identifiers(), on)
            .or_else(|| first(prior.external_id(), on).filter(|_| self.or_external_id))
            .or_else(|| first(prior.alternate_ids(), on).filter(|_| self.or_alternate_id))
    }

    fn pick<'a>(
        &self,
        identifiers: impl Iterator<Item = Identifier<'a>> + Clone,
        on: Option<&Timestamp>,
    ) -> Option<Identifier<'a>> {
        let meets = |preference: &Preference, identifier: &Identifier<'_>| {
            let Preference {
                type_code,
                authority,
            } = preference;
            type_code
                .as_ref()
                .is_none_or(|code| identifier.type_code() == *code)
                && authority
                    .as_ref()
                    .is_none_or(|name| identifier.authority().is(name))
                && identifier.is_usable(on)
        };
        let best = |preference: &Preference| {
            identifiers
                .clone()
                .find(|identifier| meets(preference, identifier))
        };
        let preferred = self.preferences.iter().find_map(best);
        preferred.or_else(|| first(identifiers.clone(), on).filter(|_| self.or_first))
    }
}

/// A medical record number (`MR`) of any authority, else the first identifier
/// of PID-3 that is usable.
impl Default for PatientIdentifierRule {
    fn default() -> Self {
        Self {
            preferences: vec![Preference {
                type_code: Some("MR".to_owned()),
                authority: None,
            }],
            or_first: true,
            or_external_id: false,
            or_alternate_id: false,
        }
    }
}

fn first<'a>(
    identifiers: impl IntoIterator<Item = Identifier<'a>>,
    on: Option<&Timestamp>,
) -> Option<Identifier<'a>> {
    identifiers
        .into_iter()
        .find(|identifier| identifier.is_usable(on))
}
