//! A site with an EHR, a store and a clock of its own.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ehr_sandbox::{Builder, Data, Level, RegisteredClient, Sandbox, Where};
use fhir_http::SystemRandom;
use fhir_http::testing::FakeClock;
use ingest_pipeline::access::SqliteFile;
use ingest_pipeline::bulk::{Bulk, BulkOptions, BulkSummary, Since};
use ingest_pipeline::config::{Config, ConnectionSettings};
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::state::State;
use ingest_pipeline::store::{ResourceStore as _, SqliteStore};
use ingest_pipeline::{Interrupt, Observer, Result, run_id};

/// Long after everything the sandbox invents.
pub(super) fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// A site with an EHR, a store and a clock.
pub(super) struct Site {
    pub(super) folder: tempfile::TempDir,
    pub(super) sandbox: Sandbox,
    pub(super) clock: Arc<FakeClock>,
    pub(super) settings: ConnectionSettings,
    runs: std::cell::Cell<u8>,
}

impl Site {
    pub(super) fn new(build: impl FnOnce(Builder) -> Builder, configuration: &str) -> Self {
        let clock = Arc::new(FakeClock::new(start()));
        let builder = Sandbox::builder()
            .data(Data::synthetic(7, 5))
            .client(RegisteredClient::new("c").secret("s3cret"))
            .clock(clock.clone());
        let sandbox = build(builder).in_process().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s3cret\n").unwrap();
        let text = format!(
            "[connections.c]\nfhir_base = \"{}\"\nclient_id = \"c\"\nclient_secret = {{ file = \"secret\" }}\n\
             scopes = [\"system/*.rs\"]\nlevel = \"system\"\ntypes = [\"Patient\", \"Observation\"]\n{configuration}",
            sandbox.base()
        );
        let file = folder.path().join("ingest.toml");
        std::fs::write(&file, text).unwrap();
        let settings = Config::read(&file).unwrap().connection("c").unwrap();
        Self {
            folder,
            sandbox,
            clock,
            settings,
            runs: std::cell::Cell::new(0),
        }
    }

    pub(super) fn db(&self) -> std::path::PathBuf {
        self.folder.path().join("site.db")
    }

    pub(super) fn state(&self) -> State {
        State::open(&State::path_beside(&self.db())).unwrap()
    }

    pub(super) fn run(&self) -> Result<BulkSummary> {
        self.run_with(Since::Auto, Interrupt::new(), &mut ())
    }

    pub(super) fn run_with(
        &self,
        since: Since,
        interrupt: Interrupt,
        observer: &mut dyn Observer,
    ) -> Result<BulkSummary> {
        self.runs.set(self.runs.get() + 1);
        let around = Surroundings {
            clock: self.clock.clone(),
            random: Arc::new(SystemRandom),
            interrupt,
            env: |_| None,
            transport: Some(Arc::new(self.sandbox.transport())),
        };
        let options = BulkOptions {
            run: run_id(&*self.clock, [self.runs.get(); 10]),
            holder: format!("test {}", self.runs.get()),
            since,
            level: None,
            resume: false,
            threads: 1,
        };
        let store = SqliteFile(self.db());
        Bulk::new(&self.settings, options, &around).run(&store, &mut self.state(), observer)
    }

    pub(super) fn kick_offs(&self) -> usize {
        self.sandbox.count(&Where::KickOff)
    }

    /// Whether the store has exactly what the EHR has.
    pub(super) fn is_complete(&self) -> bool {
        let mut store = SqliteStore::open_read_only(self.db()).unwrap();
        let data = self.sandbox.data();
        let expected = data.expected_resources(&Level::System, &["Patient", "Observation"], None);
        let mut there = 0;
        let mut after = 0;
        loop {
            let page = store.scan(None, after, 1 << 20).unwrap();
            let Some(last) = page.last() else { break };
            after = last.sequence;
            there += page.iter().filter(|stored| !stored.deleted).count();
        }
        there == expected.len()
            && expected.iter().all(|resource| {
                let stored = store.get(resource.resource_type(), resource.id()).unwrap();
                stored.is_some_and(|stored| !stored.deleted)
            })
    }
}
