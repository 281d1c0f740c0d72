use fhir_json::Tape;
use fhir_normalize::{
    IdKey, IdMode, Normalized, Normalizer, Record, Rejected, Settings, is_legal_id,
};

use super::{Entry, JSON, assert_silent};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, Split, texts};

/// Resources, and Bundles taken apart.
pub(super) const BUNDLE: Entry = Entry {
    target: Target {
        name: "bundle",
        check,
        grammar: Grammar {
            tokens: &[
                "\"resourceType\":\"Bundle\"",
                "\"resourceType\":\"Patient\"",
                "\"type\":\"transaction\"",
                "\"type\":\"history\"",
                "\"type\":\"searchset\"",
                "\"entry\":[",
                "\"resource\":{",
                "\"fullUrl\":\"urn:uuid:1\"",
                "\"request\":{\"method\":\"DELETE\",\"url\":\"Patient/a\"}",
                "\"method\":\"PATCH\"",
                "\"search\":{\"mode\":\"outcome\"}",
                "\"id\":\"a\"",
                "\"id\":\"a_b\"",
                "\"id\":7",
                "\"meta\":{\"lastUpdated\":\"2026-01-02T03:04:05Z\"}",
                "\"reference\":\"urn:uuid:1\"",
                "\"reference\":\"Patient?identifier=a|b\"",
                "\"reference\":\"https://ehr.example/r4/Patient/a\"",
                "\"reference\":\"#a\"",
                "\"contained\":[",
                "\"identifier\":[{\"system\":\"urn:mrn\",\"value\":\"a\"}]",
                "\"_birthDate\":{\"extension\":[]}",
                "\"status\":null",
                "null",
                "[]",
                "{}",
                "\"\"",
            ],
            ..JSON
        },
    },
    seeds: Seeds {
        own: || {
            texts(&[
                r#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:Kanarienvogel-7","resource":{"resourceType":"Patient","id":"Kanarienvogel-7","identifier":[{"type":{"coding":[{"code":"MR"}]},"system":"urn:mrn","value":"Kanarienvogel-7"}],"name":[{"family":"Kanarienvogel-7"}]},"request":{"method":"POST","url":"Patient"}},{"resource":{"resourceType":"Observation","subject":{"reference":"urn:uuid:Kanarienvogel-7"},"status":"final","code":{"text":"a"},"valueQuantity":{"value":1.50}}},{"request":{"method":"DELETE","url":"Patient/Kanarienvogel-7"}},{"request":{"method":"PATCH","url":"Patient/1"},"resource":{"resourceType":"Patient"}}]}"#,
                r#"{"resourceType":"Bundle","type":"history","entry":[{"resource":{"resourceType":"Encounter","id":"e_1","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient?identifier=urn:mrn|Kanarienvogel-7"}}},{"search":{"mode":"outcome"},"resource":{"resourceType":"OperationOutcome"}}]}"#,
            ])
        },
        places: &["fhir-normalize/tests/data", "tests/data", "examples/data"],
        names: &[".ndjson"],
        split: Split::Lines,
    },
    smoke: 2_500,
};

fn check(text: &[u8]) -> Outcome {
    let mut outcome = Outcome::new();
    for (id_mode, key) in [
        (IdMode::Preserve, None),
        (IdMode::Hash, Some(IdKey::new(*b"0123456789abcdef"))),
    ] {
        let settings = Settings {
            id_mode,
            id_key: key,
            mrn_system: Some("urn:mrn".to_owned()),
            bases: vec!["https://ehr.example/r4".to_owned()],
            ..Settings::new("urn:source")
        };
        let mut stored = Vec::new();
        let mut counts = [0; 3];
        let mut shape = Outcome::new();
        Normalizer::new(settings.clone()).records(text, &mut |place, record| {
            assert!(place.start <= place.end && place.end <= text.len());
            match record {
                Ok(Record::Resource(resource)) => {
                    counts[0] += 1;
                    shape = assert_whole(&resource, shape.clone());
                    stored.push((
                        resource.body.to_owned(),
                        resource.content_hash,
                        resource.mrn_patient,
                    ));
                }
                Ok(Record::Deletion(deletion)) => {
                    counts[1] += 1;
                    assert!(is_legal_id(deletion.id));
                }
                Err(rejected) => {
                    counts[2] += 1;
                    assert_rejected(&rejected, text.len());
                    shape = shape.clone().text(&rejected.detail).with(rejected.reason);
                }
            }
        });
        outcome = outcome
            .with(shape.fingerprint())
            .size(counts[0])
            .size(counts[1])
            .size(counts[2]);
        if id_mode == IdMode::Preserve {
            assert_stable(settings, &stored);
        }
    }
    outcome
}

fn assert_whole(resource: &Normalized<'_>, outcome: Outcome) -> Outcome {
    assert!(is_legal_id(resource.id), "an id that can't be stored");
    let mut tape = Tape::new();
    let document = tape
        .parse(resource.body.as_bytes())
        .expect("the body is JSON");
    let root = document.root();
    assert!(!document.has_white_space());
    assert!(root.get("id").is_some_and(|id| id.is_str(resource.id)));
    assert!(
        root.get("resourceType")
            .is_some_and(|name| name.is_str(resource.resource_type))
    );
    let mut tape = Tape::new();
    tape.parse(resource.canonical)
        .expect("the canonical form is JSON");
    let first = resource.remediations.first();
    outcome
        .with(resource.resource_type)
        .with(first.map(|first| (first.path.as_str(), first.rule)))
        .with((resource.mrn_patient, resource.conditional))
        .size(resource.remediations.len())
        .size(resource.identifiers.len())
        .size(resource.patients.len())
}

fn assert_rejected(rejected: &Rejected, length: usize) {
    assert!(rejected.offset.is_none_or(|offset| offset <= length));
    assert_silent(&format!("{rejected} {rejected:?}"));
}

/// Normalizing what was normalized changes nothing.
fn assert_stable(settings: Settings, stored: &[(String, [u8; 32], bool)]) {
    let mut normalizer = Normalizer::new(settings);
    for (body, hash, mrn_patient) in stored.iter().take(4) {
        // The id of such a patient was changed, and would be again.
        if *mrn_patient {
            continue;
        }
        let again = normalizer
            .normalize(body.as_bytes())
            .expect("it was taken before");
        if !again.mrn_patient {
            assert_eq!(again.body, body);
            assert_eq!(again.content_hash, *hash);
        }
    }
}
