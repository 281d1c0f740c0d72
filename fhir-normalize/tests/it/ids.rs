//! What becomes of a resource's own id.

use fhir_normalize::{IdKey, Normalizer, Settings, is_legal_id};

use crate::oracle::{hmac, sha256};
use crate::support::{SOURCE, hash, hashed, normalized, preserve, rejected};
use crate::tree::Tree;

/// What an id becomes.
enum Id {
    /// This.
    Is(&'static str),
    /// The hash of this.
    Hash(&'static str),
    /// SHA-256 of this canonical form.
    Content(&'static str),
}

use Id::{Content, Hash, Is};

const X64: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
const X65: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
const X131: &str = concat!(
    "eAb9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-",
    "Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-Ab9.-"
);

#[test]
fn preserved_where_legal() {
    assert_eq!((X64.len(), X65.len(), X131.len()), (64, 65, 131));
    let quoted = |text: &str| format!("\"{text}\"");
    for (id, expected) in [
        (r#""a""#.to_owned(), Is("a")),
        (r#""A-1.z""#.to_owned(), Is("A-1.z")),
        (r#""..""#.to_owned(), Is("..")),
        (quoted(X64), Is(X64)),
        (quoted(X65), Hash(X65)),
        (quoted(X131), Hash(X131)),
        (r#""a_b""#.to_owned(), Hash("a_b")),
        (r#""a b""#.to_owned(), Hash("a b")),
        (r#""a/b""#.to_owned(), Hash("a/b")),
        (r#"" a""#.to_owned(), Hash(" a")),
        (r#""é""#.to_owned(), Hash("é")),
        (r#""%2e""#.to_owned(), Hash("%2e")),
        (r#""urn:uuid:0b1f""#.to_owned(), Hash("urn:uuid:0b1f")),
        // By what the escapes mean.
        (r#""\u0061\u002D1""#.to_owned(), Is("a-1")),
        (r#""a\/b""#.to_owned(), Hash("a/b")),
        (r#""\u00e9""#.to_owned(), Hash("é")),
        (r#""a\nb""#.to_owned(), Hash("a\nb")),
        // By its digits.
        ("12345".to_owned(), Is("12345")),
        ("1.50".to_owned(), Is("1.50")),
        ("-0".to_owned(), Is("-0")),
        ("1e5".to_owned(), Is("1e5")),
        ("1E+5".to_owned(), Hash("1E+5")),
        // No id.
        (
            r#""""#.to_owned(),
            Content(r#"{"active":true,"id":"","resourceType":"Patient"}"#),
        ),
    ] {
        let text = format!(r#"{{"resourceType":"Patient","id":{id},"active":true}}"#);
        assert_id(preserve(), &text, &expected);
    }
}

#[test]
fn always_hashed_in_hash_mode() {
    for (id, expected) in [
        (r#""a""#, Hash("a")),
        (r#""\u0061""#, Hash("a")),
        (r#""a_b""#, Hash("a_b")),
        ("7", Hash("7")),
    ] {
        let text = format!(r#"{{"resourceType":"Patient","id":{id}}}"#);
        assert_id(hash(), &text, &expected);
    }
    // The type is part of what is hashed.
    let group = normalized(
        hash(),
        r#"{"resourceType":"Group","id":"a","type":"person","actual":true}"#,
    );
    assert_eq!(Tree::parse(group.0).str("id"), Some(&*hashed("Group", "a")));
}

#[test]
fn missing_it_is_the_content_hash_as_received() {
    for (text, canonical) in [
        (
            r#"{"resourceType":"Patient"}"#,
            r#"{"resourceType":"Patient"}"#,
        ),
        (
            r#"{ "resourceType" : "Patient", "active":true }"#,
            r#"{"active":true,"resourceType":"Patient"}"#,
        ),
        // Without what the hash leaves out.
        (
            r#"{"resourceType":"Patient","meta":{"versionId":"1"},"text":{"div":"x"}}"#,
            r#"{"resourceType":"Patient"}"#,
        ),
        // Before references are rewritten and missing elements filled.
        (
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a_b"}}"#,
            r#"{"resourceType":"Observation","subject":{"reference":"Patient/a_b"}}"#,
        ),
    ] {
        let source_id = sha256(canonical);
        let mut normalizer = Normalizer::new(preserve());
        let normalized = normalizer.normalize(text.as_bytes()).expect(text);
        assert_eq!(normalized.source_id, source_id, "{text}");
        assert_eq!(normalized.id, source_id, "{text}");
        let resource_type = normalized.resource_type;

        let mut normalizer = Normalizer::new(hash());
        let normalized = normalizer.normalize(text.as_bytes()).expect(text);
        assert_eq!(normalized.source_id, source_id, "{text}");
        assert_eq!(normalized.id, hashed(resource_type, &source_id), "{text}");
    }
}

#[test]
fn of_other_kinds_it_is_refused() {
    for id in ["null", "[]", "[\"a\"]", "{}", "true", "false"] {
        for settings in [preserve(), hash()] {
            let text = format!(r#"{{"resourceType":"Patient","id":{id}}}"#);
            let rejected = rejected(settings, text.as_bytes());
            assert_eq!(rejected.reason.code(), "invalid-json", "{id}");
            assert!(rejected.detail.contains("id"), "{rejected}");
        }
    }
}

#[test]
fn a_key_makes_hashes_hmacs() {
    for key in [&b"k"[..], &[7; 32], &[0xff; 64]] {
        let settings = |mut settings: Settings| {
            settings.id_key = Some(IdKey::new(key));
            settings
        };
        let expected = hmac(key, format!("{SOURCE}\nPatient\na").as_bytes());
        let text = r#"{"resourceType":"Patient","id":"a","link":[{"other":{"reference":"Patient/a"},"type":"refer"}]}"#;
        let (body, _) = normalized(settings(hash()), text);
        let body = Tree::parse(body);
        assert_eq!(body.str("id"), Some(&*expected));
        assert!(body.text().contains(&format!("Patient/{expected}")));
        assert_ne!(expected, hashed("Patient", "a"));
        // What is preserved needs no key.
        assert_eq!(normalized(settings(preserve()), text).0, text);
    }
    // RFC 4231, test case 2: the test's own HMAC.
    assert_eq!(
        hmac(b"Jefe", b"what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn a_medical_record_number_is_hashed_in_either_mode() {
    let v2 = |system: &str| {
        format!(r#"[{{"type":{{"coding":[{{"system":"{system}","code":"MR"}}]}},"value":"123"}}]"#)
    };
    let cases = [
        // What the identifiers say, and whether 123 is a medical record number.
        (v2("http://terminology.hl7.org/CodeSystem/v2-0203"), true),
        (v2("http://hl7.org/fhir/v2/0203"), true),
        (v2("urn:oid:2.16.840.1.113883.18.108"), true),
        (v2("http://other.example/identifier-types"), false),
        (
            r#"[{"type":{"coding":[{"code":"MR"}]},"value":"123"}]"#.into(),
            true,
        ),
        (
            r#"[{"type":{"coding":[{"system":null,"code":"MR"}]},"value":"123"}]"#.into(),
            false,
        ),
        (
            r#"[{"type":{"coding":[{"code":"SS"},{"code":"MR"}]},"value":"123"}]"#.into(),
            true,
        ),
        (
            r#"[{"type":{"coding":{"code":"MR"}},"value":"123"}]"#.into(),
            true,
        ),
        (
            r#"{"type":{"coding":[{"code":"MR"}]},"value":"123"}"#.into(),
            true,
        ),
        (
            r#"[{"value":"9"},{"type":{"coding":[{"code":"MR"}]},"value":"\u00312\u0033"}]"#.into(),
            true,
        ),
        (
            r#"[{"type":{"coding":[{"code":"mr"}]},"value":"123"}]"#.into(),
            false,
        ),
        (
            r#"[{"type":{"coding":[{"code":"SS"}]},"value":"123"}]"#.into(),
            false,
        ),
        (r#"[{"type":{"text":"MR"},"value":"123"}]"#.into(), false),
        (
            r#"[{"type":{"coding":[{"code":"MR"}]},"value":"124"}]"#.into(),
            false,
        ),
        (
            r#"[{"type":{"coding":[{"code":"MR"}]},"value":"0123"}]"#.into(),
            false,
        ),
        (r#"[{"type":{"coding":[{"code":"MR"}]}}]"#.into(), false),
        (
            r#"[{"type":{"coding":[{"code":"MR"}]},"value":123}]"#.into(),
            false,
        ),
        (r#"[{"system":"urn:mrn","value":"123"}]"#.into(), true),
        (r#"{"system":"urn:mrn","value":"123"}"#.into(), true),
        (
            r#"[{"system":"urn:mrn","type":{"coding":[{"code":"SS"}]},"value":"123"}]"#.into(),
            true,
        ),
        (
            r#"[{"system":"urn:mrn","value":"124"},{"system":"urn:other","value":"123"}]"#.into(),
            false,
        ),
        (r#"[{"system":"urn:mrn/","value":"123"}]"#.into(), false),
        (r#"[{"value":"123"}]"#.into(), false),
        (r#"["123",null,{}]"#.into(), false),
        ("[]".to_owned(), false),
        ("null".to_owned(), false),
        ("\"123\"".to_owned(), false),
    ];
    for (identifier, is_mrn) in cases {
        let text = format!(r#"{{"resourceType":"Patient","id":"123","identifier":{identifier}}}"#);
        let settings = Settings {
            mrn_system: Some("urn:mrn".to_owned()),
            ..preserve()
        };
        assert_id(
            settings.clone(),
            &text,
            &if is_mrn { Hash("123") } else { Is("123") },
        );
        let mut normalizer = Normalizer::new(settings);
        let patient = normalizer.normalize(text.as_bytes()).expect(&text);
        assert_eq!(patient.mrn_patient, is_mrn, "{text}");
        // Any other type keeps its id, whatever its identifiers say.
        let text = text.replace(r#""Patient""#, r#""Person""#);
        assert_id(preserve(), &text, &Is("123"));
    }
    // Without a configured system it is just another identifier.
    let text = r#"{"resourceType":"Patient","id":"123","identifier":[{"system":"urn:mrn","value":"123"}]}"#;
    assert_id(preserve(), text, &Is("123"));
}

#[test]
fn what_was_noted_of_a_patient_changes_references_and_not_its_own_id() {
    let patient = r#"{"resourceType":"Patient","id":"123"}"#;
    let reference =
        r#"{"resourceType":"Basic","id":"b","code":{},"subject":{"reference":"Patient/123"}}"#;
    let mut normalizer = Normalizer::new(preserve());
    normalizer.note_mrn_patient("123");
    let normalized = normalizer.normalize(patient.as_bytes()).expect(patient);
    assert_eq!(normalized.id, "123");
    let normalized = normalizer.normalize(reference.as_bytes()).expect(reference);
    assert!(normalized.body.contains(&hashed("Patient", "123")));
}

#[test]
fn a_medical_record_number_may_be_a_number_or_illegal() {
    for (id, source_id) in [("123", "123"), (r#""1/2""#, "1/2")] {
        let text = format!(
            r#"{{"resourceType":"Patient","id":{id},"identifier":[{{"type":{{"coding":[{{"code":"MR"}}]}},"value":"{source_id}"}}]}}"#
        );
        let mut normalizer = Normalizer::new(preserve());
        let normalized = normalizer.normalize(text.as_bytes()).expect(&text);
        assert!(normalized.mrn_patient, "{text}");
        assert_eq!(normalized.id, hashed("Patient", source_id));
    }
}

#[test]
fn identifiers_are_told() {
    let mut normalizer = Normalizer::new(preserve());
    for (identifier, expected) in [
        (
            r#"[{"system":"s","value":"1"},{"value":"2"}]"#,
            &[("s", "1"), ("", "2")][..],
        ),
        (r#"{"system":"s","value":"\u0031"}"#, &[("s", "1")]),
        (r#"[{"system":"s"},{"value":""},{"value":1},null,"x"]"#, &[]),
        ("null", &[]),
    ] {
        let text = format!(r#"{{"resourceType":"Group","id":"g","identifier":{identifier}}}"#);
        let normalized = normalizer.normalize(text.as_bytes()).expect(&text);
        let found: Vec<_> = normalized
            .identifiers
            .iter()
            .map(|identifier| (&*identifier.system, &*identifier.value))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}

fn assert_id(settings: Settings, text: &str, expected: &Id) {
    let mut normalizer = Normalizer::new(settings);
    let normalized = normalizer.normalize(text.as_bytes()).expect(text);
    let expected = match expected {
        Is(id) => (*id).to_owned(),
        Hash(id) => hashed(normalized.resource_type, id),
        Content(canonical) => sha256(canonical),
    };
    assert_eq!(normalized.id, expected, "{text}");
    assert!(is_legal_id(normalized.id), "{text}");
    assert_eq!(
        Tree::parse(normalized.body).str("id"),
        Some(&*expected),
        "{text}"
    );
}
