//! Times in a configuration: whole seconds, or a number with a unit.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Times beyond it are slips of the pen, and would overflow clocks.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

pub(crate) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Time::deserialize(deserializer).map(|time| time.0)
}

pub(crate) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    required(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(try_from = "toml::Value")]
struct Time(Duration);

impl TryFrom<toml::Value> for Time {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        let time = match &value {
            toml::Value::Integer(seconds) => (*seconds).try_into().ok().map(Duration::from_secs),
            toml::Value::String(text) => parse(text),
            _ => None,
        };
        time.filter(|time| !time.is_zero() && *time <= LONGEST)
            .map(Self)
            .ok_or(
                "a time is a number of seconds or has a unit, such as \"500ms\", \"30s\", \
                 \"5m\", \"2h\" or \"7d\"; it is longer than zero and at most 366 days",
            )
    }
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let milliseconds = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, milliseconds) in [
            ("7", Some(7_000)),
            ("\"500ms\"", Some(500)),
            ("\"30s\"", Some(30_000)),
            ("\"5m\"", Some(300_000)),
            ("\"2h\"", Some(7_200_000)),
            ("\"366d\"", Some(31_622_400_000)),
            ("\"367d\"", None),
            ("0", None),
            ("\"0s\"", None),
            ("-1", None),
            ("1.5", None),
            ("\"30\"", None),
            ("\"s\"", None),
            ("\"5 m\"", None),
            ("\"-5m\"", None),
            ("\"5M\"", None),
            ("\"99999999999999999999d\"", None),
            ("\"18446744073709551615d\"", None),
            ("\"5µ\"", None),
            ("true", None),
        ] {
            let value: toml::Table = format!("it = {text}").parse().expect("TOML");
            let time = Time::try_from(value["it"].clone()).ok();
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(time.map(|time| time.0), expected, "{text}");
        }
    }
}
