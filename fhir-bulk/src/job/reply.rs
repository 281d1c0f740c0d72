use std::time::SystemTime;

use fhir_http::{OperationOutcome, Random, RetryPolicy};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// A response and what is needed to judge it.
pub(super) struct Reply<'a> {
    pub(super) now: SystemTime,
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) random: &'a dyn Random,
}

impl Reply<'_> {
    /// The status of the job: that of the response, unless the response is 200
    /// and names another one in `X-Export-Status`.
    pub(super) fn job_status(&self) -> StatusCode {
        if self.status != StatusCode::OK {
            return self.status;
        }
        let named = self
            .headers
            .get("x-export-status")
            .and_then(|value| value.to_str().ok());
        // "202" or "202 Accepted".
        let named = named.and_then(|text| text.split_ascii_whitespace().next());
        named
            .and_then(|code| code.parse().ok())
            .unwrap_or(self.status)
    }

    /// Whether the status is one that may pass, or the outcome says so.
    pub(super) fn is_passing(&self) -> bool {
        let status = self.job_status();
        RetryPolicy::is_transient(status)
            || (status.is_server_error() && !matches!(status.as_u16(), 501 | 505))
            || self.is_transient()
    }

    /// Whether an outcome says that the same request may work later.
    pub(super) fn is_transient(&self) -> bool {
        let outcome = self.outcome();
        outcome.is_some_and(|outcome| outcome.issues.iter().any(|issue| issue.code == "transient"))
    }

    pub(super) fn is_json(&self) -> bool {
        matches!(self.json(), Some(Value::Object(_)))
    }

    pub(super) fn is_manifest(&self) -> bool {
        self.json()
            .is_some_and(|json| json.get("transactionTime").is_some())
    }

    pub(super) fn outcome(&self) -> Option<OperationOutcome> {
        OperationOutcome::from_json(self.body)
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(without_bom(self.body)).ok()
    }
}

/// `X-Progress` in a form that can be shown.
pub(super) fn progress(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get("x-progress")?.as_bytes()).into_owned();
    let text: String = text
        .trim()
        .chars()
        .filter(|char| !char.is_control())
        .take(100)
        .collect();
    (!text.is_empty()).then_some(text)
}

fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}
