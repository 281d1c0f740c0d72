use ingest_pipeline::RunSummary;
use ingest_pipeline::adt::{Shown, Work, WorkOptions};
use ingest_pipeline::config::ConnectionSettings;
use ingest_pipeline::store::RunState;

use super::Site;
use crate::commands::load;
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::report;

pub(super) fn run(
    context: &Context<'_>,
    site: &Site<'_>,
    connection: Option<&str>,
    drain: bool,
) -> Result<Exit, Failure> {
    let settings = site.connections(connection)?;
    let summary = work(site, settings, drain)?;
    if context.global.json {
        report::json(&summary)?;
    } else {
        report::lines(text(&summary))?;
    }
    // Without `drain` that it is stopped is how it ends.
    Ok(match summary.state {
        RunState::Interrupted if drain => Exit::Interrupted,
        _ => Exit::Ok,
    })
}

/// Fetches until the queue is empty, or until it is told to stop.
pub(super) fn work(
    site: &Site<'_>,
    settings: Vec<ConnectionSettings>,
    drain: bool,
) -> Result<RunSummary, Failure> {
    let options = WorkOptions {
        threads: context::processors(),
        drain,
        ..WorkOptions::new(site.around.run_id())
    };
    let mut archives = Vec::new();
    for settings in &settings {
        archives.push((settings.name.clone(), site.archive(settings)?));
    }
    let mut work = Work::new(
        settings,
        &site.around,
        site.store.access(),
        site.store.folder(),
        &site.state_path,
        Shown::new(archives),
        options,
    )?;
    Ok(work.run()?)
}

/// What was fetched, for people.
pub(super) fn text(summary: &RunSummary) -> Vec<String> {
    let mut lines = load::text(summary);
    // Every fetch is a run of its own; the last line names none of them.
    lines.pop();
    lines
}
