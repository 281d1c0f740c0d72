mod body;
mod deliver;
mod http;
mod judge;
mod late;
mod load;
mod locate;
mod names;
mod order;
mod outbox;
mod pace;
mod reads;
mod remote;
mod report;
mod runs;
mod settings;
mod verify;
mod wire;
mod write;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use fhir_http::FhirClient;

use self::deliver::Delivery;
use self::outbox::Known;
use self::pace::Pace;
use self::remote::Remote;
pub(crate) use self::report::{is_lost, unresolved};
pub use self::settings::ServerSettings;
pub use self::verify::VerifyReport;
use crate::sqlite::read;
use crate::{
    Amend, Delete, DeleteOutcome, Error, KnownLines, Put, PutOutcome, Refusal, ResourceStore,
    Result, SqliteStore, StoreReport, Stored, TakenBack, WriteContext,
};

/// A store whose resources are on a FHIR R4 server, each together with its Provenance.
///
/// What has to be known of them besides is in a state database: hashes, versions, the server's names for these, runs and the quarantine.
/// So data that did not change costs no request.
/// The state is a file like that of a [`SqliteStore`], with one writer; [`SqliteStore::open_read_only`] reads its runs and its quarantine.
///
/// A write is entered into the state, then sent, then crossed out there.
/// What a crash or a lost answer leaves between the two goes out again before anything else, under the same ids, so that the server ends with every resource, and one Provenance for each version.
///
/// Resource and Provenance go in one transaction where the server has them; else in batches, the Provenance in a second one; else one by one.
/// A put that the server turns down is [`PutOutcome::Refused`].
/// What it turns down because of a reference to what is not there is held and sent again when the run ends; [`report`](crate::RunStore::report) tells what is left of that.
///
/// Bodies are in the state until the run ends that wrote them; from then on they are read from the server.
/// Of a version that the server has forgotten, [`history`](ResourceStore::history) has no body.
///
/// A server that gives ids of its own gets each resource by a conditional create, with a tag that holds our id; references are rewritten on the way there and back.
/// Such a server has to know the search parameter `_tag`.
pub struct ServerStore {
    local: SqliteStore,
    remote: Remote,
    known: Known,
    pace: Pace,
    report: StoreReport,
    refusals: Vec<Refusal>,
    /// Refused after they were counted, by run.
    taken_back: HashMap<String, Vec<TakenBack>>,
    /// What was in requests that the server was too slow with.
    slow: HashSet<(String, String)>,
    /// Why the server was not told of what was written last.
    failure: Option<Error>,
    /// What an earlier run left in the outbox was sent.
    recovered: bool,
    /// Resources in a row over which the server stumbled.
    stumbles: u32,
    /// Whether the server has resources it was not given by us.
    elsewhere: HashMap<String, bool>,
    /// It takes several values for `_id`.
    id_lists: bool,
}

impl ServerStore {
    /// Opens the store on `server`, with its state in the file `state`, which is created where there is none.
    ///
    /// The server is not asked anything yet. The client's credentials need scopes to read and write all types and Provenance.
    ///
    /// # Errors
    ///
    /// [`Error::OtherServer`] for the state of a store on another server; else as [`SqliteStore::open`].
    pub fn open(
        state: impl AsRef<Path>,
        server: FhirClient,
        settings: ServerSettings,
    ) -> Result<Self> {
        let path = state.as_ref();
        let mut local = SqliteStore::open_state(path, include_str!("tables.sql"))?;
        let known = local.change(|connection| outbox::known(connection, server.base()))?;
        local.flush()?;
        let known = known.ok_or_else(|| Error::OtherServer {
            path: path.to_owned(),
        })?;
        Ok(Self::over(local, known, server, settings))
    }

    /// Opens the store for reading, beside whoever writes it.
    ///
    /// What it finds changed or deleted on the server is not noted. Every write gives [`Error::ReadOnly`].
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where the state is not there; else as [`open`](Self::open).
    pub fn open_read_only(
        state: impl AsRef<Path>,
        server: FhirClient,
        settings: ServerSettings,
    ) -> Result<Self> {
        let path = state.as_ref();
        let mut local = SqliteStore::open_read_only(path)?;
        if !local.is_of_server() {
            return Err(Error::ForeignFile {
                path: path.to_owned(),
                what: "it is a store of its own",
            });
        }
        let known = local.look(|connection| outbox::known_of(connection, server.base()))?;
        let known = known.ok_or_else(|| Error::OtherServer {
            path: path.to_owned(),
        })?;
        Ok(Self::over(local, known, server, settings))
    }

    fn over(
        local: SqliteStore,
        known: Known,
        server: FhirClient,
        settings: ServerSettings,
    ) -> Self {
        Self {
            local,
            remote: Remote { server },
            known,
            pace: Pace::new(settings),
            report: StoreReport::default(),
            refusals: Vec::new(),
            taken_back: HashMap::new(),
            slow: HashSet::new(),
            failure: None,
            recovered: false,
            stumbles: 0,
            elsewhere: HashMap::new(),
            id_lists: true,
        }
    }

    /// Writes puts of different resources.
    fn put_some(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Put<'_>],
        outcomes: &mut Vec<PutOutcome>,
    ) -> Result<()> {
        let before = outcomes.len();
        let first = self.local.last_sequence() + 1;
        self.local.put(context, batch, outcomes)?;
        let mut delivery = Delivery::default();
        self.deliver_from(first, &mut delivery)?;
        let refused: HashMap<i64, Refusal> = delivery
            .refused
            .into_iter()
            .map(|(write, refusal)| (write.seq, refusal))
            .collect();
        let written = |outcome: &&mut PutOutcome| {
            matches!(outcome, PutOutcome::Created | PutOutcome::Updated { .. })
        };
        // Every put that writes takes the next number of the sequence.
        let written = outcomes[before..].iter_mut().filter(written);
        for (outcome, seq) in written.zip(first..) {
            if let Some(refusal) = refused.get(&seq) {
                *outcome = PutOutcome::Refused;
                self.refusals.push(refusal.clone());
            }
        }
        Ok(())
    }

    /// Enters what was written from `first` on into the outbox, and tells the server.
    ///
    /// From then on it is written, whatever the server says: where that fails, the next call does.
    fn deliver_from(&mut self, first: i64, delivery: &mut Delivery) -> Result<()> {
        let written: Vec<i64> = (first..=self.local.last_sequence()).collect();
        if written.is_empty() {
            return Ok(());
        }
        self.local
            .change(|connection| outbox::add(connection, written.iter().copied()))?;
        self.local.flush()?;
        self.failure = self.deliver(&written, delivery).err();
        Ok(())
    }

    /// Nothing is open that has to be dealt with before anything else.
    fn ready(&mut self) -> Result<()> {
        self.failed()?;
        self.recover()
    }

    /// What went wrong when the server was told of writes.
    fn failed(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }
}

impl ResourceStore for ServerStore {
    fn put(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Put<'_>],
        outcomes: &mut Vec<PutOutcome>,
    ) -> Result<()> {
        let before = outcomes.len();
        let result = self.ready().and_then(|()| {
            let mut rest = batch;
            while !rest.is_empty() {
                self.failed()?;
                let (some, more) = rest.split_at(different(rest));
                self.put_some(context, some, outcomes)?;
                rest = more;
            }
            Ok(())
        });
        if result.is_err() {
            outcomes.truncate(before);
        }
        result
    }

    fn take_refusals(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refusals)
    }

    fn delete(
        &mut self,
        context: &WriteContext<'_>,
        batch: &[Delete<'_>],
        outcomes: &mut Vec<DeleteOutcome>,
    ) -> Result<()> {
        let before = outcomes.len();
        let result = self.ready().and_then(|()| {
            let first = self.local.last_sequence() + 1;
            self.local.delete(context, batch, outcomes)?;
            // A delete is held where the server does not want it, never refused.
            self.deliver_from(first, &mut Delivery::default())
        });
        if result.is_err() {
            outcomes.truncate(before);
        }
        result
    }

    fn amend(&mut self, batch: &[Amend<'_>]) -> Result<()> {
        self.ready()?;
        self.local.amend(batch)?;
        let again = self
            .local
            .change(|connection| outbox::amended(connection, batch))?;
        self.local.flush()?;
        self.deliver_late(&again).map(drop)
    }

    fn flush(&mut self) -> Result<()> {
        self.local.flush()?;
        match self.local.is_read_only() {
            true => Ok(()),
            false => self.ready(),
        }
    }

    fn get(&mut self, resource_type: &str, id: &str) -> Result<Option<Stored>> {
        let stored = self.local.get(resource_type, id)?;
        Ok(self.complete(stored.into_iter().collect())?.pop())
    }

    fn history(&mut self, resource_type: &str, id: &str) -> Result<Vec<Stored>> {
        let mut versions = self.local.history(resource_type, id)?;
        let Some(current) = versions.pop() else {
            return Ok(versions);
        };
        let mut versions = self.complete_earlier(versions)?;
        versions.extend(self.complete(vec![current])?);
        Ok(versions)
    }

    fn scan(
        &mut self,
        resource_type: Option<&str>,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<Stored>> {
        let page = self.local.look(|connection| {
            read::scan_by(connection, resource_type, after, max_bytes, |stored| {
                outbox::length(connection, stored)
            })
        })?;
        self.complete(page)
    }

    fn find_by_identifier(
        &mut self,
        resource_type: &str,
        system: &str,
        value: &str,
        limit: usize,
    ) -> Result<Vec<String>> {
        self.local
            .find_by_identifier(resource_type, system, value, limit)
    }

    fn provenance(
        &mut self,
        resource_type: &str,
        id: &str,
        version: u64,
    ) -> Result<Option<Vec<u8>>> {
        self.local.provenance(resource_type, id, version)
    }

    fn types(&mut self) -> Result<Vec<String>> {
        self.local.types()
    }

    fn line_key(&mut self) -> Result<Option<[u8; 16]>> {
        self.local.line_key()
    }

    fn known_lines(&mut self, source_system: &str) -> Result<Option<Box<dyn KnownLines>>> {
        // First of all, what an earlier run left: the server may not take all of it.
        self.flush()?;
        self.local.known_lines(source_system)
    }

    fn still_current(&mut self, sequence: u64) -> Result<bool> {
        let seq = i64::try_from(sequence).unwrap_or(0);
        self.local
            .look(|connection| outbox::is_as_read(connection, seq))
    }

    fn next_expected(&self) -> Option<u64> {
        self.local.next_expected()
    }
}

impl std::fmt::Debug for ServerStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerStore")
            .field("state", &self.local)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

/// How many of the puts are for different resources, from the first on.
fn different(batch: &[Put<'_>]) -> usize {
    let mut seen = HashSet::with_capacity(batch.len());
    let repeat = batch
        .iter()
        .position(|put| !seen.insert((put.resource_type, put.id)));
    repeat.unwrap_or(batch.len())
}

impl From<fhir_http::Error> for Error {
    fn from(source: fhir_http::Error) -> Self {
        match source {
            fhir_http::Error::Interrupted => Self::Interrupted,
            source => Self::Server {
                source: source.into(),
            },
        }
    }
}
