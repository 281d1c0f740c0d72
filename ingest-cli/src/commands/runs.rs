use ingest_pipeline::store::{RunRecord, RunStore};
use serde_json::{Value, json};

use crate::args::{self, RunsAction};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Runs) -> Result<Exit, Failure> {
    let mut store = context.open_read_only(&args.db)?;
    match &args.action {
        RunsAction::List { limit } => list(&store.runs(*limit)?, context.global.json)?,
        RunsAction::Show { id } => {
            // Ids begin with the time, so that a run is found by its beginning.
            let runs = store.runs(usize::MAX)?;
            let mut found = runs.iter().filter(|run| run.id.starts_with(id.as_str()));
            match (found.next(), found.next()) {
                (Some(run), None) => show(run, context.global.json)?,
                (Some(_), Some(_)) => {
                    let message = format!("more than one run begins with {id}");
                    return Err(Failure::new(Exit::Usage, message).hint("give more of the id"));
                }
                (None, _) => {
                    let message = format!("there is no run {id}");
                    return Err(Failure::new(Exit::Usage, message).hint("see: ingest runs list"));
                }
            }
        }
    }
    Ok(Exit::Ok)
}

fn list(runs: &[RunRecord], json: bool) -> Result<(), Failure> {
    if json {
        let runs: Vec<_> = runs.iter().map(as_json).collect();
        return report::json(&json!({ "runs": runs }));
    }
    let heads = [
        "run",
        "kind",
        "state",
        "started",
        "resources",
        "created",
        "updated",
        "quarantined",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|run| {
        vec![
            run.id.clone(),
            run.kind.clone(),
            run.state.as_str().to_owned(),
            instant(run.started),
            run.counts.resources.to_string(),
            run.counts.created.to_string(),
            run.counts.updated.to_string(),
            run.counts.quarantined.to_string(),
        ]
    }));
    report::lines(report::table(&rows))
}

fn show(run: &RunRecord, json: bool) -> Result<(), Failure> {
    if json {
        return report::json(&as_json(run));
    }
    let counts = &run.counts;
    let mut lines = vec![
        format!("run          {}", run.id),
        format!("kind         {}", run.kind),
        format!("source       {}", run.source_system),
        format!("state        {}", run.state.as_str()),
        format!("started      {}", instant(run.started)),
        format!(
            "finished     {}",
            run.finished.map(instant).unwrap_or_default()
        ),
        format!("resources    {}", counts.resources),
        format!("created      {}", counts.created),
        format!("updated      {}", counts.updated),
        format!("unchanged    {}", counts.unchanged),
        format!("deleted      {}", counts.deleted),
        format!("quarantined  {}", counts.quarantined),
        format!("remediated   {}", counts.remediated),
        format!("bytes        {}", counts.bytes),
    ];
    if let Some(connection) = &run.connection {
        lines.insert(1, format!("connection   {connection}"));
    }
    if let Some(error) = &run.error {
        lines.push(format!("error        {error}"));
    }
    report::lines(lines)
}

/// What the view `runs` shows, and the summary that the run ended with.
fn as_json(run: &RunRecord) -> Value {
    let counts = &run.counts;
    let summary: Option<Value> = run
        .summary
        .as_deref()
        .and_then(|summary| serde_json::from_str(summary).ok());
    json!({
        "id": run.id,
        "connection": run.connection,
        "kind": run.kind,
        "source_system": run.source_system,
        "state": run.state.as_str(),
        "started": instant(run.started),
        "finished": run.finished.map(instant),
        "resources": counts.resources,
        "created": counts.created,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "deleted": counts.deleted,
        "quarantined": counts.quarantined,
        "remediated": counts.remediated,
        "error": run.error,
        "summary": summary,
    })
}

/// ISO 8601 in UTC.
pub(crate) fn instant(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map(|instant| instant.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
        .unwrap_or_default()
}
