use crate::args;
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::report;
use ingest_pipeline::{Held, Load, LoadOptions, RunSummary, inputs};

pub(crate) fn run(context: &Context<'_>, args: &args::Load) -> Result<Exit, Failure> {
    let around = context::surroundings()?;
    let clock = &*around.clock;
    let (settings, organization) = context.settings(&args.source)?;
    let inputs = inputs(&args.source.paths)?;
    let target = context
        .store(&args.db, &around)?
        .exclusive(args.exclusive)?;
    let mut store = target.access().open()?;
    let options = LoadOptions {
        organization,
        max_line: args.source.max_line,
        threads: args.threads.unwrap_or_else(context::processors),
        ..LoadOptions::new(settings, around.run_id(), target.folder())
    };
    let mut progress = Progress::new(context.global, clock);
    let summary = Load::new(options, &inputs)
        .interrupted_by(around.interrupt.clone())
        .run(&mut *store, clock, &mut progress)?;
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
        (
            summary.drifted,
            "resources were changed or deleted on the store's server by others",
        ),
        (
            summary.refused_late,
            "resources counted as written were refused by the store's server in the end",
        ),
    ] {
        if count > 0 {
            lines.push(format!("{count} {what}"));
        }
    }
    lines.extend(held(&summary.held));
    if summary.quarantined + summary.refused_late > 0 {
        lines.push("look at the refused records with: ingest quarantine list".to_owned());
    }
    lines.push(format!("run {}", summary.run));
    lines
}

/// What the store's server did not take yet, a line for each type and reason.
pub(crate) fn held(held: &[Held]) -> impl Iterator<Item = String> {
    held.iter().map(|own| {
        let Held {
            resource_type,
            code,
            writes,
        } = own;
        match code.as_str() {
            "" => format!("{resource_type}: {writes} not sent to the store's server yet; the next run sends them"),
            code => format!("{resource_type}: {writes} not taken by the store's server ({code}); the next run sends them again"),
        }
    })
}
