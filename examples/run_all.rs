//! Every example runs, without a network, and prints what it says it shows.

use std::path::PathBuf;
use std::process::Command;

/// Examples with parts of what they print.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "canonical_hash",
        &[
            "  {\"unit\":\"mg\",\"value\":1.00}\n",
            "  {\"unit\":\"mg\",\"value\":1.0}\n",
        ],
    ),
    ("embed", &["41 created, 0 updated, 0 refused\n"]),
    (
        "load_folder",
        &[
            "load 1: 41 resources, 41 created, 0 updated, 0 unchanged, 0 quarantined\n",
            "  Patient: 2\n",
            "load 2: 41 resources, 0 created, 0 updated, 41 unchanged, 0 quarantined\n",
        ],
    ),
    (
        "normalize_line",
        &[
            "source id   weight_1\n",
            "mended      Observation.code: unknown-concept\n",
            "\"subject\":{\"reference\":\"Patient/p1\"}",
            "\"value\":70.50,",
            "refused     missing-required-reference",
        ],
    ),
    (
        "own_store",
        &[
            "the store keeps its promises\n",
            "line 2: invalid-json\n",
            "version 1: {\"resourceType\":\"Patient\",\"id\":\"p1\",\"gender\":\"male\"}\n",
            "version 2: {\"resourceType\":\"Patient\",\"id\":\"p1\",\"gender\":\"female\"}\n",
        ],
    ),
    (
        "provenance",
        &[
            "\"recorded\": \"2026-01-02T03:04:05.678Z\"",
            "\"code\": \"UPDATE\"",
            "\"value\": \"MSG00001\"",
        ],
    ),
];

/// `target/PROFILE/examples`, where cargo has put them before this test runs.
fn folder() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    profile.join("examples")
}

fn print(name: &str) -> String {
    let path = folder().join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let output = Command::new(&path)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}; run cargo test -p ingest-examples"));
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn every_example_does_what_it_says() {
    for (name, parts) in EXAMPLES {
        let printed = print(name);
        for part in *parts {
            assert!(printed.contains(part), "{name} lacks {part}: {printed}");
        }
    }
}

#[test]
fn equal_trees_have_equal_hashes_and_other_digits_another() {
    let printed = print("canonical_hash");
    let hashes: Vec<_> = printed.lines().map(|line| &line[..16]).collect();
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[1], hashes[2]);
}

#[test]
fn the_readme_shows_the_example_that_runs() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |path: PathBuf| std::fs::read_to_string(path).expect("a file of the repository");
    let example = read(root.join("embed.rs"));
    let (_, code) = example.split_once("\n\n").expect("code after the header");
    assert!(read(root.join("../README.md")).contains(&format!("```rust\n{code}```")));
}

#[test]
fn every_example_is_listed() {
    let read = |name: &str| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
        std::fs::read_to_string(path).expect("a file of this package")
    };
    let (manifest, readme) = (read("Cargo.toml"), read("README.md"));
    let declared = manifest.matches("[[example]]").count();
    assert_eq!(
        declared,
        EXAMPLES.len(),
        "an example that this test doesn't run"
    );
    for (name, _) in EXAMPLES {
        assert!(
            readme.contains(&format!("({name}.rs)")),
            "{name} is not in the README"
        );
    }
}
