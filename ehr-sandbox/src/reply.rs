use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use http_serve::Body;
use serde_json::{Value, json};

/// An answer of the sandbox.
pub(crate) type Reply = Response<Body>;

pub(crate) const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");

pub(crate) fn reply(status: StatusCode, content_type: HeaderValue, body: impl Into<Body>) -> Reply {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, content_type);
    reply
}

pub(crate) fn json(status: StatusCode, document: &Value) -> Reply {
    reply(
        status,
        HeaderValue::from_static("application/json"),
        document.to_string(),
    )
}

pub(crate) fn fhir(text: String) -> Reply {
    reply(StatusCode::OK, FHIR_JSON, text)
}

pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = status;
    reply
}

/// An error with its OperationOutcome.
pub(crate) fn outcome(status: StatusCode, code: &str, diagnostics: &str) -> Reply {
    reply(
        status,
        FHIR_JSON,
        issue("error", code, diagnostics).to_string(),
    )
}

/// An OperationOutcome with one issue.
pub(crate) fn issue(severity: &str, code: &str, diagnostics: &str) -> Value {
    json!({
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": diagnostics}],
    })
}

/// Text as a header, without what no header may hold.
pub(crate) fn header(text: &str) -> HeaderValue {
    let visible: String = text
        .chars()
        .filter(|c| c.is_ascii() && !c.is_ascii_control())
        .collect();
    HeaderValue::try_from(visible).unwrap_or(HeaderValue::from_static(""))
}
