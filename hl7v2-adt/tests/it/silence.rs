//! Nothing that may be logged holds content of a message.

use std::fmt::Debug;

use hl7v2_adt::{
    Ack, AckCode, AdtMessage, Header, Message, Messages, PatientIdentifierRule, Timestamp,
};

#[test]
fn no_debug_output_holds_content() {
    let text = "MSH|^~\\&|SECRET|SECRET|||20240305||ADT^A40|SECRET|P|2.5\r\
                PID|1|SECRET|SECRET^^^SECRET^MR||SECRET^SECRET||19700102|F\r\
                MRG|SECRET2^^^SECRET^MR||||SECRET\rPV1|1|SECRET|||||||||||||||||SECRET\r";
    let message = Message::parse(text.as_bytes()).unwrap();
    let adt = AdtMessage::new(&message);
    let patient = adt.patients().next().unwrap();
    let header = Header::scan(text.as_bytes()).unwrap();
    let field = message.segment("PID").unwrap().field(3);
    let identifier = patient.identifiers().next().unwrap();
    let birth = patient.birth_date().unwrap();
    let chosen = PatientIdentifierRule::default().select(&patient, Some(&birth));
    assert_eq!(chosen.unwrap().text(), "SECRET");
    let values: &[&dyn Debug] = &[
        &message,
        &message.header(),
        &field,
        &field.repetition(1),
        &field.component(1),
        &field.component(1).subcomponent(1),
        &field.value(),
        &adt,
        &patient,
        &patient.visit(),
        &patient.names().next(),
        &patient.priors().next(),
        &patient.merges().next(),
        &identifier,
        &identifier.authority(),
        &birth,
        &header,
        &Ack::new(&header, AckCode::Aa, "SECRET", Timestamp::from_unix(0)),
        &Messages::new(text.as_bytes()),
        &Messages::new(text.as_bytes()).next(),
    ];
    for value in values {
        let debug = format!("{value:?}");
        assert!(
            !debug.is_empty() && !debug.contains("SECRET") && !debug.contains("1970"),
            "{debug}"
        );
    }
}
