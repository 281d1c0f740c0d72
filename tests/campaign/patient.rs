//! What belongs to a patient, and messages about one.

use std::collections::BTreeSet;

use ehr_sandbox::Data;

/// What is searched for by patient unless the configuration says otherwise.
const SEARCHED: [&str; 4] = ["Encounter", "Observation", "Condition", "MedicationRequest"];
/// What is read where something refers to it.
const FOLLOWED: [&str; 6] = [
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "Medication",
    "DocumentReference",
];

/// Keys of all that belongs to these patients, and of what that refers to, which
/// is read where it is not there yet.
pub(crate) fn belongings(
    data: &Data,
    patients: &BTreeSet<u64>,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let people = patients.iter().map(|own| format!("\"Patient/p{own}\""));
    let people: Vec<_> = people.collect();
    let all = data.resources().filter(|own| {
        let is_searched = SEARCHED.contains(&own.resource_type());
        let is_about = is_searched && people.iter().any(|person| own.json().contains(person));
        is_about || people.contains(&format!("\"{}/{}\"", own.resource_type(), own.id()))
    });
    let own = all.map(|own| format!("{}/{}", own.resource_type(), own.id()));
    let own: BTreeSet<_> = own.collect();
    let mut present = BTreeSet::new();
    let mut near = own.clone();
    for _ in 0..2 {
        let referred = near.iter().flat_map(|key| references(data, key));
        near = referred.collect();
        present.extend(near.iter().cloned());
    }
    (own, present)
}

/// What a resource refers to and is followed.
fn references(data: &Data, key: &str) -> Vec<String> {
    let found = key
        .split_once('/')
        .and_then(|(resource_type, id)| data.resource(resource_type, id));
    let text = found.map_or("", |own| own.json());
    let parts = text.split("\"reference\":\"").skip(1);
    let targets = parts.filter_map(|part| part.split('"').next());
    let followed = targets.filter(|target| {
        let known = target.split_once('/');
        known.is_some_and(|(resource_type, id)| {
            FOLLOWED.contains(&resource_type) && data.resource(resource_type, id).is_some()
        })
    });
    followed.map(str::to_owned).collect()
}

/// About a patient, as the sandbox's hospital names them.
pub(crate) fn message(control_id: &str, patient: u64) -> Vec<u8> {
    let oid = Data::MRN_SYSTEM.trim_start_matches("urn:oid:");
    format!(
        "MSH|^~\\&|REG|GHH|IN|R|20270115080000||ADT^A08|{control_id}|P|2.5.1\r\
         EVN|A08|20270115075900\r\
         PID|1||MRN{patient:06}^^^GHH&{oid}&ISO^MR||Zebulon^Canary\rPV1|1|I\r"
    )
    .into_bytes()
}
