//! Resources that are full of canaries, and records that are refused for every
//! reason there is.

use super::audit::Audit;
use super::canary::{
    ADDRESS, DISPLAY, FAMILY, GIVEN, ID, IDENTIFIER, KIN, MRN, NOTE, PHONE, TOKEN,
};
use crate::generate::mr;

/// Writes a folder `in` for a load, of records and files that are refused.
pub(super) fn give(audit: &Audit) {
    audit.give("in/records.ndjson", records());
    for (name, bytes) in files() {
        audit.give(&name, bytes);
    }
}

/// A Patient; `more` is put at its end.
pub(super) fn patient(more: &str) -> String {
    patient_with(ID, more)
}

fn patient_with(id: &str, more: &str) -> String {
    let mrn = mr(MRN);
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","identifier":[{mrn},{{"system":"urn:test:other","value":"{IDENTIFIER}"}}],"name":[{{"family":"{FAMILY}","given":["{GIVEN}"]}}],"address":[{{"line":["{ADDRESS}"]}}],"telecom":[{{"system":"phone","value":"{PHONE}"}}],"contact":[{{"name":{{"family":"{KIN}"}}}}],"generalPractitioner":[{{"display":"{DISPLAY}"}}]{more}}}"#
    )
}

/// An Observation of that Patient.
pub(super) fn observation(more: &str) -> String {
    observation_of(&format!("Patient/{ID}"), more)
}

fn observation_of(subject: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"o-{ID}","status":"final","code":{{"text":"{NOTE}"}},"subject":{{"reference":"{subject}","display":"{FAMILY}"}},"performer":[{{"reference":"Practitioner/p-{ID}","display":"{DISPLAY}"}}],"note":[{{"text":"{NOTE}"}}],"issued":"2026-02-03T04:05:06Z"{more}}}"#
    )
}

/// Records of which some are stored, and the others refused.
pub(super) fn records() -> Vec<u8> {
    let deep =
        |open: &str, close: &str| format!("{}\"{NOTE}\"{}", open.repeat(200), close.repeat(200));
    let texts = [
        patient(""),
        observation(""),
        // An id that is a record number, and one that is not legal.
        patient_with(MRN, ""),
        patient_with(&format!("{MRN}_{FAMILY}"), ""),
        observation_of(&format!("Patient/{MRN}"), ""),
        // Duplicate, later, unresolved and absolute.
        patient(r#","active":true"#),
        observation_of(
            &format!("Patient?identifier=urn:test:mrn|{MRN}"),
            r#","id2":1"#,
        ),
        observation_of(&format!("Patient?identifier=urn:test:mrn|{MRN}{KIN}"), ""),
        observation_of(
            &format!("https://ehr.example/fhir/Patient/{MRN}?token={TOKEN}"),
            "",
        ),
        // No JSON.
        FAMILY.to_owned(),
        format!(r#"{{"{FAMILY}":"{MRN}""#),
        format!("{}{FAMILY}", patient("")),
        patient(&format!(r#","a":"{NOTE}\x41""#)),
        patient(&format!(r#","a":"{NOTE}\ud83d""#)),
        patient(&format!(r#","a":{FAMILY}"#)),
        patient(&format!(r#","a":"{NOTE}{}"#, "\u{1}")),
        // Names that come twice.
        patient(&format!(r#","{FAMILY}":1,"{FAMILY}":2"#)),
        patient(r#","name":[]"#),
        // Values of types that they may not have.
        format!(r#"{{"resourceType":"{FAMILY}","id":"{ID}"}}"#),
        format!(r#"{{"resourceType":["{FAMILY}"],"id":"{ID}"}}"#),
        format!(r#"{{"id":"{ID}","name":"{FAMILY}"}}"#),
        format!(r#"{{"resourceType":"Patient","id":["{ID}"],"name":"{FAMILY}"}}"#),
        format!(
            r#"{{"resourceType":"Patient","identifier":"{MRN}","name":"{FAMILY}","contained":"{NOTE}"}}"#
        ),
        format!(
            r#"{{"resourceType":"Observation","id":"{ID}","subject":{{"reference":["{MRN}"]}}}}"#
        ),
        format!(r#"["{FAMILY}"]"#),
        format!(r#""{FAMILY}""#),
        // What has to be there, and is not.
        format!(
            r#"{{"resourceType":"AllergyIntolerance","id":"{ID}","note":[{{"text":"{NOTE}"}}]}}"#
        ),
        patient(&format!(r#","a":{}"#, deep("[", "]"))),
        patient(&format!(r#","a":{}"#, deep(r#"{"a":"#, "}"))),
        patient(&format!(r#","a":"{NOTE}{}""#, "x".repeat(9_000))),
        // Bundles.
        format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{}}},{{"resource":{{"resourceType":"{FAMILY}"}}}},{{"fullUrl":"urn:uuid:{MRN}"}},"{FAMILY}"]}}"#,
            patient("")
        ),
        format!(
            r#"{{"resourceType":"Bundle","type":"batch","entry":[{{"request":{{"method":"DELETE","url":"Patient?name={FAMILY}"}}}},{{"request":{{"method":"{FAMILY}","url":"{MRN}"}}}},{{"request":{{"method":"DELETE","url":"Observation/o-{ID}"}}}}]}}"#
        ),
        format!(r#"{{"resourceType":"Bundle","type":"{FAMILY}","entry":"{MRN}"}}"#),
    ];
    let mut bytes = texts.join("\n").into_bytes();
    let broken = [
        b"\n",
        patient(&format!(r#","a":"{NOTE}?"#)).as_bytes(),
        b"\n",
    ]
    .concat();
    let broken = broken
        .into_iter()
        .map(|byte| if byte == b'?' { 0xFF } else { byte });
    bytes.extend(broken);
    bytes
}

/// Files that are refused as a whole.
fn files() -> Vec<(String, Vec<u8>)> {
    let name = |name: &str| format!("in/{name}");
    let wide: Vec<u8> = patient("").bytes().flat_map(|byte| [byte, 0]).collect();
    vec![
        (
            name("array.ndjson"),
            format!("[\n{},\n{}]\n", patient(""), observation("")).into_bytes(),
        ),
        (
            name("pretty.ndjson"),
            format!("{{\n\"id\": \"{MRN}\",\n\"name\": \"{FAMILY}\"\n}}\n").into_bytes(),
        ),
        (
            name("page.ndjson"),
            format!("<!DOCTYPE html><p>{FAMILY}</p>\n").into_bytes(),
        ),
        (
            name("cut.ndjson"),
            [b"\x1F\x8B\x08\0", FAMILY.as_bytes()].concat(),
        ),
        (name("wide.ndjson"), [b"\xFF\xFE", wide.as_slice()].concat()),
        (
            name("broken.json"),
            format!("{{\"id\":\"{MRN} {FAMILY}").into_bytes(),
        ),
        (
            name("bundle.json"),
            format!(
                r#"{{"resourceType":"Bundle","type":"{FAMILY}","entry":[{{"resource":"{MRN}"}}]}}"#
            )
            .into_bytes(),
        ),
    ]
}

/// Messages of which some are taken, and the others refused.
pub(super) fn messages() -> Vec<Vec<u8>> {
    vec![
        message("A01", "c1", MRN),
        message("A40", "c2", MRN),
        message("A01", "c3", ""),
        message("A20", "c4", ""),
        format!("{FAMILY} {MRN}").into_bytes(),
        format!("MSH|^~\\&|REG\rPID|{MRN}|{FAMILY}\r").into_bytes(),
    ]
}

/// An HL7 v2 message about the patient with this record number.
fn message(trigger: &str, control_id: &str, mrn: &str) -> Vec<u8> {
    format!(
        "MSH|^~\\&|REG|GHH|IN|R|20270115080000||ADT^{trigger}|{control_id}|P|2.5.1\r\
         EVN|{trigger}|20270115075900||||{DISPLAY}\r\
         PID|1|{IDENTIFIER}|{mrn}^^^GHH&1.2.3&ISO^MR||{FAMILY}^{GIVEN}||19700101|F|||{ADDRESS}||{PHONE}\r\
         NK1|1|{KIN}\rPV1|1|I|{NOTE}\rMRG|{IDENTIFIER}^^^GHH&1.2.3&ISO^MR\r"
    )
    .into_bytes()
}
