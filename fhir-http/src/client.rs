use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use tracing::debug;

use crate::{
    Authorize, Body, Clock, Error, HttpClient, Interrupt, Origin, Random, Result, RetryPolicy,
    redirect, retry_after,
};

/// Extension of a request to which no credentials are added. Those that its
/// caller put into it stay.
#[derive(Clone, Copy, Debug)]
pub struct Anonymous;

/// Extension of a request that is sent once: its caller decides about retries.
#[derive(Clone, Copy, Debug)]
pub struct NoRetry;

/// Extension of a response: the request that it answers, after redirects.
/// Relative references in the response are meant relative to its URI.
#[derive(Clone)]
pub struct Target {
    /// Method of the request.
    pub method: Method,
    /// URI of the request. It may hold a secret or the id of a patient.
    pub uri: Uri,
}

/// Sends requests with credentials, retries and redirects dealt with.
///
/// Every request is sent again, whatever its method, when its response has a
/// status that may pass ([`RetryPolicy::is_transient`]) or there was none: the
/// connection failed, or a time limit passed. A server may thus see a POST
/// twice, although it acted on the first; mark requests for which that matters
/// with [`NoRetry`].
///
/// Redirects are followed: those of GET and HEAD anywhere but from https to
/// http, those of other methods with their body, within one origin, and only
/// by 307 and 308. Credentials go to their origin and no other, and neither
/// does any header go to another origin that might be one. When a request that
/// was redirected has to be sent again, that begins at its first address:
/// presigned ones do not live long.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    credentials: Option<(Origin, Arc<dyn Authorize>)>,
    retry: RetryPolicy,
    interrupt: Interrupt,
    user_agent: HeaderValue,
}

impl Client {
    /// What every request calls itself, unless told otherwise.
    pub const USER_AGENT: &str = concat!("ingest/", env!("CARGO_PKG_VERSION"));

    /// A client without credentials, with the default [`RetryPolicy`].
    #[must_use]
    pub fn new(transport: Arc<dyn HttpClient>, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            clock,
            random: Arc::new(crate::SystemRandom),
            credentials: None,
            retry: RetryPolicy::default(),
            interrupt: Interrupt::new(),
            user_agent: HeaderValue::from_static(Self::USER_AGENT),
        }
    }

    /// The same client, which adds credentials to requests to `origin`, and to
    /// no other.
    #[must_use]
    pub fn authorized(mut self, origin: Origin, authorize: Arc<dyn Authorize>) -> Self {
        self.credentials = Some((origin, authorize));
        self
    }

    /// The same client with another retry policy.
    #[must_use]
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The same client with another source of randomness.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// The same client, which gives up when asked to.
    #[must_use]
    pub fn interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// The same client with another `User-Agent` for requests that have none.
    #[must_use]
    pub fn user_agent(mut self, value: HeaderValue) -> Self {
        self.user_agent = value;
        self
    }

    /// The clock it waits on.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The randomness it draws from.
    #[must_use]
    pub fn randomness(&self) -> &Arc<dyn Random> {
        &self.random
    }

    /// What asks it to stop.
    #[must_use]
    pub const fn interruption(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Its retry policy.
    #[must_use]
    pub const fn policy(&self) -> &RetryPolicy {
        &self.retry
    }

    /// Sends a request and gives back the last response, whatever its status,
    /// with its [`Target`] as an extension. The body is still encoded.
    ///
    /// # Errors
    /// When there is no response, no credentials, or a redirect that can't be
    /// followed.
    pub fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>> {
        self.attempt(&request, |_, response| Ok(response))
    }

    /// Sends a request, asks for gzip, and reads the body of the response to
    /// its end. For small documents: they are held in memory.
    ///
    /// # Errors
    /// As [`send`](Self::send), and when the body breaks off on every attempt
    /// or is longer than `limit` decoded bytes.
    pub fn fetch(&self, mut request: Request<Vec<u8>>, limit: u64) -> Result<Response<Vec<u8>>> {
        let gzip = HeaderValue::from_static("gzip");
        request
            .headers_mut()
            .entry(header::ACCEPT_ENCODING)
            .or_insert(gzip);
        self.attempt(&request, |origin, response| {
            read_whole(response, limit).map_err(|error| Error::body(origin.to_string(), error))
        })
    }

    /// Sends `request` until `finish` has what it wants or the attempts are used up.
    fn attempt<T>(
        &self,
        request: &Request<Vec<u8>>,
        finish: impl Fn(&Origin, Response<Body>) -> Result<T>,
    ) -> Result<T> {
        let first = Origin::of(request.uri())?;
        let once = request.extensions().get::<NoRetry>().is_some();
        let most = if once { 1 } else { self.retry.attempts.max(1) };
        let mut may_renew = true;
        let mut attempt = 1;
        loop {
            if self.interrupt.is_interrupted() {
                return Err(Error::Interrupted);
            }
            let asked = match self.exchange(request, &mut may_renew) {
                Ok((_, response))
                    if attempt < most && RetryPolicy::is_transient(response.status()) =>
                {
                    let cap = self.retry.retry_after_cap;
                    let asked = retry_after(response.headers(), self.clock.now(), cap);
                    discard(response);
                    asked
                }
                result => match result.and_then(|(origin, response)| finish(&origin, response)) {
                    Err(error) if attempt < most && error.is_transient() => None,
                    result => return result,
                },
            };
            let wait = self
                .retry
                .backoff(attempt, &*self.random)
                .max(asked.unwrap_or_default());
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            debug!(method = %request.method(), origin = %first, attempt, wait_ms, "sends again");
            if !self.interrupt.sleep(&*self.clock, wait) {
                return Err(Error::Interrupted);
            }
            attempt += 1;
        }
    }

    /// One attempt: the request and the redirects that follow.
    fn exchange(
        &self,
        request: &Request<Vec<u8>>,
        may_renew: &mut bool,
    ) -> Result<(Origin, Response<Body>)> {
        let mut hop = request.clone();
        hop.headers_mut()
            .entry(header::USER_AGENT)
            .or_insert_with(|| self.user_agent.clone());
        let mut followed = 0;
        loop {
            let origin = Origin::of(hop.uri())?;
            let mut response = self.hop(&hop, &origin, may_renew)?;
            let Some(next) = redirect::follow(&hop, &origin, &response)? else {
                let (method, uri) = (hop.method().clone(), hop.uri().clone());
                response.extensions_mut().insert(Target { method, uri });
                return Ok((origin, response));
            };
            discard(response);
            if followed == redirect::MOST {
                let problem = "more often than is followed";
                return Err(Error::Redirect {
                    host: origin.to_string(),
                    problem,
                });
            }
            hop = next;
            followed += 1;
        }
    }

    /// One request, or two: the second with new credentials after a 401.
    fn hop(
        &self,
        request: &Request<Vec<u8>>,
        origin: &Origin,
        may_renew: &mut bool,
    ) -> Result<Response<Body>> {
        let anonymous = request.extensions().get::<Anonymous>().is_some();
        let credentials = self.credentials.as_ref();
        let authorize = credentials
            .filter(|(of, _)| of == origin && !anonymous)
            .map(|(_, authorize)| authorize);
        let (sent, response) = self.transmit(request, origin, authorize)?;
        if response.status() != StatusCode::UNAUTHORIZED || !*may_renew {
            return Ok(response);
        }
        match authorize {
            Some(authorize) => {
                *may_renew = false;
                if !authorize.refused(&sent) {
                    return Ok(response);
                }
                discard(response);
                Ok(self.transmit(request, origin, Some(authorize))?.1)
            }
            None => Ok(response),
        }
    }

    fn transmit(
        &self,
        request: &Request<Vec<u8>>,
        origin: &Origin,
        authorize: Option<&Arc<dyn Authorize>>,
    ) -> Result<(Parts, Response<Body>)> {
        let (mut parts, body) = request.clone().into_parts();
        if let Some(authorize) = authorize {
            authorize
                .authorize(&mut parts)
                .map_err(|source| Error::Authorize {
                    host: origin.to_string(),
                    source,
                })?;
        }
        let response = self
            .transport
            .send(Request::from_parts(parts.clone(), body))
            .map_err(|source| {
                debug!(method = %parts.method, %origin, "no response");
                Error::Transport {
                    host: origin.to_string(),
                    source,
                }
            })?;
        debug!(method = %parts.method, %origin, status = response.status().as_u16(), "response");
        Ok((parts, response))
    }
}

/// By hand: credentials are secret.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field(
                "credentials",
                &self.credentials.as_ref().map(|(origin, _)| origin),
            )
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// By hand: a URI may hold a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

fn read_whole(response: Response<Body>, limit: u64) -> io::Result<Response<Vec<u8>>> {
    let (mut parts, body) = response.into_parts();
    let mut bytes = Vec::new();
    body.decoded(&parts.headers, limit)?
        .read_to_end(&mut bytes)?;
    // They speak of the bytes as sent.
    parts.headers.remove(header::CONTENT_ENCODING);
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(parts, bytes))
}

/// Reads a short body away, so that its connection can be used again.
fn discard(response: Response<Body>) {
    const SHORT: u64 = 64 * 1024;
    if content_length(response.headers()).is_some_and(|length| length <= SHORT) {
        // A failure costs a connection, no more.
        let _ = io::copy(&mut response.into_body().take(SHORT), &mut io::sink());
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
