use std::fmt;

use serde::Deserialize;

/// What a FHIR server says about a request
/// ([OperationOutcome](https://hl7.org/fhir/R4/operationoutcome.html)).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OperationOutcome {
    /// Its issues, in order.
    pub issues: Vec<Issue>,
}

/// One issue of an [`OperationOutcome`].
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Issue {
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// The issue type, such as `not-found` or `transient`.
    #[serde(default)]
    pub code: String,
    /// The server's words. They may name patients: never log them.
    #[serde(default)]
    pub diagnostics: Option<String>,
    /// Where in the resource, as FHIRPath.
    #[serde(default)]
    pub expression: Vec<String>,
}

/// How bad an [`Issue`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(from = "String")]
#[non_exhaustive]
pub enum Severity {
    /// For information only.
    Information,
    /// Worth a look.
    Warning,
    /// It did not work. Also what an unreadable severity counts as.
    #[default]
    Error,
    /// Nothing worked.
    Fatal,
}

impl From<String> for Severity {
    fn from(name: String) -> Self {
        match name.as_str() {
            "information" => Self::Information,
            "warning" => Self::Warning,
            "fatal" => Self::Fatal,
            _ => Self::Error,
        }
    }
}

impl OperationOutcome {
    /// The codes of its issues, without what may be content: only those made
    /// of small letters and hyphens, as FHIR's are.
    #[must_use]
    pub fn codes(&self) -> Vec<&str> {
        let plain = |code: &&str| {
            !code.is_empty()
                && code.len() <= 32
                && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        };
        self.issues.iter().map(|issue| issue.code.as_str()).filter(plain).collect()
    }
}

/// By hand: texts are the server's, and may be content.
impl fmt::Debug for OperationOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.issues).finish()
    }
}

/// By hand, as above.
impl fmt::Debug for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issue")
            .field("severity", &self.severity)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}
