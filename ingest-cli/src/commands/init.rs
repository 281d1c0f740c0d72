use ingest_pipeline::{Error, init};
use serde_json::json;

use crate::args;
use crate::context::Context;
use crate::exit::Exit;
use crate::exit::Failure;
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Init) -> Result<Exit, Failure> {
    let created = init::write(&args.folder).map_err(Error::from)?;
    if context.global.json {
        report::json(&json!({ "config": created.config, "keys": created.keys }))?;
        return Ok(Exit::Ok);
    }
    report::text([
        format!("wrote {}", created.config.display()),
        format!("made the empty key ring {}", created.keys.display()),
        "describe your EHR there, then try it: ingest test CONNECTION".to_owned(),
    ])?;
    Ok(Exit::Ok)
}
