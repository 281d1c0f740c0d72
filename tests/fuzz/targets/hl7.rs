use hl7v2_adt::{
    AdtMessage, Charset, Delimiters, Header, Message, Messages, Path, Timestamp, escape,
};

use super::{Entry, assert_silent, told};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, Split, texts};
use crate::walk::walk;

/// HL7 v2 messages, everything that can be asked about them, and their
/// acknowledgements.
pub(super) const MESSAGES: Entry = Entry {
    target: Target {
        name: "hl7",
        check,
        grammar: Grammar {
            tokens: &[
                "|",
                "^",
                "~",
                "\\",
                "&",
                "#",
                "\r",
                "\n",
                "\r\n",
                "\x0b",
                "\x1c",
                "\x1c\r",
                "\"\"",
                "MSH|^~\\&|",
                "\rMSH|^~\\&#|",
                "\rPID|",
                "\rMRG|",
                "\rPV1|",
                "\rBTS|2\r",
                "\rFHS|",
                "\\F\\",
                "\\X0D\\",
                "\\XC3A9\\",
                "\\.br\\",
                "\\C2842\\",
                "\\M2442\\",
                "\x1b$B",
                "\x1b(B",
                "日",
                "||||||||||||||||",
                "||||||GB 18030-2000",
                "||||||~ISO IR87",
                "||||||UNICODE UTF-8",
                "||||||8859/1",
                "ADT^A40^ADT_A39",
                "ADT^A34",
                "20240230",
                "20240305101500.1234+0530",
                "^^^HOSP&1.2.3&ISO^MR",
                "99999999999999999999",
            ],
            separators: b"|^~\\&\r\n",
            pairs: &[("\x0b", "\x1c\r"), ("\\", "\\"), ("~", "~"), ("&", "&")],
        },
    },
    seeds: Seeds {
        own: || {
            texts(&[
                "MSH|^~\\&|ADTSYS|NORTHGATE|INGEST|TENANT|20240305101500+0000||ADT^A01^ADT_A01|Kanarienvogel-7|P|2.5.1\r\
                 EVN|A01|20240305101459\rPID|1||Kanarienvogel-7^^^HOSP^MR||Kanarienvogel-7^A^B||19800101|F\rPV1|1|I|W^1^2\r",
                "MSH|^~\\&|A|B|C|D|20240305||ADT^A40^ADT_A39|1|P|2.5.1|||AL|NE\rPID|||1^^^H^MR~2^^^X^PI\rMRG|3^^^H^MR\r",
            ])
        },
        places: &["hl7v2-adt/tests/data/adt"],
        names: &[".hl7", ".HL7", ".er7", ".adm", ".txt", ".bin"],
        split: Split::Whole,
    },
    smoke: 1_500,
};

fn check(bytes: &[u8]) -> Outcome {
    walk(bytes);
    let mut outcome = Outcome::new();
    for part in Messages::new(bytes).take(4) {
        outcome = outcome.with(part.bytes.len() > 3);
    }
    texts_of(bytes);
    let header = Header::scan(bytes);
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => return outcome.text(&told(&error)).with(header.is_some()),
    };
    let adt = AdtMessage::new(&message);
    assert_silent(&format!("{message:?}{adt:?}"));
    outcome
        .size(message.segments().len())
        .with(adt.trigger())
        .with(adt.is_trigger_disputed())
        .size(adt.structure().len())
        .with(adt.event_time().map(|time| time.to_hl7().len()))
        .size(adt.patients().count())
        .size(adt.patients().map(|patient| patient.merges().count()).sum())
}

/// What is read out of parts of messages: texts, times, paths.
fn texts_of(bytes: &[u8]) {
    let name = bytes
        .split(|byte| *byte == b'|')
        .nth(17)
        .unwrap_or_default();
    let charset = Charset::named(&String::from_utf8_lossy(name)).unwrap_or(Charset::WINDOWS_1252);
    assert!(charset.decode(bytes).len() <= 3 * bytes.len());
    for field in bytes.split(|byte| b"|^~\r".contains(byte)).take(200) {
        let Ok(text) = std::str::from_utf8(field) else {
            continue;
        };
        if let Some(time) = Timestamp::parse(text) {
            assert_eq!(Timestamp::parse(&time.to_hl7()), Some(time));
        }
        match text.parse::<Path>() {
            Ok(path) => assert_eq!(path.to_string().parse::<Path>().ok(), Some(path)),
            Err(error) => drop(told(&error)),
        }
    }
    let usual = Delimiters::default();
    let text = escape::decode(bytes, &usual);
    let encoded = escape::encode(&text, &usual);
    assert_eq!(escape::decode(&encoded, &usual), text);
}
