//! What is not as it has to be.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Something that was there is not.
    Lost,
    /// Something is there more than once.
    Duplicated,
    /// Anything else.
    Wrong,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

impl Finding {
    pub(crate) fn lost(text: impl Into<String>) -> Self {
        Self::new(Kind::Lost, text)
    }

    pub(crate) fn duplicated(text: impl Into<String>) -> Self {
        Self::new(Kind::Duplicated, text)
    }

    pub(crate) fn wrong(text: impl Into<String>) -> Self {
        Self::new(Kind::Wrong, text)
    }

    fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.text)
    }
}

/// Findings end a plan.
pub(crate) type Result<T> = std::result::Result<T, Vec<Finding>>;

/// Goes on where there are none.
pub(crate) fn none(findings: Vec<Finding>) -> Result<()> {
    match findings.is_empty() {
        true => Ok(()),
        false => Err(findings),
    }
}

/// Ends the plan for one reason.
pub(crate) fn wrong<T>(text: impl Into<String>) -> Result<T> {
    Err(vec![Finding::wrong(text)])
}

/// The same with where they were found.
pub(crate) fn at(mut findings: Vec<Finding>, place: &str) -> Vec<Finding> {
    for own in &mut findings {
        own.text = format!("{place}: {}", own.text);
    }
    findings
}
