//! A FHIR server as the store, which echoes what it is sent.

use ehr_sandbox::WriteSettings;

use super::audit::{Audit, LEVELS};
use super::canary::{CLIENT_SECRET, HEADER};
use super::server::{Bad, Ehr};
use super::{content, disk};

const BADLY: &[Bad] = &[
    Bad::Status(400),
    Bad::Status(401),
    Bad::Status(409),
    Bad::Status(422),
    Bad::Status(503),
    Bad::Page,
    Bad::Cut,
    Bad::Types,
    Bad::Redirect,
    Bad::Short,
];

/// Before anything is written.
const EARLY: &[&str] = &["smart-configuration", "/token", "/metadata"];

/// Writing in Bundles, and reading back.
const BUNDLES: &[&str] = &["POST /fhir", "GET /fhir/Patient", "GET /fhir/Provenance"];

/// Writing one by one.
const SINGLE: &[&str] = &["PUT /fhir/Patient", "PUT /fhir/Provenance"];

/// What is known of the server.
const STATE: &str = "fhir-store.db";

fn audit(server: &Ehr) -> Audit {
    let audit = Audit::new()
        .with("AUDIT_SECRET", CLIENT_SECRET)
        .with("AUDIT_HEADER", HEADER);
    content::give(&audit);
    audit.give(
        "ingest.toml",
        format!(
            "[store]\nfhir = \"{}/fhir\"\nclient_id = \"audit\"\n\
             client_secret = {{ env = \"AUDIT_SECRET\" }}\n\
             [store.http]\nretries = 0\nsecret_headers = {{ x-api-key = {{ env = \"AUDIT_HEADER\" }} }}\n",
            server.base()
        ),
    );
    audit
}

const LOAD: [&str; 4] = ["load", "--max-line", "8000", "in"];

/// One as most are, and one that takes one resource at a time.
fn servers() -> [WriteSettings; 2] {
    let mut plain = WriteSettings::default();
    (plain.transactions, plain.batches) = (false, false);
    [WriteSettings::default(), plain]
}

#[test]
fn a_store_on_a_server_tells_nothing_of_what_it_echoes() {
    let mut turn = 0;
    let places = [[EARLY, BUNDLES].concat(), SINGLE.to_vec()];
    for (settings, places) in servers().into_iter().zip(places) {
        for place in places {
            let server = Ehr::store(settings.clone());
            let audit = audit(&server);
            for bad in BADLY {
                turn += 1;
                let level = LEVELS[turn % LEVELS.len()];
                let form = [&["--json"][..], &[]][turn % 2];
                let run = |command: &[&str]| audit.run(&[command, form, level].concat());
                server.fails(place, *bad);
                run(&LOAD);
                run(&["verify"]);
                if EARLY.contains(&place) {
                    run(&["test", "--store"]);
                }
                server.mend();
                // Something to verify, and to be written again.
                if turn % 3 == 0 {
                    run(&LOAD).exits(11);
                }
            }
            assert!(server.was_asked(place), "{place}");
            for command in [&["status"][..], &["quarantine", "list"], &["runs", "list"]] {
                audit.run(&[command, &["--json"]].concat()).exits(0);
            }
            audit.assert_disk();
        }
    }
}

#[test]
fn the_state_of_a_store_on_a_server_has_content_where_it_belongs() {
    for settings in servers() {
        for level in LEVELS {
            let server = Ehr::store(settings.clone());
            let audit = audit(&server);
            let run = |command: &[&str]| audit.run(&[command, *level].concat());
            run(&LOAD).exits(11);
            run(&[&LOAD[..], &["--json"]].concat()).exits(11);
            run(&["verify"]).exits(0);
            run(&["verify", "--json"]).exits(0);
            run(&["test", "--store"]).exits(0);
            run(&["export", "--out", "out"]).exits(0);
            audit.is_content("out");
            audit.assert_disk();
            let columns = ["version.id", "refused.body"];
            disk::assert_content(&audit.path(STATE), &columns);
        }
    }
}
