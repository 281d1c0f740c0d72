use std::borrow::Cow;
use std::fmt;

use encoding_rs::Encoding;
use memchr::memchr;

use crate::Delimiters;

/// A character set: how bytes become text.
///
/// MSH-18 names it by HL7 table 0211. Bytes that don't conform become U+FFFD
/// in the text; the message keeps them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// `UNICODE UTF-8`.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);
    /// Windows-1252: ISO 8859-1 with printable characters in place of the C1 controls.
    pub const WINDOWS_1252: Self = Self(encoding_rs::WINDOWS_1252);

    /// Finds one by its name in HL7 table 0211 or as the Encoding Standard has
    /// it, in any case.
    ///
    /// `None` for what is unknown, for `ASCII`, which says nothing about other
    /// bytes, and for UTF-16 and UTF-32, which no readable MSH-18 can be in.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_uppercase();
        let part = name
            .strip_prefix("8859/")
            .or_else(|| name.strip_prefix("8859-"));
        let label = match (name.as_str(), part) {
            ("ASCII" | "US-ASCII" | "ISO IR6", _) => return None,
            (_, Some(part)) => format!("iso-8859-{part}"),
            ("UNICODE UTF-8" | "UTF8", _) => "utf-8".to_owned(),
            ("ISO IR13" | "ISO IR14", _) => "shift_jis".to_owned(),
            ("ISO IR87" | "ISO IR159", _) => "iso-2022-jp".to_owned(),
            ("GB 18030-2000", _) => "gb18030".to_owned(),
            ("KS X 1001", _) => "euc-kr".to_owned(),
            ("BIG-5", _) => "big5".to_owned(),
            ("CP1252", _) => "windows-1252".to_owned(),
            _ => name,
        };
        let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
        let readable = encoding.is_ascii_compatible() || encoding == encoding_rs::ISO_2022_JP;
        readable.then_some(Self(encoding))
    }

    /// Its name in the Encoding Standard, such as `UTF-8`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The bytes as text; U+FFFD in place of those that don't conform.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        self.0.decode_without_bom_handling(bytes).0
    }

    /// The one of a message: by its byte order mark, by MSH-18, UTF-8 if the
    /// message is valid as that, else `fallback`.
    pub(crate) fn of_message(
        bytes: &[u8],
        declared: &[u8],
        delimiters: &Delimiters,
        fallback: Self,
    ) -> Self {
        if bytes.starts_with(BYTE_ORDER_MARK) {
            return Self::UTF_8;
        }
        Self::declared(declared, delimiters).unwrap_or_else(|| {
            let utf8 = std::str::from_utf8(bytes).is_ok();
            if utf8 { Self::UTF_8 } else { fallback }
        })
    }

    /// What MSH-18 names: its first repetition.
    fn declared(field: &[u8], delimiters: &Delimiters) -> Option<Self> {
        let named = |name: &[u8]| std::str::from_utf8(name).ok().and_then(Self::named);
        let Some(end) = delimiters.repetition.and_then(|byte| memchr(byte, field)) else {
            return named(field);
        };
        named(&field[..end]).or_else(|| {
            // ASCII that escape sequences of ISO 2022 lead out of: usual in Japan.
            let alternates = &field[end + 1..];
            let alternate = named(&alternates[..alternates.len().min(LONGEST_NAME)]);
            alternate.filter(|charset| charset.layout() == Layout::Iso2022)
        })
    }

    pub(crate) fn layout(self) -> Layout {
        if self.0 == encoding_rs::ISO_2022_JP {
            Layout::Iso2022
        } else if self.0 == encoding_rs::GB18030
            || self.0 == encoding_rs::GBK
            || self.0 == encoding_rs::BIG5
            || self.0 == encoding_rs::SHIFT_JIS
        {
            Layout::DoubleByte
        } else {
            Layout::SingleByte
        }
    }
}

impl fmt::Debug for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Charset({})", self.name())
    }
}

pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Of what a set of characters is called.
const LONGEST_NAME: usize = 40;

/// Where a byte of ASCII may be a part of another character, and so is no
/// separator.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Nowhere. Also true of UTF-8 and of the EUC family.
    SingleByte,
    /// Second in a pair: half of the separators occur there.
    DoubleByte,
    /// Everywhere between two escape sequences of ISO 2022.
    Iso2022,
    /// Everywhere: it names the separators.
    Literal,
}

impl Layout {
    /// Finds a character of ASCII.
    #[inline]
    pub(crate) fn find(self, needle: u8, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::SingleByte => memchr(needle, bytes),
            Self::DoubleByte => find_between_pairs(needle, bytes),
            Self::Iso2022 => find_outside_of_shifts(needle, bytes),
            Self::Literal => None,
        }
    }
}

fn find_between_pairs(needle: u8, bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = byte >= 0x81 && bytes.get(at + 1).is_some_and(|&second| second >= 0x40);
        if pair {
            at += 2;
            continue;
        }
        if byte == needle {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn find_outside_of_shifts(needle: u8, bytes: &[u8]) -> Option<usize> {
    const ESC: u8 = 0x1B;
    let mut ascii = true;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == ESC && bytes.get(at + 1) == Some(&b'$') {
            ascii = false;
        } else if byte == ESC && bytes.get(at + 1) == Some(&b'(') {
            ascii = true;
        } else if ascii && byte == needle {
            return Some(at);
        }
        let designation = byte == ESC;
        at += if designation { 3 } else { 1 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_table_0211_and_others_are_known() {
        let cases = [
            ("UNICODE UTF-8", "UTF-8"),
            ("utf-8", "UTF-8"),
            ("8859/1", "windows-1252"),
            ("8859/15", "ISO-8859-15"),
            ("8859/2", "ISO-8859-2"),
            ("ISO-8859-1", "windows-1252"),
            ("WINDOWS-1252", "windows-1252"),
            ("GB 18030-2000", "gb18030"),
            ("BIG-5", "Big5"),
            ("KS X 1001", "EUC-KR"),
            ("ISO IR87", "ISO-2022-JP"),
        ];
        for (name, expected) in cases {
            assert_eq!(
                Charset::named(name).map(Charset::name),
                Some(expected),
                "{name}"
            );
        }
        for name in [
            "",
            "ASCII",
            "UNICODE",
            "UNICODE UTF-16",
            "utf-16le",
            "x",
            "iso-2022-kr",
        ] {
            assert_eq!(Charset::named(name), None, "{name}");
        }
    }

    #[test]
    fn the_first_repetition_counts_unless_the_others_are_shifted_to() {
        let delimiters = Delimiters::default();
        let declared =
            |field: &str| Charset::declared(field.as_bytes(), &delimiters).map(Charset::name);
        assert_eq!(declared("8859/1~UNICODE UTF-8"), Some("windows-1252"));
        assert_eq!(declared("~ISO IR87"), Some("ISO-2022-JP"));
        assert_eq!(declared("ASCII~8859/1"), None);
        assert_eq!(declared("~UNICODE UTF-8"), None);
    }

    #[test]
    fn halves_of_characters_are_no_separators() {
        // U+4F6B in GBK has `|` as its second byte, U+30BD in JIS X 0208 `=`.
        assert_eq!(Layout::DoubleByte.find(b'|', b"\x81\x7c|x"), Some(2));
        assert_eq!(Layout::DoubleByte.find(b'|', b"\x81\x7c"), None);
        assert_eq!(Layout::DoubleByte.find(b'|', b"\x81|"), None);
        assert_eq!(Layout::DoubleByte.find(b'|', b"\x810|"), Some(2));
        assert_eq!(Layout::Iso2022.find(b'=', b"\x1b$B%=\x1b(B=x"), Some(8));
        assert_eq!(Layout::Iso2022.find(b'=', b"a=\x1b$B%=\x1b(B"), Some(1));
        assert_eq!(Layout::Iso2022.find(b'=', b"\x1b$"), None);
    }
}
