use std::path::Path;

use ingest_pipeline::Observer;
use ingest_pipeline::access::StoreAccess;
use ingest_pipeline::bulk::{Bulk, BulkOptions, BulkSummary, Since};
use ingest_pipeline::config::{self, ConnectionSettings, ExportLevel};
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::state::State;
use ingest_pipeline::store::RunState;
use serde_json::json;

use super::{check_types, load};
use crate::args;
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Bulk) -> Result<Exit, Failure> {
    check_types(args.types.as_deref().unwrap_or_default())?;
    let settings = settings(context.connection(&args.connection)?, args);
    let around = context::surroundings()?;
    let target = context
        .store(&args.db, &around)?
        .exclusive(args.exclusive)?;
    let state_path = context.state_path(target.access().file())?;
    let options = BulkOptions {
        since: since(&settings, args),
        level: level(args),
        resume: args.resume,
        threads: args.threads.unwrap_or_else(context::processors),
        ..BulkOptions::new(around.run_id(), context::holder())
    };
    let job = Job {
        settings: &settings,
        around: &around,
        store: target.access(),
        state: &state_path,
    };
    if args.cancel {
        let mut state = State::open(&state_path)?;
        Bulk::new(&settings, options, &around).cancel(&mut state)?;
        report_cancelled(context, &settings.name)?;
        return Ok(Exit::Ok);
    }
    let mut progress = Progress::new(context.global, &*around.clock);
    let summary = job.run(options, &mut progress)?;
    if context.global.json {
        report::json(&summary)?;
    } else {
        report::lines(text(&summary))?;
    }
    Ok(Exit::of(&summary.run, args.strict))
}

/// An export, with everything that it needs.
pub(crate) struct Job<'a> {
    pub(crate) settings: &'a ConnectionSettings,
    pub(crate) around: &'a Surroundings,
    pub(crate) store: &'a dyn StoreAccess,
    pub(crate) state: &'a Path,
}

impl Job<'_> {
    pub(crate) fn run(
        &self,
        options: BulkOptions,
        observer: &mut dyn Observer,
    ) -> Result<BulkSummary, Failure> {
        let mut state = State::open(self.state)?;
        let bulk = Bulk::new(self.settings, options, self.around);
        Ok(bulk.run(self.store, &mut state, observer)?)
    }
}

/// The configured connection, with what was asked for instead.
fn settings(mut settings: ConnectionSettings, args: &args::Bulk) -> ConnectionSettings {
    if let Some(types) = &args.types {
        settings.scopes = settings.scopes_for(types);
        settings.types.clone_from(types);
    }
    if !args.type_filters.is_empty() {
        settings.type_filters.clone_from(&args.type_filters);
    }
    settings
}

fn since(settings: &ConnectionSettings, args: &args::Bulk) -> Since {
    match &args.since {
        args::Since::Full => Since::Full,
        args::Since::Instant(instant) => Since::Instant(instant.clone()),
        args::Since::Auto => match settings.bulk.since {
            config::Since::Full => Since::Full,
            config::Since::Auto => Since::Auto,
        },
    }
}

fn level(args: &args::Bulk) -> Option<ExportLevel> {
    if args.system {
        return Some(ExportLevel::System);
    }
    if args.patient {
        return Some(ExportLevel::Patient);
    }
    args.group.clone().map(ExportLevel::Group)
}

fn report_cancelled(context: &Context<'_>, connection: &str) -> Result<(), Failure> {
    if context.global.json {
        return report::json(&json!({ "connection": connection, "cancelled": true }));
    }
    report::lines([format!("the export of {connection} is cancelled")])
}

/// The summary for people.
pub(crate) fn text(summary: &BulkSummary) -> Vec<String> {
    let mut lines = load::text(&summary.run);
    // Its last line names the run.
    let run = lines.pop();
    let what = match &summary.since {
        Some(since) => format!("changes since {since}"),
        None => "everything".to_owned(),
    };
    lines.push(format!(
        "exported {what} in {} files ({:.1} MB), up to {}",
        summary.files,
        summary.downloaded_bytes as f64 / 1e6,
        summary.transaction_time
    ));
    if summary.run.state != RunState::Completed {
        lines.push("the next run starts from where this one did: nothing is skipped".to_owned());
    }
    if let Some(error) = &summary.run.error {
        lines.push(format!("first fault: {error}"));
    }
    lines.extend(
        summary
            .notices
            .iter()
            .map(|notice| format!("note: {notice}")),
    );
    lines.extend(run);
    lines
}
