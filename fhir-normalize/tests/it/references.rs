//! References: every form, wherever they stand.

use fhir_normalize::{Conditional, Normalizer, Settings};

use crate::support::{BASE, hash, hashed, normalized, preserve, with_hashes};
use crate::tree::Tree;

/// A reference, and what it becomes: `=` stays, `<Type/id>` is hashed.
const FORMS: [(&str, &str, &str); 40] = [
    // The reference, in mode preserve, in mode hash.
    ("Patient/p1", "=", "<Patient/p1>"),
    ("Group/g", "=", "<Group/g>"),
    ("Patient/a_b", "<Patient/a_b>", "<Patient/a_b>"),
    ("Patient/a b", "<Patient/a b>", "<Patient/a b>"),
    ("Patient/a/b", "<Patient/a/b>", "<Patient/a/b>"),
    ("Patient/p1/_history/3", "Patient/p1", "<Patient/p1>"),
    ("Patient/a_b/_history/3", "<Patient/a_b>", "<Patient/a_b>"),
    (
        "https://ehr.example/r4/Patient/p1",
        "Patient/p1",
        "<Patient/p1>",
    ),
    (
        "https://ehr.example/r4/Patient/p1/_history/3",
        "Patient/p1",
        "<Patient/p1>",
    ),
    (
        "https://ehr.example/r4/Patient/a_b",
        "<Patient/a_b>",
        "<Patient/a_b>",
    ),
    (
        "https://alias.example/fhir/Patient/p1",
        "Patient/p1",
        "<Patient/p1>",
    ),
    // A base that begins another base.
    (
        "https://alias.example/Patient/p1",
        "Patient/p1",
        "<Patient/p1>",
    ),
    ("https://ehr.example/r4/", "=", "="),
    ("https://ehr.example/r4", "=", "="),
    ("https://ehr.example/r4/metadata", "=", "="),
    ("https://ehr.example/r4//Patient/p1", "=", "="),
    ("https://ehr.example/r4b/Patient/p1", "=", "="),
    ("https://ehr.example/dstu2/Patient/p1", "=", "="),
    ("http://ehr.example/r4/Patient/p1", "=", "="),
    ("https://other.example/r4/Patient/p1", "=", "="),
    ("Patient?identifier=urn:mrn|1", "=", "="),
    (
        "https://ehr.example/r4/Patient?identifier=urn:mrn|1",
        "=",
        "=",
    ),
    ("Patient?name=x", "=", "="),
    ("#c", "=", "="),
    ("#", "=", "="),
    ("", "=", "="),
    ("urn:oid:1.2.3", "=", "="),
    // No Bundle has an entry of this name.
    ("urn:uuid:0b1f5f0e-58d7-4f7f-a0a5-5d2b8c3a6b11", "=", "="),
    ("p1", "=", "="),
    ("patient/p1", "=", "="),
    ("Patients/p1", "=", "="),
    ("Nobody/1", "=", "="),
    ("Resource/1", "=", "="),
    ("DomainResource/1", "=", "="),
    ("Patient", "=", "="),
    ("Patient/", "=", "="),
    ("/Patient/p1", "=", "="),
    ("../Patient/p1", "=", "="),
    (" Patient/p1", "=", "="),
    ("Patient-1/p1", "=", "="),
];

fn with_bases(settings: Settings) -> Settings {
    Settings {
        bases: vec![
            "https://alias.example".to_owned(),
            "https://alias.example/fhir/".to_owned(),
            BASE.to_owned(),
        ],
        ..settings
    }
}

#[test]
fn every_form_at_every_depth() {
    // Where references stand; `@` is one.
    let places = [
        r#"{"resourceType":"Basic","id":"i","code":{},"subject":{"reference":@}}"#,
        r#"{"resourceType":"Basic","id":"i","code":{},"subject":[{"reference":@},{"reference":@}]}"#,
        r#"{"resourceType":"Basic","id":"i","code":{},"extension":[{"url":"u","extension":[{"url":"v","valueReference":{"reference":@}}]}]}"#,
        r#"{"resourceType":"Basic","id":"i","code":{},"modifierExtension":[{"url":"u","valueReference":{"reference":@}}]}"#,
        r#"{"resourceType":"Basic","id":"i","code":{},"_created":{"extension":[{"url":"u","valueReference":{"reference":@}}]}}"#,
        r#"{"resourceType":"Basic","id":"i","code":{},"contained":[{"resourceType":"Basic","id":"c","subject":{"reference":@}}]}"#,
        r#"{"resourceType":"Basic","id":"i","code":{},"unknown":{"deep":[[{"reference":@}]]}}"#,
        r#"{"resourceType":"Bundle","id":"i","type":"document","entry":[{"resource":{"resourceType":"Basic","id":"b","subject":{"reference":@}}}]}"#,
        r#"{"resourceType":"Bundle","id":"i","type":"message","entry":[{"resource":{"resourceType":"Basic","id":"b","subject":{"reference":@}}}]}"#,
        r#"{"resourceType":"Parameters","id":"i","parameter":[{"name":"n","valueReference":{"reference":@}}]}"#,
    ];
    for place in places {
        // Elements that are missing are filled; the code is of no matter here.
        let place = place.replace(r#""code":{}"#, r#""code":{"text":"x"}"#);
        for (reference, preserved, hashed) in FORMS {
            for (settings, expected) in [(preserve(), preserved), (hash(), hashed)] {
                let expected = if expected == "=" { reference } else { expected };
                let written = Tree::string(reference).text();
                let escaped = written.replace('/', "\\/");
                for text in [&written, &escaped] {
                    let (body, _) =
                        normalized(with_bases(settings.clone()), &place.replace('@', text));
                    let expected = place.replace('@', &Tree::string(with_hashes(expected)).text());
                    assert_eq!(without_id(&body), without_id(&expected), "{reference}");
                }
            }
        }
    }
}

#[test]
fn a_reference_that_stays_keeps_its_escapes() {
    let text = r#"{"resourceType":"Basic","id":"i","code":{"text":"x"},"subject":{"reference":"Patient\/p\u0031"}}"#;
    assert_eq!(normalized(preserve(), text).0, text);
}

#[test]
fn what_is_no_text_is_no_reference() {
    for value in [
        "null",
        "1",
        "true",
        "[]",
        "{}",
        r#"["Patient/a_b"]"#,
        r#"{"url":"Patient/a_b"}"#,
    ] {
        let text = format!(
            r#"{{"resourceType":"Basic","id":"i","code":{{"text":"x"}},"subject":{{"reference":{value}}}}}"#
        );
        assert_eq!(normalized(preserve(), &text).0, text);
    }
    let nested = r#"{"resourceType":"Basic","id":"i","code":{"text":"x"},"subject":{"reference":{"reference":"Patient/a_b"}}}"#;
    let expected = with_hashes(&nested.replace("Patient/a_b", "<Patient/a_b>"));
    assert_eq!(normalized(preserve(), nested).0, expected);
}

#[test]
fn other_names_are_no_references() {
    for name in [
        "Reference",
        "references",
        "uri",
        "system",
        "value",
        "display",
        "profile",
        "source",
    ] {
        let text = format!(
            r#"{{"resourceType":"Basic","id":"i","code":{{"text":"x"}},"subject":{{"{name}":"Patient/a_b"}}}}"#
        );
        assert_eq!(normalized(preserve(), &text).0, text);
    }
}

#[test]
fn urls_of_attachments_that_name_a_binary() {
    let attachments = [
        r#"{"resourceType":"DocumentReference","id":"d","status":"current","content":[{"attachment":{"url":@}}]}"#,
        r#"{"resourceType":"DiagnosticReport","id":"d","status":"final","code":{"text":"x"},"presentedForm":[{"title":"t","url":@}]}"#,
        r#"{"resourceType":"Media","id":"d","status":"completed","content":{"url":@}}"#,
        r#"{"resourceType":"Patient","id":"d","photo":[{"url":@}]}"#,
        r#"{"resourceType":"Patient","id":"d","photo":{"url":@}}"#,
        r#"{"resourceType":"Patient","id":"d","extension":[{"url":"u","valueAttachment":{"url":@}}]}"#,
        r#"{"resourceType":"Patient","id":"d","contained":[{"resourceType":"Patient","id":"c","photo":[{"url":@}]}]}"#,
        r#"{"resourceType":"Measure","id":"d","status":"active","relatedArtifact":[{"type":"citation","document":{"url":@}}]}"#,
    ];
    let others = [
        r#"{"resourceType":"Patient","id":"d","extension":[{"url":@,"valueString":"x"}]}"#,
        r#"{"resourceType":"Patient","id":"d","modifierExtension":[{"url":@}]}"#,
        r#"{"resourceType":"Patient","id":"d","photo":[{"extension":[{"url":@}]}]}"#,
        r#"{"resourceType":"ValueSet","id":"d","status":"active","url":@}"#,
        r#"{"resourceType":"Patient","id":"d","contained":[{"resourceType":"ValueSet","id":"c","url":@}]}"#,
        r#"{"resourceType":"Measure","id":"d","status":"active","relatedArtifact":[{"type":"citation","url":@}]}"#,
        r#"{"resourceType":"Bundle","id":"d","type":"batch-response","link":[{"relation":"self","url":@}]}"#,
        r#"{"resourceType":"Bundle","id":"d","type":"message","entry":[{"request":{"method":"GET","url":@}}]}"#,
    ];
    for (url, preserved, hashed) in [
        ("Binary/b1", "=", "<Binary/b1>"),
        ("Binary/b_1", "<Binary/b_1>", "<Binary/b_1>"),
        ("Binary/b1/_history/2", "Binary/b1", "<Binary/b1>"),
        (
            "https://ehr.example/r4/Binary/b1",
            "Binary/b1",
            "<Binary/b1>",
        ),
        (
            "https://ehr.example/r4/Binary/b1/_history/2",
            "Binary/b1",
            "<Binary/b1>",
        ),
        (
            "https://alias.example/fhir/Binary/b_1",
            "<Binary/b_1>",
            "<Binary/b_1>",
        ),
        ("https://other.example/Binary/b1", "=", "="),
        ("https://ehr.example/r4/DocumentReference/d", "=", "="),
        ("DocumentReference/d", "=", "="),
        ("Binary?identifier=a|b", "=", "="),
        ("Binary", "=", "="),
        ("urn:uuid:1", "=", "="),
        ("https://ehr.example/files/scan.pdf", "=", "="),
    ] {
        for (settings, expected) in [(preserve(), preserved), (hash(), hashed)] {
            let settings = with_bases(settings);
            let expected = if expected == "=" { url } else { expected };
            let becomes = |place: &str, expected: &str| {
                let (body, _) = normalized(
                    settings.clone(),
                    &place.replace('@', &Tree::string(url).text()),
                );
                let expected = place.replace('@', &Tree::string(with_hashes(expected)).text());
                assert_eq!(without_id(&body), without_id(&expected), "{url}");
            };
            attachments
                .iter()
                .for_each(|place| becomes(place, expected));
            others.iter().for_each(|place| becomes(place, url));
        }
    }
}

const MRN_PATIENT: &str = r#"{"resourceType":"Patient","id":"123","identifier":[{"type":{"coding":[{"code":"MR"}]},"value":"123"}]}"#;

fn about(reference: &str) -> String {
    format!(
        r#"{{"resourceType":"Basic","id":"i","code":{{"text":"x"}},"subject":{{"reference":"{reference}"}}}}"#
    )
}

#[test]
fn patients_by_medical_record_number_seen_before() {
    let mut normalizer = Normalizer::new(with_bases(preserve()));
    normalizer
        .normalize(MRN_PATIENT.as_bytes())
        .expect("stored");
    normalizer.note_mrn_patient("456");
    for (reference, expected) in [
        ("Patient/123", "<Patient/123>"),
        ("Patient/123/_history/1", "<Patient/123>"),
        ("https://ehr.example/r4/Patient/123", "<Patient/123>"),
        ("Patient/456", "<Patient/456>"),
        ("Patient/789", "Patient/789"),
        ("Person/123", "Person/123"),
        (
            "https://other.example/Patient/123",
            "https://other.example/Patient/123",
        ),
    ] {
        let normalized = normalizer
            .normalize(about(reference).as_bytes())
            .map(|n| n.body.to_owned());
        assert_eq!(normalized, Ok(about(&with_hashes(expected))), "{reference}");
    }
}

#[test]
fn patients_by_medical_record_number_seen_after() {
    let mut normalizer = Normalizer::new(preserve());
    let text = about("Patient/123");
    let stored = normalizer.normalize(text.as_bytes()).expect("stored");
    // It says which patients to look out for.
    assert_eq!(stored.patients, ["123"]);
    let body = stored.body.to_owned();

    let unchanged = normalizer
        .rewrite(body.as_bytes(), |_| None)
        .expect("a body");
    assert!(!unchanged.changed);
    assert_eq!(unchanged.body, body);

    normalizer
        .normalize(MRN_PATIENT.as_bytes())
        .expect("stored");
    let rewritten = normalizer
        .rewrite(body.as_bytes(), |_| None)
        .expect("a body");
    assert!(rewritten.changed);
    let after = (rewritten.body.to_owned(), rewritten.content_hash);
    // The same as if the patient had come first.
    let before = normalizer.normalize(text.as_bytes()).expect("stored");
    assert_eq!(before.patients, [""; 0]);
    assert_eq!((before.body.to_owned(), before.content_hash), after);
    assert_eq!(
        after.0,
        about(&format!("Patient/{}", hashed("Patient", "123")))
    );
}

#[test]
fn patients_to_look_out_for_are_those_under_their_source_id() {
    let text = r#"{"resourceType":"Basic","id":"i","code":{"text":"x"},
        "a":{"reference":"Patient/1"},"b":{"reference":"Patient/1/_history/2"},"c":{"reference":"Patient/2"},
        "d":{"reference":"Patient/a_b"},"e":{"reference":"Group/3"},"f":{"reference":"https://x.example/Patient/4"}}"#;
    let mut normalizer = Normalizer::new(preserve());
    let normalized = normalizer.normalize(text.as_bytes()).expect("stored");
    assert_eq!(normalized.patients, ["1", "2"]);
    let mut normalizer = Normalizer::new(hash());
    let normalized = normalizer.normalize(text.as_bytes()).expect("stored");
    assert_eq!(normalized.patients, [""; 0]);
}

#[test]
fn conditional_references_are_resolved_later() {
    let text = r#"{"resourceType":"Basic","id":"i","code":{"text":"x"},"meta":{"versionId":"7"},
        "a":{"reference":"Patient?identifier=urn:s|1"},"b":[{"reference":"Patient?identifier=urn:s|2"}],
        "c":{"reference":"Practitioner?identifier=http%3A%2F%2Fs%7C1"},"d":{"reference":"Patient?identifier=|3"},
        "e":[{"reference":"Patient?identifier=4"},{"reference":"Patient?identifier=urn:s|5&active=true"}],"f":{"reference":"https://ehr.example/r4/Group?identifier=urn:s|5"}}"#;
    let mut normalizer = Normalizer::new(with_bases(preserve()));
    let normalized = normalizer.normalize(text.as_bytes()).expect("stored");
    assert!(normalized.conditional);
    let body = normalized.body.to_owned();

    let mut asked = Vec::new();
    let none = normalizer
        .rewrite(body.as_bytes(), |conditional: &Conditional<'_>| {
            let Conditional {
                resource_type,
                system,
                value,
            } = conditional;
            asked.push(format!("{resource_type} {system} {value}"));
            None
        })
        .expect("a body");
    assert!(!none.changed);
    assert_eq!((none.unresolved, none.body), (5, &*body));
    assert_eq!(
        asked,
        [
            "Patient urn:s 1",
            "Patient urn:s 2",
            "Practitioner http://s 1",
            "Patient  3",
            "Group urn:s 5"
        ]
    );

    let some = normalizer
        .rewrite(body.as_bytes(), |conditional| {
            (conditional.system == "urn:s").then(|| format!("new-{}", conditional.value))
        })
        .expect("a body");
    assert!(some.changed);
    assert_eq!(some.unresolved, 2);
    let expected = body
        .replace("Patient?identifier=urn:s|1", "Patient/new-1")
        .replace("Patient?identifier=urn:s|2", "Patient/new-2")
        .replace(
            "https://ehr.example/r4/Group?identifier=urn:s|5",
            "Group/new-5",
        );
    assert_eq!(some.body, expected);
    let (body, content_hash) = (some.body.to_owned(), some.content_hash);
    let again = normalizer.normalize(body.as_bytes()).expect("stored");
    assert_eq!(again.content_hash, content_hash);
}

#[test]
fn only_a_stored_body_is_rewritten() {
    let mut normalizer = Normalizer::new(preserve());
    for (body, reason) in [
        ("", "invalid-json"),
        ("[]", "invalid-json"),
        ("{}", "missing-resource-type"),
    ] {
        let rejected = normalizer
            .rewrite(body.as_bytes(), |_| None)
            .expect_err(body);
        assert_eq!(rejected.reason.code(), reason);
    }
}

/// The tree without the resource's own id, which is not of interest here.
fn without_id(text: &str) -> Tree {
    match Tree::parse(text) {
        Tree::Object(mut members) => {
            members.retain(|(name, _)| name != "id");
            Tree::Object(members)
        }
        other => other,
    }
}
