//! An EHR, or the FHIR server of a store, whose every answer is full of canaries,
//! and which can be told to echo all it knows where something fails.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use ehr_sandbox::{InProcess, Sandbox, WriteSettings};
use fhir_http::HttpClient as _;
use http::{Request, Response};
use http_serve::{Body, Limits, Server};
use serde_json::{Value, json};

use super::canary;
use super::content::{observation, patient};

/// How a request is answered badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// This status, with an OperationOutcome or an OAuth error that echoes.
    Status(u16),
    /// Status 200 and a page that echoes.
    Page,
    /// JSON that ends in the middle.
    Cut,
    /// Valid JSON of which no member is of the type it has to be.
    Types,
    /// A redirect to another origin, with a query that echoes.
    Redirect,
    /// A body shorter than its length says.
    Short,
}

pub(super) struct Ehr {
    base: String,
    told: Arc<Told>,
    _server: Server,
    _store: Option<Sandbox>,
}

#[derive(Default)]
struct Told {
    base: Mutex<String>,
    /// What can be written to stands behind this one.
    store: Option<(String, InProcess)>,
    /// Part of the method, path and query, and what happens to it.
    bad: Mutex<Option<(&'static str, Bad)>>,
    asked: Mutex<Vec<String>>,
    held: Mutex<Option<&'static str>>,
    release: Condvar,
}

impl Ehr {
    pub(super) fn start() -> Self {
        Self::before(None)
    }

    /// One that keeps what is written to it.
    pub(super) fn store(settings: WriteSettings) -> Self {
        let store = Sandbox::builder().open().writes(settings).in_process();
        Self::before(Some(store.expect("a server")))
    }

    fn before(store: Option<Sandbox>) -> Self {
        let address = "127.0.0.1:0".parse().expect("an address");
        let bound = Server::bind(address, Limits::default()).expect("a port");
        let base = format!("http://{}", bound.local_addr());
        let behind = store.as_ref().map(|own| (own.base(), own.transport()));
        let told = Arc::new(Told {
            store: behind,
            ..Told::default()
        });
        lock(&told.base).clone_from(&base);
        let own = told.clone();
        let handler = move |request: Request<Vec<u8>>| own.answer(&request);
        let server = bound.serve(Arc::new(handler)).expect("a server");
        Self {
            base,
            told,
            _server: server,
            _store: store,
        }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// From now on what has this in its method, path or query is answered badly.
    pub(super) fn fails(&self, part: &'static str, bad: Bad) {
        *lock(&self.told.bad) = Some((part, bad));
    }

    pub(super) fn mend(&self) {
        *lock(&self.told.bad) = None;
    }

    /// Requests with this in their method, path or query wait until [`Self::let_go`].
    pub(super) fn hold(&self, part: &'static str) {
        *lock(&self.told.held) = Some(part);
    }

    pub(super) fn let_go(&self) {
        *lock(&self.told.held) = None;
        self.told.release.notify_all();
    }

    /// Whether something with this in its method, path or query was asked for.
    pub(super) fn was_asked(&self, part: &str) -> bool {
        lock(&self.told.asked).iter().any(|own| own.contains(part))
    }

    pub(super) fn forget(&self) {
        lock(&self.told.asked).clear();
    }
}

impl Drop for Ehr {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Told {
    fn answer(&self, request: &Request<Vec<u8>>) -> Response<Body> {
        let uri = format!("{} {}", request.method(), request.uri());
        lock(&self.asked).push(uri.clone());
        let mut held = lock(&self.held);
        while held.is_some_and(|part| uri.contains(part)) {
            held = self
                .release
                .wait(held)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(held);
        let bad = *lock(&self.bad);
        match bad.filter(|(part, _)| uri.contains(part)) {
            Some((_, bad)) => badly(request, bad),
            None => self.well(request),
        }
    }

    fn well(&self, request: &Request<Vec<u8>>) -> Response<Body> {
        let base = lock(&self.base).clone();
        let path = request.uri().path();
        let own = [".well-known", "/token"];
        if let Some((there, store)) = &self.store
            && !own.iter().any(|part| path.contains(part))
        {
            return forwarded(request, there, store);
        }
        let search = |resource: &Value| json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": resource}]});
        let value = match path.trim_start_matches("/fhir/") {
            ".well-known/smart-configuration" => json!({
                "token_endpoint": format!("{base}/token?for={}", canary::IDENTIFIER),
                "capabilities": ["client-confidential-asymmetric"],
            }),
            "/token" => json!({
                "access_token": canary::TOKEN, "token_type": "bearer", "expires_in": 300,
                "scope": if self.store.is_some() { "system/*.cruds" } else { "system/*.rs" },
            }),
            "metadata" => {
                json!({"resourceType": "CapabilityStatement", "rest": [{"mode": "server"}]})
            }
            "$export" | "Patient/$export" => {
                let url = format!("{base}/status?mrn={}", canary::MRN);
                return reply(202, &[("content-location", &url)], String::new());
            }
            "/status" if request.method() == "DELETE" => return reply(202, &[], String::new()),
            "/status" => json!({
                "transactionTime": "2026-11-22T08:30:00Z",
                "request": format!("{base}/fhir/$export?name={}", canary::FAMILY),
                "requiresAccessToken": true,
                "output": [
                    {"type": "Patient", "url": format!("{base}/file/1?key={}", canary::CLIENT_SECRET)},
                    {"type": "Observation", "url": format!("{base}/file/2?key={}", canary::TOKEN)},
                ],
                "error": [],
            }),
            "/file/1" => return reply(200, &[NDJSON], format!("{}\n", patient(""))),
            "/file/2" => return reply(200, &[NDJSON], format!("{}\n", observation(""))),
            // Who was merged into another is not there any more.
            "Patient" if !request.uri().to_string().contains(canary::MRN) => {
                json!({"resourceType": "Bundle", "type": "searchset"})
            }
            "Patient" => search(&serde_json::from_str(&patient("")).expect("JSON")),
            "Observation" => search(&serde_json::from_str(&observation("")).expect("JSON")),
            "Encounter" | "Condition" | "MedicationRequest" => {
                json!({"resourceType": "Bundle", "type": "searchset"})
            }
            own if own == format!("Patient/{}", canary::ID) => return json_reply(200, patient("")),
            _ => return badly(request, Bad::Status(404)),
        };
        json_reply(200, value.to_string())
    }
}

/// The answer of the server behind, which is on another address.
fn forwarded(request: &Request<Vec<u8>>, there: &str, store: &InProcess) -> Response<Body> {
    let uri = request.uri().to_string();
    let rest = uri.strip_prefix("/fhir").unwrap_or(&uri);
    let mut other = Request::builder()
        .method(request.method())
        .uri(format!("{there}{rest}"));
    // It is open, and knows none of our tokens.
    let headers = request.headers().iter();
    for (name, value) in headers.filter(|(name, _)| *name != "authorization") {
        other = other.header(name, value);
    }
    let other = other.body(request.body().clone()).expect("a request");
    let (parts, mut body) = store.send(other).expect("an answer").into_parts();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut body, &mut bytes).expect("memory");
    Response::from_parts(parts, Body::from(bytes))
}

const NDJSON: (&str, &str) = ("content-type", "application/fhir+ndjson");

/// All canaries, and the whole request.
fn echo(request: &Request<Vec<u8>>) -> String {
    let mut text = format!("{} {} {}", canary::all(), request.method(), request.uri());
    for value in request.headers().values() {
        text.push(' ');
        text.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    text.push(' ');
    text.push_str(&String::from_utf8_lossy(request.body()));
    text
}

fn badly(request: &Request<Vec<u8>>, bad: Bad) -> Response<Body> {
    let echo = echo(request);
    let all = canary::all();
    let outcome = |severity: &str| {
        json!({
            "resourceType": "OperationOutcome", "id": canary::ID,
            "error": "invalid_client", "error_description": echo, "error_uri": echo,
            "text": {"div": echo},
            "issue": [{
                "severity": severity, "code": "processing", "diagnostics": echo,
                "details": {"text": echo, "coding": [{"code": all, "display": all}]},
                "location": [echo], "expression": [echo],
            }],
        })
    };
    match bad {
        Bad::Status(code) => {
            let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{all}\"");
            let headers = [
                ("content-type", "application/fhir+json"),
                ("www-authenticate", &challenge),
                ("retry-after", &all),
                ("etag", &all),
                ("x-request-id", &all),
                ("x-progress", &all),
            ];
            reply(code, &headers, outcome("error").to_string())
        }
        Bad::Page => reply(
            200,
            &[("content-type", "text/html")],
            format!("<p>{echo}</p>"),
        ),
        Bad::Cut => {
            let mut text = outcome("error").to_string();
            text.truncate(text.len() - 40);
            json_reply(200, text)
        }
        Bad::Types => json_reply(
            200,
            json!({
                "resourceType": all, "token_endpoint": [all], "access_token": [all],
                "token_type": all, "expires_in": all, "scope": {"of": all}, "transactionTime": all,
                "request": [all], "output": [{"type": all, "url": all, "count": all}, all],
                "error": all, "entry": all, "rest": all, "link": all, "id": [all],
            })
            .to_string(),
        ),
        Bad::Redirect => {
            let mut query: String = all.split(' ').map(|word| format!("{word}&")).collect();
            query.push_str("end");
            let url = format!("https://localhost:1/{}?{query}", canary::TOKEN);
            reply(307, &[("location", &url), ("content-location", &url)], echo)
        }
        Bad::Short => {
            let length = Some(echo.len() as u64 + 100);
            let reader = Box::new(std::io::Cursor::new(echo));
            Response::new(Body::Stream { reader, length })
        }
    }
}

fn json_reply(code: u16, text: String) -> Response<Body> {
    reply(code, &[("content-type", "application/fhir+json")], text)
}

fn reply(code: u16, headers: &[(&str, &str)], text: String) -> Response<Body> {
    let mut response = Response::builder().status(code);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(text)).expect("a response")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
