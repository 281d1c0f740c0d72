use std::fmt;

use jiff::Timestamp;

use crate::TriggerMessage;

/// Whom to fetch, and why.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// Whose record.
    pub patient: PatientKey,
    /// When the last fetch of the patient that went well [began](
    /// super::Gathered::since). Where it is known, the server can search by
    /// `_lastUpdated`, and the store has the patient under the same key, only
    /// what has changed since is asked for.
    pub since: Option<Timestamp>,
    /// The HL7 v2 message that asks for it.
    pub message: Option<TriggerMessage>,
    /// Those who were merged into the patient, as the message says.
    pub merged: Vec<PatientKey>,
}

impl FetchRequest {
    /// All of a patient's record, for no message.
    #[must_use]
    pub const fn new(patient: PatientKey) -> Self {
        Self {
            patient,
            since: None,
            message: None,
            merged: Vec::new(),
        }
    }
}

/// How a patient is named.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum PatientKey {
    /// By the id of the Patient at the source.
    Id(String),
    /// By an identifier, such as a medical record number.
    Identifier {
        /// `identifier.system`. Without one, that of identifiers in the
        /// record does not matter.
        system: Option<String>,
        /// `identifier.value`
        value: String,
    },
}

/// By hand: it names a patient.
impl fmt::Debug for PatientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(_) => f.write_str("Id(…)"),
            Self::Identifier { system, .. } => f
                .debug_struct("Identifier")
                .field("system", system)
                .finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_are_not_named_in_debug_output() {
        let mut request = FetchRequest::new(PatientKey::Identifier {
            system: Some("urn:x".to_owned()),
            value: "kanarienvogel".to_owned(),
        });
        request.merged = vec![PatientKey::Id("kanarienvogel".to_owned())];
        let shown = format!("{request:?} {request:#?}");
        assert!(!shown.contains("kanarienvogel"), "{shown}");
        assert!(shown.contains("urn:x"), "{shown}");
    }
}
