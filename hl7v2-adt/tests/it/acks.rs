//! Acknowledgements.

use hl7v2_adt::{
    Ack, AckCode, AckCondition, AckMode, ErrorCode, Header, Message, Outcome, Path, Replies,
    Timestamp,
};

type Problem = (ErrorCode, Option<Path>);
/// What is said of a message that is accepted, in error, rejected.
type Said = [Option<AckCode>; 3];

fn time() -> Timestamp {
    Timestamp::parse("20240305101501+0000").unwrap()
}

fn ack(to: &[u8], code: AckCode, error: Option<Problem>) -> String {
    let header = Header::scan(to).unwrap_or_default();
    let mut ack = Ack::new(&header, code, "OWN1", time());
    if let Some((code, location)) = error {
        ack = ack.with_error(code, location);
    }
    String::from_utf8_lossy(&ack.to_bytes()).into_owned()
}

#[test]
fn acknowledgements_echo_what_they_answer() {
    let pid_3 = Some(Path::field(b"PID", 3));
    let missing = Some((ErrorCode::RequiredFieldMissing, pid_3));
    let internal = Some((ErrorCode::ApplicationInternalError, None));
    let cases: &[(&str, AckCode, Option<Problem>, &str)] = &[
        (
            "MSH|^~\\&|A^1^ISO|B&b|C|D^2|20240305||ADT^A08^ADT_A01|ID 1\\T\\2|T^A|2.5.1^DEU|||AL|NE||8859/1\rPID|1",
            AckCode::Aa,
            None,
            "MSH|^~\\&|C|D^2|A^1^ISO|B&b|20240305101501+0000||ACK^A08^ACK|OWN1|T^A|2.5.1^DEU\rMSA|AA|ID 1\\T\\2\r",
        ),
        (
            "MSH|^~\\&#|A|B|C|D|||ADT^A08|1|P|2.7\r",
            AckCode::Ae,
            missing,
            "MSH|^~\\&#|C|D|A|B|20240305101501+0000||ACK^A08^ACK|OWN1|P|2.7\rMSA|AE|1\rERR||PID^1^3|101^Required field missing^HL70357|E\r",
        ),
        (
            "MSH|^~\\&|A|B|C|D|||ADT^A08|1|P|2.4\r",
            AckCode::Ae,
            missing,
            "MSH|^~\\&|C|D|A|B|20240305101501+0000||ACK^A08^ACK|OWN1|P|2.4\rMSA|AE|1\rERR|PID^1^3^101&Required field missing&HL70357\r",
        ),
        (
            "MSH|^~|A|B|C|D|||ADT^A08|1|P|2.3\r",
            AckCode::Ar,
            internal,
            "MSH|^~|C|D|A|B|20240305101501+0000||ACK^A08^ACK|OWN1|P|2.3\rMSA|AR|1\rERR|^^^207\r",
        ),
        // Something behind the encoding characters, which stay what they are.
        (
            "MSH|^~\\&#\n|A|B|C|D|||ADT^A08|1|P|2.7\rPID|1",
            AckCode::Aa,
            None,
            "MSH|^~\\&#|C|D|A|B|20240305101501+0000||ACK^A08^ACK|OWN1|P|2.7\rMSA|AA|1\r",
        ),
        // Separators of its own; no type, no control id.
        (
            "MSH$~*\\@$A$B",
            AckCode::Ar,
            Some((ErrorCode::UnsupportedMessageType, None)),
            "MSH$~*\\@$$$A$B$20240305101501+0000$$ACK$OWN1\rMSA$AR\rERR$$$200~Unsupported message type~HL70357$E\r",
        ),
        (
            "MSH||A",
            AckCode::Aa,
            None,
            "MSH|^~\\&|||A||20240305101501+0000||ACK|OWN1\rMSA|AA\r",
        ),
        // A refusal always says why.
        (
            "nonsense",
            AckCode::Ar,
            None,
            "MSH|^~\\&|||||20240305101501+0000||ACK|OWN1\rMSA|AR\rERR|||100^Segment sequence error^HL70357|E\r",
        ),
        (
            "MSH|^~\\&|A|B",
            AckCode::Ce,
            None,
            "MSH|^~\\&|||A|B|20240305101501+0000||ACK|OWN1\rMSA|CE\rERR|||207^Application internal error^HL70357|E\r",
        ),
        // An error is no part of an acceptance.
        (
            "MSH|^~\\&|||||||ADT|1",
            AckCode::Ca,
            internal,
            "MSH|^~\\&|||||20240305101501+0000||ACK|OWN1\rMSA|CA|1\r",
        ),
        // The character set is named where it matters.
        (
            "MSH|^~\\&|Ä||||||ADT^A01|1||||||||UNICODE UTF-8~8859/1",
            AckCode::Aa,
            None,
            "MSH|^~\\&|||Ä||20240305101501+0000||ACK^A01^ACK|OWN1||||||||UNICODE UTF-8~8859/1\rMSA|AA|1\r",
        ),
        // The sign of the time's offset would separate.
        (
            "MSH+^~\\&+A+B",
            AckCode::Aa,
            None,
            "MSH+^~\\&+++A+B+20240305101501++ACK+OWN1\rMSA+AA\r",
        ),
        // What is echoed can't end the frame.
        (
            "MSH|^~\\&|||||||ADT^A01|1\u{1c}\rPID|1",
            AckCode::Aa,
            None,
            "MSH|^~\\&|||||20240305101501+0000||ACK^A01^ACK|OWN1\rMSA|AA|1\u{1c}|\r",
        ),
    ];
    for (to, code, error, expected) in cases {
        assert_eq!(ack(to.as_bytes(), *code, *error), *expected, "{to}");
    }
}

#[test]
fn the_own_control_id_separates_nothing() {
    let header = Header::scan(b"MSH|^~\\&|A").unwrap();
    let bytes = Ack::new(&header, AckCode::Aa, "a|b\rPID|1", time()).to_bytes();
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.segments().len(), 2);
    assert_eq!(message.header().field(10).raw(), b"abPID1");
}

#[test]
fn a_header_is_read_from_what_is_broken_behind_it() {
    let read = |text: &[u8]| {
        let header = Header::scan(text)?;
        let field = |number| String::from_utf8_lossy(header.field(number)).into_owned();
        Some([field(3), field(10)])
    };
    let some = |first: &str, second: &str| Some([first.to_owned(), second.to_owned()]);
    assert_eq!(
        read(b"\xEF\xBB\xBF\x0B MSH|^~\\&|A|||||||C\rPID"),
        some("A", "C")
    );
    assert_eq!(read(b"MSH|^~\\&|A|||||||C\nPID|1\n"), some("A", "C"));
    assert_eq!(read(b"MSH|^~\\&|A|||||||a\nb\rPID|1\r"), some("A", "a\nb"));
    assert_eq!(read(b"MSH|^~\\&|A"), some("A", ""));
    assert_eq!(read(b"MSH|^~\\&"), some("", ""));
    for text in [
        &b""[..],
        b"MSH",
        b"MSH|",
        b"PID|1\rMSH|^~\\&|A",
        b"GET / HTTP/1.1\r\n",
    ] {
        assert_eq!(read(text), None, "{text:?}");
    }
    let header = Header::scan(b"MSH|^~\\&|||||||ADT^A01^X|1||2.5^DEU|||ER|SU").unwrap();
    assert_eq!(
        [
            header.message_code(),
            header.trigger_code(),
            header.version()
        ],
        [&b"ADT"[..], b"A01", b"2.5"]
    );
    assert_eq!(
        (header.accept_ack(), header.application_ack()),
        (Some(AckCondition::OnError), Some(AckCondition::OnSuccess))
    );
    assert_eq!(
        [header.field(0), header.field(2), header.field(19)],
        [b""; 3]
    );
}

#[test]
fn the_mode_decides_who_is_told_what() {
    use AckCode::{Aa, Ae, Ar, Ca, Ce, Cr};
    use AckMode::{Auto, Enhanced, Original};
    let outcomes = [Outcome::Accepted, Outcome::Error, Outcome::Rejected];
    let (all, commit) = (
        [Some(Aa), Some(Ae), Some(Ar)],
        [Some(Ca), Some(Ce), Some(Cr)],
    );
    let never = [None; 3];
    let commit_on_error = [None, Some(Ce), Some(Cr)];
    let application_on_success = [Some(Aa), None, None];
    let cases: &[(AckMode, &str, Said, Said)] = &[
        (Auto, "|", never, all),
        (Auto, "AL|NE", commit, never),
        (Auto, "AL|AL", commit, all),
        (Auto, "NE|NE", never, never),
        (Auto, "ER|SU", commit_on_error, application_on_success),
        (Auto, "|AL", never, all),
        (Auto, "AL|", commit, never),
        (Auto, "\"\"|NE", never, never),
        (Auto, "XX|NE", commit, never),
        (Original, "NE|NE", never, all),
        (Original, "AL|NE", never, all),
        (Enhanced, "|", commit, never),
        (Enhanced, "NE|AL", never, all),
    ];
    for (mode, wanted, accept, application) in cases {
        let text = format!("MSH|^~\\&|||||||ADT^A01|1|P|2.5|||{wanted}");
        let header = Header::scan(text.as_bytes()).unwrap();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let expected = Replies {
                accept: accept[index],
                application: application[index],
            };
            assert_eq!(
                mode.replies(&header, outcome),
                expected,
                "{mode:?} {wanted} {outcome:?}"
            );
        }
    }
    for code in ["ACK", "ACK^A01^ACK", "MCF"] {
        let text = format!("MSH|^~\\&|||||||{code}|1|P|2.5|||AL|AL");
        let header = Header::scan(text.as_bytes()).unwrap();
        for mode in [Auto, Original, Enhanced] {
            assert_eq!(
                mode.replies(&header, Outcome::Error),
                Replies::default(),
                "{code}"
            );
        }
    }
}
