use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use jwks_publisher::{Algorithm, NewKey, PrivateKey, RingSecret, RotationPolicy, Secret};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A moment, in seconds after the tests' beginning of time.
pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

/// Keys are slow to make: each test takes some of these.
static KEYS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let make = || PrivateKey::generate_p384().unwrap().expose_der().to_vec();
    (0..40).map(|_| make()).collect()
});

/// Key number `index`, for ES384.
pub(crate) fn key(index: usize) -> NewKey {
    let private = PrivateKey::from_pkcs8(&KEYS[index]).unwrap();
    NewKey::new(private, Algorithm::Es384).unwrap()
}

pub(crate) fn kid(index: usize) -> String {
    key(index).public.kid().to_owned()
}

pub(crate) fn policy(grace: Duration, lead_time: Duration) -> RotationPolicy {
    RotationPolicy {
        grace,
        lead_time,
        ..RotationPolicy::default()
    }
}

/// What opens the rings of these tests, without the time that a passphrase takes.
pub(crate) fn secret() -> RingSecret {
    RingSecret::key_file(&Secret::new("ab".repeat(32))).unwrap()
}
