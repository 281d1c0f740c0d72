/// The earliest instant FHIR can write, `0001-01-01T00:00:00.000Z`, in milliseconds since the Unix epoch.
pub const EARLIEST: i64 = -62_135_596_800_000;

/// The latest instant FHIR can write, `9999-12-31T23:59:59.999Z`, in milliseconds since the Unix epoch.
pub const LATEST: i64 = 253_402_300_799_999;

/// Appends `milliseconds` since the Unix epoch as a FHIR [instant] in UTC, such as `2026-01-02T03:04:05.678Z`.
///
/// An instant has a four-digit year from 0001 on: times outside [`EARLIEST`]..=[`LATEST`] are written as the nearer of the two.
///
/// [instant]: https://hl7.org/fhir/R4/datatypes.html#instant
///
/// ```
/// let mut text = Vec::new();
/// fhir_provenance::write_instant(951_782_400_000, &mut text);
/// assert_eq!(text, b"2000-02-29T00:00:00.000Z");
/// ```
pub fn write_instant(milliseconds: i64, out: &mut Vec<u8>) {
    let milliseconds = milliseconds.clamp(EARLIEST, LATEST);
    let (year, month, day) = civil(milliseconds.div_euclid(MILLISECONDS_A_DAY));
    let time = milliseconds.rem_euclid(MILLISECONDS_A_DAY);

    write_digits(year, 4, out);
    out.push(b'-');
    write_digits(month, 2, out);
    out.push(b'-');
    write_digits(day, 2, out);
    out.push(b'T');
    write_digits(time / 3_600_000, 2, out);
    out.push(b':');
    write_digits(time / 60_000 % 60, 2, out);
    out.push(b':');
    write_digits(time / 1_000 % 60, 2, out);
    out.push(b'.');
    write_digits(time % 1_000, 3, out);
    out.push(b'Z');
}

/// Year, month and day of a number of days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// Counts in years that begin in March, so that the leap day is the last day of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_FROM_0000_03_01_TO_EPOCH;
    let era = days.div_euclid(DAYS_AN_ERA);
    let day_of_era = days.rem_euclid(DAYS_AN_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

fn write_digits(value: i64, width: u32, out: &mut Vec<u8>) {
    for place in (0..width).rev() {
        let digit = value / 10_i64.pow(place) % 10;
        // A digit of a value that isn't negative is 0..=9.
        out.push(b'0' + digit as u8);
    }
}

const MILLISECONDS_A_DAY: i64 = 86_400_000;
const DAYS_AN_ERA: i64 = 146_097;
const DAYS_FROM_0000_03_01_TO_EPOCH: i64 = 719_468;
