//! Ctrl-C and SIGTERM.

use ingest_pipeline::Interrupt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::exit::{Exit, Failure};

/// The first signal ends the run in order; the second ends the process.
pub(crate) fn stop(interrupt: &Interrupt) -> Result<(), Failure> {
    let register = |signal| {
        // In this order: the first signal finds the flag not set yet.
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, interrupt.flag())?;
        flag::register(signal, interrupt.flag())
    };
    for signal in [SIGINT, SIGTERM] {
        register(signal).map_err(|error| {
            Failure::new(
                Exit::Unexpected,
                format!("cannot listen for signals: {error}"),
            )
        })?;
    }
    Ok(())
}
