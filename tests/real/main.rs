//! `ingest` against a FHIR server that other people wrote: [sekmet-fhir], with
//! its own SMART token endpoint and its own `$export`. It is the EHR in one
//! test, and the store in the others; `HELIOS_HFS` names the program of
//! [helios-hfs] for these. `tests/real-server.sh` runs all of it.
//!
//! `search-parameters.json` has 499 search parameters of HL7's FHIR R4 (CC0-1.0),
//! without which helios-hfs knows none.
//!
//! The server is a Python program. It is installed under `target` the first
//! time, which takes a minute and needs python3 with `venv`, a package index
//! for pip, and `openssl` for the keys. Where one of them is missing the test
//! says so and passes, unless `INGEST_REAL_SERVERS=require` is set, as in CI.
//!
//! [helios-hfs]: https://github.com/HeliosSoftware/hfs
//! [sekmet-fhir]: https://github.com/KaRamHelal/SEKMET_FHIR_R4_Tester

#[path = "../e2e/binary.rs"]
mod binary;
#[path = "../e2e/canonical.rs"]
mod canonical;
mod content;
#[path = "../e2e/dump.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod dump;
mod install;
mod keys;
mod pair;
mod process;
mod repository;
mod sekmet;
mod site;
mod store;
#[path = "../e2e/util.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests")]
mod util;

use std::io::Write;
use std::path::Path;
use std::thread;

use crate::content::Content;
use crate::keys::Key;
use crate::sekmet::Sekmet;
use crate::site::{Level, Site};

const REQUIRE: &str = "INGEST_REAL_SERVERS";

/// In the server's log: a kick-off that asks for changes.
const INCREMENTAL: &[&str] = &["export?", "_since=", "\" 202"];

/// In the server's log: a look at an export that is not ready.
const IN_PROGRESS: &[&str] = &["\"GET", "/bulk-status/", "\" 202"];

/// Every key with every level, each in a store of its own: all of it, nothing,
/// what changed, and all of it again.
#[test]
fn bulk_exports() {
    let Some(python) = or_skip("a Python with sekmet-fhir", install::sekmet()) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(keys) = or_skip("keys", keys::make(folder.path())) else {
        return;
    };
    let server = Sekmet::start(&python, folder.path(), &keys);

    let mut content = Content::synthea();
    let all = content.keys();
    server.put(&content.resources(&all));
    let sites: Vec<Site> = keys
        .iter()
        .flat_map(|key| Level::ALL.map(|level| Site::new(&server, key, key, level)))
        .collect();

    at_once(&sites, |site| {
        site.passes_the_test();
        site.bulk(&[], &content, &all, &Content::default());
        site.holds(&content);
    });
    assert!(server.answered(IN_PROGRESS) >= sites.len());
    assert_eq!(server.answered(INCREMENTAL), 0);
    at_once(&sites, |site| site.finds_nothing_new());
    assert_eq!(server.answered(INCREMENTAL), sites.len());

    let before = content.clone();
    let touched = content.change();
    server.put(&content.resources(&touched));
    at_once(&sites, |site| {
        site.bulk(&[], &content, &touched, &before);
        site.holds(&content);
        site.has_versions(&content, &before);
    });
    at_once(&sites, |site| {
        site.bulk(&["--since", "full"], &content, &content.keys(), &content);
        site.holds(&content);
    });
    refuses_another_key(&server, &keys[1], folder.path());
}

/// A client that signs with a key that is not the registered one gets no token.
fn refuses_another_key(server: &Sekmet, registered: &Key, folder: &Path) {
    let another = keys::another(folder).expect("openssl has just made keys");
    Site::new(server, registered, &another, Level::System).is_refused();
}

fn at_once(sites: &[Site], act: impl Fn(&Site) + Sync) {
    thread::scope(|scope| {
        for site in sites {
            scope.spawn(|| act(site));
        }
    });
}

/// What could be set up, or `None` after a line that says why not.
fn or_skip<T>(what: &str, set_up: Result<T, String>) -> Option<T> {
    let why = match set_up {
        Ok(ready) => return Some(ready),
        Err(why) => why,
    };
    let required = std::env::var(REQUIRE).is_ok_and(|value| value == "require");
    assert!(!required, "no {what}: {why}");
    // Not by `eprintln!`, which is only shown for tests that fail.
    let _ = writeln!(
        std::io::stderr(),
        "skipped, there is no {what} ({REQUIRE}=require would fail): {why}"
    );
    None
}
