use std::fmt;

use fhir_http::percent_encode;
use jiff::civil::Date;
use ring::digest::{SHA256, digest};

use crate::{Error, Result};

/// The name of a message in the archive:
/// `TENANT/YYYY/MM/DD/SENDING-FACILITY/CONTROL-ID-HASH.hl7`, where `HASH` is
/// the first 16 hexadecimal digits of the message's SHA-256.
///
/// The same message always has the same name. What came from outside can't
/// lead out of its folder:
///
/// * Everything but ASCII letters, digits and `-._` is percent-encoded, byte by
///   byte, and so are `.` and `-` at the front.
/// * A part that would be longer than 64 characters is cut, and ends with `~`
///   and 16 digits of the SHA-256 of the whole part.
/// * An empty tenant or facility is `-`, which no other value becomes. Without
///   a control id the last part is `HASH.hl7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawKey(String);

impl RawKey {
    /// The name of `message`. `date` is that of MSH-7, or else the day of its
    /// receipt (a year before 0 counts as 0); `facility` is MSH-4,
    /// `control_id` is MSH-10, both as they came.
    #[must_use]
    pub fn new(
        tenant: &str,
        date: Date,
        facility: &[u8],
        control_id: &[u8],
        message: &[u8],
    ) -> Self {
        let (tenant, facility) = (component(tenant.as_bytes()), component(facility));
        let (year, month, day) = (date.year().max(0), date.month(), date.day());
        let mut file = hash(message);
        if !control_id.is_empty() {
            file = format!("{}-{file}", component(control_id));
        }
        Self(format!(
            "{tenant}/{year:04}/{month:02}/{day:02}/{facility}/{file}{EXTENSION}"
        ))
    }

    /// Reads a name that [`new`](Self::new) made.
    ///
    /// # Errors
    /// [`Error::RawKey`] for every other text, such as an absolute path.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<_> = text.split('/').collect();
        match parts[..] {
            [tenant, year, month, day, facility, file]
                if is_component(tenant)
                    && is_date(year, month, day)
                    && is_component(facility)
                    && is_file(file) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(Error::RawKey),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is a name of `message`.
    pub(super) fn names(&self, message: &[u8]) -> bool {
        let stem = self.0.strip_suffix(EXTENSION);
        stem.is_some_and(|stem| stem.ends_with(&hash(message)))
    }
}

impl fmt::Display for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const EXTENSION: &str = ".hl7";
/// Digits of a hash.
const DIGITS: usize = 16;
/// The longest part. A file name of all its parts stays below the 143 bytes
/// that encrypted file systems allow.
const LONGEST: usize = 64;
/// As much is left of a part that is cut.
const KEPT: usize = LONGEST - DIGITS - "~".len();

fn hash(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    let digits = digest.as_ref()[..DIGITS / 2].iter();
    digits.map(|byte| format!("{byte:02x}")).collect()
}

fn component(value: &[u8]) -> String {
    if value.is_empty() {
        return "-".to_owned();
    }
    let mut encoded = encode(value);
    if encoded.len() > LONGEST {
        // Not in the middle of an escape.
        let escape = encoded[..KEPT].rfind('%');
        let end = escape.filter(|at| at + "%00".len() > KEPT);
        encoded.truncate(end.unwrap_or(KEPT));
        encoded.push('~');
        encoded.push_str(&hash(value));
    }
    encoded
}

fn encode(value: &[u8]) -> String {
    let mut encoded = String::new();
    for chunk in value.utf8_chunks() {
        encoded.push_str(&percent_encode(chunk.valid(), b"-._"));
        for byte in chunk.invalid() {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    // Neither a hidden file, nor `..`, nor an option of a command.
    match encoded.as_bytes().first() {
        Some(b'.') => encoded.replace_range(..1, "%2E"),
        Some(b'-') => encoded.replace_range(..1, "%2D"),
        _ => {}
    }
    encoded
}

/// Whether [`component`] can give this.
fn is_component(text: &str) -> bool {
    text == "-" || is_value(text)
}

/// Whether [`component`] can give this for a value that is not empty.
fn is_value(text: &str) -> bool {
    match text.split_once('~') {
        Some((kept, digits)) => {
            (KEPT - 2..=KEPT).contains(&kept.len()) && is_encoded(kept) && is_hash(digits)
        }
        None => text.len() <= LONGEST && is_encoded(text),
    }
}

fn is_encoded(text: &str) -> bool {
    decode(text).is_some_and(|value| !value.is_empty() && encode(&value) == text)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut value = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        value.push(match byte {
            b'%' => (digit(bytes.next()?)? << 4) | digit(bytes.next()?)?,
            byte => byte,
        });
    }
    Some(value)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn is_hash(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_file(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(EXTENSION) else {
        return false;
    };
    match stem.rsplit_once('-') {
        Some((control_id, digits)) => is_value(control_id) && is_hash(digits),
        None => is_hash(stem),
    }
}

fn is_date(year: &str, month: &str, day: &str) -> bool {
    let number = |text: &str, length| {
        let digits = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<i16>().ok()).flatten()
    };
    let two = |text| number(text, 2).and_then(|number| i8::try_from(number).ok());
    match (number(year, 4), two(month), two(day)) {
        (Some(year), Some(month), Some(day)) => Date::new(year, month, day).is_ok(),
        _ => false,
    }
}
