//! The JSON against what R4 says of Provenance.

use fhir_provenance::{Activity, Record};
use serde_json::Value;

use crate::{full, json};

/// Path, least and greatest number of occurrences (`usize::MAX` for `*`).
///
/// From the StructureDefinition of Provenance in HL7 FHIR R4 (4.0.1), which is in the public domain (CC0).
/// Only the elements a record can write are listed; any other member is an error.
const ELEMENTS: &[(&str, usize, usize)] = &[
    ("resourceType", 1, 1),
    ("id", 0, 1),
    ("meta", 0, 1),
    ("extension", 0, usize::MAX),
    ("target", 1, usize::MAX),
    ("recorded", 1, 1),
    ("activity", 0, 1),
    ("agent", 1, usize::MAX),
    ("agent.type", 0, 1),
    ("agent.who", 1, 1),
    ("entity", 0, usize::MAX),
    ("entity.role", 1, 1),
    ("entity.what", 1, 1),
];

#[test]
fn has_what_r4_requires_and_nothing_else() {
    let bare = Record {
        remediations: &[],
        message: None,
        ..full()
    };
    for activity in [Activity::Create, Activity::Update, Activity::Delete] {
        for record in [full(), bare] {
            let text = json(&Record { activity, ..record });
            let value: Value = serde_json::from_str(&text).expect("JSON");
            check_cardinality(&value, "");
            check_values(&value);
        }
    }
}

fn check_cardinality(object: &Value, prefix: &str) {
    let object = object.as_object().expect("object");
    let children = ELEMENTS.iter().filter_map(|&(path, min, max)| {
        let name = path.strip_prefix(prefix)?;
        (!name.contains('.')).then_some((name, path, min, max))
    });
    for (name, path, min, max) in children.clone() {
        let values = match object.get(name) {
            None => &[],
            Some(Value::Array(items)) => {
                assert!(max > 1, "{path} doesn't repeat");
                assert!(!items.is_empty(), "{path} is an empty array");
                items.as_slice()
            }
            Some(single) => {
                assert_eq!(max, 1, "{path} repeats");
                std::slice::from_ref(single)
            }
        };
        assert!(values.len() >= min, "{path} is missing");
        let inner = format!("{path}.");
        if ELEMENTS.iter().any(|(path, ..)| path.starts_with(&inner)) {
            for value in values {
                check_cardinality(value, &inner);
            }
        }
    }
    for member in object.keys() {
        assert!(
            children.clone().any(|(name, ..)| name == member),
            "{prefix}{member} is no element of Provenance"
        );
    }
}

fn check_values(value: &Value) {
    assert_eq!(value["resourceType"], "Provenance");
    let id = value["id"].as_str().expect("id");
    assert!(id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(
        value["activity"]["coding"][0]["system"],
        "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
    );
    assert_eq!(value["agent"][0]["type"]["coding"][0]["code"], "assembler");
    for entity in value["entity"].as_array().expect("array") {
        assert_eq!(entity["role"], "source");
    }
    // `ext-1`: an extension has either extensions or a value.
    for extension in value["extension"].as_array().expect("array") {
        let nested = extension.get("extension").is_some();
        let has_value = extension.get("valueInteger").is_some();
        assert!(nested != has_value, "ext-1");
    }
}
