//! What is to be done with a message, told from the message alone.

use hl7v2_adt::{
    AdtMessage, ErrorCode, Header, IdentityEffect, Message, Path, PatientCount, TriggerEvent,
};

use super::Rules;
use crate::state::inbox::{PatientIdentifier, Wanted};

/// What is to be done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is an acknowledgement, or not of interest.
    Ignore,
    /// The records of these patients are to be read.
    Accept(Vec<Wanted>),
    /// It can't be worked on as it is: AE.
    Refuse(Problem),
    /// It is no message that anybody could take: AR.
    Reject(Problem),
}

/// What is wrong with a message, without anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// As a code.
    pub(super) reason: &'static str,
    /// In words.
    pub(super) detail: &'static str,
    /// For the sender, from HL7 table 0357.
    pub(super) code: ErrorCode,
    /// Where, such as `PID-3.1`.
    pub(super) place: Option<&'static str>,
}

impl Problem {
    pub(super) fn path(&self) -> Option<Path> {
        self.place?.parse().ok()
    }
}

pub(super) const NOT_HL7: Problem = Problem {
    reason: "not-hl7",
    detail: "it does not begin with an MSH segment",
    code: ErrorCode::SegmentSequence,
    place: None,
};
const NO_TYPE: Problem = Problem {
    reason: "no-message-type",
    detail: "its type, MSH-9, is empty",
    code: ErrorCode::RequiredFieldMissing,
    place: Some("MSH-9.1"),
};
const NO_PATIENT: Problem = Problem {
    reason: "no-patient-identifier",
    detail: "no patient in it has an identifier that can be used: look at the connection's rules for identifiers",
    code: ErrorCode::RequiredFieldMissing,
    place: Some("PID-3.1"),
};
const NO_PRIOR: Problem = Problem {
    reason: "merge-incomplete",
    detail: "it merges patients, and its MRG segment is missing or names none",
    code: ErrorCode::RequiredFieldMissing,
    place: Some("MRG-1.1"),
};
const CIRCULAR: Problem = Problem {
    reason: "merge-circular",
    detail: "it merges a patient into itself",
    code: ErrorCode::DuplicateKey,
    place: Some("MRG-1.1"),
};

/// Judges a message of which the header can be read.
pub(super) fn judge(message: &Message<'_>, header: &Header<'_>, rules: &Rules) -> Verdict {
    let adt = AdtMessage::new(message);
    let message_type = adt.message_code();
    if header.is_ack() {
        return Verdict::Ignore;
    }
    if message_type.is_empty() {
        return Verdict::Reject(NO_TYPE);
    }
    if !rules.takes(&message_type, &adt.trigger_code()) {
        return Verdict::Ignore;
    }
    let trigger = match &*message_type {
        "ADT" => Some(adt.trigger()),
        _ => None,
    };
    if trigger.is_some_and(|trigger| trigger.patients() == PatientCount::None) {
        return Verdict::Accept(Vec::new());
    }
    patients(&adt, trigger, rules)
}

fn patients(adt: &AdtMessage<'_>, trigger: Option<TriggerEvent>, rules: &Rules) -> Verdict {
    let on = adt.event_time();
    let merges = trigger.is_some_and(merges_patients);
    let moves = trigger.is_some_and(moves_between_patients);
    let mut all: Vec<Wanted> = Vec::new();
    let mut add = |patient: PatientIdentifier, merged: Vec<PatientIdentifier>| match all
        .iter_mut()
        .find(|wanted| wanted.patient == patient)
    {
        Some(wanted) => wanted.merged.extend(merged),
        None => all.push(Wanted { patient, merged }),
    };
    for patient in adt.patients() {
        let Some(own) = rules.identifiers.select(&patient, on.as_ref()) else {
            return Verdict::Refuse(NO_PATIENT);
        };
        let own = rules.patient(&own);
        let mut merged = Vec::new();
        for prior in patient.priors() {
            let Some(prior) = rules.identifiers.select_prior(&prior, on.as_ref()) else {
                continue;
            };
            let prior = rules.patient(&prior);
            let is_own = prior.value == own.value && prior.system == own.system;
            match (merges, moves) {
                (true, _) if is_own && changes_patients(trigger) => {
                    return Verdict::Refuse(CIRCULAR);
                }
                (true, _) if !is_own => merged.push(prior),
                // What left it has changed as well.
                (_, true) if !is_own => add(prior, Vec::new()),
                _ => {}
            }
        }
        if merges && changes_patients(trigger) && merged.is_empty() {
            return Verdict::Refuse(NO_PRIOR);
        }
        add(own, merged);
    }
    if all.is_empty() {
        return Verdict::Refuse(NO_PATIENT);
    }
    Verdict::Accept(all)
}

/// Whether the patient of MRG is marked as replaced: by contract also where
/// accounts are merged (A35, A41), if they are those of two patients.
const fn merges_patients(trigger: TriggerEvent) -> bool {
    use TriggerEvent as T;
    matches!(
        trigger,
        T::A18 | T::A30 | T::A34 | T::A35 | T::A36 | T::A39 | T::A40 | T::A41
    )
}

/// Whether a merge is one of patients, and not of their accounts alone.
fn changes_patients(trigger: Option<TriggerEvent>) -> bool {
    !matches!(trigger, Some(TriggerEvent::A35 | TriggerEvent::A41))
}

/// Whether something goes from the patient of MRG to that of PID, and both are
/// still there.
fn moves_between_patients(trigger: TriggerEvent) -> bool {
    trigger.identity_effect() == IdentityEffect::Move
}
