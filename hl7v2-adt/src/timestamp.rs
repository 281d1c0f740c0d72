use std::fmt;

/// A point in time as HL7 v2 writes it (data type DTM, section 2A.2.22):
/// `YYYY[MM[DD[HH[MM[SS[.S…]]]]]][±ZZZZ]`.
///
/// What isn't written isn't known: neither the parts behind its precision nor,
/// without an offset, the time zone. None is assumed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    nanosecond: u32,
    precision: Precision,
    /// Minutes east of UTC.
    offset: Option<i16>,
}

/// How much of a [`Timestamp`] is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precision {
    /// `YYYY`
    Year,
    /// `YYYYMM`
    Month,
    /// `YYYYMMDD`
    Day,
    /// `YYYYMMDDHH`
    Hour,
    /// `YYYYMMDDHHMM`
    Minute,
    /// `YYYYMMDDHHMMSS`
    Second,
    /// With this many digits of a fraction, one to nine.
    Fraction(u8),
}

impl Timestamp {
    /// Reads one, blanks around it aside. `None` for what is no such text, or
    /// no such day.
    ///
    /// An offset of hours alone (`+05`) is taken, and so are more than four
    /// digits of a fraction; what is behind the ninth is dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, offset) = match text.find(['+', '-']) {
            Some(at) => (&text[..at], Some(parse_offset(&text[at..])?)),
            None => (text, None),
        };
        let (digits, fraction) = match local.split_once('.') {
            Some((digits, fraction)) => (digits, Some(fraction)),
            None => (local, None),
        };
        let precision = match (digits.len(), fraction) {
            (14, Some(fraction)) => Precision::Fraction(u8::try_from(fraction.len().min(9)).ok()?),
            (14, None) => Precision::Second,
            (_, Some(_)) => return None,
            (12, None) => Precision::Minute,
            (10, None) => Precision::Hour,
            (8, None) => Precision::Day,
            (6, None) => Precision::Month,
            (4, None) => Precision::Year,
            _ => return None,
        };
        let pair = |start: usize, absent: u8| match digits.get(start..start + 2) {
            Some(pair) => number(pair).and_then(|number| u8::try_from(number).ok()),
            None => Some(absent),
        };
        let parsed = Self {
            year: u16::try_from(number(digits.get(..4)?)?).ok()?,
            month: pair(4, 1)?,
            day: pair(6, 1)?,
            hour: pair(8, 0)?,
            minute: pair(10, 0)?,
            second: pair(12, 0)?,
            nanosecond: fraction.map_or(Some(0), nanoseconds)?,
            precision,
            offset,
        };
        parsed.is_possible().then_some(parsed)
    }

    /// A time in UTC: seconds since 1970-01-01, to the second. Before the year
    /// 0 and after 9999 it is the nearest that can be written.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Self {
        let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let narrow = |value: i64| u8::try_from(value).unwrap_or_default();
        Self {
            year: u16::try_from(year).unwrap_or_default(),
            month: narrow(month),
            day: narrow(day),
            hour: narrow(of_day / 3600),
            minute: narrow(of_day / 60 % 60),
            second: narrow(of_day % 60),
            nanosecond: 0,
            precision: Precision::Second,
            offset: Some(0),
        }
    }

    /// Seconds since 1970-01-01 UTC of its beginning. `offset` are the minutes
    /// east of UTC to assume where it names none.
    #[must_use]
    pub fn to_unix(&self, offset: i16) -> i64 {
        let days = days(
            i64::from(self.year),
            i64::from(self.month),
            i64::from(self.day),
        );
        let minutes = i64::from(self.hour) * 60 + i64::from(self.minute)
            - i64::from(self.offset.unwrap_or(offset));
        days * 86_400 + minutes * 60 + i64::from(self.second)
    }

    /// Year, month and day; one for what isn't known.
    #[must_use]
    pub fn date(&self) -> (u16, u8, u8) {
        (self.year, self.month, self.day)
    }

    /// How much of it is known.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Minutes east of UTC, if written.
    #[must_use]
    pub fn offset(&self) -> Option<i16> {
        self.offset
    }

    /// As HL7 v2 writes it.
    #[must_use]
    pub fn to_hl7(&self) -> String {
        self.written(["", "", "", "", ""], "")
    }

    fn written(&self, [day, time, clock, zone, utc]: [&str; 5], colon: &str) -> String {
        use std::fmt::Write;
        let mut text = format!("{:04}", self.year);
        // Writing to a string can't fail.
        let _ = (|| {
            if self.precision >= Precision::Month {
                write!(text, "{day}{:02}", self.month)?;
            }
            if self.precision >= Precision::Day {
                write!(text, "{day}{:02}", self.day)?;
            }
            if self.precision >= Precision::Hour {
                write!(text, "{time}{:02}", self.hour)?;
            }
            if self.precision >= Precision::Minute {
                write!(text, "{clock}{:02}", self.minute)?;
            }
            if self.precision >= Precision::Second {
                write!(text, "{clock}{:02}", self.second)?;
            }
            if let Precision::Fraction(digits) = self.precision {
                let all = format!("{:09}", self.nanosecond);
                write!(text, ".{}", &all[..usize::from(digits)])?;
            }
            match self.offset {
                Some(0) if !utc.is_empty() => text.write_str(utc),
                Some(minutes) => {
                    let sign = if minutes < 0 { '-' } else { '+' };
                    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
                    write!(text, "{zone}{sign}{hours:02}{colon}{minutes:02}")
                }
                None => Ok(()),
            }
        })();
        text
    }

    fn is_possible(&self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }
}

/// ISO 8601: `2024-03-01T10:14:59.123+01:00`, as far as it is known.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(["-", "T", ":", "", "Z"], ":"))
    }
}

/// Precision and offset. The time itself may be a birth date.
impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timestamp")
            .field("precision", &self.precision)
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

fn number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn nanoseconds(fraction: &str) -> Option<u32> {
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kept = &fraction[..fraction.len().min(9)];
    number(&format!("{kept:0<9}")).filter(|_| !kept.is_empty())
}

fn parse_offset(text: &str) -> Option<i16> {
    let digits = text.get(1..)?;
    let hours = i16::try_from(number(digits.get(..2)?)?).ok()?;
    let minutes = match digits.len() {
        2 => 0,
        4 => i16::try_from(number(&digits[2..])?).ok()?,
        _ => return None,
    };
    if hours > 14 || minutes > 59 {
        return None;
    }
    let total = hours * 60 + minutes;
    Some(if text.starts_with('-') { -total } else { total })
}

fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(if year.is_multiple_of(100) { 400 } else { 4 });
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Years are counted
/// from March, so that a leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of that many days after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = (month + 2) % 12 + 1;
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day)
}
