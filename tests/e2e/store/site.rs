//! A FHIR server on loopback that is the store of a folder, and another folder
//! whose store is an SQLite file.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ehr_sandbox::{Builder, Data, FaultPlan, Recorded, Sandbox as Server, WriteSettings};
use fhir_http::HttpClient as _;
use http::{Method, Request};
use serde_json::Value;

use super::content::{Content, Provenances};
use crate::generate::mixed;
use crate::util::{Ran, Sandbox, assert_balances, open, query};

/// The file with what is known of the server, where the configuration names none.
pub(super) const STATE: &str = "fhir-store.db";

pub(super) struct Site {
    pub(super) server: Server,
    /// Its commands write to the server.
    pub(super) folder: Sandbox,
    /// Its commands write to `ingest.db`.
    pub(super) twin: Sandbox,
}

impl Site {
    /// An open server without data.
    pub(super) fn new() -> Self {
        Self::with(WriteSettings::default())
    }

    /// One that takes writes in this way.
    pub(super) fn with(writes: WriteSettings) -> Self {
        Self::built(Server::builder().open().writes(writes))
    }

    pub(super) fn built(builder: Builder) -> Self {
        let server = builder.data(Data::default()).start();
        let site = Self {
            server: server.expect("a server"),
            folder: Sandbox::new(),
            twin: Sandbox::new(),
        };
        site.configure("", "");
        site
    }

    /// Writes both configurations, with more in the table of the server and with
    /// more tables. What may pass is tried once more, unless `http` is given.
    pub(super) fn configure(&self, store: &str, tables: &str) {
        let base = self.server.base();
        let http = match store.contains("http =") {
            true => "",
            false => "http = { retries = 1 }",
        };
        self.folder.write(
            "ingest.toml",
            format!("[store]\nfhir = \"{base}\"\n{http}\n{store}\n{tables}\n"),
        );
        let file = format!("[store]\nsqlite = \"ingest.db\"\n{tables}\n");
        self.twin.write("ingest.toml", file);
    }

    /// `ingest load --json` of paths into the server.
    pub(super) fn load<P: AsRef<OsStr>>(&self, paths: &[P]) -> Ran {
        let arguments = ["load", "--json"].map(OsStr::new).into_iter();
        let paths = paths.iter().map(AsRef::as_ref);
        self.folder.run(arguments.chain(paths))
    }

    /// A load that has to be completed: its summary.
    #[track_caller]
    pub(super) fn loads<P: AsRef<OsStr>>(&self, paths: &[P]) -> Value {
        let summary = self.load(paths).exits(0).json();
        assert_balances(&summary);
        assert_eq!(summary["state"], "completed", "{summary}");
        summary
    }

    /// Lets these things go wrong at the server.
    pub(super) fn faults(&self, texts: &[&str]) {
        self.server
            .set_faults(FaultPlan::of(texts).expect("faults"));
    }

    /// Nothing goes wrong any more.
    pub(super) fn mend(&self) {
        self.server.set_faults(FaultPlan::none());
    }

    /// How many requests to the server may have changed it so far.
    pub(super) fn writes(&self) -> usize {
        let requests = self.server.requests();
        requests.iter().filter(|own| own.method != "GET").count()
    }

    /// Forgets the requests so far, and gives those that a command sends.
    pub(super) fn requests_of(&self, command: impl FnOnce()) -> Vec<Recorded> {
        self.server.clear_requests();
        command();
        self.server.requests()
    }

    /// Writes to the server as somebody else.
    pub(super) fn meddle(&self, method: Method, name: &str, body: &str) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/{name}", self.server.base()))
            .header("content-type", "application/fhir+json")
            .body(body.as_bytes().to_vec());
        let response = self.server.transport().send(request.expect("a request"));
        let status = response.expect("an answer").status();
        assert!(status.is_success(), "{name}: {status}");
    }

    /// Rows of a query on the state of the store.
    pub(super) fn state(&self, sql: &str) -> Vec<String> {
        query(&open(&self.folder.path(STATE)), sql)
    }

    /// The server has what the SQLite store of the twin has.
    #[track_caller]
    pub(super) fn assert_same(&self, what: &str) {
        self.assert_holds(&Expected::of(&self.twin), what);
    }

    /// The server has every resource, and of every version one Provenance that
    /// says the same, no more.
    #[track_caller]
    pub(super) fn assert_holds(&self, expected: &Expected, what: &str) {
        self.assert_whole(&expected.content, what);
        let told = Provenances::on_server(&self.server, &expected.content);
        told.assert_eq(&expected.provenances, what);
    }

    /// The server has every resource, and one Provenance for each version there
    /// ever was here, no more.
    #[track_caller]
    pub(super) fn assert_whole(&self, content: &Content, what: &str) {
        Content::exported(&self.folder).assert_eq(content, what);
        let told = Provenances::on_server(&self.server, content);
        let versions = "SELECT lower(hex(provenance)) FROM version WHERE type <> 0 ORDER BY 1";
        assert_eq!(told.ids(), self.state(versions), "{what}");
        assert_eq!(self.state("SELECT count(*) FROM outbox"), ["0"], "{what}");
    }
}

/// What an SQLite store holds.
pub(super) struct Expected {
    pub(super) content: Content,
    pub(super) provenances: Provenances,
}

impl Expected {
    /// In the store of this folder.
    #[track_caller]
    pub(super) fn of(folder: &Sandbox) -> Self {
        Self {
            content: Content::exported(folder),
            provenances: Provenances::in_file(folder),
        }
    }

    /// After a load of these.
    #[track_caller]
    pub(super) fn loaded<P: AsRef<OsStr>>(paths: &[P]) -> Self {
        let folder = Sandbox::new();
        folder.load(paths);
        Self::of(&folder)
    }
}

/// 233 resources of 17 types.
pub(super) fn synthea() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/data/synthea.ndjson")
}

/// A folder with all that makes a load more than a copy.
pub(super) fn everything(folder: &Sandbox) -> PathBuf {
    for (name, text) in mixed(100_000) {
        folder.write(&format!("in/{name}"), text);
    }
    folder.path("in")
}

/// Two summaries say the same, but for what differs from run to run.
#[track_caller]
pub(super) fn assert_alike(here: &Value, there: &Value, what: &str) {
    let members = |value: &Value| -> BTreeMap<String, Value> {
        let members = value.as_object().expect("an object").iter();
        let own = members.filter(|(name, _)| !["run", "elapsed_ms"].contains(&name.as_str()));
        own.flat_map(|(name, value)| match value.as_object() {
            Some(inner) => inner
                .iter()
                .map(|(own, value)| (format!("{name}.{own}"), value.clone()))
                .collect(),
            None => vec![(name.clone(), value.clone())],
        })
        .collect()
    };
    let (here, there) = (members(here), members(there));
    let names: BTreeSet<_> = here.keys().chain(there.keys()).collect();
    for name in names {
        assert_eq!(here.get(name), there.get(name), "{what}: {name}");
    }
}
