use crate::args;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::{report, signals};
use ingest_pipeline::store::SqliteStore;
use ingest_pipeline::{Load, LoadOptions, RunSummary, SystemClock, inputs, run_id};

pub(crate) fn run(context: &Context<'_>, args: &args::Load) -> Result<Exit, Failure> {
    let clock = SystemClock;
    let (settings, organization) = context.settings(&args.source)?;
    let db = context.db(&args.db)?;
    let inputs = inputs(&args.source.paths)?;
    let mut store = SqliteStore::open(&db)?;
    let folder = crate::context::folder(&db);
    let options = LoadOptions {
        organization,
        max_line: args.source.max_line,
        threads: args.threads.unwrap_or_else(crate::context::processors),
        ..LoadOptions::new(settings, run_id(&clock, crate::context::random()?), folder)
    };
    let load = Load::new(options, &inputs);
    signals::stop(&load.interrupt())?;
    let mut progress = Progress::new(context.global, &clock);
    let summary = load.run(&mut store, &clock, &mut progress)?;
    if context.global.json {
        report::json(&summary)?;
    } else {
        report::lines(text(&summary))?;
    }
    Ok(Exit::of(&summary, args.strict))
}

/// The summary for people.
pub(crate) fn text(summary: &RunSummary) -> Vec<String> {
    let mut rows: Vec<Vec<String>> = vec![
        [
            "type",
            "resources",
            "created",
            "updated",
            "unchanged",
            "deleted",
            "quarantined",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (name, counts) in &summary.by_type {
        let mut row = vec![(*name).to_owned()];
        row.extend(
            [
                counts.resources,
                counts.created,
                counts.updated,
                counts.unchanged,
                counts.deleted,
                counts.quarantined,
            ]
            .map(|count| count.to_string()),
        );
        rows.push(row);
    }
    let mut lines = if summary.by_type.is_empty() {
        Vec::new()
    } else {
        report::table(&rows)
    };
    let seconds = summary.elapsed_ms as f64 / 1000.0;
    let state = summary.state.as_str();
    lines.push(format!(
        "{state}: {} resources in {seconds:.1} s: created {}, updated {}, unchanged {}, deleted {}, quarantined {}",
        summary.resources,
        summary.created,
        summary.updated,
        summary.unchanged,
        summary.deleted,
        summary.quarantined,
    ));
    for (count, what) in [
        (
            summary.remediated,
            "resources lacked required data, which is marked as absent",
        ),
        (
            summary.unresolved_references,
            "references by identifier have not exactly one match",
        ),
        (
            summary.refused_files,
            "files could not be read to their end; see the log above",
        ),
    ] {
        if count > 0 {
            lines.push(format!("{count} {what}"));
        }
    }
    if summary.quarantined > 0 {
        lines.push("look at the refused records with: ingest quarantine list".to_owned());
    }
    lines.push(format!("run {}", summary.run));
    lines
}
