//! Byte-level scanning of strings, numbers and white space.

use crate::error::{Error, ErrorKind};

/// Offset after the closing quote of the string whose opening quote is at
/// `open`, and whether it holds an escape.
#[inline]
pub(crate) fn string(text: &[u8], open: usize) -> Result<(usize, bool), Error> {
    let mut at = special(text, open + 1);
    if text.get(at) == Some(&b'"') {
        return Ok((at + 1, false));
    }
    let mut escaped = false;
    loop {
        match text.get(at) {
            Some(b'"') => return Ok((at + 1, escaped)),
            Some(b'\\') => {
                escaped = true;
                at = special(text, escape(text, at)?);
            }
            Some(_) => return Err(Error::new(ErrorKind::ControlCharacter, at)),
            None => return Err(Error::new(ErrorKind::UnexpectedEnd, text.len())),
        }
    }
}

/// Offset of the first quote, backslash or control character from `at` on.
#[inline]
fn special(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..at + 8) {
        let found = special_lanes(u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// Eight bytes at once: the lowest set bit is in the first byte that is a
/// quote, a backslash or a control character. Lanes above it may lie (borrows
/// run upwards), which is why only the lowest is used.
#[inline]
const fn special_lanes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    ((quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word))
        & HIGH
}

/// Offset after the escape whose backslash is at `at`.
#[cold]
fn escape(text: &[u8], at: usize) -> Result<usize, Error> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            let first = hex4(text, at + 2).ok_or(Error::new(ErrorKind::InvalidEscape, at))?;
            match first {
                0xD800..=0xDBFF => {
                    let pair = text.get(at + 6..at + 8) == Some(br"\u".as_slice());
                    match hex4(text, at + 8) {
                        Some(0xDC00..=0xDFFF) if pair => Ok(at + 12),
                        _ => Err(Error::new(ErrorKind::LoneSurrogate, at)),
                    }
                }
                0xDC00..=0xDFFF => Err(Error::new(ErrorKind::LoneSurrogate, at)),
                _ => Ok(at + 6),
            }
        }
        Some(_) => Err(Error::new(ErrorKind::InvalidEscape, at)),
        None => Err(Error::new(ErrorKind::UnexpectedEnd, text.len())),
    }
}

/// The value of four hexadecimal digits at `at`.
pub(crate) fn hex4(text: &[u8], at: usize) -> Option<u32> {
    text.get(at..at + 4)?.iter().try_fold(0, |value, &digit| {
        Some(value << 4 | char::from(digit).to_digit(16)?)
    })
}

/// Offset after the number that starts at `start` (RFC 8259 section 6).
#[inline]
pub(crate) fn number(text: &[u8], start: usize) -> Result<usize, Error> {
    let mut at = start;
    if text.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match text.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => digits(text, at),
        Some(_) => return Err(Error::new(ErrorKind::InvalidNumber, start)),
        None => return Err(Error::new(ErrorKind::UnexpectedEnd, text.len())),
    };
    if text.get(at) == Some(&b'.') {
        at = some_digits(text, at + 1, start)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        at = some_digits(text, at, start)?;
    }
    match text.get(at) {
        Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'a'..=b'z' | b'A'..=b'Z') => {
            Err(Error::new(ErrorKind::InvalidNumber, start))
        }
        _ => Ok(at),
    }
}

#[inline]
fn digits(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

fn some_digits(text: &[u8], at: usize, start: usize) -> Result<usize, Error> {
    match text.get(at) {
        Some(b'0'..=b'9') => Ok(digits(text, at)),
        Some(_) => Err(Error::new(ErrorKind::InvalidNumber, start)),
        None => Err(Error::new(ErrorKind::UnexpectedEnd, text.len())),
    }
}

/// Offset after the literal `true`, `false` or `null` expected at `at`.
#[inline]
pub(crate) fn literal(text: &[u8], at: usize, word: &'static [u8]) -> Result<usize, Error> {
    let rest = &text[at..];
    if rest.starts_with(word) {
        return Ok(at + word.len());
    }
    let same = rest.iter().zip(word).take_while(|(a, b)| a == b).count();
    if same == rest.len() {
        return Err(Error::new(ErrorKind::UnexpectedEnd, text.len()));
    }
    Err(Error::new(ErrorKind::UnexpectedByte, at + same))
}

/// Offset of the first byte from `at` on that is not white space.
#[inline]
pub(crate) fn white_space(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = text.get(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_finds_the_first_of_all_bytes_in_every_lane() {
        for byte in 0..=255_u8 {
            let stops = byte == b'"' || byte == b'\\' || byte < 0x20;
            for lane in 0..20 {
                for filler in [b'a', 0x21, 0x7F, 0x80, 0xFF] {
                    let mut text = vec![filler; 20];
                    text[lane] = byte;
                    let expected = if stops { lane } else { 20 };
                    assert_eq!(special(&text, 0), expected, "{byte:#x} at {lane}");
                }
            }
        }
    }
}
