#![doc = include_str!("../README.md")]

mod args;
mod commands;
mod context;
mod exit;
mod log;
mod progress;
mod report;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::context::Context;
use crate::exit::Exit;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    log::start(&args.global, args.command.is_server());
    let context = Context::new(&args.global);
    let result = match &args.command {
        Command::Demo(demo) => commands::demo::run(&context, demo),
        Command::Init(init) => commands::init::run(&context, init),
        Command::Test(test) => commands::test::run(&context, test),
        Command::Bulk(bulk) => commands::bulk::run(&context, bulk),
        Command::Fetch(fetch) => commands::fetch::run(&context, fetch),
        Command::Status(status) => commands::status::run(&context, status),
        Command::Adt(adt) => commands::adt::run(&context, adt),
        Command::Keys(keys) => commands::keys::run(&context, keys),
        Command::Jwks(jwks) => commands::jwks::run(&context, jwks),
        Command::Sandbox(sandbox) => commands::sandbox::run(&context, sandbox),
        Command::Load(load) => commands::load::run(&context, load),
        Command::Normalize(normalize) => commands::normalize::run(&context, normalize),
        Command::Export(export) => commands::export::run(&context, export),
        Command::Verify(verify) => commands::verify::run(&context, verify),
        Command::Runs(runs) => commands::runs::run(&context, runs),
        Command::Quarantine(quarantine) => commands::quarantine::run(&context, quarantine),
        Command::Completions { shell } => commands::shell::completions(*shell),
        Command::Man => commands::shell::man(),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            report::failure(&failure, args.global.json);
            failure.exit.into()
        }
    }
}

/// Clap's own messages, but as JSON where that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && wants_json {
        // The first paragraph is the message; tips and usage follow.
        let text = error.to_string();
        let message: Vec<_> = text
            .lines()
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        let message = message.join(" ");
        let message = message.strip_prefix("error: ").unwrap_or(&message);
        let failure = exit::Failure::new(Exit::Usage, message).hint("see ingest --help");
        report::failure(&failure, true);
        return Exit::Usage.into();
    }
    // Where even that can't be printed, the exit code still tells.
    let _ = error.print();
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        ExitCode::SUCCESS
    }
}
