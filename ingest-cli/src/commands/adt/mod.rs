//! The real-time channel.

mod dead_letters;
mod listen;
mod process;
mod raw;
mod site;
mod work;

use crate::args::{self, AdtAction, DeadLettersAction, RawAction};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::report;
use ingest_pipeline::adt::ReceiveSummary;

pub(crate) use site::Site;

pub(crate) fn run(context: &Context<'_>, args: &args::Adt) -> Result<Exit, Failure> {
    let site = Site::new(context, &args.db)?;
    match &args.action {
        AdtAction::Listen(listen) => listen::run(context, &site, listen),
        AdtAction::Process { connection, paths } => {
            process::run(context, &site, connection.as_deref(), paths)
        }
        AdtAction::Work { drain, connection } => {
            work::run(context, &site, connection.as_deref(), *drain)
        }
        AdtAction::DeadLetters { action } => match action {
            DeadLettersAction::List => dead_letters::list(context, &site),
            DeadLettersAction::Show { id } => dead_letters::show(context, &site, *id),
            DeadLettersAction::Replay { ids, all } => {
                dead_letters::replay(context, &site, ids, *all)
            }
        },
        AdtAction::Raw {
            action: RawAction::Show { key },
        } => raw::show(&site, key),
    }
}

/// What was received, for people or as JSON.
fn received(context: &Context<'_>, summary: &ReceiveSummary) -> Result<(), Failure> {
    if context.global.json {
        return report::json(summary);
    }
    let ReceiveSummary {
        received,
        accepted,
        ignored,
        duplicates,
        rejected,
        dead_letters,
        queued_fetches,
    } = summary;
    report::lines([
        format!(
            "{received} messages: accepted {accepted}, ignored {ignored}, duplicates {duplicates}, rejected {rejected}"
        ),
        format!(
            "dead letters among the rejected: {dead_letters}; fetches asked for: {queued_fetches}"
        ),
    ])
}
