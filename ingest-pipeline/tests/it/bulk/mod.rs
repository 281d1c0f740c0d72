//! The bulk channel on a clock that only sleeping moves, against a sandbox
//! without sockets.

mod site;

use std::path::Path;
use std::time::Duration;

use ehr_sandbox::{ExportSettings, FaultPlan, Where};
use fhir_http::Clock as _;
use ingest_pipeline::bulk::Since;
use ingest_pipeline::state::BulkState;
use ingest_pipeline::store::{ResourceStore as _, RunState, RunStore as _, SqliteStore};
use ingest_pipeline::{Error, Event, Interrupt, Observer};

use self::site::{Site, start};

#[test]
fn a_slow_export_is_waited_for_as_the_server_asks() {
    let mut export = ExportSettings::default();
    export.polls = 100;
    export.retry_after = Some("120".to_owned());
    let site = Site::new(|builder| builder.export(export), "");
    let summary = site.run().unwrap();
    assert_eq!(summary.run.state, RunState::Completed);
    assert!(site.is_complete());
    let waited = site.clock.now().duration_since(start()).unwrap();
    assert!(waited >= Duration::from_secs(100 * 120), "{waited:?}");
    assert!(waited < Duration::from_secs(103 * 120), "{waited:?}");
    assert_eq!(site.sandbox.count(&Where::Status), 101);
    // A token lives 300 s: many were needed, none was missing.
    let refused = site
        .sandbox
        .requests()
        .iter()
        .filter(|request| request.status == 401)
        .count();
    assert_eq!(refused, 0, "tokens are renewed before they end");
    let history: Vec<_> = {
        let state = site.state();
        state
            .history(&summary.run.run)
            .unwrap()
            .into_iter()
            .map(|(state, _)| state)
            .collect()
    };
    use BulkState::{Completed, Downloading, Exporting, Pending, Processing};
    assert_eq!(
        history,
        [Pending, Exporting, Downloading, Processing, Completed]
    );
}

#[test]
fn a_server_that_asks_for_days_by_mistake_is_asked_again_soon() {
    let mut export = ExportSettings::default();
    export.polls = 3;
    export.retry_after = Some("1800000000000".to_owned());
    let site = Site::new(
        |builder| builder.export(export),
        "[connections.c.bulk]\npoll_max = \"10m\"\n",
    );
    site.run().unwrap();
    let waited = site.clock.now().duration_since(start()).unwrap();
    assert!(waited <= Duration::from_secs(4 * 600), "{waited:?}");
}

#[test]
fn the_next_run_takes_what_changed() {
    let site = Site::new(|builder| builder, "");
    let first = site.run().unwrap();
    assert_eq!(first.since, None);
    site.clock.advance(Duration::from_secs(3600));
    site.sandbox.change_data(7, 50, site.clock.now());
    site.clock.advance(Duration::from_secs(3600));
    let second = site.run().unwrap();
    assert_eq!(
        second.since.as_deref(),
        Some(first.transaction_time.as_str()),
        "as the server wrote it"
    );
    assert!(second.run.updated > 0 && second.run.resources < first.run.resources);
    assert!(site.is_complete());
    let third = site.run().unwrap();
    assert_eq!(third.run.created + third.run.updated + third.run.deleted, 0);
    assert_eq!(
        third.since.as_deref(),
        Some(second.transaction_time.as_str())
    );
}

#[test]
fn a_store_that_is_new_is_filled_although_there_was_a_run() {
    let site = Site::new(|builder| builder, "");
    site.run().unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", site.db().display());
        let _ = std::fs::remove_file(Path::new(&path));
    }
    let again = site.run().unwrap();
    assert_eq!(again.since, None);
    assert!(site.is_complete());
}

#[test]
fn a_partial_run_leaves_the_watermark_where_it_was() {
    let site = Site::new(|builder| builder, "[connections.c.http]\nretries = 1\n");
    let first = site.run().unwrap();
    site.clock.advance(Duration::from_secs(60));
    site.sandbox.change_data(7, 50, site.clock.now());
    site.clock.advance(Duration::from_secs(60));
    site.sandbox
        .set_faults(FaultPlan::of(["file/1:every:cut=10"]).unwrap());
    let partial = site.run().unwrap();
    assert_eq!(partial.run.state, RunState::Partial);
    assert!(partial.run.error.is_some());
    assert_eq!(
        site.sandbox.count(&Where::Delete),
        1,
        "the export of a partial run is kept"
    );
    site.sandbox.set_faults(FaultPlan::none());
    let next = site.run().unwrap();
    assert_eq!(next.run.state, RunState::Completed);
    assert_eq!(next.since.as_deref(), Some(first.transaction_time.as_str()));
    assert!(site.is_complete());
}

/// Asks to stop when the run waits for the server for the third time.
struct Impatient(Interrupt, u32);

impl Observer for Impatient {
    fn event(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Waiting { .. }) {
            self.1 += 1;
            if self.1 == 3 {
                self.0.interrupt();
            }
        }
    }
}

#[test]
fn a_run_that_was_stopped_is_gone_on_with() {
    let mut export = ExportSettings::default();
    export.polls = 10;
    let site = Site::new(|builder| builder.export(export), "");
    let interrupt = Interrupt::new();
    let error = site
        .run_with(Since::Auto, interrupt.clone(), &mut Impatient(interrupt, 0))
        .unwrap_err();
    assert!(
        matches!(error.kind(), ingest_pipeline::ErrorKind::Interrupted),
        "{error}"
    );
    let runs = site.state().runs(Some("c"), 1).unwrap();
    assert_eq!(runs[0].state, BulkState::Interrupted);
    let summary = site.run().unwrap();
    assert_eq!(summary.run.state, RunState::Completed);
    assert_eq!(site.kick_offs(), 1, "the same export");
    assert!(site.is_complete());
}

/// Starts another run in the middle of the first one.
struct Rival<'a>(&'a Site, Option<Error>);

impl Observer for Rival<'_> {
    fn event(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Waiting { .. }) && self.1.is_none() {
            self.1 = Some(self.0.run().unwrap_err());
        }
    }
}

#[test]
fn one_run_at_a_time() {
    let site = Site::new(|builder| builder, "");
    let mut rival = Rival(&site, None);
    let summary = site
        .run_with(Since::Auto, Interrupt::new(), &mut rival)
        .unwrap();
    let Some(Error::Running { run, holder, .. }) = rival.1 else {
        panic!("{:?}", rival.1);
    };
    assert_eq!((run, holder.as_str()), (summary.run.run, "test 1"));
    assert_eq!(site.kick_offs(), 1);
}

#[test]
fn an_export_that_the_server_has_forgotten_is_begun_anew() {
    let mut export = ExportSettings::default();
    export.polls = 10;
    let site = Site::new(|builder| builder.export(export), "");
    let interrupt = Interrupt::new();
    site.run_with(Since::Auto, interrupt.clone(), &mut Impatient(interrupt, 0))
        .unwrap_err();
    site.sandbox
        .set_faults(FaultPlan::of(["status:1:status=404"]).unwrap());
    let summary = site.run().unwrap();
    assert_eq!(summary.run.state, RunState::Completed);
    assert_eq!(site.kick_offs(), 2);
    assert!(
        summary
            .notices
            .iter()
            .any(|notice| notice.contains("forgotten")),
        "{:?}",
        summary.notices
    );
    assert!(site.is_complete());
}

#[test]
fn links_that_have_expired_are_made_new_once() {
    let site = Site::new(|builder| builder, "");
    site.sandbox
        .set_faults(FaultPlan::of(["file/1:1:status=403"]).unwrap());
    let summary = site.run().unwrap();
    assert_eq!(summary.run.state, RunState::Completed);
    assert!(site.is_complete());
}

#[test]
fn a_type_that_was_not_exported_before_makes_everything_come_again() {
    let mut site = Site::new(|builder| builder, "");
    site.run().unwrap();
    site.settings.types.push("Condition".to_owned());
    let summary = site.run().unwrap();
    assert_eq!(summary.since, None);
    assert!(
        summary
            .notices
            .iter()
            .any(|notice| notice.contains("Condition")),
        "{:?}",
        summary.notices
    );
    let mut store = SqliteStore::open_read_only(site.db()).unwrap();
    assert!(store.types().unwrap().contains(&"Condition".to_owned()));
    assert_eq!(store.runs(10).unwrap().len(), 2);
}

#[test]
fn what_the_server_reports_makes_the_run_partial() {
    for (accept, state) in [("false", RunState::Partial), ("true", RunState::Completed)] {
        let mut export = ExportSettings::default();
        export.outcomes = vec![fhir_http::Severity::Error, fhir_http::Severity::Warning];
        let site = Site::new(
            |builder| builder.export(export),
            &format!("accept_server_errors = {accept}\n"),
        );
        let summary = site.run().unwrap();
        assert_eq!(summary.run.state, state);
        assert_eq!(
            (summary.server_issues.errors, summary.server_issues.warnings),
            (1, 1)
        );
        assert!(site.is_complete(), "what there is, is stored");
    }
}

#[test]
fn an_expected_type_that_is_not_there_makes_the_run_partial() {
    let mut site = Site::new(|builder| builder, "");
    site.settings.types.push("Immunization".to_owned());
    site.settings.expected_types = vec!["Patient".to_owned(), "Immunization".to_owned()];
    let summary = site.run().unwrap();
    assert_eq!(summary.run.state, RunState::Partial);
    assert!(summary.run.error.unwrap().contains("Immunization"));
}

#[test]
fn an_instant_after_the_watermark_leaves_it_where_it_is() {
    let site = Site::new(|builder| builder, "");
    let first = site.run().unwrap();
    site.clock.advance(Duration::from_secs(3600));
    site.sandbox.change_data(7, 50, site.clock.now());
    site.clock.advance(Duration::from_secs(3600));
    let now = jiff::Timestamp::try_from(site.clock.now())
        .unwrap()
        .to_string();
    let later = site
        .run_with(Since::Instant(now), Interrupt::new(), &mut ())
        .unwrap();
    assert_eq!(
        (later.run.state, later.run.resources),
        (RunState::Completed, 0)
    );
    assert!(
        later
            .notices
            .iter()
            .any(|notice| notice.contains("watermark"))
    );
    let next = site.run().unwrap();
    assert_eq!(next.since.as_deref(), Some(first.transaction_time.as_str()));
    assert!(site.is_complete());
}

#[test]
fn an_instant_before_the_watermark_moves_it() {
    let site = Site::new(|builder| builder, "");
    site.run().unwrap();
    site.clock.advance(Duration::from_secs(3600));
    let since = Since::Instant("2020-01-01T00:00:00Z".to_owned());
    let second = site.run_with(since, Interrupt::new(), &mut ()).unwrap();
    let third = site.run().unwrap();
    assert_eq!(
        third.since.as_deref(),
        Some(second.transaction_time.as_str())
    );
}
