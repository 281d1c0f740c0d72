//! Answers requests for key sets, as a function from request to response.

mod conditional;
mod document;
mod reload;
mod tenant;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

pub(crate) use document::Document;
pub use reload::Reload;
pub use tenant::Tenant;

use crate::KeyRing;
use conditional::Condition;
use document::Set;

/// Publishes key sets over HTTP. It does no input or output: any server can
/// call [`respond`](Self::respond).
///
/// | path | answer |
/// | --- | --- |
/// | `/.well-known/jwks.json` | the default key set |
/// | `/jwks/TENANT.json` | that of a tenant |
/// | `/healthz` | 200: it runs |
/// | `/readyz` | 200, or 503 while a key set has no key or could not be read |
///
/// Names are looked up among the sets it has: no path is ever made of one.
pub struct Publisher {
    now: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    default: Option<Tenant>,
    sets: RwLock<BTreeMap<Tenant, Arc<Set>>>,
}

impl Publisher {
    /// For how long a verifier may keep a document, in seconds.
    pub const MAX_AGE_SECONDS: u32 = 300;

    /// A publisher without key sets. `now` tells the time.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self {
            now: Arc::new(now),
            default: None,
            sets: RwLock::default(),
        }
    }

    /// The tenant whose key set is the default one.
    #[must_use]
    pub fn default_set(mut self, tenant: Tenant) -> Self {
        self.default = Some(tenant);
        self
    }

    /// Publishes a ring from now on, in the place of what the tenant had. What
    /// is published follows the clock from then on.
    pub fn publish(&self, tenant: Tenant, ring: KeyRing) {
        self.write().insert(tenant, Arc::new(Set::new(ring)));
    }

    /// Says that the ring of a tenant can't be read. What was published of it
    /// stays, as long as its times allow. Where that is nothing, the answer is
    /// 503: a verifier that is sent an empty set may drop the keys it has.
    pub fn fail(&self, tenant: &Tenant) {
        let mut sets = self.write();
        let known = sets.get(tenant).and_then(|set| set.ring().cloned());
        sets.insert(tenant.clone(), Arc::new(Set::failed(known)));
    }

    /// Answers a request. The response is complete: status, all headers with
    /// `Content-Length`, and for other methods than HEAD the body.
    pub fn respond<B>(&self, request: &Request<B>) -> Response<Vec<u8>> {
        let mut response = self.answer(request.method(), request.uri().path(), request.headers());
        let length = response.body().len();
        if response.status() != StatusCode::NOT_MODIFIED {
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if request.method() == Method::HEAD {
            response.body_mut().clear();
        }
        response
    }

    /// Whether every key set was read and has a key.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let now = (self.now)();
        let sets = self.read();
        !sets.is_empty() && sets.values().all(|set| set.is_ready(now))
    }

    /// Whether there is a key set for a tenant.
    fn has(&self, tenant: &Tenant) -> bool {
        self.read().contains_key(tenant)
    }

    /// Whether a key set was ever read that had keys.
    fn has_keys(&self, tenant: &Tenant) -> bool {
        let sets = self.read();
        let ring = sets.get(tenant).and_then(|set| set.ring());
        ring.is_some_and(|ring| !ring.keys().is_empty())
    }

    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Vec<u8>> {
        let Some(page) = self.page(path) else {
            return text(StatusCode::NOT_FOUND, "there is no key set here\n");
        };
        if method != Method::GET && method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        match page {
            Page::Alive => text(StatusCode::OK, "ok\n"),
            Page::Ready if self.is_ready() => text(StatusCode::OK, "ready\n"),
            Page::Ready => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "a key set has no key or can't be read\n",
            ),
            Page::Set(set) => match set.document((self.now)()) {
                Some(found) => document(&found, headers),
                None => text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the key set can't be read now\n",
                ),
            },
        }
    }

    fn page(&self, path: &str) -> Option<Page> {
        let tenant = match path {
            "/healthz" => return Some(Page::Alive),
            "/readyz" => return Some(Page::Ready),
            WELL_KNOWN => self.default.clone()?,
            _ => {
                let name = path.strip_prefix("/jwks/")?.strip_suffix(".json")?;
                Tenant::parse(name).ok()?
            }
        };
        self.read().get(&tenant).cloned().map(Page::Set)
    }

    /// The documents at `now`, by path, for export.
    pub(crate) fn documents(&self) -> Vec<(String, Arc<Document>)> {
        let now = (self.now)();
        let sets = self.read();
        let default = self.default.iter().filter_map(|tenant| {
            let document = sets.get(tenant)?.document(now)?;
            Some((WELL_KNOWN.to_owned(), document))
        });
        let tenants = sets
            .iter()
            .filter_map(|(tenant, set)| Some((format!("/jwks/{tenant}.json"), set.document(now)?)));
        default.chain(tenants).collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Tenant, Arc<Set>>> {
        self.sets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Tenant, Arc<Set>>> {
        self.sets.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("default", &self.default)
            .field("tenants", &self.read().keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

enum Page {
    Alive,
    Ready,
    Set(Arc<Set>),
}

fn document(document: &Document, headers: &HeaderMap) -> Response<Vec<u8>> {
    let status = match Condition::of(headers, &document.etag) {
        Condition::Send => StatusCode::OK,
        Condition::NotModified => StatusCode::NOT_MODIFIED,
        Condition::Failed => StatusCode::PRECONDITION_FAILED,
    };
    let body = match status {
        StatusCode::OK => document.body.clone(),
        _ => Vec::new(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in document.headers() {
        // Of what is not sent, only what a cache needs is told.
        if status == StatusCode::OK || name == ETAG || name == CACHE_CONTROL {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn text(status: StatusCode, body: &'static str) -> Response<Vec<u8>> {
    let mut response = Response::new(body.as_bytes().to_vec());
    *response.status_mut() = status;
    let headers: [(HeaderName, &str); 3] = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

const WELL_KNOWN: &str = "/.well-known/jwks.json";
