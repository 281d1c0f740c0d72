//! Missing required elements.

use std::fs;
use std::path::Path;

use fhir_normalize::Normalizer;

use crate::support::{normalized, preserve, rejected};
use crate::tree::Tree;

const CONCEPT: &str = r#"{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/data-absent-reason","code":"unknown","display":"Unknown"}]}"#;
const MARK: &str = r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}"#;

/// What stands in `{}` is filled; each case is type and members, the members
/// expected with `CONCEPT` and `MARK` written short, and what was done.
const CASES: [(&str, &str, &str); 31] = [
    // A CodeableConcept.
    (
        r#""resourceType":"Observation","status":"final""#,
        r#""resourceType":"Observation","status":"final","code":CONCEPT"#,
        "Observation.code unknown-concept",
    ),
    // Required by US Core only.
    (
        r#""resourceType":"Condition","subject":{"reference":"Patient/p"}"#,
        r#""resourceType":"Condition","subject":{"reference":"Patient/p"},"code":CONCEPT"#,
        "Condition.code unknown-concept",
    ),
    // A code whose value set has `unknown`, and one whose value set has not.
    (
        r#""resourceType":"Observation","code":{"text":"x"}"#,
        r#""resourceType":"Observation","code":{"text":"x"},"status":"unknown""#,
        "Observation.status unknown-code",
    ),
    (
        r#""resourceType":"MedicationRequest","status":"active","medicationReference":{"display":"m"},"subject":{"display":"s"}"#,
        r#""resourceType":"MedicationRequest","status":"active","medicationReference":{"display":"m"},"subject":{"display":"s"},"_intent":MARK"#,
        "MedicationRequest.intent data-absent-reason",
    ),
    // Primitives of other types.
    (
        r#""resourceType":"Group","type":"person""#,
        r#""resourceType":"Group","type":"person","_actual":MARK"#,
        "Group.actual data-absent-reason",
    ),
    // BackboneElement, repeating; nothing inside it is filled.
    (
        r#""resourceType":"OperationOutcome""#,
        r#""resourceType":"OperationOutcome","issue":[MARK]"#,
        "OperationOutcome.issue data-absent-reason",
    ),
    // Coding.
    (
        r#""resourceType":"Encounter","status":"finished""#,
        r#""resourceType":"Encounter","status":"finished","class":MARK"#,
        "Encounter.class data-absent-reason",
    ),
    // A choice: the concept, where it is allowed, else the first type.
    (
        r#""resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"display":"s"}"#,
        r#""resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"display":"s"},"medicationCodeableConcept":CONCEPT"#,
        "MedicationRequest.medication unknown-concept",
    ),
    (
        r#""resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"display":"s"}"#,
        r#""resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"display":"s"},"_occurrenceDateTime":MARK"#,
        "Immunization.occurrence data-absent-reason",
    ),
    // A choice is there in any of its types, and by its `_` half.
    (
        r#""resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"display":"s"},"occurrenceString":"x""#,
        "=",
        "",
    ),
    (
        r#""resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"display":"s"},"_occurrenceString":{"id":"i"}"#,
        "=",
        "",
    ),
    (
        r#""resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"display":"s"},"occurrenceInteger":1"#,
        r#""resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"display":"s"},"occurrenceInteger":1,"_occurrenceDateTime":MARK"#,
        "Immunization.occurrence data-absent-reason",
    ),
    // A nested Reference is marked, not refused.
    (
        r#""resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"location":[{"status":"active"}]"#,
        r#""resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"location":[{"status":"active","location":MARK}]"#,
        "Encounter.location[0].location data-absent-reason",
    ),
    // Nested elements, by their place.
    (
        r#""resourceType":"Observation","status":"final","code":{"text":"x"},"component":[{"code":{"text":"y"}},{"valueString":"z"},{"valueString":"z"}]"#,
        r#""resourceType":"Observation","status":"final","code":{"text":"x"},"component":[{"code":{"text":"y"}},{"valueString":"z","code":CONCEPT},{"valueString":"z","code":CONCEPT}]"#,
        "Observation.component[1].code unknown-concept, Observation.component[2].code unknown-concept",
    ),
    (
        r#""resourceType":"Observation","status":"final","code":{"text":"x"},"component":{"valueString":"z"}"#,
        r#""resourceType":"Observation","status":"final","code":{"text":"x"},"component":{"valueString":"z","code":CONCEPT}"#,
        "Observation.component.code unknown-concept",
    ),
    // Items in items.
    (
        r#""resourceType":"Questionnaire","status":"active","item":[{"linkId":"1","type":"group","item":[{"type":"string"}]}]"#,
        r#""resourceType":"Questionnaire","status":"active","item":[{"linkId":"1","type":"group","item":[{"type":"string","_linkId":MARK}]}]"#,
        "Questionnaire.item[0].item[0].linkId data-absent-reason",
    ),
    // Objects that are nothing, or nothing but the mark, have nothing missing.
    (
        r#""resourceType":"Observation","status":"final","code":{"text":"x"},"component":[{},null,[],"text",MARK]"#,
        "=",
        "",
    ),
    // But an object with any other extension has.
    (
        r#""resourceType":"Observation","status":"final","code":{"text":"x"},"component":[{"extension":[{"url":"u"}]},{"id":"i","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason"}]}]"#,
        r#""resourceType":"Observation","status":"final","code":{"text":"x"},"component":[{"extension":[{"url":"u"}],"code":CONCEPT},{"id":"i","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason"}],"code":CONCEPT}]"#,
        "Observation.component[0].code unknown-concept, Observation.component[1].code unknown-concept",
    ),
    (
        r#""resourceType":"Observation","status":"final","code":{"text":"x"},"component":{"modifierExtension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason"}]}"#,
        r#""resourceType":"Observation","status":"final","code":{"text":"x"},"component":{"modifierExtension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason"}],"code":CONCEPT}"#,
        "Observation.component.code unknown-concept",
    ),
    // Placeholders are removed first, with both halves of a primitive.
    (
        r#""resourceType":"Observation","status":null,"code":{}"#,
        r#""resourceType":"Observation","status":"unknown","code":CONCEPT"#,
        "Observation.code unknown-concept, Observation.status unknown-code",
    ),
    (
        r#""resourceType":"Observation","code":[],"_status":{},"status":null"#,
        r#""resourceType":"Observation","status":"unknown","code":CONCEPT"#,
        "Observation.code unknown-concept, Observation.status unknown-code",
    ),
    (
        r#""resourceType":"Group","type":"person","actual":null,"_actual":null"#,
        r#""resourceType":"Group","type":"person","_actual":MARK"#,
        "Group.actual data-absent-reason",
    ),
    (
        r#""resourceType":"OperationOutcome","issue":[]"#,
        r#""resourceType":"OperationOutcome","issue":[MARK]"#,
        "OperationOutcome.issue data-absent-reason",
    ),
    (
        r#""resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"display":"s"},"occurrenceString":null,"_occurrenceDateTime":{}"#,
        r#""resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"display":"s"},"_occurrenceDateTime":MARK"#,
        "Immunization.occurrence data-absent-reason",
    ),
    // One half of a primitive is the element.
    (
        r#""resourceType":"Observation","_status":{"extension":[{"url":"u"}]},"status":null,"code":{"text":"x"}"#,
        "=",
        "",
    ),
    (
        r#""resourceType":"Observation","status":"final","code":{"extension":[{"url":"u"}]}"#,
        "=",
        "",
    ),
    // `_name` belongs to primitives only.
    (
        r#""resourceType":"Observation","status":"final","_code":{"id":"i"}"#,
        r#""resourceType":"Observation","status":"final","_code":{"id":"i"},"code":CONCEPT"#,
        "Observation.code unknown-concept",
    ),
    // Values are not judged, nor are optional elements or unknown ones.
    (
        r#""resourceType":"Observation","status":"","code":"x""#,
        "=",
        "",
    ),
    (
        r#""resourceType":"Observation","status":7,"code":[null]"#,
        "=",
        "",
    ),
    (
        r#""resourceType":"Patient","name":null,"gender":"","photo":[],"link":{},"x":[{}]"#,
        "=",
        "",
    ),
    // Contained resources and entries are left alone.
    (
        r#""resourceType":"Patient","contained":[{"resourceType":"Observation"},{"resourceType":"Condition"}]"#,
        "=",
        "",
    ),
];

#[test]
fn what_is_filled_with_what() {
    for (members, expected, done) in CASES {
        let text = |members: &str| {
            let members = members.replace("CONCEPT", CONCEPT).replace("MARK", MARK);
            format!(r#"{{"id":"i",{members}}}"#)
        };
        let expected = text(if expected == "=" { members } else { expected });
        let source = text(members);
        let mut normalizer = Normalizer::new(preserve());
        let normalized = normalizer.normalize(source.as_bytes()).expect(&source);
        let mut found: Vec<_> = normalized
            .remediations
            .iter()
            .map(|remediation| format!("{} {}", remediation.path, remediation.rule))
            .collect();
        found.sort();
        assert_eq!(found.join(", "), done, "{source}");
        assert_eq!(
            Tree::parse(normalized.body).sorted(),
            Tree::parse(&expected).sorted()
        );
        if done.is_empty() {
            assert_eq!(normalized.body, source, "not altered");
        }
        let body = normalized.body.to_owned();
        let again = normalizer.normalize(body.as_bytes()).expect(&body);
        assert_eq!(
            (again.body, again.remediations.len()),
            (&*body, 0),
            "mended once"
        );
    }
}

#[test]
fn entries_and_parameters_are_not_looked_into() {
    for text in [
        r#"{"resourceType":"Bundle","id":"b","type":"document","entry":[{"resource":{"resourceType":"Condition","id":"c"}}]}"#,
        r#"{"resourceType":"Parameters","id":"p","parameter":[{"name":"r","resource":{"resourceType":"Condition"}}]}"#,
    ] {
        assert_eq!(normalized(preserve(), text).0, text);
    }
}

/// Every Reference that R4 requires at the top of a resource, straight from the
/// table: without it the resource is refused, with anything in it it is not.
#[test]
fn a_missing_required_reference_is_refused_in_every_type() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tables/r4-required.csv");
    let table = fs::read_to_string(table).expect("the table");
    let rows: Vec<Vec<_>> = table.lines().map(|row| row.split(',').collect()).collect();
    let references: Vec<_> = rows
        .iter()
        .filter(|row| row[0] == "resource" && row[3] == "1" && row[6] == "Reference")
        .collect();
    assert!(references.len() >= 60, "{}", references.len());
    for row in &references {
        let (resource_type, path) = (row[1], row[2]);
        // All other References of the type are there.
        let others: String = references
            .iter()
            .filter(|other| other[1] == resource_type && other[2] != path)
            .map(|other| format!(r#","{}":{{"display":"x"}}"#, name_of(other[2])))
            .collect();
        let name = name_of(path);
        let text = |member: &str| {
            format!(r#"{{"resourceType":"{resource_type}","id":"i"{others}{member}}}"#)
        };
        for absent in [
            String::new(),
            format!(r#","{name}":null"#),
            format!(r#","{name}":{{}}"#),
            format!(r#","{name}":[]"#),
            format!(r#","_{name}":{MARK}"#),
        ] {
            let rejected = rejected(preserve(), text(&absent).as_bytes());
            assert_eq!(
                rejected.reason.code(),
                "missing-required-reference",
                "{path}"
            );
            assert!(rejected.detail.contains(path), "{rejected}");
        }
        for present in [
            r#"{"reference":"Patient/p"}"#,
            r#"[{"display":"x"}]"#,
            r#"{"identifier":{"value":"1"}}"#,
            MARK,
        ] {
            normalized(preserve(), &text(&format!(r#","{name}":{present}"#)));
        }
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}
