use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, X_CONTENT_TYPE_OPTIONS};
use ring::digest::{SHA256, digest};

use crate::{JwkSet, KeyRing, Publisher};

/// A key set as it is sent.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) body: Vec<u8>,
    /// With its quotation marks.
    pub(crate) etag: HeaderValue,
    /// From when on it is what the ring says, and until when.
    pub(crate) from: SystemTime,
    pub(crate) until: Option<SystemTime>,
    keys: usize,
}

impl Document {
    fn new(ring: &KeyRing, now: SystemTime) -> Self {
        let set = JwkSet::of(ring, now);
        let body = set.to_json().into_bytes();
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, &body));
        let etag = HeaderValue::from_str(&format!("\"{hash}\""));
        Self {
            // Base64url is always a valid value.
            etag: etag.unwrap_or(HeaderValue::from_static("\"\"")),
            from: now,
            until: ring.next_change(now),
            keys: set.keys().len(),
            body,
        }
    }

    pub(crate) fn headers(&self) -> [(HeaderName, HeaderValue); 4] {
        const JWK_SET: HeaderValue = HeaderValue::from_static("application/jwk-set+json");
        const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
        const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");
        [
            (CONTENT_TYPE, JWK_SET),
            (CACHE_CONTROL, CACHED),
            (ETAG, self.etag.clone()),
            (X_CONTENT_TYPE_OPTIONS, NO_SNIFF),
        ]
    }

    fn is_of(&self, now: SystemTime) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

// The value above is a literal.
const _: () = assert!(Publisher::MAX_AGE_SECONDS == 300);

/// The ring of a tenant, and the document that was last made of it.
pub(super) struct Set {
    /// `None` where it could never be read.
    ring: Option<KeyRing>,
    failed: bool,
    document: RwLock<Option<Arc<Document>>>,
}

impl Set {
    pub(super) const fn new(ring: KeyRing) -> Self {
        Self {
            ring: Some(ring),
            failed: false,
            document: RwLock::new(None),
        }
    }

    /// With the ring as it was when it could be read.
    pub(super) const fn failed(ring: Option<KeyRing>) -> Self {
        Self {
            ring,
            failed: true,
            document: RwLock::new(None),
        }
    }

    pub(super) const fn ring(&self) -> Option<&KeyRing> {
        self.ring.as_ref()
    }

    pub(super) fn is_ready(&self, now: SystemTime) -> bool {
        !self.failed && self.document(now).is_some_and(|document| document.keys > 0)
    }

    pub(super) fn document(&self, now: SystemTime) -> Option<Arc<Document>> {
        let known = self.document.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = &*known
            && document.is_of(now)
        {
            return Some(Arc::clone(document));
        }
        drop(known);
        let document = Arc::new(Document::new(self.ring.as_ref()?, now));
        *self
            .document
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&document));
        Some(document)
    }
}
