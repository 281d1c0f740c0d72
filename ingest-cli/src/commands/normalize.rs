use std::io;

use ingest_pipeline::{Error, NormalizeOptions, Output, SystemClock, inputs, normalize};

use crate::args;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Normalize) -> Result<Exit, Failure> {
    let (settings, _) = context.settings(&args.source)?;
    let inputs = inputs(&args.source.paths)?;
    let options = NormalizeOptions {
        settings,
        output: if args.hashes {
            Output::Hashes
        } else {
            Output::Ndjson
        },
        max_line: args.source.max_line,
        spool: std::env::temp_dir(),
    };
    let clock = SystemClock;
    let mut progress = Progress::new(context.global, &clock);
    let mut out = io::BufWriter::with_capacity(256 * 1024, io::stdout().lock());
    let summary = match normalize(&options, &inputs, &mut out, &mut progress) {
        // Whoever read the output has seen enough.
        Err(Error::Output { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(Exit::Ok);
        }
        result => result?,
    };
    drop(out);
    if context.global.json {
        report::json(&summary)?;
    } else if !context.global.quiet {
        report::note(&format!(
            "{} resources normalized, {} records refused, {} deletions passed over",
            summary.resources, summary.quarantined, summary.deletions
        ));
    }
    Ok(match () {
        () if summary.refused_files > 0 => Exit::Partial,
        () if args.strict && summary.quarantined > 0 => Exit::Quarantined,
        () => Exit::Ok,
    })
}
