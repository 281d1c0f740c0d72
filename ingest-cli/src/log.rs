//! The log on standard error.

use std::io;

use tracing::Level;

use crate::args::{Global, LogFormat};

/// Starts logging, for the whole process. Of a server the log is what it has to
/// say, so more of it is shown.
pub(crate) fn start(global: &Global, is_server: bool) {
    let level = match (global.quiet, global.verbose + u8::from(is_server)) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::WARN,
        (false, 1) => Level::INFO,
        (false, 2) => Level::DEBUG,
        (false, _) => Level::TRACE,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false);
    match global.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
