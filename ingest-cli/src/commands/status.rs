use std::collections::{BTreeMap, BTreeSet};

use ingest_pipeline::state::State;
use ingest_pipeline::state::inbox::InboxStatus;
use ingest_pipeline::store::{self, RunStore as _};
use ingest_pipeline::{Clock as _, Error, Held, SystemClock, millis};
use serde::Serialize;

use super::load;
use super::runs::instant;
use crate::args;
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Status) -> Result<Exit, Failure> {
    let target = context.store(&args.db, &context::surroundings()?)?;
    let access = target.access();
    let config = context.config()?;
    let state = context.state(access.file())?;
    let (exists, locked, held) = match access.records() {
        Ok(Some(mut records)) => (true, false, records.report()?.unresolved),
        Ok(None) => (false, false, Vec::new()),
        Err(Error::Store(store::Error::Busy { .. })) => (true, true, Vec::new()),
        Err(error) => return Err(error.into()),
    };
    // Of an empty store that its first load has for itself, no run has ended.
    let holds = |run: &str| Ok(!locked && access.has_completed(run)?);
    let held: Vec<_> = held.into_iter().map(Held::from).collect();
    let mut names: BTreeSet<_> = config.connections.keys().cloned().collect();
    if let Some(state) = &state {
        names.extend(state.connections()?);
    }
    let mut connections = Vec::new();
    for name in names {
        let configured = config.connections.contains_key(&name);
        let found = match &state {
            Some(state) => look(state, holds, &name)?,
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
            store: target.name(),
            exists,
            locked,
            held,
            connections,
        })?;
    } else {
        let note = if locked {
            " (can't be read now: a first load has it for itself, or another program locks it)"
        } else if exists {
            ""
        } else {
            " (not made yet)"
        };
        let mut lines = text(format!("store {}{note}", target.name()), &connections);
        lines.splice(1..1, load::held(&held));
        report::text(lines)?;
    }
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct Status {
    store: String,
    exists: bool,
    /// Whether nobody can read it now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    locked: bool,
    /// What a server that is the store did not take yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held: Vec<Held>,
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
    /// Messages, where some ever came.
    adt: Option<Adt>,
}

#[derive(Serialize)]
struct Adt {
    received: u64,
    acknowledged: BTreeMap<&'static str, u64>,
    accepted: u64,
    ignored: u64,
    duplicates: u64,
    rejected: u64,
    out_of_order: u64,
    reused_control_ids: u64,
    last: Option<String>,
    /// Fetches that wait or are under way.
    queued: u64,
    oldest_queued: Option<String>,
    dead_letters: u64,
    /// Messages that wait for the archive.
    unarchived: u64,
}

impl From<InboxStatus> for Adt {
    fn from(status: InboxStatus) -> Self {
        let counts = status.counts;
        Self {
            received: counts.received,
            acknowledged: BTreeMap::from([
                ("AA", counts.accepted + counts.ignored + counts.duplicates),
                ("AE", counts.rejected - counts.outright),
                ("AR", counts.outright),
            ]),
            accepted: counts.accepted,
            ignored: counts.ignored,
            duplicates: counts.duplicates,
            rejected: counts.rejected,
            out_of_order: counts.out_of_order,
            reused_control_ids: counts.reused_control_ids,
            last: counts.last.map(instant),
            queued: status.queued,
            oldest_queued: status.oldest.map(instant),
            dead_letters: status.dead,
            unarchived: status.unarchived,
        }
    }
}

#[derive(Serialize)]
struct Run {
    id: String,
    state: &'static str,
    started: String,
    since: Option<String>,
    error: Option<String>,
}

/// `holds` tells whether the store has a run.
fn look(
    state: &State,
    holds: impl Fn(&str) -> Result<bool, Error>,
    name: &str,
) -> Result<Found, Failure> {
    let now = millis(SystemClock.now());
    let running = state.holder(name, now)?;
    let watermark = state.watermark(name, holds)?;
    let last = match state.runs(Some(name), 1)?.pop() {
        Some(run) => Some(Run {
            state: state.state_of(&run, now)?.as_str(),
            id: run.id,
            started: instant(run.started),
            since: run.since,
            error: run.error,
        }),
        None => None,
    };
    Ok(Found {
        resumable: running.is_none() && state.job(name)?.is_some(),
        last,
        watermark: watermark.map(|watermark| watermark.instant),
        running,
        adt: state.inbox(name)?.map(Adt::from),
    })
}

fn text(store: String, connections: &[Connection]) -> Vec<String> {
    let mut lines = vec![store];
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
            ..
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
    lines.extend(adt(connections));
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

/// What came in over MLLP, a line or two a connection.
fn adt(connections: &[Connection]) -> Vec<String> {
    let mut lines = Vec::new();
    for connection in connections {
        let Some(adt) = &connection.found.adt else {
            continue;
        };
        let codes: Vec<_> = adt
            .acknowledged
            .iter()
            .map(|(code, count)| format!("{code} {count}"))
            .collect();
        let last = adt.last.as_deref().unwrap_or("never");
        lines.push(format!(
            "{}: {} messages ({}), the last at {last}",
            connection.name,
            adt.received,
            codes.join(", ")
        ));
        let oldest = match &adt.oldest_queued {
            Some(oldest) => format!(" since {oldest}"),
            None => String::new(),
        };
        lines.push(format!(
            "{}: {} fetches queued{oldest}, {} dead letters, {} messages not archived yet",
            connection.name, adt.queued, adt.dead_letters, adt.unarchived
        ));
    }
    lines
}
