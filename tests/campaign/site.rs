//! What plans of all channels have in common: a folder, a store, the model of
//! what it has to hold, and what happens around a run.

use std::collections::BTreeMap;
use std::time::Duration;

use ehr_sandbox::{Builder, Data, FaultPlan, Sandbox as Server, WriteSettings};

use crate::clock::JumpingClock;
use crate::damage::{Copy, damage};
use crate::end::{End, judge};
use crate::finding::{Finding, Result, at, none};
use crate::folder::{Folder, Limits, Ran, Started};
use crate::hazard::{Happened, Happening, Hazards, Moment};
use crate::held::{Held, integrity, open};
use crate::model::Model;
use crate::plan::{Fault, Plan, Store};
use crate::random::Random;
use crate::server::OnServer;

pub(crate) const STORE: &str = "ingest.db";
pub(crate) const STATE: &str = "ingest.state.db";

/// How often something happened, by its name.
pub(crate) type Tally = BTreeMap<String, u64>;

pub(crate) struct Site {
    pub(crate) folder: Folder,
    pub(crate) model: Model,
    pub(crate) random: Random,
    /// How often faults were met, and what came of them.
    pub(crate) tally: Tally,
    /// Where the store is a FHIR server.
    server: Option<Server>,
    clock: Option<JumpingClock>,
    /// Lines in quarantine are not to be looked at: an EHR sent what it should not.
    pub(crate) any_quarantine: bool,
}

/// A run as it ended.
pub(crate) struct Ended {
    pub(crate) ran: Ran,
    pub(crate) end: End,
}

impl Ended {
    /// Whether it says that everything is there, but for so many lines that are
    /// no resources. A server that refuses resources, or does not take them
    /// yet, is told of in the summary.
    pub(crate) fn is_whole(&self, refused: u64) -> bool {
        let is_held = self
            .ran
            .json
            .as_ref()
            .is_some_and(|json| json["held"].is_array());
        let late = self.ran.count("refused_late").unwrap_or_default();
        let is_all = self.ran.count("quarantined") == Some(refused) && late == 0;
        self.end == End::Complete && is_all && !is_held
    }
}

impl Site {
    pub(crate) fn new(plan: &Plan, source_system: &str) -> Self {
        let mut random = plan.random.clone();
        let folder = Folder::new(plan.has(Fault::DiskFull) && random.chance(60));
        let clock = match plan.has(Fault::Clock) {
            true => JumpingClock::new(folder.beside("clock")),
            false => None,
        };
        let server = (plan.store == Store::Server).then(|| server(&mut random));
        Self {
            folder,
            model: Model::new(source_system),
            random,
            tally: Tally::new(),
            server,
            clock,
            any_quarantine: false,
        }
    }

    /// The configuration of the store.
    pub(crate) fn store_table(&self) -> String {
        match &self.server {
            None => format!("[store]\nsqlite = \"{STORE}\"\n"),
            Some(server) => format!(
                "[store]\nfhir = \"{}\"\nbundle_writes = 20\nconcurrency = 2\n\
                 http = {{ retries = 1 }}\n",
                server.base()
            ),
        }
    }

    pub(crate) fn count(&mut self, what: impl Into<String>) {
        *self.tally.entry(what.into()).or_default() += 1;
    }

    /// A command with things happening to it, or twice the same. One that has
    /// not ended after so long is asked to.
    pub(crate) fn disturbed(
        &mut self,
        arguments: &[&str],
        faults: &[Fault],
        patience: Option<Duration>,
    ) -> Result<Vec<Ended>> {
        let mut arguments = arguments.to_vec();
        let loads = matches!(arguments[0], "load" | "bulk") && self.server.is_none();
        if loads && self.random.chance(50) {
            arguments.push("--exclusive");
        }
        let limits = self.begin(faults);
        let started = self.folder.start(&arguments, &limits);
        let second = faults
            .contains(&Fault::Twice)
            .then(|| self.folder.start(&arguments, &limits));
        let mut hazards = Hazards::of(faults, &mut self.random);
        hazards.terminate = hazards.terminate.or(patience.map(Moment::After));
        let folder = self.folder.path("");
        let other = Hazards {
            terminate: patience.map(Moment::After),
            ..Hazards::default()
        };
        let other = second
            .as_ref()
            .map(|own| other.begin(&own.child, folder.clone(), None));
        let happening = hazards.begin(&started.child, folder, self.clock.clone());
        let ended = [Some(started), second].into_iter().flatten();
        let ran: Vec<_> = ended.map(Started::wait).collect();
        let happened = [Some(happening), other].into_iter().flatten();
        let happened: Vec<_> = happened.map(Happening::end).collect();
        self.end();
        let mut all = Vec::new();
        for (ran, happened) in ran.into_iter().zip(happened) {
            let end = judge(&ran, happened)?;
            self.count(format!("ended {}", name(end)));
            all.push(Ended { ran, end });
        }
        Ok(all)
    }

    /// Sets up what is around a run: disk, clock, the store's server.
    pub(crate) fn begin(&mut self, faults: &[Fault]) -> Limits {
        let mut limits = Limits {
            file_blocks: None,
            clock: self.clock.clone(),
        };
        for fault in faults {
            self.count(fault.name());
            match fault {
                Fault::DiskFull => {
                    let room = self.random.below(500_000);
                    if !self.folder.fill(room) {
                        limits.file_blocks = Some(self.random.within(20, 1_000));
                    }
                }
                Fault::StoreServer => {
                    let texts = store_faults(&mut self.random);
                    let plan = FaultPlan::of(texts).expect("faults");
                    self.server
                        .iter()
                        .for_each(|own| own.set_faults(plan.clone()));
                }
                _ => {}
            }
        }
        limits
    }

    /// With all that may happen to a process that is looked after elsewhere.
    pub(crate) fn clock(&self) -> Option<JumpingClock> {
        self.clock.clone()
    }

    /// All is well again around runs.
    pub(crate) fn end(&self) {
        self.folder.make_room();
        self.clock.iter().for_each(|clock| clock.set(0));
        let servers = self.server.iter();
        servers.for_each(|own| own.set_faults(FaultPlan::none()));
    }

    /// Compares the store with the model.
    pub(crate) fn check(&self, settled: bool, place: &str) -> Result<()> {
        let findings = match &self.server {
            Some(server) => OnServer::read(server).against(&self.model, settled),
            None => {
                let held = match Held::read(&self.folder.path(STORE)) {
                    Ok(held) => held,
                    Err(error) => {
                        let text = format!("{place}: the store can't be read: {error}");
                        return Err(vec![Finding::lost(text)]);
                    }
                };
                let mut findings = held.against(&self.model, settled);
                if !self.any_quarantine {
                    findings.extend(held.quarantined(&self.model, settled));
                }
                findings
            }
        };
        none(at(findings, place))
    }

    /// Everything that can be seen of the store, to be compared later.
    pub(crate) fn seen(&self) -> Seen {
        match &self.server {
            Some(server) => Seen::Server(OnServer::read(server)),
            None => Seen::File(Held::read(&self.folder.path(STORE)).unwrap_or_default()),
        }
    }

    /// Damages a database and runs a command, which may say so, or not be
    /// touched by it. Nothing where there is no database yet.
    pub(crate) fn damaged(&mut self, database: &str, run: &[&str]) -> Result<Option<Damaged>> {
        let copies = [STATE, STORE].map(|name| Copy::of(&self.folder.path(name)));
        let Some(done) = damage(&self.folder.path(database), &mut self.random) else {
            return Ok(None);
        };
        let ran = self.folder.run(run);
        let end = judge(&ran, Happened::default());
        let end = end.map_err(|findings| at(findings, &done))?;
        let (is_shown, how) = match end {
            End::Complete if self.shows_damage() => (true, "shown by its own hashes"),
            End::Complete => (false, "without effect"),
            _ => (true, "shown by an exit code"),
        };
        self.count(format!("damage {how}"));
        self.model.damaged |= !is_shown && database == STORE;
        Ok(Some(Damaged {
            copies,
            done,
            ran,
            is_shown,
        }))
    }

    /// Whether the databases show that something is wrong with them, by
    /// themselves or to who reads the store, without a run that says so.
    fn shows_damage(&self) -> bool {
        let store = Held::read(&self.folder.path(STORE));
        let is_unsound = store.map_or(true, |held| !held.unsound().is_empty());
        let state = self.folder.path(STATE);
        let is_damaged = state.exists()
            && !open(&state)
                .and_then(|reader| integrity(&reader))
                .is_ok_and(|told| told == "ok");
        is_unsound || is_damaged || self.folder.run(&["runs", "list", "--json"]).code != Some(0)
    }

    /// Runs that hold up the store have ended, as far as it tells.
    pub(crate) fn check_runs(&self) -> Result<()> {
        let path = match self.server {
            Some(_) => self.folder.path("fhir-store.db"),
            None => self.folder.path(STORE),
        };
        let running = open(&path).and_then(|reader| {
            let sql = "SELECT count(*) FROM runs WHERE state = 'running'";
            reader.query_row(sql, [], |row| row.get::<_, i64>(0))
        });
        match running {
            Ok(0) => Ok(()),
            other => Err(vec![Finding::wrong(format!("runs that go on: {other:?}"))]),
        }
    }
}

/// What came of a run with a damaged database.
pub(crate) struct Damaged {
    /// Of state and store, as they were before.
    pub(crate) copies: [Copy; 2],
    /// What was done.
    pub(crate) done: String,
    pub(crate) ran: Ran,
    /// Somebody can tell.
    pub(crate) is_shown: bool,
}

#[derive(PartialEq, Eq)]
pub(crate) enum Seen {
    File(Held),
    Server(OnServer),
}

fn name(end: End) -> String {
    match end {
        End::Complete => "with everything".to_owned(),
        End::Told(code) => format!("with exit code {code}"),
        End::Killed => "by a signal".to_owned(),
    }
}

/// A FHIR server without data, of one kind or another.
fn server(random: &mut Random) -> Server {
    let mut settings = WriteSettings::default();
    settings.transactions = random.chance(70);
    let builder: Builder = Server::builder().open().writes(settings);
    builder.data(Data::default()).start().expect("a server")
}

fn store_faults(random: &mut Random) -> Vec<String> {
    let whats = [
        "status=503",
        "status=429,retry-after=0",
        "status=413",
        "status=401",
        "status=409",
        "drop",
        "cut=20",
        "html",
        "transient",
        "delay=150",
        "after=drop",
        "after=status=504,body=html",
        "after=html",
        "after=transient",
    ];
    let one = |random: &mut Random| {
        let hits = match random.below(6) {
            0 => "every".to_owned(),
            1 => format!("first-{}", random.within(1, 3)),
            _ => random.within(1, 12).to_string(),
        };
        format!("write:{hits}:{}", random.pick(&whats))
    };
    (0..random.within(1, 2)).map(|_| one(random)).collect()
}
