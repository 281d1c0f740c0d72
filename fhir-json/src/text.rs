//! Escapes: from source form to text, and from text to the shortest form.

use std::borrow::Cow;

use crate::emit::Sink;
use crate::scan::hex4;

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
    out.write(b"\"");
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            out.write(&text.as_bytes()[plain..at]);
            write_shortest(char::from(byte), out);
            plain = at + 1;
        }
    }
    out.write(&text.as_bytes()[plain..]);
    out.write(b"\"");
}

enum Part<'a> {
    Plain(&'a [u8]),
    Escape(char),
}

/// Walks over validated string content.
fn each_part<'a>(source: &'a [u8], mut visit: impl FnMut(Part<'a>)) {
    let mut plain = 0;
    let mut at = 0;
    while at < source.len() {
        if source[at] != b'\\' {
            at += 1;
            continue;
        }
        if plain < at {
            visit(Part::Plain(&source[plain..at]));
        }
        let (character, length) = decode(&source[at..]);
        visit(Part::Escape(character));
        at += length;
        plain = at;
    }
    if plain < at {
        visit(Part::Plain(&source[plain..]));
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
