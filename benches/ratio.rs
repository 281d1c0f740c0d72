//! What a resource costs beside plain ways to do less or the same with it.
//!
//! The contenders take turns on the same lines, so that whatever else the
//! machine does meets all of them; what counts is the ratio to the
//! contender that does the same work on a document tree, round by round. The
//! run fails where normalizing takes more than a third of that.
//!
//! Time is the clock on the wall: everything runs on one thread and does no
//! input or output meanwhile.

// A table on standard output, and the time it took, are what this is for.
#![allow(clippy::print_stdout, clippy::disallowed_methods)]

mod support;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use fhir_json::Tape;
use fhir_normalize::{IdMode, Normalizer, Settings};
use sha2::{Digest, Sha256};
use support::{Input, value_hash};

const ROUNDS: usize = 7;
/// One turn of a contender repeats the input up to this size.
const TURN_BYTES: usize = 16 << 20;
/// Normalizing may take this part of [`REFERENCE`].
const LIMIT: f64 = 1.0 / 3.0;

const REFERENCE: &str = "serde_json::Value, canonical, SHA-256";
const NORMALIZE: &str = "normalize, preserve";

struct Contender<'i> {
    name: &'static str,
    run: Box<dyn FnMut() + 'i>,
    /// Seconds of each round.
    seconds: Vec<f64>,
}

fn main() -> ExitCode {
    let input = Input::load();
    let text = input.text();
    let turns = (TURN_BYTES / input.bytes()).max(1);
    let mut contenders = contenders(&input, &text);
    for round in 0..=ROUNDS {
        for contender in &mut contenders {
            let start = Instant::now();
            for _ in 0..turns {
                (contender.run)();
            }
            // The first round fills buffers and caches.
            if round > 0 {
                contender.seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    let megabytes = (input.bytes() * turns) as f64 / 1e6;
    let ratio = print_table(&contenders, megabytes);
    if ratio > LIMIT {
        println!("\nFAILED: {NORMALIZE} takes {ratio:.3} of {REFERENCE}, more than {LIMIT:.3}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn contenders<'i>(input: &'i Input, text: &'i [u8]) -> Vec<Contender<'i>> {
    let mut tape = Tape::new();
    let mut preserve = normalizer(IdMode::Preserve);
    let mut hash = normalizer(IdMode::Hash);
    vec![
        Contender::new("newline scan", move || {
            black_box(memchr::memchr_iter(b'\n', text).count());
        }),
        Contender::each("SHA-256 of the line", input, |line| {
            black_box(Sha256::digest(line));
        }),
        Contender::each("fhir_json::Tape", input, move |line| {
            black_box(tape.parse(line).expect("JSON"));
        }),
        Contender::each(NORMALIZE, input, move |line| records(&mut preserve, line)),
        Contender::each("normalize, hash", input, move |line| {
            records(&mut hash, line);
        }),
        Contender::each("serde_json::Value", input, |line| {
            black_box(serde_json::from_slice::<serde_json::Value>(line).expect("JSON"));
        }),
        Contender::each(REFERENCE, input, |line| {
            black_box(value_hash(line));
        }),
    ]
}

impl<'i> Contender<'i> {
    fn new(name: &'static str, run: impl FnMut() + 'i) -> Self {
        Self {
            name,
            run: Box::new(run),
            seconds: Vec::new(),
        }
    }

    fn each(name: &'static str, input: &'i Input, mut run: impl FnMut(&[u8]) + 'i) -> Self {
        Self::new(name, move || input.lines().for_each(&mut run))
    }
}

fn normalizer(id_mode: IdMode) -> Normalizer {
    Normalizer::new(Settings {
        id_mode,
        ..Settings::new("urn:ingest:bench")
    })
}

fn records(normalizer: &mut Normalizer, line: &[u8]) {
    normalizer.records(line, &mut |_, record| {
        black_box(record.is_ok());
    });
}

/// Prints a line a contender; gives the median ratio of [`NORMALIZE`].
fn print_table(contenders: &[Contender<'_>], megabytes: f64) -> f64 {
    let seconds = |name| {
        contenders
            .iter()
            .find(|contender| contender.name == name)
            .map_or(&[][..], |contender| &contender.seconds)
    };
    let reference = seconds(REFERENCE);
    println!("{ROUNDS} rounds of {megabytes:.1} MB\n");
    println!("| contender | median s | MB/s | ratio | least | most |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let mut result = f64::INFINITY;
    for contender in contenders {
        let ratios = sorted(contender.seconds.iter().zip(reference).map(|(a, b)| a / b));
        let median = sorted(contender.seconds.iter().copied())[ROUNDS / 2];
        println!(
            "| {} | {median:.4} | {:.0} | {:.3} | {:.3} | {:.3} |",
            contender.name,
            megabytes / median,
            ratios[ROUNDS / 2],
            ratios[0],
            ratios[ROUNDS - 1],
        );
        if contender.name == NORMALIZE {
            result = ratios[ROUNDS / 2];
        }
    }
    result
}

fn sorted(numbers: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}
