//! Random plans of what goes wrong, and whether everything is there once
//! afterwards, and only once.
//!
//! A plan is a number of a seed: the same two give the same plan. Moments are
//! random, too, but processes are not equally fast each time, so that a plan
//! that fails need not fail again at once.

#[path = "../e2e/binary.rs"]
mod binary;
mod bulk;
mod campaign;
#[path = "../e2e/canonical.rs"]
mod canonical;
mod channel;
mod clock;
mod damage;
mod ehr;
mod end;
mod files;
mod finding;
mod folder;
mod hazard;
mod held;
mod inbox;
mod input;
mod messages;
mod model;
mod patient;
mod plan;
mod random;
mod report;
mod server;
mod site;
#[cfg(test)]
mod tests;

use std::io::{Write as _, stderr, stdout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::report::Outcome;

const USAGE: &str = "\
campaign [--plans N] [--seed S] [--only PLAN]… [--jobs N] [--json] [--verbose]

  --plans N    how many plans, 0 and on (100)
  --seed S     another seed gives other plans (1)
  --only PLAN  this plan alone; may be repeated
  --jobs N     plans at a time (4)
  --json       the report as JSON
  --verbose    each plan as it ends

INGEST_BIN names the command to be tried, such as a release build.
";

struct Arguments {
    plans: u64,
    seed: u64,
    only: Vec<u64>,
    jobs: usize,
    json: bool,
    verbose: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut arguments = Self {
            plans: 100,
            seed: 1,
            only: Vec::new(),
            jobs: 4,
            json: false,
            verbose: false,
        };
        while let Some(word) = words.next() {
            let mut number = || words.next()?.parse::<u64>().ok();
            match word.as_str() {
                "--plans" => arguments.plans = number()?,
                "--seed" => arguments.seed = number()?,
                "--only" => arguments.only.push(number()?),
                "--jobs" => arguments.jobs = number()?.try_into().ok()?,
                "--json" => arguments.json = true,
                "--verbose" => arguments.verbose = true,
                _ => return None,
            }
        }
        Some(arguments)
    }
}

fn main() -> ExitCode {
    let Some(arguments) = Arguments::parse(std::env::args().skip(1)) else {
        let _ = stderr().write_all(USAGE.as_bytes());
        return ExitCode::from(2);
    };
    let numbers = match arguments.only.is_empty() {
        true => (0..arguments.plans).collect(),
        false => arguments.only.clone(),
    };
    let ended = AtomicUsize::new(0);
    let hear = |outcome: &Outcome| {
        let many = ended.fetch_add(1, Ordering::Relaxed) + 1;
        if many.is_multiple_of(25) {
            let _ = writeln!(stderr(), "{many} of {} plans have ended", numbers.len());
        }
        let findings = &outcome.findings;
        if arguments.verbose || !findings.is_empty() {
            let end = if findings.is_empty() {
                "survived"
            } else {
                "FAILED"
            };
            let _ = writeln!(stderr(), "{}: {end}", outcome.plan);
        }
        if let Some(first) = findings.first() {
            let _ = writeln!(stderr(), "  {first}");
        }
    };
    let report = campaign::run(arguments.seed, &numbers, arguments.jobs, &hear);
    let told = match arguments.json {
        true => writeln!(stdout(), "{}", report.json()),
        false => write!(stdout(), "{report}"),
    };
    match told.is_ok() && report.is_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
