use ingest_pipeline::export;
use serde_json::json;

use super::check_types;
use crate::args;
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Export) -> Result<Exit, Failure> {
    check_types(args.types.as_deref().unwrap_or_default())?;
    let target = context.store(&args.db, &context::surroundings()?)?;
    let mut store = target.access().read()?;
    let files = export(&mut *store, args.types.as_deref(), &args.out)?;
    if context.global.json {
        let resources: u64 = files.iter().map(|file| file.resources).sum();
        report::json(&json!({ "resources": resources, "files": files }))?;
    } else if !context.global.quiet {
        report::text(
            files
                .iter()
                .map(|file| format!("{}  {}", file.file.display(), file.resources)),
        )?;
    }
    Ok(Exit::Ok)
}
