//! The record of one patient, on demand.
//!
//! A fetch has two phases. [`Fetcher::gather`] reads from the server what
//! belongs to the patient, and what that refers to; the store is only asked
//! what it has already. [`load`] then writes it, by the same normalizer and
//! writer as everything else, and in one run for as many patients as there are.
//!
//! ```no_run
//! use ingest_pipeline::access::{SqliteFile, StoreAccess as _};
//! use ingest_pipeline::config::Config;
//! use ingest_pipeline::connect::Surroundings;
//! use ingest_pipeline::fetch::{self, FetchOptions, FetchRequest, Fetcher, InStore, PatientKey};
//!
//! let settings = Config::read("ingest.toml".as_ref())?.connection("memorial")?;
//! let around = Surroundings::system(|name| std::env::var(name).ok());
//! let fetcher = Fetcher::new(&settings, &around, FetchOptions::new("."))?;
//! let request = FetchRequest::new(PatientKey::Id("p77".to_owned()));
//! let store = SqliteFile("ingest.db".into());
//! let gathered = {
//!     let known = InStore::read(&store, fetcher.normalize())?;
//!     fetcher.gather(&request, &known)?
//! };
//! let options = fetcher.load_options(around.run_id());
//! let mut store = store.open()?;
//! let summary = fetch::load(options, &[gathered]).run(&mut *store, &*around.clock, &mut ())?;
//! println!("{} resources, {} of them new", summary.resources, summary.created);
//! # Ok::<(), ingest_pipeline::Error>(())
//! ```
//!
//! # What is read
//!
//! The Patient; the configured types by `Type?patient=ID`, with all pages; then
//! what these refer to, of the types to follow, as far as it is neither read
//! nor in the store yet, for as many rounds as configured. Later fetches ask
//! for what has changed since, where the server can tell. Deletions are not
//! seen by a fetch: bulk exports have them.
//!
//! Whose record was replaced by another (`Patient.link` of type `replaced-by`)
//! is followed to the one who remains, and both are stored.
//!
//! # Merges
//!
//! A message may say that a patient was merged into another. The record of the
//! former is taken as the server gives it. Where it doesn't say by a
//! `replaced-by` link who has replaced the patient, another version is written
//! that does; where the server has no such patient any more, the store's own
//! record gets the link. A server that gives the record as it was before does
//! not take the link away again, unless its `meta.lastUpdated` is later.

mod error;
mod follow;
mod gathered;
mod known;
mod merge;
mod person;
mod reference;
mod request;
mod server;
mod types;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use fhir_normalize::Settings;

use crate::config::{AdtSettings, ConnectionSettings};
use crate::connect::{Connected, Surroundings};
use crate::source::Given;
use crate::{Clock, Load, LoadOptions};
use server::Server;

pub use error::FetchError;
pub use gathered::{GatherCounts, Gathered};
pub use known::{InStore, Known, KnownPatient};
pub use request::{FetchRequest, PatientKey};

pub use crate::{MergedPatient, TriggerMessage};

/// How patients are fetched.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Folder for temporary files, which have no name and hold patient data
    /// until the fetch is loaded. The one of the store is a good choice.
    pub spool: PathBuf,
    /// Whether to read what the record refers to although the store has it.
    pub full: bool,
}

impl FetchOptions {
    /// What is in the store already is not read again.
    #[must_use]
    pub fn new(spool: impl Into<PathBuf>) -> Self {
        Self {
            spool: spool.into(),
            full: false,
        }
    }
}

/// Fetches patients from one server.
///
/// It is made once for a connection and shared by threads: what the server can
/// do is asked once, and the limit of requests at a time holds for all of them.
pub struct Fetcher {
    server: Server,
    options: FetchOptions,
    normalize: Settings,
    adt: AdtSettings,
    connection: String,
    organization: String,
    max_line: usize,
    clock: Arc<dyn Clock>,
}

impl Fetcher {
    /// A fetcher for a connection. Nothing is sent yet. Its tokens are for the
    /// types that fetches read, whatever an export would need.
    ///
    /// # Errors
    /// What is wrong with keys, secrets, certificates and addresses.
    pub fn new(
        settings: &ConnectionSettings,
        around: &Surroundings,
        options: FetchOptions,
    ) -> crate::Result<Self> {
        let mut own = settings.clone();
        own.scopes = settings.fetch_scopes();
        let connected = Connected::new(&own, around)?;
        Ok(Self {
            server: Server::new(connected.fhir, settings)?,
            options,
            normalize: settings.normalize(around.env)?,
            adt: own.adt,
            connection: own.name,
            organization: own.organization,
            max_line: usize::try_from(own.bulk.max_line).unwrap_or(usize::MAX),
            clock: Arc::clone(&around.clock),
        })
    }

    /// How resources of the source are normalized, which [`InStore`] has to
    /// know.
    #[must_use]
    pub const fn normalize(&self) -> &Settings {
        &self.normalize
    }

    /// Reads what belongs to a patient. The store is neither opened nor
    /// written; `known` tells what it has.
    ///
    /// # Errors
    /// [`FetchError::is_transient`] tells whether another try may help. There
    /// is nothing to load then: a record comes whole or not at all, except for
    /// single resources that it refers to, which are [counted](GatherCounts).
    pub fn gather(
        &self,
        request: &FetchRequest,
        known: &dyn Known,
    ) -> Result<Gathered, FetchError> {
        let started = self.clock.now();
        let person = self.resolve(&request.patient)?;
        let began = person.date.map_or(started, |date| date.min(started));
        let mut gathering = self.begin()?;
        let survivor = person.survivor.clone();
        for record in person.records {
            gathering.take(&record.text)?;
        }
        for patient in &request.merged {
            self.merge(patient, &survivor, known, &mut gathering)?;
        }
        let since = match request.since {
            Some(since) if self.is_same(request, &survivor, known)? => Some(since),
            _ => None,
        };
        self.search_types(&survivor, since, &mut gathering)?;
        self.follow(known, &mut gathering)?;
        gathering.finish(&self.connection, request, survivor, (started, began))
    }

    /// Whether the patient is who it was at the last fetch, as the store has
    /// it: a store may be new, an identifier may belong to someone else by now,
    /// and what moves in a merge doesn't always count as changed.
    fn is_same(
        &self,
        request: &FetchRequest,
        survivor: &str,
        known: &dyn Known,
    ) -> Result<bool, FetchError> {
        let patients = known.patients(&request.patient);
        let patients = patients.map_err(|error| FetchError::Store(Box::new(error)))?;
        let mut patients = patients.iter();
        Ok(request.merged.is_empty() && patients.any(|patient| patient.source_id == survivor))
    }

    /// Options of a load of what was gathered: a run of kind `fetch`.
    #[must_use]
    pub fn load_options(&self, run: impl Into<String>) -> LoadOptions {
        LoadOptions {
            kind: "fetch",
            connection: Some(self.connection.clone()),
            organization: self.organization.clone(),
            max_line: self.max_line,
            // A patient's record is a few lines among millions.
            recognize: false,
            ..LoadOptions::new(self.normalize.clone(), run, &self.options.spool)
        }
    }
}

/// A load of what was gathered for some patients, in this order. It may be
/// repeated.
#[must_use]
pub fn load(mut options: LoadOptions, gathered: &[Gathered]) -> Load<'static> {
    let started: Option<SystemTime> = gathered.iter().map(Gathered::started).min();
    options.started = options.started.or(started);
    let inputs = gathered.iter().map(Gathered::input).collect();
    Load::from_source(options, Given::new(inputs))
}

/// By hand: keys of connections are in it.
impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher")
            .field("connection", &self.connection)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
