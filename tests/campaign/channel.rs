//! What a plan asks of the way its data comes.

use crate::finding::{Finding, Result, none};
use crate::folder::Ran;
use crate::plan::Fault;
use crate::site::{Seen, Site};

pub(crate) trait Channel {
    fn site(&mut self) -> &mut Site;

    /// The data changes at its source.
    fn evolve(&mut self);

    /// Work with these things going wrong, and whatever is said of its end has
    /// to be true.
    fn disturbed(&mut self, faults: &[Fault]) -> Result<()>;

    /// Work with nothing going wrong, until everything is there.
    fn settle(&mut self) -> Result<()>;

    /// The same once more, which changes nothing.
    fn replay(&mut self) -> Result<()>;

    /// A database is damaged, and the work goes on.
    fn damaged(&mut self, database: &str) -> Result<()>;

    /// A file is cut.
    fn cut(&mut self) -> Result<()>;
}

/// A run that has nothing to do has done nothing.
pub(crate) fn unchanged(site: &Site, before: &Seen, ran: &Ran) -> Result<()> {
    let mut findings = Vec::new();
    for name in ["created", "updated", "deleted", "provenance"] {
        if ran.count(name) != Some(0) {
            let text = format!("a replay has {name}: {}", ran.told());
            findings.push(Finding::duplicated(text));
        }
    }
    if *before != site.seen() {
        findings.push(Finding::duplicated("a replay changes the store"));
    }
    none(findings)
}
