//! The whole way, with an EHR of our own on loopback.

mod adt;
mod ehr;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use ingest_pipeline::access::SqliteFile;
use ingest_pipeline::bulk::{BulkOptions, BulkSummary};
use ingest_pipeline::config::Config;
use ingest_pipeline::probe::probe;
use ingest_pipeline::state::State;
use ingest_pipeline::store::SqliteStore;
use ingest_pipeline::{Clock as _, Error, SystemClock};

use super::bulk::Job;
use crate::args;
use crate::context::{self, Context};
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use ehr::Ehr;
use report::Report;

/// Percent of the patients for whom something changes between the exports.
const CHANGED: u8 = 10;
/// The connection's name.
const NAME: &str = "demo";

pub(crate) fn run(context: &Context<'_>, args: &args::Demo) -> Result<Exit, Failure> {
    let clock = SystemClock;
    let started = clock.now();
    let around = context::surroundings()?;
    let folder = Folder::new(args.keep.as_deref())?;
    let ehr = Ehr::start(args.patients, folder.path())?;
    let mut report = Report::new(&ehr);

    let file = folder.path().join("ingest.toml");
    write(&file, &ehr.configuration(NAME))?;
    let config = Config::read(&file).map_err(Error::from)?;
    let settings = config.connection(NAME).map_err(Error::from)?;
    let test = probe(&settings, &around)?;
    let works = test.fault.is_none();
    report.tested(test);
    if works {
        let db = folder.path().join("demo.db");
        let store = SqliteFile(db.clone());
        let job = Job {
            settings: &settings,
            around: &around,
            store: &store,
            state: &State::path_beside(&db),
        };
        let mut progress = Progress::new(context.global, &clock);
        report.exported(bulk(&job, &mut progress)?);
        report.changed(ehr.change(CHANGED));
        ehr.retire_key()?;
        report.exported(bulk(&job, &mut progress)?);
        // What nothing happened to is not written again.
        report.exported(bulk(&job, &mut progress)?);
        report.sent(adt::day(&ehr, &settings, &around, &db)?);
        report.reconcile(&ehr, &mut SqliteStore::open_read_only(&db)?)?;
    }
    let elapsed = clock.now().duration_since(started).unwrap_or_default();
    let passed = report.finish(elapsed, folder.kept());
    report.print(context.global.json)?;
    Ok(if passed { Exit::Ok } else { Exit::Unexpected })
}

fn bulk(job: &Job<'_>, progress: &mut Progress<'_>) -> Result<BulkSummary, Failure> {
    let options = BulkOptions {
        threads: context::processors(),
        ..BulkOptions::new(job.around.run_id(), context::holder())
    };
    job.run(options, progress)
}

/// Where the demo keeps its files.
enum Folder {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn new(keep: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = keep else {
            let folder = tempfile::tempdir().map_err(|error| {
                Failure::new(Exit::Unexpected, format!("no temporary folder: {error}"))
            })?;
            return Ok(Self::Temporary(folder));
        };
        // Data of an earlier demo, or of anything else, is not to be mixed in.
        let taken = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if taken {
            let message = format!("{} is not empty", path.display());
            return Err(Failure::new(Exit::Usage, message).hint("name a new folder"));
        }
        fs::create_dir_all(path).map_err(|error| {
            Failure::new(
                Exit::Usage,
                format!("cannot make {}: {error}", path.display()),
            )
        })?;
        Ok(Self::Kept(path.to_owned()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }

    fn kept(&self) -> Option<&Path> {
        match self {
            Self::Temporary(_) => None,
            Self::Kept(path) => Some(path),
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| {
        Failure::new(
            Exit::Unexpected,
            format!("cannot write {}: {error}", path.display()),
        )
    })
}
