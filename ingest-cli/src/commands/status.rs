use std::collections::BTreeSet;

use ingest_pipeline::state::{BulkRun, BulkState, State};
use ingest_pipeline::store::{RunState, RunStore as _, SqliteStore};
use ingest_pipeline::{Clock as _, Error, SystemClock};
use serde::Serialize;

use super::runs::{instant, millis};
use crate::args;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Status) -> Result<Exit, Failure> {
    let db = context.db(&args.db)?;
    let path = context.state_path(&db)?;
    let config = context.config()?;
    let state = match path.exists() {
        true => Some(State::open(&path)?),
        false => None,
    };
    let mut store = match SqliteStore::open_read_only(&db) {
        Ok(store) => Some(store),
        Err(ingest_pipeline::store::Error::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let mut names: BTreeSet<_> = config.connections.keys().cloned().collect();
    if let Some(state) = &state {
        names.extend(state.connections()?);
    }
    let mut connections = Vec::new();
    for name in names {
        let configured = config.connections.contains_key(&name);
        let found = match &state {
            Some(state) => look(state, store.as_mut(), &name)?,
            None => Found::default(),
        };
        connections.push(Connection {
            name,
            configured,
            found,
        });
    }
    if context.global.json {
        report::json(&Status {
            store: db.display().to_string(),
            exists: store.is_some(),
            connections,
        })?;
    } else {
        report::lines(text(
            &db.display().to_string(),
            store.is_some(),
            &connections,
        ))?;
    }
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct Status {
    store: String,
    exists: bool,
    connections: Vec<Connection>,
}

#[derive(Serialize)]
struct Connection {
    name: String,
    configured: bool,
    #[serde(flatten)]
    found: Found,
}

#[derive(Default, Serialize)]
struct Found {
    /// The process that runs it now.
    running: Option<String>,
    /// Whether there is an export that the next run goes on with.
    resumable: bool,
    last: Option<Run>,
    /// Up to when the store has everything.
    watermark: Option<String>,
}

#[derive(Serialize)]
struct Run {
    id: String,
    state: &'static str,
    started: String,
    since: Option<String>,
    error: Option<String>,
}

fn look(state: &State, store: Option<&mut SqliteStore>, name: &str) -> Result<Found, Failure> {
    let now = millis(SystemClock.now());
    let running = state.holder(name, now)?;
    let mut store = store;
    let watermark = state.watermark(name, |run| {
        let Some(store) = &mut store else {
            return Ok(false);
        };
        let run = store.run(run).map_err(Error::from)?;
        Ok(run.is_some_and(|run| run.state == RunState::Completed))
    })?;
    let last = state.runs(Some(name), 1)?.into_iter().next();
    Ok(Found {
        resumable: running.is_none() && state.job(name)?.is_some(),
        last: last.map(|run| described(run, running.is_some())),
        watermark: watermark.map(|watermark| watermark.instant),
        running,
    })
}

fn described(run: BulkRun, running: bool) -> Run {
    // Its process is gone without a word.
    let state = if running || run.state.is_final() {
        run.state
    } else {
        BulkState::Interrupted
    };
    Run {
        id: run.id,
        state: state.as_str(),
        started: instant(run.started),
        since: run.since,
        error: run.error,
    }
}

fn text(db: &str, exists: bool, connections: &[Connection]) -> Vec<String> {
    let none = if exists { "" } else { " (not made yet)" };
    let mut lines = vec![format!("store {db}{none}")];
    if connections.is_empty() {
        lines.push(
            "no connections are configured: write a configuration with ingest init".to_owned(),
        );
        return lines;
    }
    let heads = ["connection", "last run", "started", "complete up to", "now"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for connection in connections {
        let Found {
            running,
            resumable,
            last,
            watermark,
        } = &connection.found;
        let now = match (running, resumable) {
            (Some(holder), _) => format!("running in {holder}"),
            (None, true) => "the next run goes on with its export".to_owned(),
            (None, false) if !connection.configured => "not configured any more".to_owned(),
            _ => "idle".to_owned(),
        };
        rows.push(vec![
            connection.name.clone(),
            last.as_ref().map_or("never", |run| run.state).to_owned(),
            last.as_ref()
                .map(|run| run.started.clone())
                .unwrap_or_default(),
            watermark.clone().unwrap_or_default(),
            now,
        ]);
    }
    lines.extend(report::table(&rows));
    for connection in connections {
        if let Some(error) = connection
            .found
            .last
            .as_ref()
            .and_then(|run| run.error.as_ref())
        {
            lines.push(format!("{}: {error}", connection.name));
        }
    }
    lines
}
