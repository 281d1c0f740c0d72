//! Gives every parser of bytes from outside what nobody should send.
//!
//! ```text
//! cargo run --profile fuzz -p ingest-tests --bin fuzz -- [TARGET…] [OPTION…]
//!
//! --seconds N      for each target; 60 unless it is said
//! --smoke          as many inputs as the tests take
//! --inputs N       so many inputs for each target, in place of a time
//! --seed N         other inputs: the same seed, corpus and build make the same
//! --corpus FOLDER  begins with the files there too
//! --findings FOLDER  where inputs go that something is wrong with
//! --careful        writes each input there before it is read, for what ends the process
//! --replay FILE    reads one input, and lets it panic
//! --list           names the targets
//! ```

mod engine;
mod options;
mod seeds;
#[cfg(test)]
mod smoke;
mod targets;
#[path = "../../hl7v2-adt/tests/it/walk.rs"]
mod walk;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

use engine::{Budget, Report, fuzz, now};
use options::Options;
use targets::Entry;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            say(&problem);
            return ExitCode::from(2);
        }
    };
    let mut found = false;
    for entry in &options.targets {
        if options.list {
            say(entry.target.name);
            continue;
        }
        if let Some(file) = &options.replay {
            replay(entry, file);
            continue;
        }
        match run(entry, &options) {
            Ok(report) => {
                tell(entry, &report, options.settings.seed);
                found |= !report.findings.is_empty();
            }
            Err(error) => {
                say(&format!("{}: {error}", entry.target.name));
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::from(u8::from(found))
}

/// Fuzzes a target on a thread with the stack that threads usually have, so
/// that what is nested too deep shows.
fn run(entry: &Entry, options: &Options) -> std::io::Result<Report> {
    let corpus = entry.seeds.gather(&options.corpus)?;
    let mut settings = options.settings.clone();
    if options.smoke {
        settings.budget = Budget::Inputs(entry.smoke);
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(entry.target.name.to_owned());
        let fuzzing = thread.spawn_scoped(scope, || fuzz(&entry.target, corpus, &settings))?;
        fuzzing
            .join()
            .unwrap_or_else(|_| Err(std::io::Error::other("the fuzzer itself panicked")))
    })
}

fn replay(entry: &Entry, file: &Path) {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let start = now();
    let outcome = (entry.target.check)(&bytes).fingerprint();
    let took = start.elapsed();
    say(&format!(
        "{}: {} bytes in {took:?}, outcome {outcome:016x}",
        entry.target.name,
        bytes.len()
    ));
}

fn tell(entry: &Entry, report: &Report, seed: u64) {
    let name = entry.target.name;
    let Report {
        inputs,
        took,
        corpus: (corpus, seeds),
        slowest,
        findings,
    } = report;
    let rate = *inputs as f64 / took.as_secs_f64();
    say(&format!(
        "{name}: {inputs} inputs in {:.0} s ({rate:.0}/s), corpus {seeds} → {corpus}, the slowest \
         took {slowest:.1?}, {} findings",
        took.as_secs_f64(),
        findings.len(),
    ));
    for finding in findings {
        say(&format!(
            "  {}\n    input {} of seed {seed}; again: fuzz {name} --replay {}",
            finding.fault,
            finding.number,
            finding.file.display(),
        ));
    }
}

#[expect(clippy::print_stdout, reason = "it is what it is run for")]
fn say(line: &str) {
    println!("{line}");
}
