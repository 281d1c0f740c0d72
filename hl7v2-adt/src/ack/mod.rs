//! Acknowledgements: HL7 v2 section 2.9.

mod code;
mod reply;

use std::fmt;

pub use code::{AckCode, ErrorCode};
pub use reply::{AckMode, Outcome, Replies};

use crate::{Delimiters, Header, Path, Timestamp};

/// An answer to a message, ready to be framed.
///
/// Sender and receiver change places with all their components; separators,
/// processing id and version are those of the message; MSA-2 is its control
/// id, byte for byte. What a refusal says is a code of HL7 table 0357 with its
/// own text and perhaps a place, never content of the message.
#[derive(Clone, Copy)]
pub struct Ack<'a> {
    to: Header<'a>,
    code: AckCode,
    control_id: &'a str,
    time: Timestamp,
    error: Option<(ErrorCode, Option<Path>)>,
}

impl<'a> Ack<'a> {
    /// Answers the message with the header. `control_id` is the answer's own
    /// MSH-10, which should not occur again within a sender's memory and of
    /// which separators are left out; `time` is its MSH-7.
    ///
    /// Where no header can be read, answer to [`Header::default`].
    #[must_use]
    pub fn new(to: &Header<'a>, code: AckCode, control_id: &'a str, time: Timestamp) -> Self {
        Self {
            to: *to,
            code,
            control_id,
            time,
            error: None,
        }
    }

    /// Adds an ERR segment: what is wrong, and where if that is known.
    #[must_use]
    pub fn with_error(mut self, code: ErrorCode, location: Option<Path>) -> Self {
        self.error = Some((code, location));
        self
    }

    /// Its bytes. Every segment ends in CR.
    ///
    /// A refusal always has an ERR segment. Without an error it is `207`,
    /// application internal error, and for AR and CR `100`, segment sequence
    /// error: there is no message.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer {
            bytes: Vec::with_capacity(256),
            delimiters: self.to.delimiters(),
        };
        self.write_header(&mut writer);
        writer.segment(b"MSA", &[self.code.code().as_bytes(), self.to.control_id()]);
        if !self.code.is_positive() {
            let unsaid = match self.code {
                AckCode::Ar | AckCode::Cr => ErrorCode::SegmentSequence,
                _ => ErrorCode::ApplicationInternalError,
            };
            let (code, location) = self.error.unwrap_or((unsaid, None));
            self.write_error(&mut writer, code, location);
        }
        writer.bytes
    }

    fn write_header(&self, writer: &mut Writer) {
        let to = &self.to;
        let encoding_characters = encoding_characters(to);
        let mut message_type = b"ACK".to_vec();
        if !to.trigger_code().is_empty() {
            let separator = writer.delimiters.component;
            message_type.push(separator);
            message_type.extend_from_slice(to.trigger_code());
            message_type.push(separator);
            message_type.extend_from_slice(b"ACK");
        }
        let separates = |byte: u8| byte.is_ascii_control() || writer.delimiters.contains(byte);
        let own = self.control_id.bytes();
        let control_id: Vec<_> = own.filter(|&byte| !separates(byte)).collect();
        let echoed = [3, 4, 5, 6, 9, 10, 11, 12].map(|number| to.field(number));
        let charset = match echoed.iter().all(|field| field.is_ascii()) {
            true => &[][..],
            false => to.field(18),
        };
        // The sign of an offset may be a separator: then there is none.
        let mut time = self.time.to_hl7();
        let end = time.bytes().position(separates);
        time.truncate(end.unwrap_or(time.len()));
        writer.segment(
            b"MSH",
            &[
                &encoding_characters,
                to.field(5),
                to.field(6),
                to.field(3),
                to.field(4),
                time.as_bytes(),
                b"",
                &message_type,
                &control_id,
                to.field(11),
                to.field(12),
                b"",
                b"",
                b"",
                b"",
                b"",
                charset,
            ],
        );
    }

    /// ERR-1 up to version 2.4, ERR-2 to ERR-4 from 2.5 on.
    fn write_error(&self, writer: &mut Writer, code: ErrorCode, location: Option<Path>) {
        let Delimiters {
            component,
            subcomponent,
            ..
        } = writer.delimiters;
        let coded = |separator: u8| {
            [code.code().as_bytes(), code.text().as_bytes(), b"HL70357"].join(&separator)
        };
        if !is_before_2_5(self.to.version()) {
            let location = location.map_or_else(Vec::new, |path| path.to_location(component));
            writer.segment(b"ERR", &[b"", &location, &coded(component), b"E"]);
            return;
        }
        // Segment, its number, field, and the code as one component.
        let mut parts: Vec<_> = location
            .map(|path| path.to_location(component))
            .unwrap_or_default()
            .split(|&byte| byte == component)
            .take(3)
            .map(<[u8]>::to_vec)
            .collect();
        parts.resize(3, Vec::new());
        parts.push(match subcomponent {
            Some(separator) => coded(separator),
            None => code.code().as_bytes().to_vec(),
        });
        writer.segment(b"ERR", &[&parts.join(&component)]);
    }
}

/// The code, no content.
impl fmt::Debug for Ack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack")
            .field("code", &self.code)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

struct Writer {
    bytes: Vec<u8>,
    delimiters: Delimiters,
}

impl Writer {
    /// Writes a segment without the empty fields at its end.
    fn segment(&mut self, name: &[u8; 3], fields: &[&[u8]]) {
        const FS: u8 = 0x1C;
        const LF: u8 = b'\n';
        let used = fields.iter().rposition(|field| !field.is_empty());
        self.bytes.extend_from_slice(name);
        for field in &fields[..used.map_or(0, |last| last + 1)] {
            self.bytes.push(self.delimiters.field);
            self.bytes.extend_from_slice(field);
        }
        // What is echoed may end in FS, which before a CR would end the frame,
        // or in LF, which would be taken for a part of the line end.
        if let Some(&(FS | LF)) = self.bytes.last() {
            self.bytes.push(self.delimiters.field);
        }
        self.bytes.push(b'\r');
    }
}

/// As they were sent, if they are any.
fn encoding_characters(to: &Header<'_>) -> Vec<u8> {
    let sent = to.encoding_characters();
    if !sent.is_empty() && sent.iter().all(u8::is_ascii_punctuation) {
        return sent.to_vec();
    }
    let Delimiters {
        component,
        repetition,
        escape,
        subcomponent,
        truncation,
        ..
    } = to.delimiters();
    let chosen = [
        Some(component),
        repetition,
        escape,
        subcomponent,
        truncation,
    ];
    chosen.into_iter().flatten().collect()
}

/// Whether a version is one of 2.1 to 2.4.
fn is_before_2_5(version: &[u8]) -> bool {
    matches!(version.trim_ascii(), [b'2', b'.', b'0'..=b'4', rest @ ..]
        if rest.first().is_none_or(|byte| !byte.is_ascii_digit()))
}
