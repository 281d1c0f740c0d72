//! Resources for tests, written out or by the thousand.

use std::fmt::Write as _;

use crate::random::Random;

/// A Patient; `more` is put behind its id, such as `,"active":true`.
pub(crate) fn patient(id: &str, more: &str) -> String {
    format!(r#"{{"resourceType":"Patient","id":"{id}"{more}}}"#)
}

/// A Patient whose id is its medical record number.
pub(crate) fn mrn_patient(mrn: &str) -> String {
    patient(mrn, &format!(",\"identifier\":[{}]", mr(mrn)))
}

/// An identifier of type `MR`.
pub(crate) fn mr(value: &str) -> String {
    format!(
        r#"{{"type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}}]}},"system":"urn:test:mrn","value":"{value}"}}"#
    )
}

/// An Observation with this `subject.reference`.
pub(crate) fn observation(id: &str, subject: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"Weight"}},"subject":{{"reference":"{subject}"}},"valueQuantity":{{"value":70.50}}}}"#
    )
}

/// A transaction Bundle of these resources.
pub(crate) fn bundle<T: AsRef<str>>(resources: &[T]) -> String {
    let entries: Vec<_> = resources
        .iter()
        .map(|resource| {
            format!(
                r#"{{"resource":{},"request":{{"method":"POST","url":"x"}}}}"#,
                resource.as_ref()
            )
        })
        .collect();
    format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#,
        entries.join(",")
    )
}

/// A Bundle as bulk exports tell deletions.
pub(crate) fn deletion(url: &str) -> String {
    format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"request":{{"method":"DELETE","url":"{url}"}}}}]}}"#
    )
}

/// About `bytes` of NDJSON in files of several types, with everything that
/// makes a run more than a copy: patients whose ids are medical record
/// numbers and that come after what refers to them, duplicates, later
/// versions, versions that come back, references by identifier, deletions,
/// missing data and broken lines.
pub(crate) fn mixed(bytes: usize) -> Vec<(&'static str, String)> {
    let mut random = Random::new(42);
    let patients = (bytes / 8_000).max(10) as u64;
    let note = "Patient tolerated the procedure well. ".repeat(12);
    let mut observations = String::new();
    let mut number = 0;
    while observations.len() < bytes * 6 / 10 {
        number += 1;
        let patient = random.below(patients);
        let value = random.below(100_000);
        let line = format!(
            r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"Heart rate"}},"subject":{{"reference":"Patient/{}"}},"valueQuantity":{{"value":{}.{:02}0,"unit":"/min"}},"note":[{{"text":"{note}"}}]}}"#,
            patient_id(patient),
            value / 100,
            value % 100
        );
        observations.push_str(&line);
        observations.push('\n');
        match random.below(100) {
            0 => {
                observations.push_str(&line);
                observations.push('\n');
            }
            1 => {
                let later = line.replace("Heart rate", "Pulse");
                let _ = writeln!(observations, "{later}");
                if random.below(2) == 0 {
                    let _ = writeln!(observations, "{line}");
                }
            }
            2 => observations.push_str("{\"resourceType\":\"Observation\",\"id\":\n"),
            _ => {}
        }
    }
    let mut conditions = String::new();
    number = 0;
    while conditions.len() < bytes * 2 / 10 {
        number += 1;
        let patient = random.below(patients);
        let subject = if number % 10 == 0 {
            format!("Patient?identifier=urn:test:mrn|{}", mrn(patient))
        } else {
            format!("Patient/{}", patient_id(patient))
        };
        // Without `code` and, now and then, without the subject it must have.
        let subject = if number % 97 == 0 {
            String::new()
        } else {
            format!(r#","subject":{{"reference":"{subject}"}}"#)
        };
        let _ = writeln!(
            conditions,
            r#"{{"resourceType":"Condition","id":"c{number}"{subject},"note":[{{"text":"{note}"}}]}}"#
        );
    }
    let mut persons = String::new();
    for number in 0..patients {
        let id = patient_id(number);
        let _ = writeln!(
            persons,
            r#"{{"resourceType":"Patient","id":"{id}","identifier":[{}],"name":[{{"family":"Family{number}"}}],"text":{{"status":"generated","div":"<div>{note}</div>"}}}}"#,
            mr(&mrn(number))
        );
    }
    let mut encounters = String::new();
    number = 0;
    while encounters.len() < bytes / 10 {
        number += 1;
        let subject = patient_id(random.below(patients));
        let _ = writeln!(
            encounters,
            r#"{{"resourceType":"Encounter","id":"e{number}","subject":{{"reference":"Patient/{subject}"}},"reasonCode":[{{"text":"{note}"}}]}}"#
        );
    }
    for number in 1..=20 {
        let _ = writeln!(encounters, "{}", deletion(&format!("Encounter/e{number}")));
    }
    vec![
        ("1-observations.ndjson", observations),
        ("2-conditions.ndjson", conditions),
        ("3-persons.ndjson", persons),
        ("4-encounters.ndjson", encounters),
    ]
}

fn mrn(patient: u64) -> String {
    format!("{:08}", patient * 7 + 1)
}

/// Every third patient is known by the medical record number.
fn patient_id(patient: u64) -> String {
    if patient.is_multiple_of(3) {
        mrn(patient)
    } else {
        format!("patient-{patient}")
    }
}
