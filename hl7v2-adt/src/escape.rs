//! Escape sequences: HL7 v2 section 2.7.
//!
//! Decoded after a message is taken apart, never before.

use std::borrow::Cow;

use crate::Delimiters;
use crate::charset::Layout;
use crate::syntax::Syntax;

/// Replaces the escape sequences that stand for characters: `\F\ \S\ \T\ \R\
/// \E\` (the separators), `\P\` (the truncation character, where there is
/// one), `\Xdd…\` (bytes), and `\.br\` (a line feed).
///
/// What only formats (`\H\`, `\N\`, `\.sp\`), switches character sets, is
/// local, unknown or unterminated stays as it is.
#[must_use]
pub fn decode<'a>(bytes: &'a [u8], delimiters: &Delimiters) -> Cow<'a, [u8]> {
    decode_by(bytes, delimiters, Layout::SingleByte)
}

/// Writes text such that [`decode`] gives it back and nothing in it separates.
///
/// Without an escape character that can't be done: the text comes back as it
/// is.
#[must_use]
pub fn encode<'a>(text: &'a [u8], delimiters: &Delimiters) -> Cow<'a, [u8]> {
    let Some(escape) = delimiters.escape else {
        return Cow::Borrowed(text);
    };
    let special = |byte: &u8| matches!(byte, b'\r' | b'\n') || delimiters.contains(*byte);
    if !text.iter().any(special) {
        return Cow::Borrowed(text);
    }
    // A separator that is a dot would tear `\.br\` apart.
    let line_feed: &[u8] = if delimiters.contains(b'.') {
        b"X0A"
    } else {
        b".br"
    };
    let mut encoded = Vec::with_capacity(text.len() + 16);
    for &byte in text {
        let code: &[u8] = match byte {
            b'\r' => b"X0D",
            b'\n' => line_feed,
            _ if byte == delimiters.field => b"F",
            _ if byte == delimiters.component => b"S",
            _ if byte == escape => b"E",
            _ if delimiters.subcomponent == Some(byte) => b"T",
            _ if delimiters.repetition == Some(byte) => b"R",
            _ if delimiters.truncation == Some(byte) => b"P",
            _ => {
                encoded.push(byte);
                continue;
            }
        };
        encoded.push(escape);
        encoded.extend_from_slice(code);
        encoded.push(escape);
    }
    Cow::Owned(encoded)
}

/// Text of a leaf: unescaped, then decoded.
pub(crate) fn text<'a>(bytes: &'a [u8], syntax: &Syntax) -> Cow<'a, str> {
    let charset = syntax.charset;
    match decode_by(bytes, &syntax.delimiters, syntax.layout) {
        Cow::Borrowed(bytes) => charset.decode(bytes),
        Cow::Owned(bytes) => Cow::Owned(charset.decode(&bytes).into_owned()),
    }
}

fn decode_by<'a>(bytes: &'a [u8], delimiters: &Delimiters, layout: Layout) -> Cow<'a, [u8]> {
    let Some(escape) = delimiters.escape else {
        return Cow::Borrowed(bytes);
    };
    let mut decoded = Vec::new();
    // Copied up to here; nothing is copied before the first replacement.
    let mut copied = 0;
    let mut at = 0;
    while let Some(start) = layout.find(escape, &bytes[at..]).map(|found| at + found) {
        let Some(length) = layout.find(escape, &bytes[start + 1..]) else {
            break;
        };
        let end = start + 1 + length;
        match meaning(&bytes[start + 1..end], delimiters) {
            Meaning::Byte(byte) => {
                decoded.extend_from_slice(&bytes[copied..start]);
                decoded.push(byte);
                copied = end + 1;
                at = end + 1;
            }
            Meaning::Bytes(digits) => {
                decoded.extend_from_slice(&bytes[copied..start]);
                decoded.extend(
                    digits
                        .chunks_exact(2)
                        .map(|pair| hex(pair[0]) << 4 | hex(pair[1])),
                );
                copied = end + 1;
                at = end + 1;
            }
            Meaning::Kept => at = end + 1,
            // Its second escape character may begin a sequence.
            Meaning::None => at = end,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(bytes);
    }
    decoded.extend_from_slice(&bytes[copied..]);
    Cow::Owned(decoded)
}

enum Meaning<'a> {
    Byte(u8),
    /// Pairs of hexadecimal digits.
    Bytes(&'a [u8]),
    /// A sequence that stands for no character.
    Kept,
    /// No sequence.
    None,
}

fn meaning<'a>(sequence: &'a [u8], delimiters: &Delimiters) -> Meaning<'a> {
    let delimiter = |byte: Option<u8>| byte.map_or(Meaning::Kept, Meaning::Byte);
    match sequence {
        b"F" => Meaning::Byte(delimiters.field),
        b"S" => Meaning::Byte(delimiters.component),
        b"T" => delimiter(delimiters.subcomponent),
        b"R" => delimiter(delimiters.repetition),
        b"E" => delimiter(delimiters.escape),
        b"P" => delimiter(delimiters.truncation),
        b".br" => Meaning::Byte(b'\n'),
        [b'X', digits @ ..] if is_hex(digits) && digits.len() % 2 == 0 => Meaning::Bytes(digits),
        b"H" | b"N" => Meaning::Kept,
        [b'C' | b'M' | b'X', digits @ ..] if is_hex(digits) => Meaning::Kept,
        [b'Z', rest @ ..] if rest.iter().all(u8::is_ascii_alphanumeric) => Meaning::Kept,
        [b'.', first, ..] if first.is_ascii_alphabetic() => Meaning::Kept,
        _ => Meaning::None,
    }
}

fn is_hex(digits: &[u8]) -> bool {
    !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit)
}

/// Value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
