//! Exports and connection tests, with an EHR that echoes.

use std::process::Stdio;

use super::audit::{Audit, LEVELS};
use super::canary::{CLIENT_SECRET, HEADER, PEM};
use super::disk;
use super::server::{Bad, Ehr};
use crate::bulk::wait::{kill, until};

const BADLY: &[Bad] = &[
    Bad::Status(400),
    Bad::Status(401),
    Bad::Status(404),
    Bad::Status(503),
    Bad::Page,
    Bad::Cut,
    Bad::Types,
    Bad::Redirect,
    Bad::Short,
];

const PLACES: &[&str] = &[
    "smart-configuration",
    "/token",
    "/metadata",
    "$export",
    "/status",
    "/file/2",
];

/// Of these, where a connection test never comes.
const EXPORTING: &[&str] = &["$export", "/status", "/file/2"];

/// Who the client says it is, by a key or by a secret.
const PROOFS: &[&str] = &[
    "signing_key = { file = \"client.pem\" }",
    "client_secret = { env = \"AUDIT_SECRET\" }\nclient_secret_method = \"post\"",
    "client_secret = { env = \"AUDIT_SECRET\" }",
];

fn audit(ehr: &Ehr, proof: &str) -> Audit {
    let audit = Audit::new()
        .with("AUDIT_SECRET", CLIENT_SECRET)
        .with("AUDIT_HEADER", HEADER);
    audit.give("client.pem", PEM);
    audit.give(
        "ingest.toml",
        format!(
            "[tenants.acme]\n[connections.c]\nfhir_base = \"{}/fhir\"\nclient_id = \"audit\"\n\
             {proof}\nalgorithms = [\"ES384\"]\nlevel = \"system\"\nscopes = [\"system/*.rs\"]\n\
             types = [\"Patient\", \"Observation\"]\n\
             [connections.c.http]\nretries = 0\nsecret_headers = {{ x-api-key = {{ env = \"AUDIT_HEADER\" }} }}\n\
             [connections.c.bulk]\npoll_min = \"10ms\"\npoll_max = \"50ms\"\ndeadline = \"1s\"\n",
            ehr.base()
        ),
    );
    audit
}

#[test]
fn exports_tell_nothing_of_what_servers_echo() {
    let ehr = Ehr::start();
    let mut turn = 0;
    for place in PLACES {
        let audit = audit(&ehr, PROOFS[turn % PROOFS.len()]);
        for bad in BADLY {
            turn += 1;
            ehr.fails(place, *bad);
            let level = LEVELS[turn % LEVELS.len()];
            let form = [&["--json"][..], &[]][turn % 2];
            audit.run(&[&["bulk", "c", "-vv"][..], form, level].concat());
            if !EXPORTING.contains(place) {
                audit.run(&[&["test", "c", "-vv"][..], form, level].concat());
            }
        }
        audit.run(&["status"]).exits(0);
        audit.run(&["status", "--json"]).exits(0);
        audit.run(&["runs", "list", "--json"]);
        audit.assert_disk_but(&["ingest.state.db.exports"]);
        ehr.mend();
        audit.run(&["bulk", "c", "--json", "-vvv"]).exits(0);
        // No download is left.
        audit.assert_disk();
    }
}

#[test]
fn a_killed_export_leaves_nothing_once_another_has_run() {
    let ehr = Ehr::start();
    let audit = audit(&ehr, PROOFS[0]);
    ehr.hold("/file/2");
    let child = audit.start(&["bulk", "c", "--quiet"], Stdio::null());
    until("a download", || {
        ehr.was_asked("/file/2") && audit.path("ingest.state.db").exists()
    });
    audit.assert_process(&child);
    kill(child);
    disk::assert_content(
        &audit.path("ingest.state.db"),
        &["job.status_url", "job.manifest"],
    );
    audit.assert_disk_but(&["ingest.state.db.exports"]);
    ehr.let_go();
    ehr.forget();
    audit.run(&["bulk", "c", "--json", "-vvv"]).exits(0);
    audit.assert_disk();
    let left = disk::files(&audit.path(""));
    let left = left
        .iter()
        .any(|path| path.to_string_lossy().contains(".exports"));
    assert!(!left, "downloads are left");
}
