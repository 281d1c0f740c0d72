use std::fmt;

use serde::Deserialize;
use serde_json::Value;

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
    /// The server's words, from `diagnostics` or else `details.text`. They
    /// may name patients: never log them.
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
    /// Reads one, leniently: what is not there or of another type is left out.
    /// `None` for what is no OperationOutcome at all, such as an HTML page.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
        Self::from_value(&serde_json::from_slice(json).ok()?)
    }

    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        if value["resourceType"] != "OperationOutcome" {
            return None;
        }
        let issues = value["issue"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        Some(Self {
            issues: issues.iter().map(Issue::from_value).collect(),
        })
    }

    /// The codes of its issues, without what may be content: only those made
    /// of small letters and hyphens, as FHIR's are.
    #[must_use]
    pub fn codes(&self) -> Vec<&str> {
        self.issues.iter().filter_map(Issue::plain_code).collect()
    }
}

impl Issue {
    fn from_value(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let expression = value["expression"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(text);
        Self {
            severity: text(&value["severity"])
                .map(Severity::from)
                .unwrap_or_default(),
            code: text(&value["code"]).unwrap_or_default(),
            diagnostics: text(&value["diagnostics"]).or_else(|| text(&value["details"]["text"])),
            expression: expression.collect(),
        }
    }

    /// Its code, unless that may be content.
    fn plain_code(&self) -> Option<&str> {
        let is_plain = !self.code.is_empty()
            && self.code.len() <= 32
            && self
                .code
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'-');
        is_plain.then_some(&self.code)
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
            .field("code", &self.plain_code().unwrap_or("…"))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_outcomes_are_read_as_far_as_they_go() {
        let json = br#"{"resourceType":"OperationOutcome","issue":[
            {"severity":"warning","code":"not-found","diagnostics":"no Patient/77"},
            {"severity":null,"code":"59130 Miller","details":{"text":"Miller"},"expression":"x"},
            "nonsense"]}"#;
        let outcome = OperationOutcome::from_json(json).unwrap();
        assert_eq!(outcome.issues.len(), 3);
        assert_eq!(outcome.issues[0].severity, Severity::Warning);
        assert_eq!(outcome.issues[1].severity, Severity::Error);
        assert_eq!(outcome.issues[1].diagnostics.as_deref(), Some("Miller"));
        assert_eq!(outcome.codes(), ["not-found"]);
        let shown = format!("{outcome:?}");
        assert!(!shown.contains("Patient/77"), "{shown}");
        assert!(!shown.contains("59130"), "{shown}");
    }

    #[test]
    fn what_is_no_outcome() {
        for body in [
            "",
            "<html>",
            "[]",
            "null",
            "{}",
            r#"{"resourceType":"Patient"}"#,
            "{\"a\":",
        ] {
            assert_eq!(OperationOutcome::from_json(body.as_bytes()), None, "{body}");
        }
        let empty =
            OperationOutcome::from_json(b"\xEF\xBB\xBF{\"resourceType\":\"OperationOutcome\"}");
        assert_eq!(empty, Some(OperationOutcome::default()));
    }
}
