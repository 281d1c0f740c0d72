use ingest_pipeline::probe::{Fault, ProbeReport, StepStatus, probe};

use crate::args;
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Test) -> Result<Exit, Failure> {
    let settings = context.connection(&args.connection)?;
    let result = probe(&settings, &context::surroundings()?)?;
    if context.global.json {
        report::json(&result)?;
    } else {
        report::lines(text(&result))?;
    }
    Ok(exit(&result))
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
    lines.push(format!("connection {}{site} {verdict}", result.connection));
    if result.fault.is_some() && !result.profile.notes.is_empty() {
        lines.push(format!("about {}:", result.profile.display_name));
        lines.extend(result.profile.notes.iter().map(|note| format!("- {note}")));
    }
    lines
}
