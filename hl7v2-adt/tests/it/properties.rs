//! What holds for all bytes.

use hl7v2_adt::{Charset, Delimiters, Message, Path, Timestamp, TriggerEvent, escape};
use proptest::prelude::*;

use crate::walk::walk;

/// Bytes of which many mean something.
fn telling_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(b"|^~\\&#\r\n\x0b\x1c\0 \"XFSTRE.br09".to_vec()),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..200)
}

fn delimiters() -> impl Strategy<Value = Delimiters> {
    let punctuation: Vec<u8> = (b'!'..=b'~').filter(u8::is_ascii_punctuation).collect();
    prop::sample::subsequence(punctuation, 6)
        .prop_shuffle()
        .prop_map(|chosen| {
            let header = [b"MSH", &chosen[..], &chosen[..1]].concat();
            Delimiters::read(&header).expect("separators")
        })
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        walk(&bytes);
    }

    #[test]
    fn any_message_is_read(bytes in telling_bytes(), encoding in "[!-/:-@\\[-`{-~]{0,7}") {
        walk(&[b"MSH|", encoding.as_bytes(), b"|", &bytes].concat());
        walk(&[&b"MSH|^~\\&|||||||ADT^A40|1\rPID|"[..], &bytes, b"\rMRG|", &bytes].concat());
    }

    #[test]
    fn escaped_text_comes_back(text in telling_bytes(), delimiters in delimiters()) {
        let encoded = escape::encode(&text, &delimiters);
        prop_assert_eq!(&escape::decode(&encoded, &delimiters)[..], &text[..]);
        // And it separates nothing but by the escape character.
        let escape = delimiters.escape;
        let separates = |byte: u8| delimiters.contains(byte) || matches!(byte, b'\r' | b'\n');
        let loose = encoded.iter().any(|&byte| separates(byte) && Some(byte) != escape);
        prop_assert!(!loose);
    }

    #[test]
    fn escaped_text_survives_a_message(text in "\\PC{0,40}", delimiters in delimiters()) {
        let Delimiters { field, component, repetition, escape, subcomponent, truncation } = delimiters;
        let mut bytes = b"MSH".to_vec();
        bytes.push(field);
        bytes.push(component);
        bytes.extend([repetition, escape, subcomponent, truncation].into_iter().flatten());
        bytes.extend_from_slice(b"\rZZZ");
        bytes.push(field);
        bytes.extend_from_slice(&escape::encode(text.as_bytes(), &delimiters));
        let message = Message::parse_with(&bytes, Charset::UTF_8).unwrap();
        let field = message.segment("ZZZ").unwrap().field(1);
        if text == "\"\"" || text.is_empty() {
            prop_assert_eq!(field.text(), "");
        } else {
            prop_assert_eq!(field.text(), text);
        }
    }

    #[test]
    fn times_are_written_as_they_were_read(text in "[0-9]{0,16}(\\.[0-9]{0,11})?([+-][0-9]{0,5})?") {
        if let Some(time) = Timestamp::parse(&text) {
            let written = time.to_hl7();
            prop_assert!(text.starts_with(&written[..4]));
            prop_assert_eq!(Timestamp::parse(&written), Some(time));
            let unix = time.to_unix(0);
            prop_assert_eq!(Timestamp::from_unix(unix).to_unix(0), unix);
        }
    }

    #[test]
    fn any_text_is_a_path_or_not(text in "\\PC{0,20}") {
        if let Ok(path) = text.parse::<Path>() {
            prop_assert_eq!(path.to_string().parse::<Path>(), Ok(path));
        }
        let _ = TriggerEvent::from_code(&text);
    }
}
