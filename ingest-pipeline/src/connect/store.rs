use std::sync::Arc;

use fhir_http::{Client, FhirClient};
use smart_auth::BackendServices;

use super::{Access, Surroundings, authorization, client, origin, transport};
use crate::Result;
use crate::config::StoreServer;

/// A client for the FHIR server that is the store.
#[derive(Clone)]
pub struct ConnectedStore {
    /// For the FHIR API.
    pub fhir: Client,
    /// Its authorization; `None` for an open server.
    pub auth: Option<Arc<BackendServices>>,
    base: String,
}

impl ConnectedStore {
    /// A client for the store. Nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with keys, secrets, certificates and addresses.
    pub fn new(settings: &StoreServer, around: &Surroundings) -> Result<Self> {
        let base = origin(&settings.base)?;
        let access = Access::of_store(settings);
        let transport = transport(&access, vec![base.clone()], around)?;
        let plain = client(transport, &access, around);
        let auth = authorization(&access, &plain, around)?.map(Arc::new);
        Ok(Self {
            fhir: match &auth {
                Some(auth) => plain.authorized(base, auth.clone()),
                None => plain,
            },
            auth,
            base: settings.base.clone(),
        })
    }

    /// The FHIR API, as a store wants it.
    ///
    /// # Errors
    /// A base that is no URL.
    pub fn client(&self) -> Result<FhirClient> {
        Ok(FhirClient::new(self.fhir.clone(), &self.base)?)
    }
}
