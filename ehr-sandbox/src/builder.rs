use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fhir_http::{Clock, HttpClient, SystemClock, UreqClient, UreqConfig};
use http_serve::{Body, Bound, Handler, Limits, Server};

use crate::auth::{Authority, KeySource, RegisteredClient, Scopes};
use crate::data::Data;
use crate::ehr::{Ehr, Origins, Side, State};
use crate::export::ExportSettings;
use crate::fault::{Dropped, FaultPlan};
use crate::fhir::SearchSettings;
use crate::reply::Reply;
use crate::store::{LARGEST_BODY, Store, WriteSettings};
use crate::{Error, Result, Sandbox};

/// Origins of a sandbox without sockets; nothing is there.
const UNREAL: [&str; 2] = ["http://127.0.0.1:1", "http://127.0.0.1:2"];

/// Long enough for bytes to get to the client's side of a loopback connection.
const LINGER: Duration = Duration::from_millis(100);

/// How a [`Sandbox`] is to be.
#[derive(Clone)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    data: Data,
    clients: Vec<RegisteredClient>,
    open: bool,
    lifetime: Duration,
    export: ExportSettings,
    search: SearchSettings,
    writes: Option<WriteSettings>,
    page_size: usize,
    relative_links: bool,
    faults: FaultPlan,
    clock: Arc<dyn Clock>,
    transport: Option<Arc<dyn HttpClient>>,
    address: SocketAddr,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            data: Data::synthetic(1, 10),
            clients: Vec::new(),
            open: false,
            lifetime: Duration::from_secs(300),
            export: ExportSettings::default(),
            search: SearchSettings::default(),
            writes: None,
            page_size: 20,
            relative_links: false,
            faults: FaultPlan::none(),
            clock: Arc::new(SystemClock),
            transport: None,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }
}

impl Builder {
    /// What it serves. Default: ten synthetic patients.
    pub fn data(mut self, data: Data) -> Self {
        self.data = data;
        self
    }

    /// Registers a client. Default: none.
    pub fn client(mut self, client: RegisteredClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Needs no token. One that comes along has to be valid all the same.
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// How long tokens are valid. Default: 300 s.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How exports go.
    pub fn export(mut self, settings: ExportSettings) -> Self {
        self.export = settings;
        self
    }

    /// Can be written to: create, update and delete with their conditions,
    /// transactions and batches, versions. Default: it can't.
    pub fn writable(self) -> Self {
        self.writes(WriteSettings::default())
    }

    /// Can be written to, in this way.
    pub fn writes(mut self, settings: WriteSettings) -> Self {
        self.writes = Some(settings);
        self
    }

    /// How searches are answered.
    pub fn search(mut self, settings: SearchSettings) -> Self {
        self.search = settings;
        self
    }

    /// Resources on a page of a search that names no `_count`. Default: 20.
    pub fn page_size(mut self, resources: usize) -> Self {
        self.page_size = resources.max(1);
        self
    }

    /// Links between pages are relative to the FHIR base.
    pub fn relative_links(mut self) -> Self {
        self.relative_links = true;
        self
    }

    /// What goes wrong. Default: nothing.
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = plan;
        self
    }

    /// The clock for tokens, assertions and delays. Default: the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The transport that fetches JWK Sets. Default: the network.
    pub fn jwks_transport(mut self, transport: Arc<dyn HttpClient>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Where to listen. Default: a free port of 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Starts it: with a listener for its FHIR base, and one for its other
    /// origin, on a free port of the same address.
    ///
    /// # Errors
    /// When it can't listen, or has no transport to fetch JWK Sets.
    pub fn start(self) -> Result<Sandbox> {
        let address = self.address;
        let mut limits = Limits::default();
        if self.writes.is_some() {
            limits.body_bytes = LARGEST_BODY;
        }
        let main = bind(address, limits.clone())?;
        let other = bind(SocketAddr::new(address.ip(), 0), limits)?;
        let origin = |bound: &Bound| format!("http://{}", bound.local_addr());
        let origins = Origins {
            main: origin(&main),
            other: origin(&other),
        };
        let ehr = Arc::new(self.ehr(origins)?);
        let servers = [(main, Side::Main), (other, Side::Other)].map(|(bound, side)| {
            let address = bound.local_addr();
            let ehr = Arc::clone(&ehr);
            let handler: Arc<dyn Handler> =
                Arc::new(move |request: http::Request<Vec<u8>>| linger(ehr.handle(side, &request)));
            bound
                .serve(handler)
                .map_err(|source| Error::Listen { address, source })
        });
        let [main, other] = servers;
        Ok(Sandbox::new(ehr, vec![main?, other?]))
    }

    /// Makes it without sockets: it is reached by
    /// [`Sandbox::transport`] only.
    ///
    /// # Errors
    /// When it has no transport to fetch JWK Sets.
    pub fn in_process(self) -> Result<Sandbox> {
        let [main, other] = UNREAL.map(str::to_owned);
        let ehr = self.ehr(Origins { main, other })?;
        Ok(Sandbox::new(Arc::new(ehr), Vec::new()))
    }

    fn ehr(self, origins: Origins) -> Result<Ehr> {
        let by_url = |client: &RegisteredClient| matches!(client.keys, Some(KeySource::Url(_)));
        let transport = match self.transport {
            None if self.clients.iter().any(by_url) => {
                let client = UreqClient::new(&UreqConfig::default());
                let client = client.map_err(|error| Error::Transport(error.into()))?;
                Some(Arc::new(client) as Arc<dyn HttpClient>)
            }
            transport => transport,
        };
        let open = self.open.then(|| {
            Scopes::parse(match self.writes {
                Some(_) => "system/*.cruds",
                None => "system/*.rs",
            })
        });
        let mut clients = self.clients;
        if self.writes.is_none() {
            for client in &mut clients {
                client.allowed = client.allowed.reading();
            }
        }
        let ehr = Ehr {
            origins,
            clock: self.clock,
            authority: Authority::new(clients, transport, self.lifetime, open),
            export: self.export,
            search: self.search,
            writes: self.writes,
            page_size: self.page_size,
            relative_links: self.relative_links,
            state: Mutex::new(State {
                store: Store::new(self.data),
                ..State::default()
            }),
        };
        ehr.set_faults(self.faults);
        Ok(ehr)
    }
}

/// Waits before a body breaks off: what was written before is to leave the
/// buffers, or the client would see nothing of the answer at all.
fn linger(reply: Reply) -> Reply {
    if reply.extensions().get::<Dropped>().is_some() {
        return reply;
    }
    reply.map(|body| match body {
        Body::Stream { reader, length } => {
            let reader = Box::new(Lingering(reader));
            Body::Stream { reader, length }
        }
        whole => whole,
    })
}

struct Lingering(Box<dyn Read + Send>);

impl Read for Lingering {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.0.read(buffer);
        if result.is_err() {
            // The sandbox's own clock may be one that stands still.
            SystemClock.sleep(LINGER);
        }
        result
    }
}

fn bind(address: SocketAddr, limits: Limits) -> Result<Bound> {
    Server::bind(address, limits).map_err(|source| Error::Listen { address, source })
}
