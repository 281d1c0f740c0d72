use std::fs;
use std::time::Duration;

use super::guard::{Fault, now};
use super::{Allowance, Budget, Finding, Grammar, Outcome, Report, Settings, Target, fuzz};

/// Fuzzes `check` from one seed, and gives what was found.
fn run(check: fn(&[u8]) -> Outcome, inputs: u64) -> (Report, tempfile::TempDir) {
    run_with(check, inputs, false)
}

fn run_with(check: fn(&[u8]) -> Outcome, inputs: u64, memory: bool) -> (Report, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let target = Target {
        name: "test",
        check,
        grammar: Grammar {
            tokens: &["word"],
            separators: b",",
            pairs: &[("[", "]")],
        },
    };
    let settings = Settings {
        memory,
        seed: 1,
        budget: Budget::Inputs(inputs),
        findings: folder.path().to_owned(),
        careful: false,
        allowance: Allowance {
            base: Duration::from_millis(20),
            per_byte: Duration::ZERO,
        },
    };
    let report = fuzz(&target, vec![b"one,two,333".to_vec()], &settings).unwrap();
    (report, folder)
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let (report, folder) = run(|bytes| Outcome::new().size(bytes.len()), 2000);
    assert!(report.findings.is_empty());
    assert_eq!(report.inputs, 2001);
    assert!(report.corpus.0 > 5, "{:?}", report.corpus);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn panics_are_found_once_and_made_short() {
    let check = |bytes: &[u8]| {
        assert!(!bytes.windows(2).any(|pair| pair == b"[["), "two of them");
        Outcome::new().size(bytes.len())
    };
    let (report, _folder) = run(check, 2000);
    let [Finding { fault, file, .. }] = &report.findings[..] else {
        panic!("{} findings", report.findings.len());
    };
    assert!(matches!(fault, Fault::Panic { message, .. } if message == "two of them"));
    assert!(fault.to_string().contains("tests.rs:"), "{fault}");
    assert_eq!(fs::read(file).unwrap(), b"[[");
}

#[test]
fn one_seed_makes_the_same_inputs() {
    let found = || {
        let check = |bytes: &[u8]| {
            assert_ne!(Outcome::new().with(bytes).fingerprint() % 499, 0);
            Outcome::new().size(bytes.len())
        };
        let (report, _folder) = run(check, 5000);
        let [finding] = &report.findings[..] else {
            panic!("{} findings", report.findings.len());
        };
        (
            finding.number,
            fs::read(&finding.file).unwrap(),
            report.corpus,
        )
    };
    assert_eq!(found(), found());
}

#[test]
fn what_takes_too_long_is_found() {
    let check = |bytes: &[u8]| {
        let start = now();
        while bytes.contains(&b'[') && start.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        Outcome::new().size(bytes.len())
    };
    let (report, _folder) = run(check, 500);
    assert!(
        matches!(
            &report.findings[..],
            [Finding {
                fault: Fault::Slow { .. },
                ..
            }]
        ),
        "{:?}",
        report
            .findings
            .iter()
            .map(|finding| finding.fault.to_string())
            .collect::<Vec<_>>()
    );
}

#[test]
#[cfg(target_os = "linux")]
fn what_takes_too_much_memory_is_found() {
    let check = |bytes: &[u8]| {
        let length = if bytes.contains(&b'[') { 100 << 20 } else { 1 };
        let filled = vec![7_u8; length];
        Outcome::new().with(std::hint::black_box(&filled)[length / 2])
    };
    let (report, _folder) = run_with(check, 60, true);
    let is_memory = |finding: &Finding| matches!(finding.fault, Fault::Memory { .. });
    assert!(report.findings.iter().any(is_memory));
}
