use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A FHIR [`instant`](https://hl7.org/fhir/R4/datatypes.html#instant): a date,
/// a time to the second at least, and a zone. Kept as the text it came as, so
/// that a server gets back exactly what it said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Instant(String);

impl Instant {
    /// Checks the form of `text`.
    ///
    /// # Errors
    /// [`Error::Instant`] when it is no instant, or one that does not exist.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        check(&text).map_err(Error::Instant)?;
        Ok(Self(text))
    }

    /// The text as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which moment it is.
    pub(crate) fn timestamp(&self) -> Option<jiff::Timestamp> {
        self.0.parse().ok()
    }
}

fn check(text: &str) -> std::result::Result<(), &'static str> {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let (head, mut tail) = text
        .as_bytes()
        .split_at_checked(SHAPE.len())
        .ok_or("date, time and zone are all needed")?;
    let fits = |(&byte, &shape): (&u8, &u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        _ => byte == shape,
    };
    if !head.iter().zip(SHAPE).all(fits) {
        return Err("it does not read YYYY-MM-DDThh:mm:ss");
    }
    if let Some(fraction) = tail.strip_prefix(b".") {
        let digits = fraction
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 {
            return Err("its fraction has no digits");
        }
        tail = &fraction[digits..];
    }
    let zone = match tail {
        b"Z" => true,
        [b'+' | b'-', zone @ ..] => zone.len() == 5 && zone.iter().zip(b"dd:dd").all(fits),
        _ => false,
    };
    if !zone {
        return Err("its zone is neither Z nor ±hh:mm");
    }
    // A fraction of any length is legal, a parser takes nine digits.
    let whole = format!("{}{}", &text[..SHAPE.len()], String::from_utf8_lossy(tail));
    whole
        .parse::<jiff::Timestamp>()
        .map_err(|_| "there is no such date or time")?;
    Ok(())
}

impl FromStr for Instant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for Instant {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<Instant> for String {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
