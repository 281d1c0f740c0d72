//! An EHR on loopback, and a listener in another process.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ehr_sandbox::{Data, MllpSender, Sandbox as Ehr};
use fhir_http::{Clock as _, SystemClock};
use serde_json::Value;

use crate::util::Sandbox;

pub(crate) struct Site {
    pub(crate) ehr: Ehr,
    pub(crate) folder: Sandbox,
}

impl Site {
    pub(crate) fn new(patients: usize) -> Self {
        Self::with(patients, "")
    }

    /// With more in the table of the connection.
    pub(crate) fn with(patients: usize, connection: &str) -> Self {
        let ehr = Ehr::builder()
            .open()
            .data(Data::synthetic(5, patients))
            .start()
            .expect("an EHR");
        let folder = Sandbox::new();
        folder.write(
            "ingest.toml",
            format!(
                "[store]\nsqlite = \"ingest.db\"\n[tenants.acme]\n\
                 [connections.c]\nfhir_base = \"{}\"\nsource_system = \"urn:test:adt\"\n{connection}\n\
                 [connections.c.http]\nretries = 1\n",
                ehr.base()
            ),
        );
        Self { ehr, folder }
    }

    /// `ingest adt listen`, and where it listens.
    pub(crate) fn listen(&self, arguments: &[&str]) -> Listening {
        self.listen_logging("listen.log", arguments)
    }

    pub(crate) fn listen_logging(&self, log: &str, arguments: &[&str]) -> Listening {
        let log = self.folder.path(log);
        let all = [
            &["adt", "listen", "--json", "--listen", "127.0.0.1:0"],
            arguments,
        ]
        .concat();
        let child = self
            .folder
            .command(all)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).expect("a file"))
            .spawn()
            .expect("the listener starts");
        let mut listening = Listening {
            child,
            log,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        listening.address = listening.wait_for_address();
        listening
    }

    /// MRNs of the EHR's patients.
    pub(crate) fn mrns(&self) -> Vec<String> {
        let data = self.ehr.data();
        let patients = data
            .resources()
            .filter(|it| it.resource_type() == "Patient");
        let mrn = |json: &str| {
            let json: Value = serde_json::from_str(json).expect("JSON");
            let identifiers = json["identifier"].as_array().expect("identifiers");
            let mrn = identifiers
                .iter()
                .find(|it| it["system"] == Data::MRN_SYSTEM);
            mrn.expect("an MRN")["value"]
                .as_str()
                .expect("a text")
                .to_owned()
        };
        patients.map(|it| mrn(it.json())).collect()
    }

    #[track_caller]
    pub(crate) fn adt(&self, arguments: &[&str]) -> Value {
        let arguments = [&["adt", "--json"], arguments].concat();
        self.folder.run(arguments).exits(0).json()
    }
}

pub(crate) struct Listening {
    child: Child,
    pub(crate) log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Listening {
    fn wait_for_address(&mut self) -> SocketAddr {
        let mut found = None;
        eventually("the listener's address", || {
            let log = fs::read_to_string(&self.log).expect("a log");
            let line = log
                .lines()
                .find(|line| line.starts_with("{\"connection\"") || line.contains("\"listen\""));
            found = line.and_then(|line| serde_json::from_str::<Value>(line).ok());
            found.is_some() || self.child.try_wait().is_ok_and(|ended| ended.is_some())
        });
        let found = found.unwrap_or_else(|| panic!("{}", self.text()));
        found["listen"]
            .as_str()
            .expect("listen")
            .parse()
            .expect("an address")
    }

    pub(crate) fn sender(&self) -> MllpSender {
        MllpSender::connect(self.address).expect("a connection")
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// Without a chance to do anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
    }

    /// In good order: the summary, and what it logged.
    #[track_caller]
    pub(crate) fn stop(mut self) -> (Value, String) {
        let kill = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(kill.is_ok_and(|status| status.success()));
        let mut stdout = self.child.stdout.take().expect("piped");
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut said).expect("UTF-8");
        let status = self.child.wait().expect("it ends");
        let log = self.text();
        assert_eq!(status.code(), Some(0), "{log}");
        assert_eq!(said.lines().count(), 1, "{said}");
        (serde_json::from_str(&said).expect("JSON"), log)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something that another process does, for as long as is sensible.
#[track_caller]
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let from = SystemClock.now();
    while !done() {
        let waited = SystemClock.now().duration_since(from).unwrap_or_default();
        assert!(waited < Duration::from_secs(60), "{what} does not come");
        SystemClock.sleep(Duration::from_millis(20));
    }
}

/// About a patient, as the sandbox's hospital names them.
pub(crate) fn message(trigger: &str, control_id: &str, mrn: &str) -> Vec<u8> {
    let oid = Data::MRN_SYSTEM.trim_start_matches("urn:oid:");
    format!(
        "MSH|^~\\&|REG|GHH|IN|R|20270115080000||ADT^{trigger}|{control_id}|P|2.5.1\r\
         EVN|{trigger}|20270115075900\r\
         PID|1||{mrn}^^^GHH&{oid}&ISO^MR||Zebulon^Canary\rPV1|1|I\r"
    )
    .into_bytes()
}

/// What the state database has in a column.
pub(crate) fn state(site: &Site, sql: &str) -> Vec<String> {
    crate::util::query(
        &crate::util::open(&site.folder.path("ingest.state.db")),
        sql,
    )
}

/// Environment variables that widen a test.
pub(crate) fn widened(name: &str, usual: usize) -> usize {
    let value = std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok());
    value.unwrap_or(usual)
}
