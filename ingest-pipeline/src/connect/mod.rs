//! From the configuration of a connection to a client for its server.

mod access;
mod paced;
#[cfg(feature = "server")]
mod store;

use std::path::Path;
use std::sync::Arc;

use fhir_http::{
    Client, Clock, HttpClient, Interrupt, Origin, Random, RetryPolicy, Roots, SystemClock,
    SystemRandom, UNRESERVED, UreqClient, UreqConfig, percent_encode,
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use smart_auth::{BackendServices, ScopeSet, SigningKey};

use crate::config::{Algorithm, Auth, ConnectionSettings, HttpSettings, SecretMethod};
use crate::{Error, Result, keys};
use access::Access;
use paced::Paced;
#[cfg(feature = "server")]
pub use store::ConnectedStore;

/// What a connection needs of the world around it.
#[derive(Clone)]
pub struct Surroundings {
    /// Time, and waiting.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for nonces and jitter.
    pub random: Arc<dyn Random>,
    /// What asks everything to stop.
    pub interrupt: Interrupt,
    /// Looks environment variables up, for secrets that are kept there.
    pub env: fn(&str) -> Option<String>,
    /// The network; `None` for the real one, as the configuration wants it.
    pub transport: Option<Arc<dyn HttpClient>>,
}

impl Surroundings {
    /// The id of a run that begins now.
    #[must_use]
    pub fn run_id(&self) -> String {
        let mut bits = [0; 10];
        self.random.fill(&mut bits);
        crate::run_id(&*self.clock, bits)
    }

    /// The system's, and environment variables by `env`.
    #[must_use]
    pub fn system(env: fn(&str) -> Option<String>) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            interrupt: Interrupt::new(),
            env,
            transport: None,
        }
    }
}

/// Clients for one server.
#[derive(Clone)]
pub struct Connected {
    /// For the FHIR API.
    pub fhir: Client,
    /// For exports, which some vendors have under another address.
    pub bulk: Client,
    /// The authorization of both; `None` for an open server.
    pub auth: Option<Arc<BackendServices>>,
}

impl Connected {
    /// Clients for a connection. Nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with keys, secrets, certificates and addresses.
    pub fn new(settings: &ConnectionSettings, around: &Surroundings) -> Result<Self> {
        let base = origin(&settings.base)?;
        let bulk = origin(&settings.bulk.base)?;
        let access = Access::of_ehr(settings);
        let transport = transport(&access, vec![base.clone(), bulk.clone()], around)?;
        let plain = client(transport, &access, around);
        let auth = authorization(&access, &plain, around)?.map(Arc::new);
        let authorized = |origin| match &auth {
            Some(auth) => plain.clone().authorized(origin, auth.clone()),
            None => plain.clone(),
        };
        Ok(Self {
            bulk: authorized(bulk),
            fhir: authorized(base),
            auth,
        })
    }
}

fn origin(url: &str) -> Result<Origin> {
    let uri: Uri = url.parse().map_err(|_| fhir_http::Error::Url {
        what: "the FHIR base",
        problem: "it is no URL",
    })?;
    Ok(Origin::of(&uri)?)
}

/// Without credentials.
fn client(transport: Arc<dyn HttpClient>, access: &Access<'_>, around: &Surroundings) -> Client {
    Client::new(transport, Arc::clone(&around.clock))
        .random(Arc::clone(&around.random))
        .interrupt(around.interrupt.clone())
        .retry(policy(access.http))
}

fn policy(http: &HttpSettings) -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    policy.attempts = http.retries.saturating_add(1);
    policy
}

fn transport(
    settings: &Access<'_>,
    origins: Vec<Origin>,
    around: &Surroundings,
) -> Result<Arc<dyn HttpClient>> {
    let inner = match &around.transport {
        Some(transport) => Arc::clone(transport),
        None => Arc::new(UreqClient::new(&network(settings.http, around)?)?),
    };
    let mut paced = Paced::new(inner, origins, headers(settings.http, around)?);
    if let Some(limit) = settings.http.requests_per_minute {
        paced = paced.per_minute(limit, Arc::clone(&around.clock), around.interrupt.clone());
    }
    Ok(Arc::new(paced))
}

fn network(http: &HttpSettings, around: &Surroundings) -> Result<UreqConfig> {
    let mut config = UreqConfig::default()
        .connect_timeout(http.connect_timeout)
        .response_timeout(http.first_byte_timeout)
        // It holds while the first byte is waited for as well.
        .idle_timeout(http.read_timeout.max(http.first_byte_timeout));
    if let Some(file) = &http.ca_file {
        let pem = read(file)?;
        let setting = format!("http.ca_file ({})", file.display());
        check(setting, alone().root_certificates(pem.clone()))?;
        config = config.root_certificates(pem);
    }
    if let Some(certificate) = &http.client_certificate {
        let (chain, key) = (&certificate.cert_file, &certificate.key_file);
        let (key_pem, chain_pem) = (read_private(key)?, read(chain)?);
        let files = format!("{}, {}", chain.display(), key.display());
        let setting = format!("http.client_certificate ({files})");
        check(
            setting,
            alone().client_certificate(chain_pem.clone(), key_pem.clone()),
        )?;
        config = config.client_certificate(chain_pem, key_pem);
    }
    if let Some(proxy) = &http.proxy {
        let address = match &http.proxy_credentials {
            Some(secret) => with_credentials(proxy, &secret.text("proxy_credentials", around.env)?),
            None => proxy.clone(),
        };
        config = config.proxy(address);
    }
    Ok(config)
}

/// Settings for a check of one thing, so that a fault is known to be of its files.
fn alone() -> UreqConfig {
    UreqConfig::default().roots(Roots::None)
}

fn check(setting: String, config: UreqConfig) -> Result<()> {
    let checked = UreqClient::new(&config).map_err(Box::new);
    checked
        .map(drop)
        .map_err(|source| Error::Certificates { setting, source })
}

/// `http://user:password@host` of `http://host` and `user:password`.
fn with_credentials(proxy: &str, credentials: &str) -> String {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let pair = format!(
        "{}:{}",
        percent_encode(user, UNRESERVED),
        percent_encode(password, UNRESERVED)
    );
    match proxy.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{pair}@{rest}"),
        None => format!("http://{pair}@{proxy}"),
    }
}

fn headers(http: &HttpSettings, around: &Surroundings) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &http.headers {
        let (name, value) = header(name, value)?;
        headers.insert(name, value);
    }
    for (name, place) in &http.secret_headers {
        let (name, mut value) = header(name, &place.text("a secret header", around.env)?)?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let pair = name
        .parse::<HeaderName>()
        .ok()
        .zip(HeaderValue::from_str(value).ok());
    pair.ok_or_else(|| Error::Header {
        name: name.to_owned(),
    })
}

fn authorization(
    settings: &Access<'_>,
    client: &Client,
    around: &Surroundings,
) -> Result<Option<BackendServices>> {
    let client_id = match settings.auth {
        Auth::Anonymous => return Ok(None),
        Auth::Key { client_id, .. }
        | Auth::Ring { client_id, .. }
        | Auth::Secret { client_id, .. } => client_id,
    };
    let mut builder = BackendServices::builder(client.clone(), client_id)
        .fhir_base(settings.base)
        .scopes(scopes(settings.scopes)?)
        .discovery_at_host_root(settings.discovery_at_host_root)
        .retry_bare_400(settings.retry_bare_400);
    if let Some(lifetime) = settings.token_lifetime {
        builder = builder.assumed_lifetime(lifetime);
    }
    if let Some(endpoint) = settings.token_endpoint {
        builder = builder.token_endpoint(endpoint);
    }
    if settings.may_write {
        builder = builder.for_writing();
    }
    builder = match settings.auth {
        Auth::Anonymous => return Ok(None),
        Auth::Key { file, kid, alg, .. } => {
            builder.signer(Arc::new(signing_key(file, kid.as_deref(), *alg)?))
        }
        Auth::Ring {
            folder,
            key_file,
            algorithms,
            ..
        } => {
            let ring = keys::open(folder, key_file.as_deref(), around.env)?;
            let algorithms = algorithms.iter().copied().map(signed_by).collect();
            builder.signer(keys::ActiveKey::new(
                ring,
                algorithms,
                Arc::clone(&around.clock),
            ))
        }
        Auth::Secret { place, method, .. } => {
            let secret = smart_auth::Secret::new(place.text("client_secret", around.env)?);
            match method {
                SecretMethod::Basic => builder.client_secret_basic(secret),
                SecretMethod::Post => builder.client_secret_post(secret),
            }
        }
    };
    Ok(Some(builder.build()?))
}

fn scopes(list: &[String]) -> Result<ScopeSet> {
    let mut scopes = ScopeSet::new();
    for scope in list {
        scopes.insert(scope.parse().map_err(smart_auth::Error::from)?);
    }
    Ok(scopes)
}

fn signing_key(file: &Path, kid: Option<&str>, alg: Option<Algorithm>) -> Result<SigningKey> {
    let text = zeroize::Zeroizing::new(read_private(file)?);
    let fail = |problem| Error::SigningKey {
        path: file.to_owned(),
        source: smart_auth::Error::from(problem),
    };
    let mut key = SigningKey::parse(&text).map_err(fail)?;
    if let Some(algorithm) = alg {
        key = key.with_algorithm(signed_by(algorithm)).map_err(fail)?;
    }
    Ok(match kid {
        Some(kid) => key.with_kid(kid),
        None => key,
    })
}

const fn signed_by(algorithm: Algorithm) -> smart_auth::Algorithm {
    match algorithm {
        Algorithm::Rs256 => smart_auth::Algorithm::Rs256,
        Algorithm::Rs384 => smart_auth::Algorithm::Rs384,
        Algorithm::Es384 => smart_auth::Algorithm::Es384,
    }
}

/// Reads a private key, and says so where others can read it too.
fn read_private(path: &Path) -> Result<Vec<u8>> {
    #[cfg(unix)]
    if let Ok(metadata) = path.metadata() {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o077 != 0 {
            tracing::warn!(
                file = %path.display(),
                mode = format_args!("{:04o}", mode & 0o7777),
                "others than its owner have access to this private key: set its mode to 0600"
            );
        }
    }
    read(path)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}
