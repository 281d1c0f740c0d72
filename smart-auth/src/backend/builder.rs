use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fhir_http::Client;

use super::{BackendServices, Credentials, Endpoint};
use crate::{ClientAssertion, Error, Result, ScopeSet, Secret, Signers, TokenResponse, discovery};

/// Sets up a [`BackendServices`]: where tokens are had, how the client proves
/// who it is, and what it asks for.
pub struct Builder {
    client: Client,
    client_id: String,
    fhir_base: Option<String>,
    token_endpoint: Option<String>,
    credentials: Option<Credentials>,
    scopes: ScopeSet,
    lifetime: Duration,
    audience: Option<String>,
    jku: Option<String>,
    at_host_root: bool,
    assumed_lifetime: Duration,
    retry_bare_400: bool,
    may_write: bool,
}

impl Builder {
    pub(super) const fn new(client: Client, client_id: String) -> Self {
        Self {
            client,
            client_id,
            fhir_base: None,
            token_endpoint: None,
            credentials: None,
            scopes: ScopeSet::new(),
            lifetime: ClientAssertion::DEFAULT_LIFETIME,
            audience: None,
            jku: None,
            at_host_root: false,
            assumed_lifetime: TokenResponse::DEFAULT_LIFETIME,
            retry_bare_400: false,
            may_write: false,
        }
    }

    /// Finds the token endpoint in the SMART configuration of this FHIR server.
    #[must_use]
    pub fn fhir_base(mut self, url: impl Into<String>) -> Self {
        self.fhir_base = Some(url.into());
        self
    }

    /// Asks this endpoint, and looks for no SMART configuration.
    #[must_use]
    pub fn token_endpoint(mut self, url: impl Into<String>) -> Self {
        self.token_endpoint = Some(url.into());
        self
    }

    /// Signs an assertion for every token request (`private_key_jwt`): with
    /// an `Arc` of one signer, or with the active key of a key ring.
    #[must_use]
    pub fn signer(mut self, signers: impl Signers + 'static) -> Self {
        self.credentials = Some(Credentials::Assertion(Arc::new(signers)));
        self
    }

    /// Sends a client secret by HTTP Basic (`client_secret_basic`).
    #[must_use]
    pub fn client_secret_basic(mut self, secret: Secret) -> Self {
        self.credentials = Some(Credentials::SecretBasic(secret));
        self
    }

    /// Sends a client secret in the form (`client_secret_post`).
    #[must_use]
    pub fn client_secret_post(mut self, secret: Secret) -> Self {
        self.credentials = Some(Credentials::SecretPost(secret));
        self
    }

    /// What to ask for. Scopes that grant writing are refused.
    #[must_use]
    pub fn scopes(mut self, scopes: ScopeSet) -> Self {
        self.scopes = scopes;
        self
    }

    /// How long an assertion is good for, as [`ClientAssertion::lifetime`].
    #[must_use]
    pub const fn assertion_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// The audience of assertions, for servers that expect another than the
    /// URL of their token endpoint.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The registered JWKS URL, to be named in the header of assertions.
    #[must_use]
    pub fn jku(mut self, url: impl Into<String>) -> Self {
        self.jku = Some(url.into());
        self
    }

    /// Whether the SMART configuration may also be below the root of the host,
    /// as [`SmartConfiguration::fetch_or_at_host_root`] finds it. Default: no.
    ///
    /// [`SmartConfiguration::fetch_or_at_host_root`]: crate::SmartConfiguration::fetch_or_at_host_root
    #[must_use]
    pub const fn discovery_at_host_root(mut self, allowed: bool) -> Self {
        self.at_host_root = allowed;
        self
    }

    /// The life of a token whose response has no `expires_in`. Default:
    /// [`TokenResponse::DEFAULT_LIFETIME`].
    #[must_use]
    pub const fn assumed_lifetime(mut self, lifetime: Duration) -> Self {
        self.assumed_lifetime = lifetime;
        self
    }

    /// Whether a 400 without an OAuth error may pass: it is retried, like a
    /// 503, with credentials that have worked before. Default: no.
    #[must_use]
    pub const fn retry_bare_400(mut self, retry: bool) -> Self {
        self.retry_bare_400 = retry;
        self
    }

    /// Lets the scopes grant writing. For a server of one's own that data is
    /// written to, never for an EHR that it is read from.
    #[must_use]
    pub const fn for_writing(mut self) -> Self {
        self.may_write = true;
        self
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Scope`] for a scope that grants writing without
    /// [`for_writing`](Self::for_writing), [`Error::Url`] for a
    /// token endpoint that is not `https`, [`Error::Setup`] when something is
    /// missing.
    pub fn build(self) -> Result<BackendServices> {
        let setup = |problem| Error::Setup { problem };
        if self.client_id.is_empty() {
            return Err(setup("the client id is empty"));
        }
        if self.scopes.is_empty() {
            return Err(setup("there are no scopes to ask for"));
        }
        if !self.may_write {
            self.scopes.require_read_only()?;
        }
        let endpoint = match (self.token_endpoint, self.fhir_base) {
            (Some(url), _) => {
                let uri = discovery::endpoint(url.trim());
                let bad = Error::Url {
                    what: "the token endpoint",
                    problem: "it is not absolute, or not https",
                };
                Endpoint::Named(uri.ok_or(bad)?)
            }
            (None, Some(fhir_base)) => Endpoint::Discovered {
                fhir_base,
                at_host_root: self.at_host_root,
                document: OnceLock::new(),
            },
            (None, None) => return Err(setup("neither FHIR base nor token endpoint is known")),
        };
        let credentials = self
            .credentials
            .ok_or_else(|| setup("there is neither a signer nor a secret"))?;
        Ok(BackendServices {
            client: self.client,
            client_id: self.client_id,
            endpoint,
            credentials,
            scopes: self.scopes,
            lifetime: self.lifetime,
            audience: self.audience,
            jku: self.jku,
            assumed_lifetime: self.assumed_lifetime,
            retry_bare_400: self.retry_bare_400,
            cache: Default::default(),
            proven: Default::default(),
            warned: Default::default(),
        })
    }
}

/// By hand: nothing of the credentials.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes.names())
            .finish_non_exhaustive()
    }
}
