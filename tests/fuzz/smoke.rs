//! A minute of it with every change: so many inputs, always the same.
//!
//! `INGEST_FUZZ_SECONDS` gives each target a time in place of that.

use std::env;
use std::time::Duration;

use crate::engine::Budget;
use crate::options::Options;
use crate::run;
use crate::targets::ALL;

macro_rules! smoke {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                smoke($name);
            }
        )*

        #[test]
        fn every_target_is_among_these() {
            let names: Vec<_> = ALL.iter().map(|entry| entry.target.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

smoke! {
    json: "json",
    ndjson: "ndjson",
    deleted: "deleted",
    bulk_manifest: "bulk-manifest",
    operation_outcome: "operation-outcome",
    capability_statement: "capability-statement",
    hl7: "hl7",
    mllp: "mllp",
    private_key: "private-key",
    public_jwk: "public-jwk",
    config: "config",
    http_head: "http-head",
    headers: "headers",
    smart: "smart",
    fhir_client: "fhir-client",
    bundle: "bundle",
    server_store: "server-store",
}

fn smoke(name: &str) {
    let mut options = Options::parse([name.to_owned()].into_iter()).expect("a target");
    let [entry] = options.targets[..] else {
        panic!("one target");
    };
    // Tests run side by side.
    options.settings.memory = false;
    match env::var("INGEST_FUZZ_SECONDS") {
        Ok(text) => {
            let seconds = text.parse().expect("INGEST_FUZZ_SECONDS is a number");
            options.settings.budget = Budget::Time(Duration::from_secs(seconds));
        }
        Err(_) => options.smoke = true,
    }
    let report = run(entry, &options).expect("it can be run");
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| format!("{}\n  {}", finding.fault, finding.file.display()))
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    // A target that refuses everything for one reason checks nothing.
    assert!(
        report.corpus.0 > report.corpus.1,
        "nothing came of any input"
    );
}
