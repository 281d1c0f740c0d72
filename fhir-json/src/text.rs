//! Escapes: from source form to text, and from text to the shortest form.

use std::borrow::Cow;

use crate::scan::{hex4, special};
use crate::sink::Sink;

/// The text between a string's quotes with its escapes resolved.
pub(crate) fn unescape(source: &[u8], escaped: bool) -> Cow<'_, [u8]> {
    if !escaped {
        return Cow::Borrowed(source);
    }
    let mut text = Vec::with_capacity(source.len());
    unescape_into(source, &mut text);
    Cow::Owned(text)
}

/// Appends the text between a string's quotes with its escapes resolved.
pub(crate) fn unescape_into(source: &[u8], text: &mut Vec<u8>) {
    each_part(source, |part| match part {
        Part::Plain(bytes) => text.extend_from_slice(bytes),
        Part::Escape(character) => {
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    });
}

/// Writes a string in canonical form, from the text between its quotes.
pub(crate) fn write_canonical<S: Sink + ?Sized>(source: &[u8], out: &mut S) {
    out.write(b"\"");
    each_part(source, |part| match part {
        Part::Plain(bytes) => out.write(bytes),
        Part::Escape(character) => write_shortest(character, out),
    });
    out.write(b"\"");
}

/// Writes `text` as a JSON string with the shortest escapes.
pub(crate) fn write_string<S: Sink + ?Sized>(text: &str, out: &mut S) {
    let text = text.as_bytes();
    out.write(b"\"");
    let mut plain = 0;
    loop {
        let at = special(text, plain);
        out.write(&text[plain..at]);
        let Some(&byte) = text.get(at) else { break };
        write_shortest(char::from(byte), out);
        plain = at + 1;
    }
    out.write(b"\"");
}

enum Part<'a> {
    Plain(&'a [u8]),
    Escape(char),
}

/// Walks over validated string content.
fn each_part<'a>(source: &'a [u8], mut visit: impl FnMut(Part<'a>)) {
    let mut plain = 0;
    loop {
        // The only special byte between the quotes of a validated string.
        let backslash = special(source, plain);
        if plain < backslash {
            visit(Part::Plain(&source[plain..backslash]));
        }
        let Some(escape) = source.get(backslash..).filter(|rest| !rest.is_empty()) else {
            return;
        };
        let (character, length) = decode(escape);
        visit(Part::Escape(character));
        plain = backslash + length;
    }
}

/// The character that an escape stands for, and the escape's length.
fn decode(escape: &[u8]) -> (char, usize) {
    match escape.get(1) {
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'u') => {
            let first = hex4(escape, 2).unwrap_or_default();
            if let 0xD800..=0xDBFF = first {
                let second = hex4(escape, 8).unwrap_or_default();
                let scalar = 0x10000 + ((first - 0xD800) << 10) + (second & 0x3FF);
                return (
                    char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER),
                    12,
                );
            }
            (
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
                6,
            )
        }
        Some(&other) => (char::from(other), 2),
        None => ('\\', 1),
    }
}

fn write_shortest<S: Sink + ?Sized>(character: char, out: &mut S) {
    match character {
        '"' => out.write(b"\\\""),
        '\\' => out.write(b"\\\\"),
        '\u{8}' => out.write(b"\\b"),
        '\u{c}' => out.write(b"\\f"),
        '\n' => out.write(b"\\n"),
        '\r' => out.write(b"\\r"),
        '\t' => out.write(b"\\t"),
        '\0'..='\x1f' => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let code = character as usize;
            out.write(&[b'\\', b'u', b'0', b'0', HEX[code >> 4], HEX[code & 15]]);
        }
        _ => out.write(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}
