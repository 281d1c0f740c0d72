use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

use crate::{Random, http_date};

/// When a request is sent again: full-jitter exponential backoff, and what the
/// server asks for by `Retry-After`, within limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a request is sent at most, the first time included.
    pub attempts: u32,
    /// Upper limit of the first wait; it doubles with each attempt.
    pub base: Duration,
    /// Upper limit of every wait of our own choosing.
    pub cap: Duration,
    /// Upper limit of what a server may ask for.
    pub retry_after_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 6,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
            retry_after_cap: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// Never sends again.
    #[must_use]
    pub fn none() -> Self {
        Self {
            attempts: 1,
            ..Self::default()
        }
    }

    /// Whether a status is one that may pass: 408, 425, 429, 500, 502, 503, 504.
    #[must_use]
    pub fn is_transient(status: StatusCode) -> bool {
        matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
    }

    /// How long to wait after attempt number `attempt` (from 1) failed.
    #[must_use]
    pub fn backoff(&self, attempt: u32, random: &dyn Random) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let limit = self.base.saturating_mul(1 << doublings).min(self.cap);
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        let share = (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64;
        limit.mul_f64(share)
    }
}

/// What `Retry-After` asks to wait
/// ([RFC 9110, 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)),
/// in seconds or as a date, never longer than `cap`; `None` where it is
/// missing or makes no sense. What is negative or over already is zero.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime, cap: Duration) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match seconds(text) {
        Some(seconds) => seconds,
        // A date in the past has no duration from now.
        None => http_date::parse(text, now)?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(asked.min(cap))
}

/// Whole seconds. A fraction, which some servers send, counts as one more.
fn seconds(text: &str) -> Option<Duration> {
    let (negative, digits) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    if negative {
        return Some(Duration::ZERO);
    }
    // More digits than fit are a long time too.
    let whole = whole.parse().unwrap_or(u64::MAX);
    let more = u64::from(fraction.bytes().any(|b| b != b'0'));
    Some(Duration::from_secs(whole.saturating_add(more)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const CAP: Duration = Duration::from_secs(300);
    /// 1994-11-06T08:49:00Z, 37 seconds before the date that RFC 9110 shows.
    const NOW: Duration = Duration::from_secs(784_111_740);

    fn read(value: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        retry_after(&headers, SystemTime::UNIX_EPOCH + NOW, CAP).map(|wait| wait.as_secs())
    }

    #[test]
    fn forms_of_retry_after() {
        let cases = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 120 ", Some(120)),
            ("1.5", Some(2)),
            ("-30", Some(0)),
            ("301", Some(300)),
            ("18000", Some(300)),
            // Milliseconds since the epoch, and more digits than any integer has.
            ("1788134400000", Some(300)),
            ("99999999999999999999999999", Some(300)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(37)),
            ("Sun Nov  6 08:49:37 1994", Some(37)),
            ("Sun, 06 Nov 1994 08:49:60 GMT", Some(59)),
            ("Sun, 06 Nov 1994 08:48:59 GMT", Some(0)),
            ("Sunday, 06-Nov-93 08:49:37 GMT", Some(0)),
            // 2044 is fifty years ahead, 1945 is not ahead any more.
            ("Sunday, 06-Nov-44 08:49:37 GMT", Some(300)),
            ("Sunday, 06-Nov-45 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 9999 23:59:59 GMT", Some(300)),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 PST", None),
            ("Sun, 06 Nov 1994 8:49 GMT", None),
            ("Sun, 06 nNo 1994 08:49:37 GMT", None),
            ("", None),
            ("soon", None),
            ("+5", None),
            ("1e3", None),
            ("0x10", None),
            ("-", None),
        ];
        for (value, wait) in cases {
            assert_eq!(read(value), wait, "{value:?}");
        }
        assert_eq!(
            retry_after(&HeaderMap::new(), SystemTime::UNIX_EPOCH, CAP),
            None
        );
    }

    struct Drawn(u64);

    impl Random for Drawn {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0.to_le_bytes());
        }
    }

    #[test]
    fn backoff_doubles_up_to_its_cap() {
        let policy = RetryPolicy::default();
        let seconds = |attempt| {
            policy
                .backoff(attempt, &Drawn(u64::MAX))
                .as_secs_f64()
                .round()
        };
        let limits: Vec<f64> = (1..9).map(seconds).collect();
        assert_eq!(limits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(policy.backoff(3, &Drawn(0)), Duration::ZERO);
        assert_eq!(policy.backoff(3, &Drawn(1 << 63)), Duration::from_secs(2));
    }

    proptest! {
        #[test]
        fn backoff_is_never_above_its_cap(attempt: u32, drawn: u64, base: u64, cap in 0..u64::MAX / 4) {
            let policy = RetryPolicy {
                base: Duration::from_millis(base),
                cap: Duration::from_millis(cap),
                ..RetryPolicy::default()
            };
            prop_assert!(policy.backoff(attempt, &Drawn(drawn)) <= policy.cap);
        }

        #[test]
        fn any_header_is_read_within_the_cap(
            value in prop::collection::vec(any::<u8>(), 0..64),
            cap: u32,
            now in 0..4_000_000_000_u64,
        ) {
            let cap = Duration::from_secs(cap.into());
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value)]);
                let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
                prop_assert!(retry_after(&headers, now, cap).is_none_or(|wait| wait <= cap));
            }
        }

        #[test]
        fn any_date_like_header_is_read_within_the_cap(
            value in "[A-Z][a-z]{2,8},? [0-9]{1,3}[ -](Jan|Feb|Nov|Dec)[ -][0-9]{2,5} [0-9]{1,3}:[0-9]{2}:[0-9]{2}( GMT)?",
            now in 0..4_000_000_000_u64,
        ) {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(&value).unwrap())]);
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            prop_assert!(retry_after(&headers, now, CAP).is_none_or(|wait| wait <= CAP));
        }
    }
}
