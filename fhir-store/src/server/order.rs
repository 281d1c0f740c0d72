//! Who has to be there before whom.

use serde_json::Value;

/// Place of a resource type in the order in which references resolve: types come after those that they usually refer to.
pub(super) fn rank(resource_type: &str) -> usize {
    let found = ORDER.iter().position(|name| *name == resource_type);
    // Everything else refers to these and seldom to each other.
    found.unwrap_or(ORDER.len())
}

const ORDER: [&str; 26] = [
    "Organization",
    "Location",
    "Endpoint",
    "HealthcareService",
    "Practitioner",
    "PractitionerRole",
    "Substance",
    "Medication",
    "Device",
    "Patient",
    "RelatedPerson",
    "Person",
    "Group",
    "Coverage",
    "EpisodeOfCare",
    "Appointment",
    "Encounter",
    "Condition",
    "CareTeam",
    "CarePlan",
    "ServiceRequest",
    "Procedure",
    "Specimen",
    "ImagingStudy",
    "Observation",
    "MedicationRequest",
];

/// A reference to another resource of the same server.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Reference {
    /// Name of the element, such as `subject`.
    pub(super) element: String,
    pub(super) resource_type: String,
    pub(super) id: String,
}

impl Reference {
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }
}

/// References of the form `Type/id`, whatever is below them.
pub(super) fn references(body: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str(body) {
        walk("", &value, &mut found);
    }
    found
}

fn walk(element: &str, value: &Value, found: &mut Vec<Reference>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "reference" => found.extend(local(element, text)),
                    _ => walk(name, value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| walk(element, value, found)),
        _ => {}
    }
}

/// The reference in a text of the form `Type/id`.
pub(super) fn local(element: &str, text: &str) -> Option<Reference> {
    let text = text.split("/_history/").next()?;
    let (resource_type, id) = text.split_once('/')?;
    let is_type = resource_type.starts_with(|c: char| c.is_ascii_uppercase())
        && resource_type.bytes().all(|b| b.is_ascii_alphabetic());
    (is_type && is_id(id)).then(|| Reference {
        element: element.to_owned(),
        resource_type: resource_type.to_owned(),
        id: id.to_owned(),
    })
}

/// Whether a text is a [FHIR id](https://hl7.org/fhir/R4/datatypes.html#id).
pub(super) fn is_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_with_their_elements() {
        let body = r##"{"subject":{"reference":"Patient/1"},"performer":[{"display":"x"},{"reference":"Practitioner/2/_history/3"}],
            "other":[{"reference":"#contained"},{"reference":"urn:uuid:1"},{"reference":"https://a.example/Patient/1"},{"reference":"nonsense/1"},{"reference":"Patient?identifier=1"}]}"##;
        let mut found = references(body);
        found.sort_by(|a, b| a.element.cmp(&b.element));
        let found: Vec<_> = found
            .iter()
            .map(|own| (&*own.element, &*own.resource_type, &*own.id))
            .collect();
        assert_eq!(
            found,
            [
                ("performer", "Practitioner", "2"),
                ("subject", "Patient", "1")
            ]
        );
    }

    #[test]
    fn types_follow_those_they_refer_to() {
        for (before, after) in [
            ("Organization", "Practitioner"),
            ("Practitioner", "PractitionerRole"),
            ("Patient", "Encounter"),
            ("Encounter", "Observation"),
            ("Observation", "DiagnosticReport"),
        ] {
            assert!(rank(before) < rank(after), "{before} {after}");
        }
    }
}
