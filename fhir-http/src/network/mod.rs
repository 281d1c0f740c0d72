//! The transport over the network, on `ureq`.

mod config;
mod faults;
mod tls_faults;
mod trust;

use std::io::{self, Read};
use std::time::Duration;

use http::{Method, Request, Response};
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::{Agent, Proxy};

pub use config::{Roots, UreqConfig};

use crate::{Body, Error, HttpClient, Origin, Result, TransportError};

/// The transport over the network: HTTP/1.1 on pooled connections, TLS 1.2 and
/// 1.3. Certificates are always verified.
///
/// Plain http goes to loopback addresses only, and a proxy never gets what is
/// for those. There is a time limit on each step, but none on a whole body, so
/// that a large file may take its time as long as bytes keep coming.
///
/// A body that is cut short of its `Content-Length` or of its last chunk is an
/// error. A response with neither ends where the connection does, and whether
/// that was its end can't be told: see [`is_delimited`](crate::is_delimited).
#[derive(Clone, Debug)]
pub struct UreqClient {
    direct: Agent,
    proxied: Option<Agent>,
}

impl UreqClient {
    /// A client with settings.
    ///
    /// # Errors
    /// [`Error::Setting`], when a certificate, a key or the proxy's address
    /// can't be used.
    pub fn new(config: &UreqConfig) -> Result<Self> {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(trust::roots(config)?)
            .client_cert(trust::client_certificate(config)?)
            .build();
        let proxy = config.proxy.as_deref().map(proxy).transpose()?;
        let direct = agent(config, &tls, None);
        let proxied = proxy.map(|proxy| agent(config, &tls, Some(proxy)));
        Ok(Self { direct, proxied })
    }

    /// Ends all requests that wait for the network, in whichever thread, and
    /// refuses further ones.
    pub fn shutdown(&self) {
        self.direct.clone().shutdown();
        if let Some(agent) = &self.proxied {
            agent.clone().shutdown();
        }
    }
}

impl HttpClient for UreqClient {
    fn send(
        &self,
        request: Request<Vec<u8>>,
    ) -> std::result::Result<Response<Body>, TransportError> {
        let origin = Origin::of(request.uri()).map_err(|error| match error {
            Error::Url { problem, .. } => TransportError::Refused(problem),
            _ => TransportError::Refused("its address can't be used"),
        })?;
        let agent = match &self.proxied {
            Some(agent) if !origin.is_loopback() => agent,
            _ => &self.direct,
        };
        let bodiless = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS
        );
        let response = if bodiless && request.body().is_empty() {
            agent.run(request.map(drop))
        } else {
            agent.run(request)
        };
        let response = response.map_err(faults::transport)?;
        Ok(response.map(|body| Body::new(Incoming(body.into_reader()))))
    }
}

struct Incoming(ureq::BodyReader<'static>);

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(faults::body)
    }
}

fn agent(config: &UreqConfig, tls: &TlsConfig, proxy: Option<Proxy>) -> Agent {
    const IDLE_CONNECTIONS: usize = 32;
    const IDLE_CONNECTIONS_PER_HOST: usize = 8;
    // Most servers and balancers close idle connections after a minute or two.
    const IDLE_AGE: Duration = Duration::from_secs(30);

    Agent::config_builder()
        .tls_config(tls.clone())
        // Given even where there is none: the default asks the environment.
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        // Not even where another crate switches on ureq's own decoding.
        .accept_encoding("")
        .user_agent("")
        .timeout_resolve(Some(config.resolve))
        .timeout_connect(Some(config.connect))
        .timeout_send_request(Some(config.idle))
        .timeout_recv_response(Some(config.response))
        .timeout_per_read(Some(config.idle))
        .timeout_per_write(Some(config.idle))
        .max_idle_connections(IDLE_CONNECTIONS)
        .max_idle_connections_per_host(IDLE_CONNECTIONS_PER_HOST)
        .max_idle_age(IDLE_AGE)
        .build()
        .new_agent()
}

fn proxy(address: &str) -> Result<Proxy> {
    // The cause is left out: an address holds a password.
    Proxy::new(address).map_err(|_| Error::Setting {
        what: "the proxy",
        problem: "its address is not of the form http://user:password@host:port".to_owned(),
    })
}
