//! Byte-level scanning of strings, numbers and white space.

use wide::u8x16;

use crate::error::{Error, ErrorKind};

/// The end of a string, from its first quote, escape or control character on.
pub(crate) fn odd_string(text: &[u8], mut at: usize) -> Result<usize, Error> {
    loop {
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = special(text, escape(text, at)?),
            Some(_) => return Err(Error::new(ErrorKind::ControlCharacter, at)),
            None => return Err(Error::new(ErrorKind::UnexpectedEnd, text.len())),
        }
    }
}

/// Offset of the first quote, backslash or control character from `at` on.
#[inline(always)]
pub(crate) fn special(text: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = text.get(at..at + 16) {
        let lanes = special_lanes(chunk.try_into().unwrap_or_default());
        if lanes != 0 {
            return at + lanes.trailing_zeros() as usize;
        }
        at += 16;
    }
    while let Some(&byte) = text.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// [`special`] over offsets of 32 bits.
#[inline(always)]
pub(crate) fn special32(text: &[u8], mut at: u32) -> u32 {
    while let Some(chunk) = chunk(text, at) {
        let lanes = special_lanes(chunk);
        if lanes != 0 {
            return at + lanes.trailing_zeros();
        }
        at += 16;
    }
    special(text, at as usize) as u32
}

/// Where the name that starts at `start` ends if it is plain, and its
/// [`prefix`].
#[inline(always)]
pub(crate) fn plain_name(text: &[u8], start: u32) -> (u32, u64) {
    let Some(chunk) = chunk(text, start) else {
        let end = special(text, start as usize) as u32;
        return (end, prefix(text, start, end));
    };
    let [a, b, c, d, e, f, g, h, ..] = chunk;
    let word = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let lanes = special_lanes(chunk);
    if lanes == 0 {
        return (special32(text, start + 16), word);
    }
    let length = lanes.trailing_zeros();
    let after = if length < 8 {
        u64::MAX >> (length * 8)
    } else {
        0
    };
    (start + length, word & !after)
}

#[inline(always)]
fn chunk(text: &[u8], at: u32) -> Option<[u8; 16]> {
    text.get(at as usize..at as usize + 16)?.try_into().ok()
}

/// Sixteen bytes at once: a bit for each that is a quote, a backslash or a
/// control character, the lowest for the first.
#[inline(always)]
fn special_lanes(chunk: [u8; 16]) -> u32 {
    let bytes = u8x16::new(chunk);
    // Bit 1 turned, a quote stands right above the control characters, and
    // nothing else below it: one test for both.
    let turned = bytes ^ u8x16::splat(2);
    let quote_or_control = turned.min(u8x16::splat(0x20)).simd_eq(turned);
    let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
    (quote_or_control | backslash).to_bitmask()
}

/// Offset after the escape whose backslash is at `at`.
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

/// The first eight bytes of `text[start..end]` as a number that sorts like
/// them, zeros standing for bytes that are not there.
#[inline(always)]
pub(crate) fn prefix(text: &[u8], start: u32, end: u32) -> u64 {
    let (start, length) = (start as usize, (end - start) as usize);
    let word = match text.get(start..start + 8) {
        Some(chunk) => u64::from_be_bytes(chunk.try_into().unwrap_or_default()),
        None => {
            let mut padded = [0; 8];
            for (to, from) in padded.iter_mut().zip(&text[start..]) {
                *to = *from;
            }
            u64::from_be_bytes(padded)
        }
    };
    if length >= 8 {
        word
    } else {
        word & !(u64::MAX >> (length * 8))
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
            for lane in 0..40 {
                for filler in [b'a', 0x21, 0x7F, 0x80, 0xFF] {
                    let mut text = vec![filler; 40];
                    text[lane] = byte;
                    let expected = if stops { lane } else { 40 };
                    assert_eq!(special(&text, 0), expected, "{byte:#x} at {lane}");
                    let end = expected as u32;
                    assert_eq!(special32(&text, 0), end, "{byte:#x} at {lane}");
                    let name = (end, prefix(&text, 0, end));
                    assert_eq!(plain_name(&text, 0), name, "{byte:#x} at {lane}");
                }
            }
        }
    }
}
