//! What came of a campaign.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::finding::{Finding, Kind};
use crate::plan::{Fault, Plan};
use crate::site::Tally;

/// What came of one plan.
pub(crate) struct Outcome {
    pub(crate) plan: Plan,
    pub(crate) findings: Vec<Finding>,
    pub(crate) tally: Tally,
}

#[derive(Default)]
pub(crate) struct Report {
    seed: u64,
    plans: usize,
    survived: usize,
    elapsed: Duration,
    /// Faults that were met, by kind.
    faults: BTreeMap<&'static str, u64>,
    /// What else happened.
    events: Tally,
    findings: BTreeMap<Kind, u64>,
    failed: Vec<Failed>,
}

struct Failed {
    number: u64,
    text: String,
    findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn new(seed: u64, elapsed: Duration, outcomes: Vec<Outcome>) -> Self {
        let mut report = Self {
            seed,
            elapsed,
            plans: outcomes.len(),
            ..Self::default()
        };
        for fault in Fault::ALL {
            report.faults.insert(fault.name(), 0);
        }
        for outcome in outcomes {
            for (name, count) in outcome.tally {
                match report.faults.get_mut(name.as_str()) {
                    Some(own) => *own += count,
                    None => *report.events.entry(name).or_default() += count,
                }
            }
            report.survived += usize::from(outcome.findings.is_empty());
            for finding in &outcome.findings {
                *report.findings.entry(finding.kind).or_default() += 1;
            }
            if !outcome.findings.is_empty() {
                report.failed.push(Failed {
                    number: outcome.plan.number,
                    text: outcome.plan.to_string(),
                    findings: outcome.findings,
                });
            }
        }
        report
    }

    pub(crate) fn is_good(&self) -> bool {
        self.failed.is_empty() && self.plans > 0
    }

    /// How often a kind of fault was met.
    #[cfg(test)]
    pub(crate) fn met(&self, fault: Fault) -> u64 {
        self.faults[fault.name()]
    }

    fn count(&self, kind: Kind) -> u64 {
        self.findings.get(&kind).copied().unwrap_or_default()
    }

    fn command(&self, number: u64) -> String {
        let seed = self.seed;
        format!("cargo run -p ingest-tests --bin campaign -- --seed {seed} --only {number}")
    }

    pub(crate) fn json(&self) -> Value {
        let failed = self.failed.iter().map(|own| {
            let findings: Vec<_> = own.findings.iter().map(Finding::to_string).collect();
            json!({
                "plan": own.number,
                "seed": self.seed,
                "what": own.text,
                "findings": findings,
                "command": self.command(own.number),
            })
        });
        json!({
            "seed": self.seed,
            "plans": self.plans,
            "survived": self.survived,
            "lost": self.count(Kind::Lost),
            "duplicated": self.count(Kind::Duplicated),
            "wrong": self.count(Kind::Wrong),
            "faults": self.faults,
            "events": self.events,
            "failed": failed.collect::<Vec<_>>(),
            "elapsed_ms": self.elapsed.as_millis() as u64,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        writeln!(
            f,
            "{} plans of seed {} in {seconds:.0} s, {} survived",
            self.plans, self.seed, self.survived
        )?;
        for (kind, name) in [
            (Kind::Lost, "lost"),
            (Kind::Duplicated, "duplicated"),
            (Kind::Wrong, "otherwise wrong"),
        ] {
            writeln!(f, "  {name}: {}", self.count(kind))?;
        }
        writeln!(f, "faults")?;
        for (name, count) in &self.faults {
            writeln!(f, "  {name}: {count}")?;
        }
        writeln!(f, "runs and what they were met by")?;
        for (name, count) in &self.events {
            writeln!(f, "  {name}: {count}")?;
        }
        for own in &self.failed {
            writeln!(f, "FAILED {}", own.text)?;
            for finding in own.findings.iter().take(5) {
                writeln!(f, "  {finding}")?;
            }
            if own.findings.len() > 5 {
                writeln!(f, "  and {} more", own.findings.len() - 5)?;
            }
            writeln!(f, "  again: {}", self.command(own.number))?;
        }
        Ok(())
    }
}
