use std::time::{SystemTime, UNIX_EPOCH};

use fhir_http::Clock;

/// Milliseconds since the Unix epoch; 0 for instants before it.
#[must_use]
pub fn millis(instant: SystemTime) -> i64 {
    let elapsed = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}

/// A run id: a ULID of the instant and of 80 random bits.
#[must_use]
pub fn run_id(clock: &dyn Clock, random: [u8; 10]) -> String {
    let mut bits = [0; 16];
    bits[6..].copy_from_slice(&random);
    let millis = u64::try_from(millis(clock.now())).unwrap_or_default();
    ulid::Ulid::from_parts(millis, u128::from_be_bytes(bits)).to_string()
}
