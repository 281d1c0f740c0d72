//! What the server holds, and what of it is to be expected elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::site::{Level, SOURCE_SYSTEM};

/// Resources by `Type/id`.
#[derive(Clone, Default)]
pub(crate) struct Content(BTreeMap<String, Value>);

/// The group that is exported, of some of the patients.
pub(crate) const GROUP: &str = "some-patients";

/// The server doesn't count it among the resources of its patients.
const NOT_OF_PATIENTS: &str = "CareTeam";

impl Content {
    /// 233 resources of 17 types, and a group.
    pub(crate) fn synthea() -> Self {
        const MEMBERS: usize = 4;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/data/synthea.ndjson");
        let text = fs::read_to_string(path).expect("the data of the benches");
        let mut content = Self::default();
        for line in text.lines() {
            content.set(serde_json::from_str(line).expect("JSON"));
        }
        let patients: Vec<String> = content.patients().into_iter().take(MEMBERS).collect();
        content.set(group(&patients));
        content
    }

    /// Updates of what only one level shows and of what all show, additions,
    /// and one resource that is to be put again as it is. Gives the keys of all
    /// of them.
    pub(crate) fn change(&mut self) -> BTreeSet<String> {
        let mut members = self.members();
        let outside = self
            .patients()
            .into_iter()
            .find(|patient| !members.contains(patient));
        let outside = outside.expect("a patient who is no member");
        let [of_member, again] = self.two_observations(&members[0]);
        let [of_other, _] = self.two_observations(&outside);
        let organization = self.first("Organization/");

        let updates = [
            (members[0].clone(), "active", json!(false)),
            (outside, "active", json!(false)),
            (of_member, "status", json!("amended")),
            (of_other, "status", json!("corrected")),
            (organization, "name", json!("Renamed")),
        ];
        let mut touched = BTreeSet::from([again]);
        for (key, member, value) in updates {
            let resource = self.0.get_mut(&key).expect("a resource");
            assert_ne!(resource[member], value, "{key} would not change");
            resource[member] = value;
            touched.insert(key);
        }
        members.push("Patient/added".to_owned());
        let additions = [
            patient("added"),
            observation("added", "Patient/added"),
            json!({"resourceType": "Organization", "id": "added", "name": "Added"}),
            group(&members),
        ];
        touched.extend(additions.map(|resource| self.set(resource)));
        touched
    }

    /// All keys.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub(crate) fn resources<'a>(&'a self, keys: &'a BTreeSet<String>) -> Vec<&'a Value> {
        keys.iter().map(|key| &self.0[key]).collect()
    }

    /// What an export of this level shows.
    pub(crate) fn shown(&self, level: Level) -> Self {
        let patients = match level {
            Level::System => return self.clone(),
            Level::Patient | Level::Observation => self.patients(),
            Level::Group => self.members(),
        };
        let is_shown = |key: &str, resource: &Value| {
            let resource_type = key.split('/').next().unwrap_or_default();
            let mut of_patients = patients.iter().any(|patient| patient == key);
            visit_references(&mut resource.clone(), &mut |reference| {
                of_patients |= patients.contains(reference);
            });
            let asked_for = match level {
                Level::Observation => ["Observation", "Patient"].contains(&resource_type),
                _ => resource_type != NOT_OF_PATIENTS,
            };
            of_patients && asked_for
        };
        let mut shown = self.clone();
        shown.0.retain(|key, resource| is_shown(key, resource));
        shown
    }

    /// The same as a store has to hold it: the id of a patient that is a
    /// medical record number is hashed, wherever it stands.
    pub(crate) fn stored(&self) -> BTreeMap<String, Value> {
        let with_mrn = self
            .0
            .iter()
            .filter(|(_, resource)| has_mrn_as_id(resource));
        let new_ids = with_mrn
            .map(|(key, _)| (key.as_str(), hashed(key)))
            .collect();
        let stored = |(key, resource): (&String, &Value)| {
            let mut resource = resource.clone();
            refer_to(&new_ids, &mut resource);
            if let Some(id) = new_ids.get(key.as_str()) {
                resource["id"] = json!(id);
            }
            (self::key(&resource), resource)
        };
        self.0.iter().map(stored).collect()
    }

    fn set(&mut self, resource: Value) -> String {
        let key = key(&resource);
        self.0.insert(key.clone(), resource);
        key
    }

    fn patients(&self) -> Vec<String> {
        let keys = self.0.keys().filter(|key| key.starts_with("Patient/"));
        keys.cloned().collect()
    }

    fn members(&self) -> Vec<String> {
        let group = self.get(&format!("Group/{GROUP}"));
        let members = group.and_then(|group| group["member"].as_array());
        let reference = |member: &Value| member["entity"]["reference"].as_str().map(str::to_owned);
        members
            .into_iter()
            .flatten()
            .filter_map(reference)
            .collect()
    }

    fn first(&self, prefix: &str) -> String {
        let mut keys = self.0.keys().filter(|key| key.starts_with(prefix));
        keys.next().expect("a resource of the type").clone()
    }

    fn two_observations(&self, patient: &str) -> [String; 2] {
        let of_patient = self.0.iter().filter(|(key, resource)| {
            key.starts_with("Observation/") && resource["subject"]["reference"] == patient
        });
        let mut keys = of_patient.map(|(key, _)| key.clone());
        [keys.next(), keys.next()].map(|key| key.expect("observations of the patient"))
    }
}

/// `Type/id`.
pub(crate) fn key(resource: &Value) -> String {
    let member = |name: &str| resource[name].as_str().expect("a type and an id");
    format!("{}/{}", member("resourceType"), member("id"))
}

/// Takes away what a server writes into a resource by itself.
pub(crate) fn strip(resource: &mut Value) {
    let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) else {
        return;
    };
    meta.remove("versionId");
    meta.remove("lastUpdated");
    if meta.is_empty() {
        resource.as_object_mut().expect("a resource").remove("meta");
    }
}

fn group(members: &[String]) -> Value {
    let member = |reference: &String| json!({"entity": {"reference": reference}});
    json!({
        "resourceType": "Group",
        "id": GROUP,
        "type": "person",
        "actual": true,
        "member": members.iter().map(member).collect::<Vec<_>>(),
    })
}

/// A patient whose id is no medical record number.
fn patient(id: &str) -> Value {
    let code = json!({"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"});
    json!({
        "resourceType": "Patient",
        "id": id,
        "identifier": [{"type": {"coding": [code]}, "system": "urn:test:mrn", "value": "4711"}],
        "name": [{"family": "Müller-Łącka", "given": ["Zoë"]}],
    })
}

fn observation(id: &str, subject: &str) -> Value {
    let unit = json!({"value": 36.6, "system": "http://unitsofmeasure.org", "code": "Cel"});
    json!({
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
        "subject": {"reference": subject},
        "valueQuantity": unit,
    })
}

fn has_mrn_as_id(resource: &Value) -> bool {
    let identifiers = resource["identifier"].as_array().into_iter().flatten();
    let mut mrns = identifiers.filter(|identifier| {
        let codings = identifier["type"]["coding"].as_array();
        codings.is_some_and(|codings| codings.iter().any(|coding| coding["code"] == "MR"))
    });
    resource["resourceType"] == "Patient" && mrns.any(|mrn| mrn["value"] == resource["id"])
}

/// The hashed id of a resource, computed here once more.
fn hashed(key: &str) -> String {
    let (resource_type, id) = key.split_once('/').expect("a type and an id");
    let digest = Sha256::digest(format!("{SOURCE_SYSTEM}\n{resource_type}\n{id}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lets references follow the resources that have new ids.
fn refer_to(new_ids: &BTreeMap<&str, String>, value: &mut Value) {
    visit_references(value, &mut |reference| {
        if let Some(id) = new_ids.get(reference.as_str()) {
            let (resource_type, _) = reference.split_once('/').expect("a type and an id");
            *reference = format!("{resource_type}/{id}");
        }
    });
}

fn visit_references(value: &mut Value, visit: &mut dyn FnMut(&mut String)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(reference) if name == "reference" => visit(reference),
                    member => visit_references(member, visit),
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| visit_references(item, visit)),
        _ => {}
    }
}
