use std::fs;

use super::guard::Fault;
use super::{Budget, Finding, Grammar, Outcome, Report, Settings, Target, fuzz};

/// Fuzzes `check` from one seed, and gives what was found.
fn run(check: fn(&[u8]) -> Outcome, inputs: u64) -> (Report, tempfile::TempDir) {
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
        seed: 1,
        budget: Budget::Inputs(inputs),
        findings: folder.path().to_owned(),
        careful: false,
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
    // As often as there are pairs of bytes, in long inputs only.
    let check = |bytes: &[u8]| {
        let mut sum = 0_u64;
        for (at, _) in bytes.iter().enumerate().filter(|_| bytes.len() > 100_000) {
            sum = bytes[..at]
                .iter()
                .fold(sum, |sum, byte| sum.rotate_left(1) ^ u64::from(*byte));
        }
        Outcome::new().with(sum == 1)
    };
    let (report, _folder) = run(check, 30_000);
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
        let length = if bytes.contains(&b'[') { 200 << 20 } else { 1 };
        let filled = vec![7_u8; length];
        Outcome::new().with(std::hint::black_box(&filled)[length / 2])
    };
    let (report, _folder) = run(check, 2000);
    assert!(matches!(
        &report.findings[..],
        [Finding {
            fault: Fault::Memory { .. },
            ..
        }]
    ));
}
