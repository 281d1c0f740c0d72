//! Bundles: which are taken apart, and what becomes of their entries.

use fhir_normalize::{Normalizer, Settings};

use crate::support::{BASE, Visited, hash, hashed, normalized, preserve, records, with_hashes};
use crate::tree::Tree;

const UUID_1: &str = "urn:uuid:0b1f5f0e-58d7-4f7f-a0a5-000000000001";
const UUID_2: &str = "urn:uuid:0b1f5f0e-58d7-4f7f-a0a5-000000000002";

/// A Bundle of these entries.
pub(crate) fn bundle(kind: &str, entries: &[&str]) -> String {
    let entries = entries.join(",");
    format!(r#"{{"resourceType":"Bundle","id":"the-bundle","type":"{kind}","entry":[{entries}]}}"#)
}

fn visit(settings: Settings, text: &str) -> Vec<Visited> {
    let mut normalizer = Normalizer::new(settings);
    let all = records(&mut normalizer, text);
    all.into_iter().map(|(_, visited)| visited).collect()
}

fn summary(visited: &[Visited]) -> String {
    let all: Vec<_> = visited.iter().map(Visited::summary).collect();
    all.join(" ")
}

#[test]
fn kinds_of_bundles() {
    let entries = [
        r#"{"resource":{"resourceType":"Patient","id":"a"}}"#,
        r#"{"search":{"mode":"outcome"},"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"processing"}]}}"#,
        r#"{"search":{"mode":"include"},"resource":{"resourceType":"Group","id":"b","type":"person","actual":true}}"#,
        r#"{"fullUrl":"https://ehr.example/r4/Patient/nothing"}"#,
        r#"{"resource":null}"#,
        "null",
        r#"{"resource":{"resourceType":"Patient","id":"c"}}"#,
    ];
    for (kind, expected) in [
        ("transaction", "Patient/a Group/b Patient/c"),
        ("batch", "Patient/a Group/b Patient/c"),
        ("collection", "Patient/a Group/b Patient/c"),
        ("searchset", "Patient/a Group/b Patient/c"),
        ("history", "Patient/c Group/b Patient/a"),
        ("document", "Bundle/the-bundle"),
        ("message", "Bundle/the-bundle"),
        ("transaction-response", "Bundle/the-bundle"),
        ("batch-response", "Bundle/the-bundle"),
        ("subscription-notification", "Bundle/the-bundle"),
        ("", "Bundle/the-bundle"),
    ] {
        let text = bundle(kind, &entries);
        assert_eq!(summary(&visit(preserve(), &text)), expected, "{kind}");
    }
    for odd in [
        r#"{"resourceType":"Bundle","type":"collection"}"#,
        r#"{"resourceType":"Bundle","type":"collection","entry":[]}"#,
        r#"{"resourceType":"Bundle","type":"collection","entry":null}"#,
    ] {
        assert_eq!(visit(preserve(), odd), [], "{odd}");
    }
    // One object where an array is due.
    let one = r#"{"resourceType":"Bundle","type":"collection","entry":{"resource":{"resourceType":"Patient","id":"a"}}}"#;
    assert_eq!(summary(&visit(preserve(), one)), "Patient/a");
}

#[test]
fn what_requests_ask_for() {
    let patient = r#""resource":{"resourceType":"Patient","id":"p"}"#;
    let cases = [
        // An entry, what becomes of it in transaction and batch, and in a history.
        (format!(r#"{{"request":{{"method":"PUT","url":"Patient/p"}},{patient}}}"#), "Patient/p", "Patient/p"),
        (format!(r#"{{"request":{{"method":"POST","url":"Patient"}},{patient}}}"#), "Patient/p", "Patient/p"),
        (format!(r#"{{"request":{{"method":"GET","url":"Patient/p"}},{patient}}}"#), "", "Patient/p"),
        (r#"{"request":{"method":"GET","url":"Patient/p"}}"#.into(), "", ""),
        (format!(r#"{{"request":{{"method":"HEAD","url":"Patient/p"}},{patient}}}"#), "", "Patient/p"),
        (format!(r#"{{"request":{{"method":"PATCH","url":"Patient/p"}},{patient}}}"#), "!store-refused", "Patient/p"),
        (r#"{"request":{"method":"PATCH","url":"Patient/p"}}"#.into(), "!store-refused", ""),
        (r#"{"request":{"method":"PUT","url":"Patient/p"}}"#.into(), "!store-refused", ""),
        (
            r#"{"request":{"method":"POST","url":"Patient/$match"},"resource":{"resourceType":"Parameters","id":"m"}}"#.into(),
            "!store-refused",
            "Parameters/m",
        ),
        (r#"{"request":{"method":"DELETE","url":"Patient/p"}}"#.into(), "-Patient/p", "-Patient/p"),
        (format!(r#"{{"request":{{"method":"DELETE","url":"Patient/p"}},{patient}}}"#), "-Patient/p", "-Patient/p"),
        (r#"{"request":{"method":"DELETE","url":"Patient/p/_history/3"}}"#.into(), "-Patient/p", "-Patient/p"),
        (r#"{"request":{"method":"DELETE","url":"https://ehr.example/r4/Patient/p"}}"#.into(), "-Patient/p", "-Patient/p"),
        (r#"{"request":{"method":"DELETE","url":"https://other.example/Patient/p"}}"#.into(), "!store-refused", "!store-refused"),
        (r#"{"request":{"method":"DELETE","url":"Patient?identifier=urn:s|1"}}"#.into(), "!store-refused", "!store-refused"),
        (r#"{"request":{"method":"DELETE","url":"Patient?name=x"}}"#.into(), "!store-refused", "!store-refused"),
        (r#"{"request":{"method":"DELETE","url":"Nobody/p"}}"#.into(), "!store-refused", "!store-refused"),
        (r#"{"request":{"method":"DELETE"}}"#.into(), "!store-refused", "!store-refused"),
    ];
    let settings = Settings {
        bases: vec![BASE.to_owned()],
        ..preserve()
    };
    for (entry, transacted, in_history) in cases {
        for (kind, expected) in [
            ("transaction", transacted),
            ("batch", transacted),
            ("history", in_history),
        ] {
            let visited = visit(settings.clone(), &bundle(kind, &[&entry]));
            assert_eq!(summary(&visited), expected, "{kind} {entry}");
            if let [Visited::Refused(rejected)] = &visited[..] {
                assert!(rejected.detail.starts_with("entry[0]: "), "{rejected}");
            }
        }
    }
}

#[test]
fn deletions_have_the_ids_of_what_was_stored() {
    let delete = |id: &str| {
        bundle(
            "transaction",
            &[&format!(
                r#"{{"request":{{"method":"DELETE","url":"Patient/{id}"}}}}"#
            )],
        )
    };
    for (settings, id, expected) in [
        (preserve(), "p", "p".to_owned()),
        (preserve(), "a_b", hashed("Patient", "a_b")),
        (hash(), "p", hashed("Patient", "p")),
    ] {
        let deleted = Visited::Deleted {
            name: format!("Patient/{expected}"),
            source_id: id.to_owned(),
        };
        assert_eq!(visit(settings, &delete(id)), [deleted]);
    }
    // Of a patient known by the medical record number as well.
    let mut normalizer = Normalizer::new(preserve());
    normalizer.note_mrn_patient("123");
    let all = records(&mut normalizer, &delete("123"));
    assert_eq!(
        all[0].1.summary(),
        format!("-Patient/{}", hashed("Patient", "123"))
    );
}

#[test]
fn urn_uuid_references_forwards_and_backwards() {
    let entry = |url: &str, id: &str, other: &str| {
        format!(
            r#"{{"fullUrl":"{url}","resource":{{"resourceType":"Basic"{id},"code":{{"text":"x"}},"subject":{{"reference":"{other}"}}}}}}"#
        )
    };
    for kind in ["transaction", "batch", "collection", "searchset", "history"] {
        let text = bundle(
            kind,
            &[
                &entry(UUID_1, "", UUID_2),
                &entry(UUID_2, r#","id":"b_2""#, UUID_1),
            ],
        );
        for (settings, one) in [
            (preserve(), UUID_1.replace("urn:uuid:", "")),
            (hash(), hashed("Basic", &UUID_1.replace("urn:uuid:", ""))),
        ] {
            let visited = visit(settings, &text);
            let (mut first, mut second) = (&visited[0], &visited[1]);
            if kind == "history" {
                std::mem::swap(&mut first, &mut second);
            }
            assert_eq!(first.summary(), format!("Basic/{one}"));
            assert_eq!(second.summary(), with_hashes("<Basic/b_2>"));
            assert!(
                first
                    .body()
                    .contains(&with_hashes(r#""reference":"<Basic/b_2>""#))
            );
            assert!(
                second
                    .body()
                    .contains(&format!(r#""reference":"Basic/{one}""#))
            );
        }
    }
}

#[test]
fn urn_uuid_references_to_nothing_stay() {
    let text = bundle(
        "transaction",
        &[
            &format!(r#"{{"fullUrl":"{UUID_1}","request":{{"method":"GET","url":"Patient/p"}}}}"#),
            &format!(
                r#"{{"resource":{{"resourceType":"Basic","id":"b","code":{{"text":"x"}},"subject":{{"reference":"{UUID_1}"}}}}}}"#
            ),
        ],
    );
    let visited = visit(preserve(), &text);
    assert_eq!(summary(&visited), "Basic/b");
    assert!(visited[0].body().contains(UUID_1));
    // A `url` is one of an Attachment only where it names a Binary.
    let attached = bundle(
        "transaction",
        &[&format!(
            r#"{{"fullUrl":"{UUID_1}","resource":{{"resourceType":"Patient","id":"p","photo":[{{"url":"{UUID_1}"}}]}}}}"#
        )],
    );
    assert!(visit(preserve(), &attached)[0].body().contains(UUID_1));
    // A Bundle that is one resource names its entries itself.
    let document = bundle(
        "document",
        &[&format!(
            r#"{{"fullUrl":"{UUID_1}","resource":{{"resourceType":"Basic","id":"b","author":{{"reference":"{UUID_1}"}}}}}}"#
        )],
    );
    assert_eq!(normalized(hash(), &document).0.matches(UUID_1).count(), 2);
}

#[test]
fn urn_uuid_references_to_a_refused_entry_are_ready_for_it_to_come_again() {
    let text = bundle(
        "transaction",
        &[
            &format!(
                r#"{{"fullUrl":"{UUID_1}","resource":{{"resourceType":"Condition","id":"c"}}}}"#
            ),
            &format!(
                r#"{{"resource":{{"resourceType":"Basic","id":"b","code":{{"text":"x"}},"subject":{{"reference":"{UUID_1}"}}}}}}"#
            ),
        ],
    );
    let visited = visit(preserve(), &text);
    assert_eq!(summary(&visited), "!missing-required-reference Basic/b");
    assert!(visited[1].body().contains(r#""reference":"Condition/c""#));
}

#[test]
fn of_two_entries_with_one_full_url_the_first_is_meant() {
    let entry = |id: &str| {
        format!(
            r#"{{"fullUrl":"{UUID_1}","resource":{{"resourceType":"Basic","id":"{id}","code":{{"text":"x"}},"subject":{{"reference":"{UUID_1}"}}}}}}"#
        )
    };
    let visited = visit(
        preserve(),
        &bundle("collection", &[&entry("a"), &entry("b")]),
    );
    assert_eq!(summary(&visited), "Basic/a Basic/b");
    for visited in &visited {
        assert!(visited.body().contains(r#""reference":"Basic/a""#));
    }
}

#[test]
fn ids_of_entries() {
    let entry = |url: &str, id: &str| {
        format!(
            r#"{{"fullUrl":"{url}","resource":{{"resourceType":"Patient"{id},"active":true}}}}"#
        )
    };
    let content = |id: &str| {
        let alone = format!(r#"{{"resourceType":"Patient"{id},"active":true}}"#);
        Tree::parse(normalized(preserve(), &alone).0)
            .str("id")
            .expect("an id")
            .to_owned()
    };
    let uuid = UUID_1.replace("urn:uuid:", "");
    for (entry, expected) in [
        (entry(UUID_1, r#","id":"own""#), "own".to_owned()),
        (entry(UUID_1, r#","id":7"#), "7".to_owned()),
        (entry(UUID_1, ""), uuid.clone()),
        (entry(UUID_1, r#","id":"""#), uuid),
        (entry("https://ehr.example/r4/Patient/p", ""), content("")),
        (entry("", ""), content("")),
        (entry("urn:oid:1.2", ""), content("")),
        (entry("urn:uuid:a_b", ""), hashed("Patient", "a_b")),
        (
            r#"{"resource":{"resourceType":"Patient","active":true}}"#.into(),
            content(""),
        ),
    ] {
        let visited = visit(preserve(), &bundle("collection", &[&entry]));
        assert_eq!(summary(&visited), format!("Patient/{expected}"), "{entry}");
    }
}

#[test]
fn patients_by_medical_record_number_anywhere_in_a_bundle() {
    let patient = r#"{"resource":{"resourceType":"Patient","id":"123","identifier":[{"type":{"coding":[{"code":"MR"}]},"value":"123"}]}}"#;
    let about = r#"{"resource":{"resourceType":"Basic","id":"b","code":{"text":"x"},"subject":{"reference":"Patient/123"}}}"#;
    let expected = with_hashes(r#""reference":"<Patient/123>""#);
    for entries in [[patient, about], [about, patient]] {
        let visited = visit(preserve(), &bundle("searchset", &entries));
        let about = visited
            .iter()
            .find(|visited| visited.summary() == "Basic/b");
        assert!(about.expect("visited").body().contains(&expected));
    }
}

#[test]
fn a_nested_bundle_is_one_resource() {
    let inner = bundle(
        "transaction",
        &[r#"{"request":{"method":"GET","url":"Patient/p"}}"#],
    );
    let outer = bundle("collection", &[&format!(r#"{{"resource":{inner}}}"#)]);
    let visited = visit(preserve(), &outer);
    assert_eq!(summary(&visited), "Bundle/the-bundle");
    assert_eq!(visited[0].body(), inner);
}

#[test]
fn a_refused_entry_stops_no_other() {
    let bad = [
        (
            r#"{"resourceType":"Condition","id":"c"}"#,
            "missing-required-reference",
            Some("Condition"),
        ),
        (r#"{"id":"c"}"#, "missing-resource-type", None),
        (
            r#"{"resourceType":"Nobody"}"#,
            "unknown-resource-type",
            None,
        ),
        (
            r#"{"resourceType":"Patient","id":null}"#,
            "invalid-json",
            Some("Patient"),
        ),
        (r#""text""#, "invalid-json", None),
        ("[]", "invalid-json", None),
    ];
    for (bad, reason, resource_type) in bad {
        let text = bundle(
            "collection",
            &[
                r#"{"resource":{"resourceType":"Patient","id":"a"}}"#,
                &format!(r#"{{ "resource" : {bad} }}"#),
                r#"{"resource":{"resourceType":"Patient","id":"b"}}"#,
            ],
        );
        let mut normalizer = Normalizer::new(preserve());
        let all = records(&mut normalizer, &text);
        assert_eq!(all[0].1.summary(), "Patient/a");
        assert_eq!(all[2].1.summary(), "Patient/b");
        let (span, refused) = &all[1];
        let refused = refused.refusal();
        assert_eq!(&text[span.clone()], bad);
        assert_eq!(refused.reason.code(), reason, "{bad}");
        assert_eq!(refused.resource_type, resource_type, "{bad}");
        assert!(refused.detail.starts_with("entry[1]: "), "{refused}");
    }
}

#[test]
fn spans_are_those_of_the_resources() {
    let first = r#"{"resourceType":"Patient","id":"é"}"#;
    let delete = r#"{"request":{"method":"DELETE","url":"Patient/x"}}"#;
    let text = bundle(
        "history",
        &[&format!(r#"{{"resource": {first} }}"#), delete],
    );
    let mut normalizer = Normalizer::new(preserve());
    let spans: Vec<_> = records(&mut normalizer, &text)
        .into_iter()
        .map(|(span, _)| text[span].to_owned())
        .collect();
    assert_eq!(spans, [delete, first]);
    // Of a lone resource it is all of the text.
    let text = format!(" {first}\n");
    assert_eq!(records(&mut normalizer, &text)[0].0, 0..text.len());
}
