//! What a server says about an export, in files of `OperationOutcome`s.

use std::collections::BTreeMap;
use std::io::BufRead;

use fhir_bulk::NdjsonReader;
use serde::{Deserialize, Serialize};

/// Issues in the `error` and `outcome` files of an export, counted. Their
/// texts may name patients, so that only codes are told; the files are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServerIssues {
    /// Issues of severity `error` and `fatal`.
    pub errors: u64,
    /// Issues of severity `warning`.
    pub warnings: u64,
    /// Issues of severity `information`.
    pub information: u64,
    /// Lines that are no `OperationOutcome`; they count as errors too.
    pub unreadable: u64,
    /// Issue types and how often each was met.
    pub codes: BTreeMap<String, u64>,
}

impl ServerIssues {
    /// Counts the issues of a file.
    pub(crate) fn read(&mut self, file: impl BufRead) {
        let mut reader = NdjsonReader::new(file);
        loop {
            match reader.next_line() {
                Ok(Some(line)) => self.line(line.bytes),
                Ok(None) => return,
                Err(error) => {
                    self.unreadable += 1;
                    self.errors += 1;
                    // After a line that is too long there may be others.
                    if !matches!(error, fhir_bulk::Error::LineTooLong { .. }) {
                        return;
                    }
                }
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let outcome = serde_json::from_slice::<Outcome>(line).ok();
        let Some(outcome) = outcome.filter(|outcome| outcome.resource_type == "OperationOutcome")
        else {
            self.unreadable += 1;
            self.errors += 1;
            return;
        };
        for issue in outcome.issue {
            match issue.severity.as_str() {
                "information" | "success" => self.information += 1,
                "warning" => self.warnings += 1,
                // What can't be read is not taken for harmless.
                _ => self.errors += 1,
            }
            // Codes are of a value set; anything else may be content.
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            let known = issue.code.len() <= 32 && issue.code.bytes().all(plain);
            let code = if known {
                issue.code
            } else {
                "other".to_owned()
            };
            *self.codes.entry(code).or_default() += 1;
        }
    }

    /// Those of a file that can't be read.
    pub(crate) fn unread() -> Self {
        Self {
            errors: 1,
            unreadable: 1,
            ..Self::default()
        }
    }

    /// Adds the issues of another file.
    pub(crate) fn add(&mut self, other: Self) {
        self.errors += other.errors;
        self.warnings += other.warnings;
        self.information += other.information;
        self.unreadable += other.unreadable;
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
    }

    /// Why the run is partial, if it is.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.errors == 0 {
            return None;
        }
        let codes: Vec<_> = self
            .codes
            .iter()
            .map(|(code, count)| format!("{code} {count}"))
            .collect();
        Some(format!(
            "the server reports {} errors in the export ({})",
            self.errors,
            codes.join(", ")
        ))
    }
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(default)]
    issue: Vec<Issue>,
}

#[derive(Deserialize)]
struct Issue {
    #[serde(default)]
    severity: String,
    #[serde(default)]
    code: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issues_are_counted_by_severity_and_code() {
        let file = br#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"processing","diagnostics":"Jane Roe"},{"severity":"warning","code":"not-supported"}]}
{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational"},{"severity":"odd","code":"Jane Roe"}]}

<html>
{"resourceType":"Patient"}
"#;
        let mut issues = ServerIssues::default();
        issues.read(&file[..]);
        assert_eq!(issues.errors, 4);
        assert_eq!(
            (issues.warnings, issues.information, issues.unreadable),
            (1, 1, 2)
        );
        assert_eq!(issues.codes["processing"], 1);
        assert_eq!(issues.codes["other"], 1);
        let fault = issues.fault().unwrap();
        assert!(
            fault.contains("processing 1") && !fault.contains("Jane"),
            "{fault}"
        );
    }

    #[test]
    fn warnings_are_no_fault() {
        let mut issues = ServerIssues::default();
        issues.read(
            &br#"{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"x"}]}"#
                [..],
        );
        assert_eq!(issues.fault(), None);
    }
}
