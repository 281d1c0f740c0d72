//! A fuzzer in the process, for stable Rust: no coverage, so an input is kept
//! when it comes to something that none before it came to.

mod guard;
mod mutate;
mod outcome;
mod random;
mod shrink;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

pub(crate) use guard::{Allowance, now};
pub(crate) use mutate::Grammar;
pub(crate) use outcome::Outcome;

use guard::{Fault, Guard};
use mutate::Mutator;
use random::Random;

/// A parser of bytes from outside, and what always holds for it.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Reads the bytes, and panics where something that always holds does not.
    pub(crate) check: fn(&[u8]) -> Outcome,
    /// What its inputs are made of.
    pub(crate) grammar: Grammar,
}

/// When to stop.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    Time(Duration),
    /// Inputs made, the corpus not counted.
    Inputs(u64),
}

#[derive(Clone)]
pub(crate) struct Settings {
    /// The same seed, corpus and build make the same inputs.
    pub(crate) seed: u64,
    pub(crate) budget: Budget,
    /// Where inputs go that something is wrong with.
    pub(crate) findings: PathBuf,
    /// Writes every input there before it is read, for what ends the process.
    pub(crate) careful: bool,
    pub(crate) allowance: Allowance,
    /// Looks at the memory of the process, which has to be nobody else's.
    pub(crate) memory: bool,
}

/// What came of a target.
pub(crate) struct Report {
    pub(crate) inputs: u64,
    pub(crate) took: Duration,
    /// Inputs of the corpus in the end, and at the start.
    pub(crate) corpus: (usize, usize),
    pub(crate) slowest: Duration,
    pub(crate) findings: Vec<Finding>,
}

/// An input that something is wrong with.
pub(crate) struct Finding {
    pub(crate) fault: Fault,
    /// Number of the input, from 0; those of the corpus come first.
    pub(crate) number: u64,
    pub(crate) file: PathBuf,
}

/// Longer inputs are not kept: they only make it slow.
const LONGEST_KEPT: usize = 16 * 1024;
const MOST_KEPT: usize = 8192;
/// As many different findings end it.
const MOST_FINDINGS: usize = 10;

/// Fuzzes a target, beginning with `corpus`.
pub(crate) fn fuzz(
    target: &Target,
    mut corpus: Vec<Vec<u8>>,
    settings: &Settings,
) -> io::Result<Report> {
    corpus.sort();
    corpus.dedup();
    let mut guard = Guard::new(target, settings)?;
    let mut seen = HashSet::new();
    let mut report = Report {
        inputs: 0,
        took: Duration::ZERO,
        corpus: (0, corpus.len()),
        slowest: Duration::ZERO,
        findings: Vec::new(),
    };
    let start = now();
    // Seeds that come to the same stay: what they are made of differs.
    for bytes in &corpus {
        let (outcome, fault) = guard.run(bytes);
        seen.extend(outcome);
        report.note(&mut guard, target, settings, bytes, fault)?;
    }
    let mut mutator = Mutator::new(&target.grammar, Random::new(settings.seed));
    while report.findings.len() < MOST_FINDINGS && !settings.budget.is_spent(&report, start) {
        let bytes = mutator.make(&corpus);
        let (outcome, fault) = guard.run(&bytes);
        let is_new = outcome.is_some_and(|outcome| seen.insert(outcome));
        report.note(&mut guard, target, settings, &bytes, fault)?;
        if is_new && bytes.len() <= LONGEST_KEPT && corpus.len() < MOST_KEPT {
            corpus.push(bytes);
        }
    }
    report.took = start.elapsed();
    report.corpus.0 = corpus.len();
    report.slowest = guard.slowest();
    Ok(report)
}

impl Report {
    /// Counts an input, and keeps it where something new is wrong with it.
    fn note(
        &mut self,
        guard: &mut Guard,
        target: &Target,
        settings: &Settings,
        bytes: &[u8],
        fault: Option<Fault>,
    ) -> io::Result<()> {
        let number = self.inputs;
        self.inputs += 1;
        let Some(fault) = fault else {
            return Ok(());
        };
        if self
            .findings
            .iter()
            .any(|known| known.fault.is_like(&fault))
        {
            return Ok(());
        }
        let bytes = shrink::shrunk(guard, bytes, &fault);
        let file = settings.findings.join(format!("{}-{number}", target.name));
        write(&file, &bytes)?;
        self.findings.push(Finding {
            fault,
            number,
            file,
        });
        Ok(())
    }
}

impl Budget {
    fn is_spent(self, report: &Report, start: std::time::Instant) -> bool {
        match self {
            Self::Time(time) => start.elapsed() >= time,
            Self::Inputs(most) => report.inputs >= most + report.corpus.1 as u64,
        }
    }
}

fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(file.parent().unwrap_or(file))?;
    fs::write(file, bytes)
}
