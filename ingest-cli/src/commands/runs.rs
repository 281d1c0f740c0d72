//! Runs that have ended, from the store, and those that the state database
//! knows of besides.

use ingest_pipeline::access::{SqliteFile, StoreAccess as _};
use ingest_pipeline::state::{BulkRun, BulkState};
use ingest_pipeline::store::{Counts, Error, RunRecord, RunState, RunStore as _};
use ingest_pipeline::{Clock as _, SystemClock, millis};
use serde_json::{Value, json};

use crate::args::{self, RunsAction};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Runs) -> Result<Exit, Failure> {
    match &args.action {
        RunsAction::List { limit } => {
            let mut runs = runs(context, &args.db)?;
            runs.truncate(*limit);
            list(&runs, context.global.json)?;
        }
        RunsAction::Show { id } => {
            // Ids begin with the time, so that a run is found by its beginning.
            let runs = runs(context, &args.db)?;
            let mut found = runs
                .iter()
                .filter(|run| run.record.id.starts_with(id.as_str()));
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

/// A run, and what the state database adds to it.
struct Run {
    record: RunRecord,
    state: &'static str,
    since: Option<String>,
    /// Its states, each with its instant.
    history: Vec<(BulkState, i64)>,
}

/// All runs, the newest first.
fn runs(context: &Context<'_>, db: &args::Db) -> Result<Vec<Run>, Failure> {
    let file = SqliteFile(context.file(db)?);
    let state = context.state(&file.0)?;
    let stored = match file.records()? {
        Some(mut store) => store.runs(usize::MAX)?,
        // A first export that has not got as far as the store.
        None if state.is_some() => Vec::new(),
        None => return Err(Error::NotFound { path: file.0 }.into()),
    };
    let mut runs: Vec<_> = stored
        .into_iter()
        .map(|record| Run {
            state: record.state.as_str(),
            since: None,
            history: Vec::new(),
            record,
        })
        .collect();
    let Some(state) = state else {
        return Ok(runs);
    };
    let now = millis(SystemClock.now());
    for bulk in state.runs(None, usize::MAX)? {
        let history = state.history(&bulk.id)?;
        let place = runs.iter().position(|run| run.record.id == bulk.id);
        let index = place.unwrap_or_else(|| {
            runs.push(unstored(&bulk));
            runs.len() - 1
        });
        let run = &mut runs[index];
        run.state = state.state_of(&bulk, now)?.as_str();
        run.since = bulk.since;
        run.history = history;
    }
    runs.sort_by(|a, b| (b.record.started, &b.record.id).cmp(&(a.record.started, &a.record.id)));
    Ok(runs)
}

/// A run that is not in the store (yet).
fn unstored(run: &BulkRun) -> Run {
    Run {
        record: RunRecord {
            id: run.id.clone(),
            connection: Some(run.connection.clone()),
            kind: "bulk".to_owned(),
            source_system: String::new(),
            state: RunState::Running,
            started: run.started,
            finished: None,
            counts: Counts::default(),
            error: run.error.clone(),
            summary: None,
        },
        state: run.state.as_str(),
        since: None,
        history: Vec::new(),
    }
}

fn list(runs: &[Run], json: bool) -> Result<(), Failure> {
    if json {
        let runs: Vec<_> = runs.iter().map(as_json).collect();
        return report::json(&json!({ "runs": runs }));
    }
    let heads = [
        "run",
        "connection",
        "kind",
        "state",
        "started",
        "resources",
        "created",
        "updated",
        "quarantined",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(
        |Run {
             record: run, state, ..
         }| {
            vec![
                run.id.clone(),
                run.connection.clone().unwrap_or_default(),
                run.kind.clone(),
                (*state).to_owned(),
                instant(run.started),
                run.counts.resources.to_string(),
                run.counts.created.to_string(),
                run.counts.updated.to_string(),
                run.counts.quarantined.to_string(),
            ]
        },
    ));
    report::lines(report::table(&rows))
}

fn show(run: &Run, json: bool) -> Result<(), Failure> {
    if json {
        return report::json(&as_json(run));
    }
    let (history, state, since) = (&run.history, run.state, &run.since);
    let run = &run.record;
    let counts = &run.counts;
    let mut lines = vec![
        format!("run          {}", run.id),
        format!("kind         {}", run.kind),
        format!("source       {}", run.source_system),
        format!("state        {state}"),
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
    if let Some(since) = since {
        lines.push(format!("since        {since}"));
    }
    for (state, entered) in history {
        lines.push(format!("{:<12} {}", state.as_str(), instant(*entered)));
    }
    if let Some(error) = &run.error {
        lines.push(format!("error        {error}"));
    }
    report::text(lines)
}

/// What the view `runs` shows, and the summary that the run ended with.
fn as_json(run: &Run) -> Value {
    let states: Vec<_> = run
        .history
        .iter()
        .map(|(state, entered)| json!({ "state": state.as_str(), "entered": instant(*entered) }))
        .collect();
    let (state, since, run) = (run.state, &run.since, &run.record);
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
        "state": state,
        "states": states,
        "since": since,
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
