use fhir_http::{CapabilityStatement, OperationOutcome};
use serde_json::Value;

use super::{Entry, JSON, assert_silent};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, Split, texts};

/// What servers say is wrong.
pub(super) const OUTCOME: Entry = Entry {
    target: Target {
        name: "operation-outcome",
        check: outcome,
        grammar: Grammar {
            tokens: &[
                "\"resourceType\":\"OperationOutcome\"",
                "\"issue\":[",
                "\"severity\":\"fatal\"",
                "\"code\":\"transient\"",
                "\"diagnostics\":",
                "\"details\":{\"text\":\"a\"}",
                "\"expression\":[\"Bundle.entry[3].resource\"]",
                "null",
                "{}",
                "[]",
                "7",
            ],
            ..JSON
        },
    },
    seeds: Seeds {
        own: || {
            texts(&[
                r#"{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"not-found","diagnostics":"no Patient/Kanarienvogel-7"},{"severity":null,"code":"Kanarienvogel-7","details":{"text":"Kanarienvogel-7"},"expression":["Patient.id","Kanarienvogel-7"]},"nonsense"]}"#,
                "\u{FEFF}{\"resourceType\":\"OperationOutcome\"}",
            ])
        },
        places: &[],
        names: &["OperationOutcome.ndjson"],
        split: Split::Lines,
    },
    smoke: 100_000,
};

/// What servers say they can do.
pub(super) const CAPABILITIES: Entry = Entry {
    target: Target {
        name: "capability-statement",
        check: capabilities,
        grammar: JSON,
    },
    seeds: Seeds {
        own: || {
            texts(&[
                r#"{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1","software":{"name":"EHR","version":"1"},"rest":[{"mode":"server","resource":[{"type":"Patient","interaction":[{"code":"read"}],"searchParam":[{"name":"_id"}],"operation":[{"name":"$export","definition":"http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"}]}],"operation":[{"name":"export","definition":{"reference":"a"}}]}]}"#,
            ])
        },
        places: &[],
        names: &["CapabilityStatement.ndjson"],
        split: Split::Lines,
    },
    smoke: 100_000,
};

fn outcome(json: &[u8]) -> Outcome {
    let read = OperationOutcome::from_json(json);
    let expected = is_of(json, &["OperationOutcome"]);
    assert_eq!(read.is_some(), expected);
    let Some(read) = read else {
        return Outcome::new().with(serde_json::from_slice::<Value>(json).is_ok());
    };
    let codes = read.codes();
    for code in &codes {
        assert!(!code.is_empty() && code.len() <= 32);
        assert!(
            code.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        );
    }
    assert!(codes.len() <= read.issues.len());
    assert_silent(&format!("{read:?} {codes:?}"));
    let worst = read.issues.iter().map(|issue| issue.severity).max();
    Outcome::new()
        .with(worst.map(|severity| severity as u8))
        .size(codes.len())
        .size(read.issues.len())
        .size(
            read.issues
                .iter()
                .filter(|issue| issue.diagnostics.is_some())
                .count(),
        )
        .size(read.issues.iter().map(|issue| issue.expression.len()).sum())
}

fn capabilities(json: &[u8]) -> Outcome {
    let read = CapabilityStatement::from_json(json);
    assert_eq!(
        read.is_some(),
        is_of(json, &["CapabilityStatement", "Conformance"])
    );
    let Some(read) = read else {
        return Outcome::new();
    };
    for one in &read.resources {
        let found = read.resource(&one.resource_type).expect("it is there");
        assert_eq!(found.resource_type, one.resource_type);
    }
    let operations = read.resources.iter().flat_map(|one| &one.operations);
    let mut operations = operations.chain(&read.operations);
    assert!(operations.all(|operation| !operation.name.starts_with('$')));
    Outcome::new()
        .with((read.software_name.is_some(), read.fhir_version.is_some()))
        .size(read.resources.len())
        .size(read.operations.len())
        .size(
            read.resources
                .iter()
                .map(|one| one.interactions.len())
                .sum(),
        )
        .size(
            read.resources
                .iter()
                .map(|one| one.search_params.len())
                .sum(),
        )
}

/// Whether it is a resource of one of these types, as `serde_json` sees it.
fn is_of(json: &[u8], types: &[&str]) -> bool {
    let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
    let value: Value = serde_json::from_slice(json).unwrap_or_default();
    value["resourceType"]
        .as_str()
        .is_some_and(|name| types.contains(&name))
}
