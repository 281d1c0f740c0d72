use ingest_pipeline::Error;
use ingest_pipeline::config::StoreServer;
use ingest_pipeline::probe::{Fault, ProbeReport, StepStatus, probe, probe_store};

use crate::args;
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Test) -> Result<Exit, Failure> {
    let around = context::surroundings()?;
    let result = match &args.connection {
        Some(name) => probe(&context.connection(name)?, &around)?,
        None => probe_store(&store(context)?, &around)?,
    };
    if context.global.json {
        report::json(&result)?;
    } else {
        report::text(text(&result))?;
    }
    Ok(exit(&result))
}

fn store(context: &Context<'_>) -> Result<StoreServer, Failure> {
    let server = context.config()?.store_server().map_err(Error::from)?;
    server.ok_or_else(|| {
        let message = "the configured store is no FHIR server";
        Failure::new(Exit::Configuration, message).hint("set `fhir` in [store]")
    })
}

fn exit(result: &ProbeReport) -> Exit {
    match result.fault {
        None => Exit::Ok,
        Some(Fault::Network) => Exit::Network,
        Some(Fault::Authentication) => Exit::Authentication,
        Some(Fault::Server) => Exit::Server,
    }
}

/// The report for people.
pub(crate) fn text(result: &ProbeReport) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &result.steps {
        let status = match step.status {
            StepStatus::Ok => "ok",
            StepStatus::Warning => "warning",
            StepStatus::Failed => "failed",
            StepStatus::Skipped => "skipped",
        };
        lines.push(format!(
            "{:<10} {status:<8} {:>6} ms  {}",
            step.name, step.elapsed_ms, step.detail
        ));
        if let Some(hint) = &step.hint {
            lines.push(format!("{:20}hint: {hint}", ""));
        }
    }
    let site = match &result.site_name {
        Some(site) => format!(" ({site}, {})", result.profile.display_name),
        None => format!(" ({})", result.profile.display_name),
    };
    let verdict = match result.fault {
        None => "works",
        Some(_) => "does not work",
    };
    lines.push(match result.connection.as_str() {
        "store" if result.site_name.is_none() => format!("the store {verdict}"),
        name => format!("connection {name}{site} {verdict}"),
    });
    if result.fault.is_some() && !result.profile.notes.is_empty() {
        lines.push(format!("about {}:", result.profile.display_name));
        lines.extend(result.profile.notes.iter().map(|note| format!("- {note}")));
    }
    lines
}
