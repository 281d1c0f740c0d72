use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads an HTTP date in any of its three forms
/// ([RFC 9110, 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)):
/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and
/// `Sun Nov  6 08:49:37 1994`. The day of the week is not looked at: servers
/// get it wrong, and it says nothing new.
///
/// `now` decides the century of a year of two digits.
pub(crate) fn parse(text: &str, now: SystemTime) -> Option<SystemTime> {
    let spaced = text.replace([',', '-'], " ");
    let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    let (day, month, year, clock) = match *words.as_slice() {
        [_, day, month, year, clock, "GMT" | "UTC"] => (day, month, year, clock),
        [_, month, day, clock, year] if year.len() == 4 => (day, month, year, clock),
        _ => return None,
    };
    let year = match (year.len(), number(year)?) {
        (4, year) => year,
        (2, year) => full_year(year, now)?,
        _ => return None,
    };
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let date_time = DateTime::new(
        year,
        month_number(month)?,
        number(day)?.try_into().ok()?,
        number(hour)?.try_into().ok()?,
        number(minute)?.try_into().ok()?,
        // 60 is a leap second, which no clock here counts.
        number(second)?.min(59).try_into().ok()?,
        0,
    );
    let instant = date_time.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(instant.into())
}

/// The year with these last two digits that is at most 50 years ahead.
fn full_year(last_two: i16, now: SystemTime) -> Option<i16> {
    let this_year = Timestamp::try_from(now)
        .ok()?
        .to_zoned(TimeZone::UTC)
        .year();
    let ahead = (last_two - this_year).rem_euclid(100);
    Some(this_year + if ahead > 50 { ahead - 100 } else { ahead })
}

fn month_number(name: &str) -> Option<i8> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let start = MONTHS
        .find(name)
        .filter(|start| name.len() == 3 && start % 3 == 0)?;
    i8::try_from(start / 3 + 1).ok()
}

fn number(digits: &str) -> Option<i16> {
    let plain = digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}
