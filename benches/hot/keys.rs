//! Signing a token request, and answering for the keys it is checked with.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fhir_http::Random;
use http::header::{ETAG, IF_NONE_MATCH};
use http::{Request, StatusCode};
use jwks_publisher::{Algorithm, KeyStore, MemoryStore, NewKey, PrivateKey, Publisher, Tenant};
use smart_auth::{ClientAssertion, SigningKey};

use crate::Result;

/// A key of the tests, known to everybody.
const KEY: &[u8] = include_bytes!("../../smart-auth/tests/keys/rsa2048-pkcs8.pem");
/// One is hundreds of times what is around it; ten are enough to be the same each time.
const REQUESTS: usize = 10;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// The key is read once: a mark that it is not again for each.
pub(crate) fn assertions(rounds: usize) -> Result<()> {
    let key = SigningKey::parse(KEY)?.with_algorithm(smart_auth::Algorithm::Rs384)?;
    let assertion = ClientAssertion::new("client", "https://ehr.example/token");
    for _ in 0..rounds * REQUESTS {
        black_box(assertion.sign(&key, now(), &Zeros)?);
    }
    Ok(())
}

/// The key set of a tenant, whole and not modified.
pub(crate) fn key_sets(rounds: usize) -> Result<()> {
    let key = || NewKey::new(PrivateKey::parse(KEY)?, Algorithm::Rs384);
    let store: Arc<dyn KeyStore> = Arc::new(MemoryStore::new());
    store.generate("bench", now(), key()?)?;
    let publisher = Publisher::new(now);
    publisher.publish(Tenant::parse("acme")?, store.load()?);
    let path = "/jwks/acme.json";
    let whole = Request::get(path).body(())?;
    let tag = publisher.respond(&whole).headers()[ETAG].clone();
    let unchanged = Request::get(path).header(IF_NONE_MATCH, tag).body(())?;
    for _ in 0..rounds * REQUESTS {
        assert_eq!(publisher.respond(&whole).status(), StatusCode::OK);
        assert_eq!(
            publisher.respond(&unchanged).status(),
            StatusCode::NOT_MODIFIED
        );
    }
    Ok(())
}

struct Zeros;

impl Random for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}
