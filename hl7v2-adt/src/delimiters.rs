use memchr::memchr3;

/// The characters a message is taken apart by, as its MSH-1 and MSH-2 name them.
///
/// HL7 v2 section 2.5.4. Each is an ASCII punctuation character and different
/// from the others. `None` where a message names fewer than five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Delimiters {
    /// Between fields: MSH-1, usually `|`.
    pub field: u8,
    /// Between components: first of MSH-2, usually `^`.
    pub component: u8,
    /// Between repetitions: second of MSH-2, usually `~`.
    pub repetition: Option<u8>,
    /// Around escape sequences: third of MSH-2, usually `\`.
    pub escape: Option<u8>,
    /// Between subcomponents: fourth of MSH-2, usually `&`.
    pub subcomponent: Option<u8>,
    /// End of a text that was cut: fifth of MSH-2, `#` where there is one (from 2.7 on).
    pub truncation: Option<u8>,
}

/// What stands in MSH-2 before version 2.7, and where nothing usable does.
const USUAL: &[u8; 4] = b"^~\\&";

impl Delimiters {
    /// Reads them from the first bytes of an MSH, BHS or FHS segment.
    ///
    /// Mended are: an empty MSH-2 and one that holds anything but punctuation
    /// (the usual characters are taken), one of three of the usual four
    /// characters with a gap in between (the same; `^~&` is the common one),
    /// and doubled characters (`^~\\&`).
    ///
    /// `None` if the segment ends before its separators.
    #[must_use]
    pub fn read(header: &[u8]) -> Option<Self> {
        let field = *header.get(3)?;
        if !field.is_ascii_punctuation() {
            return None;
        }
        let rest = &header[4..];
        let end = memchr3(field, b'\r', b'\n', rest).unwrap_or(rest.len());
        if end == 0 && rest.first() != Some(&field) {
            return None;
        }
        Some(Self::from_encoding_characters(field, &rest[..end]))
    }

    fn from_encoding_characters(field: u8, written: &[u8]) -> Self {
        let mut distinct = [0; 5];
        let mut count = 0;
        for &byte in written {
            if !byte.is_ascii_punctuation() {
                count = 0;
                break;
            }
            if count < distinct.len() && !distinct[..count].contains(&byte) {
                distinct[count] = byte;
                count += 1;
            }
        }
        let found = &distinct[..count];
        let gap = count == 3
            && !USUAL.contains(&field)
            && !USUAL.starts_with(found)
            && is_subsequence(found, USUAL);
        // Where the field separator is one of them, `|` is free.
        let usual = USUAL.map(|byte| if byte == field { b'|' } else { byte });
        let chosen = if count == 0 || gap { &usual } else { found };
        let at = |index: usize| chosen.get(index).copied();
        let spare = |byte: u8| (byte != field && !chosen.contains(&byte)).then_some(byte);
        Self {
            field,
            component: chosen[0],
            repetition: at(1).or_else(|| spare(b'~')),
            escape: at(2),
            subcomponent: at(3),
            truncation: at(4),
        }
    }

    /// Whether the byte is one of them.
    #[must_use]
    pub fn contains(&self, byte: u8) -> bool {
        let Self {
            field,
            component,
            repetition,
            escape,
            subcomponent,
            truncation,
        } = *self;
        let some = Some(byte);
        field == byte
            || component == byte
            || [repetition, escape, subcomponent, truncation].contains(&some)
    }
}

/// `|^~\&`, the ones recommended up to version 2.6.
impl Default for Delimiters {
    fn default() -> Self {
        Self::from_encoding_characters(b'|', USUAL)
    }
}

fn is_subsequence(short: &[u8], long: &[u8]) -> bool {
    let mut rest = long.iter();
    short.iter().all(|byte| rest.any(|other| other == byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_characters_are_read_and_mended() {
        let usual = Delimiters::default();
        let with = |repetition, escape, subcomponent, truncation| Delimiters {
            repetition,
            escape,
            subcomponent,
            truncation,
            ..usual
        };
        let (tilde, slash, and) = (Some(b'~'), Some(b'\\'), Some(b'&'));
        let cases: &[(&str, Option<Delimiters>)] = &[
            ("MSH|^~\\&|", Some(usual)),
            ("MSH|^~\\&", Some(usual)),
            ("MSH|^~\\&\rPID|", Some(usual)),
            ("MSH|^~\\&#|", Some(with(tilde, slash, and, Some(b'#')))),
            ("MSH|^~\\&#+!|", Some(with(tilde, slash, and, Some(b'#')))),
            ("MSH|^~\\\\&|", Some(usual)),
            ("MSH|^~&|", Some(usual)),
            ("MSH|^\\&|", Some(usual)),
            ("MSH|^~\\|", Some(with(tilde, slash, None, None))),
            ("MSH|^~|", Some(with(tilde, None, None, None))),
            ("MSH|^|", Some(with(tilde, None, None, None))),
            ("MSH||", Some(usual)),
            ("MSH|ADTSYS|", Some(usual)),
            ("MSH|^~\\&amp;|", Some(usual)),
            ("MSH|", None),
            ("MSH|\n", None),
            ("MSH", None),
            (
                "MSH^~\\&",
                Some(Delimiters {
                    field: b'^',
                    component: b'~',
                    repetition: Some(b'\\'),
                    escape: Some(b'&'),
                    subcomponent: None,
                    truncation: None,
                }),
            ),
            ("MSHA^~\\&", None),
            ("MSH ^~\\&", None),
        ];
        for (text, expected) in cases {
            let read = Delimiters::read(text.as_bytes());
            assert_eq!(read.as_ref(), expected.as_ref(), "{text}");
        }
    }
}
