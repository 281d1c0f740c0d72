use fhir_provenance::{Activity, Message, Record, Remediation};
use proptest::prelude::*;
use serde_json::Value;

use crate::{full, json};

#[test]
fn every_byte_is_fixed() {
    let hex = "ab".repeat(32);
    assert_eq!(
        json(&full()),
        format!(
            concat!(
                r#"{{"resourceType":"Provenance","id":"{}","#,
                r#""meta":{{"tag":[{{"system":"urn:ingest:source-system","code":"urn:epic:memorial"}}]}},"#,
                r#""extension":[{{"url":"urn:ingest:version","valueInteger":3}},"#,
                r#"{{"url":"urn:ingest:remediation","extension":[{{"url":"path","valueString":"Condition.code"}},"#,
                r#"{{"url":"rule","valueString":"data-absent-reason"}}]}}],"#,
                r#""target":[{{"reference":"Condition/c1"}}],"recorded":"2026-01-02T03:04:05.678Z","#,
                r#""activity":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/v3-DataOperation","code":"UPDATE"}}]}},"#,
                r#""agent":[{{"type":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/provenance-participant-type","code":"assembler"}}]}},"#,
                r#""who":{{"display":"Acme Health"}}}}],"#,
                r#""entity":[{{"role":"source","what":{{"identifier":{{"system":"urn:epic:memorial","value":"Condition/a/b"}}}}}},"#,
                r#"{{"role":"source","what":{{"identifier":{{"value":"MSG00001"}},"display":"acme/2026/01/02/MEM/MSG00001-0123456789abcdef.hl7"}}}}]}}"#,
            ),
            hex
        )
    );
}

#[test]
fn empty_texts_of_a_message_are_left_out() {
    let cases = [
        ("", "", None),
        ("M1", "", Some(r#"{"identifier":{"value":"M1"}}"#)),
        ("", "key", Some(r#"{"display":"key"}"#)),
    ];
    for (control_id, raw_key, expected) in cases {
        let record = Record {
            message: Some(Message {
                control_id,
                raw_key,
            }),
            ..full()
        };
        let value: Value = serde_json::from_str(&json(&record)).expect("JSON");
        let what = value["entity"]
            .get(1)
            .map(|entity| entity["what"].to_string());
        assert_eq!(what.as_deref(), expected, "{control_id:?} {raw_key:?}");
    }
}

proptest! {
    #[test]
    fn every_text_comes_back(
        texts in prop::collection::vec(any::<String>(), 6..=6),
        mended in prop::collection::vec((any::<String>(), any::<String>()), 0..4),
        message in prop::option::of(("\\PC+|[\\x00-\\x1f\"\\\\]+", "\\PC+|[\\x00-\\x1f\"\\\\]+")),
        version in any::<u64>(),
        recorded in any::<i64>(),
        activity in prop::sample::select(vec![Activity::Create, Activity::Update, Activity::Delete]),
    ) {
        let remediations: Vec<_> = mended
            .iter()
            .map(|(path, rule)| Remediation { path, rule })
            .collect();
        let record = Record {
            provenance_id: [7; 32],
            source_system: &texts[0],
            source_id: &texts[1],
            resource_type: &texts[2],
            id: &texts[3],
            version,
            activity,
            recorded,
            organization: &texts[4],
            remediations: &remediations,
            message: message.as_ref().map(|(control_id, raw_key)| Message { control_id, raw_key }),
        };
        let value: Value = serde_json::from_str(&json(&record)).expect("JSON");

        prop_assert_eq!(&value["meta"]["tag"][0]["code"], &texts[0]);
        prop_assert_eq!(&value["extension"][0]["valueInteger"], version);
        prop_assert_eq!(&value["target"][0]["reference"], &format!("{}/{}", texts[2], texts[3]));
        prop_assert_eq!(&value["activity"]["coding"][0]["code"], activity.code());
        prop_assert_eq!(&value["agent"][0]["who"]["display"], &texts[4]);
        let source = &value["entity"][0]["what"]["identifier"];
        prop_assert_eq!(&source["system"], &texts[0]);
        prop_assert_eq!(&source["value"], &format!("{}/{}", texts[2], texts[1]));

        let extensions = value["extension"].as_array().expect("array");
        prop_assert_eq!(extensions.len(), 1 + mended.len());
        for (extension, (path, rule)) in extensions[1..].iter().zip(&mended) {
            prop_assert_eq!(&extension["extension"][0]["valueString"], path);
            prop_assert_eq!(&extension["extension"][1]["valueString"], rule);
        }

        let second = &value["entity"][1]["what"];
        match &message {
            Some((control_id, raw_key)) => {
                prop_assert_eq!(&second["identifier"]["value"], control_id);
                prop_assert_eq!(&second["display"], raw_key);
            }
            None => prop_assert!(second.is_null()),
        }
    }
}
