//! Messages of many senders give what an independent reader found in them.

use std::fs;
use std::path::Path;

use hl7v2_adt::{
    AckMode, AdtMessage, Header, IdentityEffect, Message, Messages, Outcome, PatientCount,
    PatientIdentifierRule, Segment, TriggerEvent, Warning,
};
use serde_json::Value as Json;

use crate::support::{corpora, files};

/// Differences that are meant: end of a path, what differs, and why.
const KNOWN: &[(&str, &str, &str)] = &[
    ("test__ParseTests.cs~L107.hl7", "n_pid pid3", BARE),
    ("test_pipe_parser.py~L134.hl7", "pv1_19", BARE),
    (
        "test_encoding_characters.py~L16.hl7",
        "type event",
        "MSH-2 is `~\\&`, which is mended",
    ),
    ("unicode_characters.hl7", "pid3", AS_LATIN_1),
    (
        "control-id-verbatim.test.ts~L213.hl7",
        "control",
        AS_LATIN_1,
    ),
    (
        "hl7-mllp-codec/literals/src__lib.rs~L363.hl7",
        "type",
        AS_LATIN_1,
    ),
    ("parser_test.go~L435.hl7", "charset", TRIMMED),
    ("Hl7v2__ADT01-23.hl7", "ack", TRIMMED),
    ("Hl7v2TestTimezoneInput.hl7v2", "ack", TRIMMED),
    ("GeneralFiltersTests.cs~L104.hl7", "ack", TRIMMED),
    ("Hl7v2TraceInfoTests.cs~L48.hl7", "ack", TRIMMED),
    (
        "v2_3_1__segments__MSH.py~L27.hl7",
        "is refused",
        "prose that begins with MSH and a blank",
    ),
];
const BARE: &str = "a bare segment name is a segment without fields";
const AS_LATIN_1: &str = "the reader took UTF-8 without MSH-18 for Latin-1";
const TRIMMED: &str = "the reader took off blanks";

#[test]
fn what_is_found_is_what_an_independent_reader_found() {
    for corpus in corpora() {
        let index = fs::read_to_string(corpus.join("expected.jsonl")).unwrap();
        let mut differences = Vec::new();
        let mut count = 0;
        for line in index.lines() {
            let expected: Json = serde_json::from_str(line).unwrap();
            let path = expected["path"].as_str().unwrap();
            let bytes = fs::read(corpus.join(path)).unwrap();
            count += 1;
            let known = KNOWN.iter().find(|(end, ..)| path.ends_with(end));
            let is_new = |what: &str| {
                let name = what.split(':').next().unwrap_or_default();
                known.is_none_or(|(_, names, _)| {
                    *names != what && !names.split(' ').any(|known| known == name)
                })
            };
            let found = differences_in(&bytes, &expected).filter(|what| is_new(what));
            differences.extend(found.map(|what| format!("{path}: {what}")));
        }
        assert!(count > 40, "{count} messages in {}", corpus.display());
        assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
    }
}

fn differences_in(bytes: &[u8], expected: &Json) -> impl Iterator<Item = String> + use<> {
    let Ok(message) = Message::parse(bytes) else {
        let unexpected = expected.get("err").is_none();
        return Vec::from_iter(unexpected.then(|| "is refused".to_owned())).into_iter();
    };
    if expected.get("err").is_some() {
        return vec!["is taken for a message".to_owned()].into_iter();
    }
    let header = message.header();
    let component = |number| text(&message, header.field(9).component(number).raw());
    let field = |number| text(&message, header.field(number).raw());
    let all = |name: &str, number: usize| -> Json {
        let segments = message.segments().filter(|segment| segment.is(name));
        segments
            .map(|segment| text(&message, segment.field(number).raw()))
            .collect()
    };
    let found = [
        ("enc", field(2)),
        ("type", component(1)),
        ("event", component(2)),
        ("structure", component(3)),
        ("control", field(10)),
        ("proc", field(11)),
        ("version", field(12)),
        ("charset", field(18)),
        ("ack", Json::from(vec![field(15), field(16)])),
        ("segments", message.segments().len().into()),
        (
            "n_pid",
            message
                .segments()
                .filter(|segment| segment.is("PID"))
                .count()
                .into(),
        ),
        ("pid3", all("PID", 3)),
        ("mrg1", all("MRG", 1)),
        ("pv1_19", all("PV1", 19)),
    ];
    let differences: Vec<_> = found
        .into_iter()
        .filter(|(name, found)| *found != expected[name])
        .map(|(name, found)| format!("{name}: {found}, expected {}", expected[name]))
        .collect();
    differences.into_iter()
}

fn text(message: &Message<'_>, bytes: &[u8]) -> Json {
    message.charset().decode(bytes).into_owned().into()
}

#[test]
fn own_messages_have_the_outcome_that_their_index_names() {
    let corpus = &corpora()[0].join("_own-synthetic");
    let index = fs::read_to_string(corpus.join("expected.json")).unwrap();
    let index: serde_json::Map<String, Json> = serde_json::from_str(&index).unwrap();
    let mut checked = 0;
    for (name, expected) in &index {
        let Some(bytes) = read(corpus, name) else {
            continue;
        };
        check(name, &bytes, expected);
        checked += 1;
    }
    assert_eq!(checked, 120);
}

/// The two large ones are made here.
fn read(corpus: &Path, name: &str) -> Option<Vec<u8>> {
    let usual = |name: &str| fs::read(corpus.join("hostile").join(name)).ok();
    match name {
        "hostile/huge-field-1MB.hl7" => {
            let mut bytes = usual("eol-cr.hl7")?;
            bytes.extend_from_slice(b"OBX|1|TX|||");
            bytes.resize(bytes.len() + 1_000_000, b'x');
            bytes.push(b'\r');
            Some(bytes)
        }
        "hostile/100k-pipes.hl7" => {
            let mut bytes = usual("eol-cr.hl7")?;
            bytes.extend_from_slice(b"ZZZ");
            bytes.resize(bytes.len() + 100_000, b'|');
            bytes.push(b'\r');
            Some(bytes)
        }
        _ => fs::read(corpus.join(name)).ok(),
    }
}

fn check(name: &str, bytes: &[u8], expected: &Json) {
    let outcome = expected["expect"].as_str().unwrap();
    let mut parts = Messages::new(bytes);
    let messages: Vec<_> = parts.by_ref().collect();
    let warnings = parts.warnings();
    let split = outcome.starts_with("split");
    match name {
        "hostile/two-messages.hl7" | "hostile/batch-fhs.hl7" => {
            assert_eq!(messages.len(), 2, "{name}")
        }
        "hostile/empty-file.hl7" | "hostile/not-hl7.hl7" | "hostile/utf16le.hl7" => {
            assert!(
                messages.is_empty() && Header::scan(bytes).is_none(),
                "{name}"
            );
            assert!(Message::parse(bytes).is_err(), "{name}");
            assert_eq!(warnings.len(), usize::from(!bytes.is_empty()), "{name}");
            return;
        }
        _ => assert_eq!(messages.len(), 1, "{name}"),
    }
    let disagree = matches!(
        warnings,
        [Warning::BatchCount {
            declared: 5,
            found: 1,
            ..
        }]
    );
    assert_eq!(disagree, outcome == "split+warn", "{name}: {warnings:?}");
    assert!(disagree || warnings.is_empty(), "{name}: {warnings:?}");

    // Alone, the message is the file but for frame and envelope.
    let bytes = if split { messages[0].bytes } else { bytes };
    let message = Message::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    let header = Header::scan(bytes).unwrap_or_else(|| panic!("{name}: no header"));
    let adt = AdtMessage::new(&message);
    if let Some(control) = expected["control"].as_str() {
        assert_eq!(adt.control_id(), control.as_bytes(), "{name}");
        assert_eq!(header.control_id(), control.as_bytes(), "{name}");
    }
    // All of them say `AL` and `NE`.
    let replies = AckMode::Auto.replies(&header, Outcome::Accepted);
    assert_eq!(
        (replies.accept.is_some(), replies.application),
        (true, None),
        "{name}"
    );

    let trigger = adt.trigger();
    if name.starts_with("triggers/") {
        assert_eq!(
            adt.message_code(),
            expected["type"].as_str().unwrap(),
            "{name}"
        );
        assert_eq!(
            adt.trigger_code(),
            expected["event"].as_str().unwrap(),
            "{name}"
        );
        assert_eq!(raw(&message, "PID", 3), expected["pid3"], "{name}");
        assert_eq!(raw(&message, "MRG", 1), expected["mrg1"], "{name}");
        check_trigger(name, &adt, trigger);
        return;
    }
    match outcome {
        "filtered" => assert_eq!(trigger, TriggerEvent::Other, "{name}"),
        "reject" => assert!(header.message_code().is_empty(), "{name}"),
        _ => assert_eq!(trigger, TriggerEvent::A08, "{name}"),
    }
    let rule = PatientIdentifierRule {
        or_external_id: true,
        ..PatientIdentifierRule::default()
    };
    let on = adt.event_time();
    let mut patients = adt.patients();
    let chosen = patients.find_map(|patient| rule.select(&patient, on.as_ref()));
    let chosen = chosen.map(|identifier| identifier.text().into_owned());
    assert_eq!(chosen.as_deref(), expected["pid3_1"].as_str(), "{name}");
}

fn check_trigger(name: &str, adt: &AdtMessage<'_>, trigger: TriggerEvent) {
    let patients = adt.patients().count();
    let right = match trigger.patients() {
        PatientCount::None => patients == 0,
        PatientCount::One => patients == 1,
        PatientCount::Two => patients == 2,
        PatientCount::Groups => patients >= 1,
    };
    // A19 is a query in the standard and no ADT message.
    assert!(right || trigger == TriggerEvent::A19, "{name}: {patients}");
    let replaces = matches!(
        trigger.identity_effect(),
        IdentityEffect::Merge | IdentityEffect::Move | IdentityEffect::ChangeId
    );
    // In A06 and A07 the MRG segment is optional.
    let optional = matches!(trigger, TriggerEvent::A06 | TriggerEvent::A07);
    for patient in adt.patients() {
        let merges: Vec<_> = patient.merges().collect();
        assert!(
            merges.is_empty() != replaces || optional,
            "{name}: {merges:?}"
        );
        for merge in merges {
            assert!(!merge.is_circular(), "{name}");
            assert_eq!(
                merge.prior.type_code(),
                merge.surviving.type_code(),
                "{name}"
            );
        }
        assert!(
            patient.birth_date().is_some() && patient.names().count() == 1,
            "{name}"
        );
    }
    assert!(
        adt.event_time().is_some() && !adt.is_trigger_disputed(),
        "{name}"
    );
}

fn raw(message: &Message<'_>, name: &str, field: usize) -> Json {
    let segments = message.segments().filter(|segment| segment.is(name));
    let raw = |segment: Segment<'_>| text(message, segment.field(field).raw());
    segments.map(raw).collect()
}

#[test]
fn every_file_is_read_without_a_change() {
    for corpus in corpora() {
        for (name, bytes) in files(&corpus) {
            let mut end = 0;
            for part in Messages::new(&bytes) {
                assert!(part.offset >= end, "{name}");
                end = part.offset + part.bytes.len();
                assert_eq!(&bytes[part.offset..end], part.bytes, "{name}");
                // `MSH|` alone begins a message that is then refused.
                let Ok(message) = Message::parse(part.bytes) else {
                    assert!(Header::scan(part.bytes).is_none(), "{name}");
                    continue;
                };
                assert_eq!(message.as_bytes(), part.bytes, "{name}");
                let header = Header::scan(part.bytes).unwrap();
                for number in 3..=18 {
                    let field = message.header().field(number).raw();
                    assert_eq!(header.field(number), field, "{name} MSH-{number}");
                }
            }
        }
    }
}
