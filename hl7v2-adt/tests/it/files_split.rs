//! Files to messages.

use hl7v2_adt::{Messages, Warning};

const A: &str = "MSH|^~\\&|A|||||ADT^A01|1\rPID|1\r";
const B: &str = "MSH|^~\\&|B|||||ADT^A01|2\rPID|2\r";

fn split(text: &str) -> (Vec<(usize, String)>, Vec<Warning>) {
    let mut messages = Messages::new(text.as_bytes());
    let parts = messages
        .by_ref()
        .map(|message| {
            let end = message.offset + message.bytes.len();
            assert_eq!(message.bytes, &text.as_bytes()[message.offset..end]);
            (
                message.offset,
                String::from_utf8_lossy(message.bytes).into_owned(),
            )
        })
        .collect();
    (parts, messages.warnings().to_vec())
}

#[test]
fn messages_are_found_in_every_wrapping() {
    let lf = |text: &str| text.replace('\r', "\n");
    let crlf = |text: &str| text.replace('\r', "\r\n");
    let (a, b) = (A.to_owned(), B.to_owned());
    let cases: Vec<(String, Vec<String>)> = vec![
        (String::new(), vec![]),
        (a.clone(), vec![a.clone()]),
        (
            format!("\u{feff}\r\n{A}\r\n"),
            vec![format!("\u{feff}\r\n{A}\r\n")],
        ),
        (format!("{A}{B}"), vec![a.clone(), b.clone()]),
        (format!("{}{}", lf(A), lf(B)), vec![lf(A), lf(B)]),
        (format!("{}{}", crlf(A), crlf(B)), vec![crlf(A), crlf(B)]),
        (format!("{A}\r\r{B}"), vec![format!("{A}\r\r"), b.clone()]),
        // Without a line end before the next one.
        (
            format!("\u{b}{A}\u{1c}\r\u{b}{B}\u{1c}\r"),
            vec![a.clone(), b.clone()],
        ),
        (
            format!("\u{b}{A}\u{1c}\r\n\u{b}{B}\u{1c}\r\n"),
            vec![a.clone(), b.clone()],
        ),
        (
            format!("\u{b}{}\u{1c}\r\u{b}{}\u{1c}\r", lf(A), lf(B)),
            vec![lf(A), lf(B)],
        ),
        (
            format!("\u{b}{}\u{1c}\r\u{b}{B}\u{1c}", A.trim_end()),
            vec![A.trim_end().to_owned(), b.clone()],
        ),
        (
            format!("\u{b}{}\u{1c}\u{b}{B}\u{1c}\r", A.trim_end()),
            vec![A.trim_end().to_owned(), b.clone()],
        ),
        (format!("\u{b}\u{b}{A}\u{1c}\r\u{1c}\r"), vec![a.clone()]),
        // Cut by the next one.
        (
            format!("\u{b}{}\u{b}{B}\u{1c}\r", A.trim_end()),
            vec![A.trim_end().to_owned(), b.clone()],
        ),
        // FS and VT are data elsewhere.
        (
            A.replace("|A|", "|\u{1c}x\u{b}y|"),
            vec![A.replace("|A|", "|\u{1c}x\u{b}y|")],
        ),
        (
            format!("FHS|^~\\&\rBHS|^~\\&\r{A}{B}BTS|2\rFTS|1\r"),
            vec![a.clone(), b.clone()],
        ),
        (format!("BHS|^~\\&\r\n{}BTS|1\r\n", crlf(A)), vec![crlf(A)]),
        (
            format!("\u{b}BHS|^~\\&\r{A}{B}BTS|2\r\u{1c}\r"),
            vec![a.clone(), b.clone()],
        ),
        (format!("{A}BTS\r"), vec![a.clone()]),
        // A name that only begins like one of an envelope.
        (
            format!("{A}MSHX|\rFTSX\rBTS1|\r"),
            vec![format!("{A}MSHX|\rFTSX\rBTS1|\r")],
        ),
        // Line ends of several kinds.
        (
            format!("{A}{}{A}", lf(B)),
            vec![a.clone(), lf(B), a.clone()],
        ),
        (
            A.replace("PID|1", "PID|\nMSH|x"),
            vec![A.replace("PID|1", "PID|\nMSH|x")],
        ),
    ];
    for (text, expected) in cases {
        let (parts, warnings) = split(&text);
        let parts: Vec<_> = parts.into_iter().map(|(_, part)| part).collect();
        assert_eq!(parts, expected, "{text:?}");
        assert_eq!(warnings, [], "{text:?}");
    }
}

#[test]
fn counts_that_disagree_and_bytes_of_no_message_are_noticed() {
    let cases: Vec<(String, usize, Vec<Warning>)> = vec![
        (
            format!("BHS|^~\\&\r{A}BTS|5\r"),
            1,
            vec![Warning::BatchCount {
                offset: 9 + A.len(),
                declared: 5,
                found: 1,
            }],
        ),
        (
            format!("{A}BTS|0\r"),
            1,
            vec![Warning::BatchCount {
                offset: A.len(),
                declared: 0,
                found: 1,
            }],
        ),
        (
            format!("FHS|\rBHS|\r{A}BTS|1\rBHS|\r{B}BTS|1|x\rFTS|3\r"),
            2,
            vec![Warning::FileCount {
                offset: 29 + 2 * A.len(),
                declared: 3,
                found: 2,
            }],
        ),
        (format!("FHS|\r{A}FTS|1\r"), 1, vec![]),
        (format!("{A}BTS|1\r{B}BTS|1\rFTS|2\r"), 2, vec![]),
        (format!("BHS|\r{A}BTS|many\r"), 1, vec![]),
        (
            format!("log line\rand another\r{A}"),
            1,
            vec![Warning::Skipped {
                offset: 0,
                length: 21,
            }],
        ),
        (
            format!("\u{b}{A}\u{1c}\rlog\u{b}{B}\u{1c}\r"),
            2,
            vec![Warning::Skipped {
                offset: A.len() + 3,
                length: 3,
            }],
        ),
        (
            "GET / HTTP/1.1\r\n".to_owned(),
            0,
            vec![Warning::Skipped {
                offset: 0,
                length: 16,
            }],
        ),
        (
            format!("{A}BTS|1\rjunk"),
            1,
            vec![Warning::Skipped {
                offset: A.len() + 6,
                length: 4,
            }],
        ),
    ];
    for (text, count, expected) in cases {
        let (parts, warnings) = split(&text);
        assert_eq!((parts.len(), warnings), (count, expected), "{text:?}");
    }
}

#[test]
fn offsets_are_those_in_the_file() {
    let (parts, _) = split(&format!("BHS|^~\\&\r{A}{B}"));
    let offsets: Vec<_> = parts.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [9, 9 + A.len()]);
}
