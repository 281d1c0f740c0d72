//! Messages, the fetches they ask for, and their archive.

use super::audit::{Audit, LEVELS};
use super::canary::{BUCKET_SECRET, CLIENT_SECRET, ID, MRN};
use super::content::messages;
use super::disk;
use super::server::{Bad, Ehr};

pub(super) fn audit(ehr: &Ehr, archive: &str) -> Audit {
    let audit = Audit::new()
        .with("AUDIT_SECRET", CLIENT_SECRET)
        .with("AUDIT_BUCKET", BUCKET_SECRET);
    audit.give(
        "ingest.toml",
        format!(
            "[tenants.acme]\n{archive}\n[connections.c]\nfhir_base = \"{}/fhir\"\n\
             client_id = \"audit\"\nclient_secret = {{ env = \"AUDIT_SECRET\" }}\n\
             scopes = [\"system/*.rs\"]\nmrn_system = \"urn:test:mrn\"\n\
             [connections.c.http]\nretries = 0\n",
            ehr.base()
        ),
    );
    for (number, bytes) in messages().iter().enumerate() {
        audit.give(&format!("in/{number}.hl7"), bytes);
    }
    audit
}

/// What goes wrong with fetches: at each level of the log something else.
pub(super) const BADLY: [(&str, Bad); 6] = [
    ("identifier=", Bad::Status(500)),
    ("identifier=", Bad::Types),
    ("patient=", Bad::Status(403)),
    ("Practitioner", Bad::Redirect),
    ("identifier=", Bad::Cut),
    ("/token", Bad::Status(400)),
];

#[test]
fn messages_and_their_fetches_tell_nothing() {
    let ehr = Ehr::start();
    for (level, (place, bad)) in LEVELS.iter().zip(BADLY) {
        let audit = audit(&ehr, "");
        let run = |arguments: &[&str]| audit.run(&[arguments, *level].concat());
        ehr.fails(place, bad);
        run(&["adt", "process", "in", "--json"]).exits(0);
        run(&["adt", "process", "in"]).exits(0);
        audit.assert_disk();
        run(&["fetch", "c", "--mrn", MRN, "--json"]);
        run(&["fetch", "c", "--patient", ID]);
        for arguments in [
            &["adt", "dead-letters", "list"][..],
            &["adt", "dead-letters", "list", "--json"],
            &["adt", "dead-letters", "replay", "--all", "--json"],
            &["status"],
            &["status", "--json"],
        ] {
            run(arguments).exits(0);
        }
        ehr.mend();
        run(&["adt", "work", "--drain", "--json"]);
        run(&["fetch", "c", "--mrn", MRN, "--json"]).exits(0);
        run(&["fetch", "c", "--patient", ID]).exits(0);
        audit.assert_disk();
        audit.shows(&["adt", "dead-letters", "show", "1", "-vvv"]);
        disk::assert_content(&audit.path("ingest.state.db"), &["adt_patient.value"]);
    }
}

#[test]
fn a_bucket_that_echoes_is_not_quoted() {
    let ehr = Ehr::start();
    let archive = format!(
        "[tenants.acme.archive.s3]\nendpoint = \"{}\"\nbucket = \"audit\"\npath_style = true\n\
         access_key = {{ env = \"AUDIT_BUCKET\" }}\nsecret_key = {{ env = \"AUDIT_BUCKET\" }}",
        ehr.base()
    );
    for bad in [Bad::Status(403), Bad::Redirect] {
        let audit = audit(&ehr, &archive);
        ehr.fails("/audit", bad);
        audit.run(&["adt", "process", "in", "--json", "-vvv"]);
        audit.run(&["status", "--json", "-vvv"]).exits(0);
        audit.assert_disk();
    }
}
