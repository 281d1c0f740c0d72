//! What every store has to keep, as functions that panic where one doesn't.
//!
//! Each takes an empty store; [`run_all`] runs them all. Not a stable part of the API: a new release may ask for more.
//!
//! ```
//! # #[cfg(feature = "conformance")]
//! fhir_store::conformance::run_all(&mut || Box::new(fhir_store::InMemoryStore::new()));
//! ```

mod provenance;
mod queries;
mod resources;
mod runs;

use fhir_provenance::Sha256Ids;

pub use self::provenance::{renders_provenance, renders_provenance_at_its_limits};
pub use self::queries::{finds_by_identifier, lists_types, scans_while_writing};
pub use self::resources::{
    a_batch_sees_itself, amends_earlier_versions, amends_in_place, creates_updates_and_skips,
    deletes_and_recreates, keeps_content_past_a_run, keeps_history, refuses_another_source,
    reloads_unchanged, skips_what_was_seen_before,
};
pub use self::runs::{interrupts_stale_runs, keeps_runs, keeps_the_refused_once, renames_patients};
use crate::{Delete, DeleteOutcome, Identifier, Put, PutOutcome, Store, Stored, WriteContext};

/// Runs every check, each on a store of its own.
///
/// # Panics
///
/// Where a store breaks a promise of [`ResourceStore`](crate::ResourceStore) or [`RunStore`](crate::RunStore).
pub fn run_all(make: &mut dyn FnMut() -> Box<dyn Store>) {
    let checks: [fn(&mut dyn Store); 18] = [
        creates_updates_and_skips,
        skips_what_was_seen_before,
        deletes_and_recreates,
        refuses_another_source,
        a_batch_sees_itself,
        reloads_unchanged,
        keeps_history,
        keeps_content_past_a_run,
        scans_while_writing,
        finds_by_identifier,
        amends_in_place,
        amends_earlier_versions,
        renders_provenance,
        lists_types,
        keeps_runs,
        interrupts_stale_runs,
        keeps_the_refused_once,
        renames_patients,
    ];
    for check in checks {
        check(&mut *make());
    }
}

/// Where the checks write from.
const SOURCE: &str = "urn:test:a";
/// 2026-01-02T03:04:05.678Z.
const NOW: i64 = 1_767_323_045_678;

fn context() -> WriteContext<'static> {
    WriteContext {
        source_system: SOURCE,
        organization: "Test Organization",
        run: Some("01JRUN"),
        recorded: NOW,
        ids: &Sha256Ids,
    }
}

/// A resource whose content is `content`.
///
/// Its text is never freed, which keeps the checks readable and costs a test some kilobytes.
fn resource<'a>(resource_type: &'a str, id: &'a str, content: &str) -> Put<'a> {
    let mut content_hash = [0; 32];
    content_hash[..content.len()].copy_from_slice(content.as_bytes());
    Put {
        resource_type,
        id,
        source_id: id,
        content_hash,
        body: body(resource_type, id, content).leak(),
        identifiers: &[],
        remediations: &[],
        message: None,
        revert: false,
        line: None,
    }
}

/// A resource as text that FHIR servers take.
fn body(resource_type: &str, id: &str, content: &str) -> String {
    let required = match resource_type {
        "Condition" => r#","subject":{"display":"somebody"}"#,
        "Group" => r#","type":"person","actual":true"#,
        "Observation" => r#","status":"final","code":{"text":"something"}"#,
        _ => "",
    };
    format!(
        r#"{{"resourceType":"{resource_type}","id":"{id}","extension":[{{"url":"urn:test:content","valueString":"{content}"}}]{required}}}"#
    )
}

/// Whether a text is what [`body`] makes of `content`, whoever wrote it.
fn has_content(text: Option<&str>, content: &str) -> bool {
    text.is_some_and(|text| text.contains(&format!("\"{content}\"")))
}

fn put(store: &mut dyn Store, batch: &[Put<'_>]) -> Vec<PutOutcome> {
    put_as(store, &context(), batch)
}

fn put_as(store: &mut dyn Store, context: &WriteContext<'_>, batch: &[Put<'_>]) -> Vec<PutOutcome> {
    let mut outcomes = Vec::new();
    store.put(context, batch, &mut outcomes).expect("put");
    assert_eq!(outcomes.len(), batch.len(), "one outcome for each");
    assert_eq!(store.take_refusals(), [], "every FHIR server takes these");
    outcomes
}

fn identifier<'a>(system: &'a str, value: &'a str) -> Identifier<'a> {
    Identifier { system, value }
}

fn current(store: &mut dyn Store, resource_type: &str, id: &str) -> Stored {
    store.get(resource_type, id).expect("get").expect("stored")
}

fn deletion<'a>(resource_type: &'a str, id: &'a str) -> Delete<'a> {
    Delete {
        resource_type,
        id,
        source_id: id,
        message: None,
    }
}

fn delete(store: &mut dyn Store, resource_type: &str, id: &str) -> DeleteOutcome {
    let mut outcomes = Vec::new();
    let batch = [deletion(resource_type, id)];
    store
        .delete(&context(), &batch, &mut outcomes)
        .expect("delete");
    assert_eq!(outcomes.len(), 1, "one outcome for each");
    outcomes[0]
}

fn found(store: &mut dyn Store, system: &str, value: &str) -> Vec<String> {
    store
        .find_by_identifier("Patient", system, value, usize::MAX)
        .expect("find")
}
