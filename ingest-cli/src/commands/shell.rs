//! What packagers install beside the binary.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "ingest", &mut script);
    report::lines([script.trim_ascii_end()])?;
    Ok(Exit::Ok)
}

pub(crate) fn man() -> Result<Exit, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Args::command())
        .render(&mut page)
        .map_err(|error| Failure::new(Exit::Unexpected, error.to_string()))?;
    report::lines([page.trim_ascii_end()])?;
    Ok(Exit::Ok)
}
