use std::fmt;

use serde_json::{Value, json};

use super::Subject;
use crate::Data;
use crate::rng::Rng;

/// What messages say of a patient.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) subject: Subject,
    pub(super) family: String,
    pub(super) given: String,
    /// `YYYY-MM-DD`.
    pub(super) birth_date: String,
    pub(super) gender: String,
    pub(super) city: String,
}

impl Person {
    /// Of a Patient with an identifier that has a system: that of type `MR`,
    /// else the first.
    fn of(patient: &Value) -> Option<Self> {
        let text = |path: &str| {
            let value = patient.pointer(path).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let identifiers = patient.get("identifier")?.as_array()?;
        let is_mr = |identifier: &&Value| {
            let codings = identifier.pointer("/type/coding").and_then(Value::as_array);
            codings.is_some_and(|codings| codings.iter().any(|coding| coding["code"] == "MR"))
        };
        let mut whole = identifiers.iter().filter(|identifier| {
            identifier["system"].is_string() && identifier["value"].is_string()
        });
        let chosen = whole.clone().find(is_mr).or_else(|| whole.next())?;
        Some(Self {
            subject: Subject {
                system: chosen["system"].as_str()?.to_owned(),
                mrn: chosen["value"].as_str()?.to_owned(),
                patient: patient["id"].as_str().map(str::to_owned),
            },
            family: text("/name/0/family"),
            given: text("/name/0/given/0"),
            birth_date: text("/birthDate"),
            gender: text("/gender"),
            city: text("/address/0/city"),
        })
    }

    /// All of the data, in an order of the seed.
    pub(super) fn all(data: &Data, rng: &mut Rng) -> Vec<Self> {
        let patients = data.resources().filter(|r| r.resource_type() == "Patient");
        let values = patients.filter_map(|r| serde_json::from_str(r.json()).ok());
        let mut people: Vec<Self> = values.filter_map(|value| Self::of(&value)).collect();
        for place in (1..people.len()).rev() {
            people.swap(place, rng.below(place as u64 + 1) as usize);
        }
        people
    }

    /// Someone whom the FHIR server does not know, or not yet.
    pub(super) fn stranger(number: &str, patient: Option<String>) -> Self {
        let known = patient.is_some();
        Self {
            subject: Subject {
                system: Data::MRN_SYSTEM.to_owned(),
                mrn: format!("MRN9{number}"),
                patient,
            },
            family: if known { "Žižka" } else { "Doe" }.to_owned(),
            given: if known { "Anaïs" } else { "Jo" }.to_owned(),
            birth_date: "1999-12-31".to_owned(),
            gender: "female".to_owned(),
            city: "Genève".to_owned(),
        }
    }

    /// The Patient of someone who is new.
    pub(super) fn resource(&self) -> String {
        json!({
            "resourceType": "Patient",
            "id": self.subject.patient,
            "identifier": [{
                "type": {"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/v2-0203",
                    "code": "MR",
                }]},
                "system": self.subject.system,
                "value": self.subject.mrn,
            }],
            "active": true,
            "name": [{"use": "official", "family": self.family, "given": [self.given]}],
            "gender": self.gender,
            "birthDate": self.birth_date,
            "address": [{"city": self.city}],
        })
        .to_string()
    }

    /// Id of the Patient, for those who have one.
    pub(super) fn id(&self) -> &str {
        self.subject.patient.as_deref().unwrap_or_default()
    }
}

/// By hand: it may be a real patient.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}
