//! An EHR whose every answer is full of canaries, and which can be told to echo
//! all it knows where something fails.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

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
}

#[derive(Default)]
struct Told {
    base: Mutex<String>,
    /// Part of the path and query, and what happens to it.
    bad: Mutex<Option<(&'static str, Bad)>>,
    asked: Mutex<Vec<String>>,
    held: Mutex<Option<&'static str>>,
    release: Condvar,
}

impl Ehr {
    pub(super) fn start() -> Self {
        let address = "127.0.0.1:0".parse().expect("an address");
        let bound = Server::bind(address, Limits::default()).expect("a port");
        let base = format!("http://{}", bound.local_addr());
        let told = Arc::new(Told::default());
        lock(&told.base).clone_from(&base);
        let own = told.clone();
        let handler = move |request: Request<Vec<u8>>| own.answer(&request);
        let server = bound.serve(Arc::new(handler)).expect("a server");
        Self {
            base,
            told,
            _server: server,
        }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// From now on what has this in its path or query is answered badly.
    pub(super) fn fails(&self, part: &'static str, bad: Bad) {
        *lock(&self.told.bad) = Some((part, bad));
    }

    pub(super) fn mend(&self) {
        *lock(&self.told.bad) = None;
    }

    /// Requests with this in their path wait until [`Self::let_go`].
    pub(super) fn hold(&self, part: &'static str) {
        *lock(&self.told.held) = Some(part);
    }

    pub(super) fn let_go(&self) {
        *lock(&self.told.held) = None;
        self.told.release.notify_all();
    }

    /// Whether something with this in its path or query was asked for.
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
        let uri = request.uri().to_string();
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
        let search = |resource: &Value| json!({"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": resource}]});
        let value = match path.trim_start_matches("/fhir/") {
            ".well-known/smart-configuration" => json!({
                "token_endpoint": format!("{base}/token?for={}", canary::IDENTIFIER),
                "capabilities": ["client-confidential-asymmetric"],
            }),
            "/token" => json!({
                "access_token": canary::TOKEN, "token_type": "bearer", "expires_in": 300,
                "scope": "system/*.rs",
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
