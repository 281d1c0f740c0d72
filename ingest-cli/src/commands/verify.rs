use serde_json::json;

use crate::args;
use crate::context::{self, Context, Target};
use crate::exit::{Exit, Failure};
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Verify) -> Result<Exit, Failure> {
    let target = context.store(&args.db, &context::surroundings()?)?;
    let server = match &target {
        Target::Server(server) => server,
        Target::File(_) | Target::Exclusive(_) => {
            let message = format!(
                "the store is the file {}, which nobody else writes",
                target.name()
            );
            return Err(Failure::new(Exit::Usage, message)
                .hint("verify is for a FHIR server; look at a file with PRAGMA integrity_check"));
        }
    };
    let found = server.verify()?;
    if context.global.json {
        report::json(&json!({
            "store": target.name(),
            "checked": found.checked,
            "changed": found.changed,
            "deleted": found.deleted,
            "provenance": found.provenance,
        }))?;
        return Ok(Exit::Ok);
    }
    let mut lines = vec![format!(
        "{} resources and Provenances looked at: {} changed and {} deleted by others, {} Provenances were missing and sent again",
        found.checked, found.changed, found.deleted, found.provenance
    )];
    if found.changed + found.deleted > 0 {
        lines.push("the next run that has them writes them again; of an EHR that only sends changes, ask for everything: ingest bulk CONNECTION --since full".to_owned());
    }
    report::text(lines)?;
    Ok(Exit::Ok)
}
