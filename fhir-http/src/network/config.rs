use std::fmt;
use std::time::Duration;

/// Settings of [`UreqClient`](super::UreqClient).
///
/// ```
/// use std::time::Duration;
/// use fhir_http::{UreqClient, UreqConfig};
///
/// let config = UreqConfig::default().connect_timeout(Duration::from_secs(5));
/// let transport = UreqClient::new(&config)?;
/// # Ok::<(), fhir_http::Error>(())
/// ```
#[derive(Clone)]
pub struct UreqConfig {
    pub(super) resolve: Duration,
    pub(super) connect: Duration,
    pub(super) response: Duration,
    pub(super) idle: Duration,
    pub(super) roots: Roots,
    pub(super) extra_roots: Vec<Vec<u8>>,
    pub(super) proxy: Option<String>,
    pub(super) identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// Whose certificates are trusted, besides those given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roots {
    /// Those of the operating system, as `SSL_CERT_FILE` and `SSL_CERT_DIR`
    /// change them. Where it has none, as in a small container: those given,
    /// or, when none are given, [`Mozilla`](Self::Mozilla)'s.
    #[default]
    System,
    /// Mozilla's list, as of this build. It can't be joined with certificates
    /// that are given.
    Mozilla,
    /// None but those given.
    None,
}

impl Default for UreqConfig {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(10),
            connect: Duration::from_secs(15),
            response: Duration::from_secs(120),
            idle: Duration::from_secs(120),
            roots: Roots::default(),
            extra_roots: Vec::new(),
            proxy: None,
            identity: None,
        }
    }
}

impl UreqConfig {
    /// How long a look-up of a name may take; 10 s by default.
    #[must_use]
    pub const fn resolve_timeout(mut self, limit: Duration) -> Self {
        self.resolve = limit;
        self
    }

    /// How long a connection may take, with proxy and TLS; 15 s by default.
    #[must_use]
    pub const fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// How long the head of the response may take from the end of the request
    /// on; 120 s by default. [`idle_timeout`](Self::idle_timeout) holds as well.
    #[must_use]
    pub const fn response_timeout(mut self, limit: Duration) -> Self {
        self.response = limit;
        self
    }

    /// How long no byte may come or go; 120 s by default. It holds while
    /// waiting for the first byte as well as in the middle of a body.
    #[must_use]
    pub const fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// Whose certificates are trusted, besides those given.
    #[must_use]
    pub const fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Trusts the certificates in `pem` too, such as a hospital's own CA. One
    /// or many; more with each call.
    #[must_use]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.extra_roots.push(pem.into());
        self
    }

    /// Sends what is not for loopback through a proxy:
    /// `http://user:password@host:port`, or with `https`, `socks4`, `socks4a`,
    /// `socks5`, `socks5h`. User and password are percent-encoded. The
    /// environment is not asked for one.
    #[must_use]
    pub fn proxy(mut self, address: impl Into<String>) -> Self {
        self.proxy = Some(address.into());
        self
    }

    /// Shows a certificate to servers that ask for one (mutual TLS): its chain,
    /// its own certificate first, and its private key (PKCS #8, PKCS #1 or
    /// SEC 1, not encrypted), both PEM.
    #[must_use]
    pub fn client_certificate(
        mut self,
        chain_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.identity = Some((chain_pem.into(), key_pem.into()));
        self
    }
}

/// By hand: a proxy's address and a key are secret.
impl fmt::Debug for UreqConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqConfig")
            .field("resolve", &self.resolve)
            .field("connect", &self.connect)
            .field("response", &self.response)
            .field("idle", &self.idle)
            .field("roots", &self.roots)
            .field("extra_roots", &self.extra_roots.len())
            .field("proxy", &self.proxy.is_some())
            .field("client_certificate", &self.identity.is_some())
            .finish()
    }
}
