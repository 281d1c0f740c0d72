use ingest_pipeline::RunSummary;
use ingest_pipeline::access::StoreAccess;
use ingest_pipeline::config::ConnectionSettings;
use ingest_pipeline::fetch::{
    self, FetchOptions, FetchRequest, Fetcher, GatherCounts, Gathered, InStore, PatientKey,
};
use ingest_pipeline::{Error, Event, Observer as _};
use serde::Serialize;

use super::load;
use crate::args;
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::report;

pub(crate) fn run(context: &Context<'_>, args: &args::Fetch) -> Result<Exit, Failure> {
    let settings = context.connection(&args.connection)?;
    let around = context::surroundings()?;
    let target = context.store(&args.db, &around)?;
    let options = FetchOptions {
        full: args.full,
        ..FetchOptions::new(target.folder())
    };
    let fetcher = Fetcher::new(&settings, &around, options)?;
    let mut progress = Progress::new(context.global, &*around.clock);
    progress.event(&Event::State { state: "fetching" });
    let gathered = gather(&fetcher, &request(&settings, &args.who), target.access())?;

    let mut options = fetcher.load_options(around.run_id());
    options.threads = context::processors();
    // Only now: others may have written the store meanwhile.
    let mut store = target.access().open()?;
    let run = fetch::load(options, std::slice::from_ref(&gathered))
        .interrupted_by(around.interrupt.clone())
        .run(&mut *store, &*around.clock, &mut progress)?;
    let summary = Summary::new(run, &settings, gathered.counts());
    if context.global.json {
        report::json(&summary)?;
    } else {
        report::lines(text(&summary))?;
    }
    Ok(Exit::of(&summary.run, args.strict))
}

fn gather(
    fetcher: &Fetcher,
    request: &FetchRequest,
    store: &dyn StoreAccess,
) -> Result<Gathered, Failure> {
    let known = InStore::read(store, fetcher.normalize())?;
    Ok(fetcher.gather(request, &known).map_err(Error::from)?)
}

fn request(settings: &ConnectionSettings, who: &args::Who) -> FetchRequest {
    FetchRequest::new(match (&who.patient, &who.mrn) {
        (Some(id), _) => PatientKey::Id(id.clone()),
        (None, mrn) => PatientKey::Identifier {
            system: settings.mrn_system.clone(),
            value: mrn.clone().unwrap_or_default(),
        },
    })
}

/// What a fetch did.
#[derive(Serialize)]
struct Summary {
    #[serde(flatten)]
    run: RunSummary,
    connection: String,
    /// Resources referred to that the EHR does not have, or does not give.
    missing: u64,
    refused: u64,
}

impl Summary {
    fn new(run: RunSummary, settings: &ConnectionSettings, counts: GatherCounts) -> Self {
        Self {
            run,
            connection: settings.name.clone(),
            missing: counts.missing,
            refused: counts.refused,
        }
    }
}

/// The summary for people.
fn text(summary: &Summary) -> Vec<String> {
    let mut lines = load::text(&summary.run);
    // Its last line names the run.
    let run = lines.pop();
    for (count, what) in [
        (summary.missing, "resources referred to are not at the EHR"),
        (
            summary.refused,
            "resources referred to are not given to us: are the scopes too narrow?",
        ),
    ] {
        if count > 0 {
            lines.push(format!("{count} {what}"));
        }
    }
    lines.extend(run);
    lines
}
