mod builder;
mod request;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use fhir_http::{Authorize, BoxError, Client};
use http::Uri;
use http::header::AUTHORIZATION;
use http::request::Parts;

pub use builder::Builder;

use crate::cache::Cache;
use crate::{
    ClientAssertion, Error, Result, ScopeSet, Secret, SignedAssertion, Signers, SmartConfiguration,
    TokenResponse,
};

/// A backend client with its credentials and its token
/// ([SMART Backend Services][spec]).
///
/// One value serves any number of threads. The token is got when it is first
/// needed, renewed before its end and after a 401, and however many threads
/// need a new one, there is one token request.
///
/// [spec]: https://hl7.org/fhir/smart-app-launch/backend-services.html
pub struct BackendServices {
    client: Client,
    client_id: String,
    endpoint: Endpoint,
    credentials: Credentials,
    scopes: ScopeSet,
    lifetime: Duration,
    audience: Option<String>,
    jku: Option<String>,
    assumed_lifetime: Duration,
    retry_bare_400: bool,
    cache: Cache,
    /// What worked last: a `kid`, or nothing for a client secret.
    proven: Mutex<Option<Option<String>>>,
    /// What was last said to be missing.
    warned: Mutex<ScopeSet>,
}

enum Endpoint {
    Named(Uri),
    Discovered {
        fhir_base: String,
        at_host_root: bool,
        document: OnceLock<Arc<SmartConfiguration>>,
    },
}

enum Credentials {
    Assertion(Arc<dyn Signers>),
    SecretBasic(Secret),
    SecretPost(Secret),
}

impl BackendServices {
    /// A client named `client_id`, which asks for tokens through `client`.
    /// That one's retry policy, clock and interruption count here too; its
    /// credentials, where it has any, are not used.
    pub fn builder(client: Client, client_id: impl Into<String>) -> Builder {
        Builder::new(client, client_id.into())
    }

    /// The token, a new one where the last is near its end.
    ///
    /// # Errors
    /// Every [`Error`] of [`request_token`](Self::request_token).
    pub fn token(&self) -> Result<Arc<TokenResponse>> {
        self.cache
            .fresh(self.client.clock().now(), || self.request().map(Arc::new))
    }

    /// A new token, whatever the last one is still good for. It is the one in
    /// use from now on.
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::Answer`] when the server gives none,
    /// [`Error::Http`] when it can't be reached, those of
    /// [`configuration`](Self::configuration) and
    /// [`assertion`](Self::assertion), and [`Error::Interrupted`].
    pub fn request_token(&self) -> Result<Arc<TokenResponse>> {
        self.cache.renewed(|| self.request().map(Arc::new))
    }

    /// The server's SMART configuration, fetched when first asked for; `None`
    /// where the token endpoint was named instead.
    ///
    /// # Errors
    /// Those of [`SmartConfiguration::fetch`].
    pub fn configuration(&self) -> Result<Option<Arc<SmartConfiguration>>> {
        let Endpoint::Discovered {
            fhir_base,
            at_host_root,
            document,
        } = &self.endpoint
        else {
            return Ok(None);
        };
        if let Some(document) = document.get() {
            return Ok(Some(document.clone()));
        }
        let fetched = if *at_host_root {
            SmartConfiguration::fetch_or_at_host_root(&self.client, fhir_base)?
        } else {
            SmartConfiguration::fetch(&self.client, fhir_base)?
        };
        Ok(Some(document.get_or_init(|| Arc::new(fetched)).clone()))
    }

    /// Where tokens are asked for.
    ///
    /// # Errors
    /// Those of [`configuration`](Self::configuration).
    pub fn token_endpoint(&self) -> Result<Uri> {
        if let Endpoint::Named(uri) = &self.endpoint {
            return Ok(uri.clone());
        }
        match self.configuration()? {
            Some(document) => Ok(document.token_endpoint.clone()),
            None => Err(Error::Setup {
                problem: "there is no token endpoint",
            }),
        }
    }

    /// A new assertion, as every token request carries one; `None` with a
    /// client secret.
    ///
    /// # Errors
    /// [`Error::Sign`] when the signer fails, and those of
    /// [`configuration`](Self::configuration).
    pub fn assertion(&self) -> Result<Option<SignedAssertion>> {
        let Credentials::Assertion(signers) = &self.credentials else {
            return Ok(None);
        };
        let audience = match &self.audience {
            Some(audience) => audience.clone(),
            None => self.token_endpoint()?.to_string(),
        };
        let mut assertion = ClientAssertion::new(&self.client_id, audience).lifetime(self.lifetime);
        if let Some(jku) = &self.jku {
            assertion = assertion.jku(jku);
        }
        let signer = signers.active().map_err(|source| Error::Sign {
            source: source.into(),
        })?;
        assertion
            .sign(
                &*signer,
                self.client.clock().now(),
                &**self.client.randomness(),
            )
            .map(Some)
    }

    /// The scopes that are asked for.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }
}

impl Authorize for BackendServices {
    fn authorize(&self, request: &mut Parts) -> std::result::Result<(), BoxError> {
        let token = self.token()?;
        request
            .headers
            .insert(AUTHORIZATION, token.authorization().clone());
        Ok(())
    }

    fn refused(&self, request: &Parts) -> bool {
        match request.headers.get(AUTHORIZATION) {
            Some(header) => {
                self.cache.drop_refused(header);
                true
            }
            None => false,
        }
    }
}

/// By hand: nothing of the credentials and the token.
impl fmt::Debug for BackendServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendServices")
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes.names())
            .finish_non_exhaustive()
    }
}
