use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_serve::Server;

use crate::adt;
use crate::auth::Scopes;
use crate::data::Data;
use crate::ehr::Ehr;
use crate::fault::{FaultPlan, Where};
use crate::log::Recorded;
use crate::{Builder, InProcess};

/// How long requests may go on when it stops.
const GRACE: Duration = Duration::from_secs(1);

/// An EHR for tests. Dropped, it stops.
pub struct Sandbox {
    ehr: Arc<Ehr>,
    servers: Vec<Server>,
}

impl Sandbox {
    /// One that is to be made.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) const fn new(ehr: Arc<Ehr>, servers: Vec<Server>) -> Self {
        Self { ehr, servers }
    }

    /// Its FHIR base, such as `http://127.0.0.1:40123/fhir`.
    #[must_use]
    pub fn base(&self) -> String {
        self.ehr.base()
    }

    /// Its token endpoint, the `aud` of assertions.
    #[must_use]
    pub fn token_url(&self) -> String {
        self.ehr.token_url()
    }

    /// Its other origin, where no token belongs: redirects lead there, and
    /// files lie there where the export is set so.
    #[must_use]
    pub fn other_origin(&self) -> String {
        self.ehr.origins.other.clone()
    }

    /// A transport that ends in this sandbox, without a network between.
    #[must_use]
    pub fn transport(&self) -> InProcess {
        InProcess::new(Arc::clone(&self.ehr))
    }

    /// What it serves at this moment.
    #[must_use]
    pub fn data(&self) -> Data {
        Data::clone(&self.ehr.data())
    }

    /// Serves other data from now on. Exports that were kicked off before keep
    /// theirs.
    pub fn set_data(&self, data: Data) {
        self.ehr.state().store.data = Arc::new(data);
    }

    /// Lets the data change as [`Data::changed`] does.
    pub fn change_data(&self, seed: u64, percent: u8, at: SystemTime) {
        let changed = self.ehr.data().changed(seed, percent, at);
        self.set_data(changed);
    }

    /// Lets an event happen, as [`Data::apply`] does.
    pub fn apply(&self, event: &adt::Event) {
        Arc::make_mut(&mut self.ehr.state().store.data).apply(event);
    }

    /// Lets other things go wrong from now on; hits are counted from 1 again.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.ehr.set_faults(plan);
    }

    /// Makes a token with these scopes, without the token endpoint.
    #[must_use]
    pub fn issue_token(&self, client: &str, scopes: &str) -> String {
        self.ehr
            .authority
            .issue(client, Scopes::parse(scopes), self.ehr.clock.now())
    }

    /// Makes all tokens invalid.
    pub fn revoke_tokens(&self) {
        self.ehr.authority.revoke();
    }

    /// The requests so far, in the order of their answers.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.ehr.state().log.clone()
    }

    /// How many requests there were for something so far. Manifests count as
    /// status requests.
    #[must_use]
    pub fn count(&self, place: &Where) -> usize {
        self.ehr
            .state()
            .log
            .iter()
            .filter(|recorded| recorded.is_for(place))
            .count()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.ehr.state().log.clear();
    }

    /// Stops it, after the requests in hand. Without sockets there is nothing
    /// to stop.
    pub fn stop(self) {
        for server in self.servers {
            server.stop(GRACE);
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("base", &self.base())
            .finish_non_exhaustive()
    }
}
