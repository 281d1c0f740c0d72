//! Everything that can be asked about some bytes, with what always holds.

use hl7v2_adt::{
    Ack, AckCode, AckMode, AdtMessage, Component, ErrorCode, Header, Message, Messages, Outcome,
    Path, PatientIdentifierRule, Segment, Timestamp, escape,
};

/// Asks it all. Panics where something that always holds doesn't.
pub(crate) fn walk(bytes: &[u8]) {
    let mut parts = Messages::new(bytes);
    let mut end = 0;
    for part in parts.by_ref() {
        assert!(part.offset >= end);
        end = part.offset + part.bytes.len();
        assert_eq!(bytes[part.offset..end], *part.bytes);
        walk_message(part.bytes);
    }
    assert!(end <= bytes.len());
    walk_message(bytes);
}

fn walk_message(bytes: &[u8]) {
    let header = Header::scan(bytes);
    answer(header.unwrap_or_default());
    let Ok(message) = Message::parse(bytes) else {
        assert!(header.is_none(), "an acknowledgement but no message");
        return;
    };
    let header = header.expect("a message has a header");
    assert_eq!(message.as_bytes(), bytes);
    assert_eq!(message.delimiters(), header.delimiters());

    let mut end = 0;
    for (index, segment) in message.segments().enumerate() {
        let position = segment.position();
        assert_eq!(position.segment, index + 1);
        // What is between segments is nothing.
        let between = &bytes[end..position.offset];
        assert!(between.iter().all(|&byte| is_nothing(byte)), "{position}");
        end = position.offset + segment.raw().len();
        assert_eq!(&bytes[position.offset..end], segment.raw());
        walk_segment(&message, segment);
    }
    assert!(bytes[end..].iter().all(|&byte| is_nothing(byte)));
    walk_adt(&message);
}

fn is_nothing(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | 0 | 0x0B | 0x1C | 0xEF | 0xBB | 0xBF
    )
}

fn walk_segment(message: &Message<'_>, segment: Segment<'_>) {
    let delimiters = message.delimiters();
    // Parts and the separators between them are the whole again, and asking by
    // number gives what walking through does.
    let mut length = segment.name().len();
    let header = matches!(segment.name(), b"MSH" | b"BHS" | b"FHS");
    let mut fields = 0;
    for (index, field) in segment.fields().enumerate() {
        fields += 1;
        if index < 40 {
            assert_eq!(segment.field(index + 1).raw(), field.raw());
        }
        if header && index == 0 {
            continue;
        }
        length += 1 + field.raw().len();
        let mut inner = 0;
        for (index, repetition) in field.repetitions().enumerate() {
            inner += usize::from(index > 0) + repetition.raw().len();
            let components: usize = repetition
                .components()
                .map(|one| walk_component(one) + 1)
                .sum();
            assert_eq!(components, repetition.raw().len() + 1);
        }
        assert_eq!(inner, field.raw().len());
        let _ = (field.value(), field.text());
    }
    assert_eq!(length, segment.raw().len());
    assert!(segment.field(fields + 1).is_empty());
    let text = escape::decode(segment.raw(), &delimiters);
    if delimiters.escape.is_some() {
        let encoded = escape::encode(&text, &delimiters);
        assert_eq!(escape::decode(&encoded, &delimiters), text);
    }
}

fn walk_component(component: Component<'_>) -> usize {
    assert!(component.text().len() <= 3 * component.raw().len());
    assert!(component.subcomponent(2).raw().len() <= component.raw().len());
    component.raw().len()
}

fn walk_adt(message: &Message<'_>) {
    let adt = AdtMessage::new(message);
    let on = adt.event_time();
    let _ = (
        adt.trigger(),
        adt.is_trigger_disputed(),
        adt.structure(),
        adt.version(),
    );
    if let Some(time) = on {
        assert_eq!(Timestamp::parse(&time.to_hl7()), Some(time));
        assert_eq!(
            Timestamp::from_unix(time.to_unix(0)).to_unix(0),
            time.to_unix(0)
        );
    }
    let rule = PatientIdentifierRule {
        or_external_id: true,
        or_alternate_id: true,
        ..PatientIdentifierRule::default()
    };
    for patient in adt.patients() {
        if let Some(chosen) = rule.select(&patient, on.as_ref()) {
            assert!(!chosen.text().trim().is_empty());
        }
        let _ = (patient.birth_date(), patient.sex(), patient.account());
        let _ = patient
            .names()
            .map(|name| name.family().len())
            .sum::<usize>();
        let _ = patient.visit().map(|visit| (visit.number(), visit.class()));
        for prior in patient.priors() {
            let _ = (rule.select_prior(&prior, None), prior.visit());
        }
        for merge in patient.merges() {
            assert!(merge.prior.is_usable(None) && merge.surviving.is_usable(None));
        }
    }
    let _ = format!("{message:?}{adt:?}");
    let path = Path::field(b"PID", 3);
    let _ = message.value(&path);
}

/// Whatever is answered to can be read again.
fn answer(header: Header<'_>) {
    let time = Timestamp::from_unix(0);
    let error = (
        ErrorCode::RequiredFieldMissing,
        Some(Path::field(b"PID", 3)),
    );
    let bytes = Ack::new(&header, AckCode::Ae, "OWN|1", time)
        .with_error(error.0, error.1)
        .to_bytes();
    let message = Message::parse(&bytes).expect("an acknowledgement is a message");
    assert!(bytes.ends_with(b"\r"));
    assert!(!bytes.windows(2).any(|pair| pair == [0x1C, b'\r']));
    let read = Header::scan(&bytes).expect("an acknowledgement has a header");
    assert_eq!(read.delimiters(), header.delimiters());
    for (to, from) in [(3, 5), (4, 6), (5, 3), (6, 4), (11, 11), (12, 12)] {
        assert_eq!(read.field(to), header.field(from));
    }
    let msa = message.segment("MSA").expect("an MSA segment");
    assert_eq!(
        (msa.field(1).raw(), msa.field(2).raw()),
        (&b"AE"[..], header.control_id())
    );
    assert_eq!(message.segments().len(), 3);
    assert!(read.is_ack());
    assert_eq!(
        AckMode::Auto.replies(&read, Outcome::Accepted).application,
        None
    );
}
