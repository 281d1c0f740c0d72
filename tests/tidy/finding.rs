//! What a check reports.

use std::fmt;

/// A rule broken somewhere.
#[derive(Debug)]
pub(crate) struct Finding {
    place: String,
    message: String,
}

impl Finding {
    /// A finding about a package or a whole file.
    pub(crate) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            message: message.into(),
        }
    }

    /// A finding at a line, counted from one.
    pub(crate) fn at(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self::new(format!("{file}:{line}"), message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Fails the test with all findings, one a line.
#[track_caller]
pub(crate) fn assert_none(findings: &[Finding]) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}\n", lines.join("\n"));
}

/// Fails the test unless each finding contains the text at its place, and there are no others.
#[track_caller]
pub(crate) fn assert_found(findings: &[Finding], expected: &[&str]) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    let matches = lines
        .iter()
        .zip(expected)
        .all(|(line, part)| line.contains(part));
    assert!(
        matches && lines.len() == expected.len(),
        "{lines:#?} instead of {expected:#?}"
    );
}
