use http::StatusCode;
use serde_json::{Value, json};

use super::Rejection;
use crate::reply::{FHIR_JSON, Reply, reply};

/// Why something was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    code: String,
    expression: Option<String>,
    diagnostics: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, code: &str, diagnostics: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            expression: None,
            diagnostics: diagnostics.to_owned(),
        }
    }

    pub(crate) fn invalid(diagnostics: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", diagnostics)
    }

    /// A status that a setting names.
    pub(crate) fn of_setting(status: u16, code: &str, diagnostics: &str) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        Self::new(status, code, diagnostics)
    }

    pub(crate) fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// The same, of an entry of a Bundle.
    pub(crate) fn of_entry(mut self, number: usize) -> Self {
        let entry = format!("Bundle.entry[{number}]");
        let inside = self.expression.as_deref().and_then(|path| {
            let (_, rest) = path.split_once('.')?;
            Some(format!("{entry}.resource.{rest}"))
        });
        self.expression = Some(inside.unwrap_or(entry));
        self
    }

    pub(crate) fn outcome(&self) -> Value {
        let mut issue = json!({
            "severity": "error",
            "code": self.code,
            "diagnostics": self.diagnostics,
        });
        if let Some(expression) = &self.expression {
            issue["expression"] = json!([expression]);
        }
        json!({"resourceType": "OperationOutcome", "issue": [issue]})
    }

    pub(crate) fn reply(&self) -> Reply {
        reply(self.status, FHIR_JSON, self.outcome().to_string())
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::of_setting(rejection.status, &rejection.code, &rejection.diagnostics)
            .at(rejection.expression)
    }
}
