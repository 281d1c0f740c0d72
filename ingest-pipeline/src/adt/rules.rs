use hl7v2_adt::{AckMode, Identifier, PatientIdentifierRule, Preference};

use crate::config::{self, AdtSettings, ConnectionSettings};
use crate::state::inbox::PatientIdentifier;

/// How messages of one connection are taken.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) connection: String,
    /// The first part of every archive key.
    pub(super) tenant: String,
    triggers: Option<Vec<String>>,
    pub(super) ack_mode: AckMode,
    pub(super) identifiers: PatientIdentifierRule,
    adt: AdtSettings,
}

impl Rules {
    /// The rules of a connection.
    #[must_use]
    pub fn new(settings: &ConnectionSettings) -> Self {
        Self {
            connection: settings.name.clone(),
            tenant: settings
                .tenant
                .clone()
                .unwrap_or_else(|| settings.name.clone()),
            triggers: settings.triggers.clone(),
            ack_mode: match settings.ack_mode {
                config::AckMode::Auto => AckMode::Auto,
                config::AckMode::Original => AckMode::Original,
                config::AckMode::Enhanced => AckMode::Enhanced,
            },
            identifiers: identifiers(&settings.adt),
            adt: settings.adt.clone(),
        }
    }

    /// Whether messages of this type and trigger are of interest: `A01` in the
    /// connection's list is one of type ADT, `ORU^R01` names another type, `*`
    /// is all ADT, as is no list.
    #[must_use]
    pub fn takes(&self, message_type: &str, trigger: &str) -> bool {
        let is_adt = message_type == "ADT";
        let Some(triggers) = &self.triggers else {
            return is_adt;
        };
        triggers
            .iter()
            .any(|allowed| match allowed.split_once('^') {
                Some((kind, event)) => kind == message_type && event == trigger,
                None => is_adt && (allowed == "*" || allowed == trigger),
            })
    }

    /// The identifier as the EHR knows it.
    pub(super) fn patient(&self, identifier: &Identifier<'_>) -> PatientIdentifier {
        let authority = identifier.authority();
        let system = self.adt.identifier_system(
            &authority.namespace(),
            &authority.universal_id(),
            &authority.universal_id_type(),
        );
        PatientIdentifier {
            system: system.unwrap_or_default(),
            value: identifier.text().into_owned(),
        }
    }
}

/// One of the configured types, in their order, else one without a type, else
/// the first there is. Where an authority is configured it has to be of that
/// one: another's could be another patient's.
fn identifiers(settings: &AdtSettings) -> PatientIdentifierRule {
    let authority = &settings.assigning_authority;
    let untyped = [String::new()];
    let preferences = settings
        .identifier_types
        .iter()
        .chain(&untyped)
        .map(|code| Preference {
            type_code: Some(code.clone()),
            authority: authority.clone(),
        });
    PatientIdentifierRule {
        preferences: preferences.collect(),
        or_first: authority.is_none(),
        or_external_id: settings.fallback_pid2,
        or_alternate_id: settings.fallback_pid4,
    }
}
