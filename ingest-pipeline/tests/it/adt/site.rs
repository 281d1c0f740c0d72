//! A connection, its inbox and its archive, in a folder.

use std::path::PathBuf;
use std::sync::Arc;

use fhir_http::SystemRandom;
use fhir_http::testing::FakeClock;
use ingest_pipeline::adt::{self, Inbox, MessageArchive, Received, Receiver, Rules};
use ingest_pipeline::archive::RawKey;
use ingest_pipeline::config::{Archive, Config, ConnectionSettings};
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::state::State;
use tempfile::TempDir;

use crate::site::start;

pub(super) struct Site {
    pub(super) folder: TempDir,
    pub(super) clock: Arc<FakeClock>,
    pub(super) settings: ConnectionSettings,
}

impl Site {
    /// With these lines in the table of the connection.
    pub(super) fn new(lines: &str) -> Self {
        Self::at("https://ehr.example/r4", lines)
    }

    pub(super) fn at(base: &str, lines: &str) -> Self {
        let config: Config = toml::from_str(&format!(
            "[tenants.acme]\n[connections.c]\nfhir_base = \"{base}\"\n{lines}\n"
        ))
        .expect(lines);
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(FakeClock::new(start())),
            settings: config.connection("c").expect(lines),
        }
    }

    pub(super) fn state_path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    pub(super) fn db(&self) -> PathBuf {
        self.folder.path().join("ingest.db")
    }

    pub(super) fn state(&self) -> State {
        State::open(&self.state_path()).unwrap()
    }

    pub(super) fn archive(&self) -> MessageArchive {
        let mut around = Surroundings::system(|_| None);
        around.random = Arc::new(SystemRandom);
        adt::archive(&Archive::default(), &self.state_path(), &around).unwrap()
    }

    pub(super) fn receiver(&self) -> Receiver {
        let inbox = Inbox::open(&self.state_path(), self.archive()).unwrap();
        Receiver::new(
            Rules::new(&self.settings),
            Arc::new(inbox),
            self.clock.clone(),
            Arc::new(SystemRandom),
        )
    }

    /// What becomes of one message, and the code of its acknowledgement.
    pub(super) fn take(&self, message: &[u8]) -> (Received, Option<String>) {
        let (received, replies) = self.receiver().take_one(message);
        (received, replies.first().map(|reply| code(reply)))
    }

    /// The message that is archived under this key, wherever it is by now.
    pub(super) fn archived(&self, key: &str) -> Vec<u8> {
        let key = RawKey::parse(key).unwrap();
        let message = self.archive().get(&self.state(), &key).unwrap();
        message.expect("it is archived").to_vec()
    }
}

/// MSA-1.
pub(super) fn code(reply: &[u8]) -> String {
    let text = String::from_utf8_lossy(reply);
    let msa = text.split('\r').find(|segment| segment.starts_with("MSA"));
    let separator = text.chars().nth(3).expect("MSH-1");
    let code = msa.expect("MSA").split(separator).nth(1);
    code.expect("MSA-1").to_owned()
}

/// A message about one patient.
pub(super) fn message(trigger: &str, control_id: &str, mrn: &str) -> Vec<u8> {
    format!(
        "MSH|^~\\&|REG|GHH|INGEST|RESEARCH|20270115080000||ADT^{trigger}|{control_id}|P|2.5.1\r\
         EVN|{trigger}|20270115075900\r\
         PID|1||{mrn}^^^GHH&1.2.3&ISO^MR||CANARY^NAME\r"
    )
    .into_bytes()
}
