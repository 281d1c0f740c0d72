use std::collections::HashSet;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use fhir_http::Random;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use self::reply::Reply;
use crate::request::{PREFER, parse_uri};
use crate::{Error, ExportManifest, ExportRequest, Result};

mod policy;
mod react;
mod reply;
mod step;

pub use policy::PollPolicy;
pub use step::{Progress, Step};

/// An export as a state machine without IO: it is given responses and says
/// what to do next.
///
/// It can be serialized in any state and goes on where it was. A job of which
/// only the status URL is known goes on with [`ExportJob::resume`].
///
/// ```
/// use fhir_bulk::{ExportJob, ExportRequest, PollPolicy, Step};
/// use fhir_http::{Clock, SystemClock, SystemRandom};
///
/// let request = ExportRequest::patient();
/// let (mut job, http) = ExportJob::kick_off(&request, "https://ehr.example/fhir", PollPolicy::default())?;
/// assert_eq!(http.uri(), "https://ehr.example/fhir/Patient/$export");
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("content-location", "/jobs/7".parse().unwrap());
/// headers.insert("retry-after", "10".parse().unwrap());
/// let now = SystemClock.now();
/// let step = job.on_response(now, http::StatusCode::ACCEPTED, &headers, b"", &SystemRandom)?;
/// assert_eq!(job.status_url(), Some("https://ehr.example/jobs/7"));
/// assert!(matches!(step, Step::Wait(..)));
/// # Ok::<(), fhir_bulk::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct ExportJob {
    policy: PollPolicy,
    phase: Phase,
    status_url: Option<String>,
    /// Milliseconds since 1970 of the first response.
    started: Option<u64>,
    requests: u32,
    /// Waits in a row of our own choosing.
    waits: u32,
    /// Failures in a row.
    failures: u32,
}

#[derive(Clone, Serialize, Deserialize)]
enum Phase {
    KickOff {
        base: String,
        request: Box<ExportRequest>,
    },
    Status,
    Page {
        url: String,
        seen: HashSet<String>,
        manifest: Box<ExportManifest>,
    },
}

impl ExportJob {
    /// A job that is about to be started, and the request that starts it at
    /// the server with the FHIR base URL `base`.
    ///
    /// # Errors
    /// As [`ExportRequest::to_http`].
    pub fn kick_off(
        request: &ExportRequest,
        base: &str,
        policy: PollPolicy,
    ) -> Result<(Self, http::Request<Vec<u8>>)> {
        let http = request.to_http(base)?;
        let phase = Phase::KickOff {
            base: base.to_owned(),
            request: Box::new(request.clone()),
        };
        Ok((Self::new(policy, phase, None), http))
    }

    /// A job that was started before, known by its status URL.
    ///
    /// # Errors
    /// [`Error::Url`] when it is no absolute URL.
    pub fn resume(status_url: &str, policy: PollPolicy) -> Result<Self> {
        parse_uri(status_url, "the status URL")?;
        Ok(Self::new(
            policy,
            Phase::Status,
            Some(status_url.to_owned()),
        ))
    }

    const fn new(policy: PollPolicy, phase: Phase, status_url: Option<String>) -> Self {
        Self {
            policy,
            phase,
            status_url,
            started: None,
            requests: 0,
            waits: 0,
            failures: 0,
        }
    }

    /// The same job, polled by another policy from now on.
    #[must_use]
    pub const fn with_policy(mut self, policy: PollPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Where the job's status is asked for, once the server told. It is all
    /// that is needed to [`resume`](Self::resume) or delete the job: keep it
    /// before anything else. Not for logs: some servers put secrets into it.
    #[must_use]
    pub fn status_url(&self) -> Option<&str> {
        self.status_url.as_deref()
    }

    /// The request to send next: kick-off, status, or a page of the manifest.
    /// After the end it asks for the status again, which gives fresh links.
    ///
    /// # Errors
    /// [`Error::Url`] when a URL that was restored can't be used.
    pub fn request(&self) -> Result<http::Request<Vec<u8>>> {
        let url = match &self.phase {
            Phase::KickOff { base, request } => return request.to_http(base),
            Phase::Status => self.status_url.as_deref().unwrap_or_default(),
            Phase::Page { url, .. } => url,
        };
        let mut request = http::Request::new(Vec::new());
        *request.uri_mut() = parse_uri(url, "the status URL")?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if self.policy.prefer {
            headers.insert(PREFER, HeaderValue::from_static("respond-async"));
        }
        Ok(request)
    }

    /// Takes the response to the last request, with the body decoded.
    ///
    /// # Errors
    /// When the export can't go on: refused, failed, gone, over the deadline,
    /// too many failures, or a response that makes no sense.
    pub fn on_response(
        &mut self,
        now: SystemTime,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        random: &dyn Random,
    ) -> Result<Step> {
        self.started.get_or_insert_with(|| millis(now));
        self.requests = self.requests.saturating_add(1);
        let reply = Reply {
            now,
            status,
            headers,
            body,
            random,
        };
        match self.phase {
            Phase::KickOff { .. } => self.on_kick_off(&reply),
            Phase::Status => self.on_status(&reply),
            Phase::Page { .. } => self.on_page(&reply),
        }
    }

    /// Hears that there was no response to the last request, or that its body
    /// broke off.
    ///
    /// # Errors
    /// The failure itself where trying again can't help;
    /// [`Error::Unreachable`] after too many in a row.
    pub fn on_failure(
        &mut self,
        now: SystemTime,
        failure: fhir_http::Error,
        random: &dyn Random,
    ) -> Result<Step> {
        self.started.get_or_insert_with(|| millis(now));
        self.requests = self.requests.saturating_add(1);
        let passing = match &failure {
            // Of any cause: a token endpoint is down as often as a server. One
            // that never gave a token has been asked often enough by then.
            fhir_http::Error::Authorize { .. } => {
                !matches!(self.phase, Phase::KickOff { .. })
                    && self.failures < self.policy.soft_failures
            }
            fhir_http::Error::Interrupted => return Err(Error::Interrupted),
            other => other.is_transient(),
        };
        if !passing {
            return Err(failure.into());
        }
        self.failures += 1;
        if self.failures >= self.limit() {
            return Err(match self.phase {
                Phase::KickOff { .. } => failure.into(),
                _ => Error::Unreachable {
                    failures: self.failures,
                    status: None,
                    source: Some(Box::new(failure)),
                },
            });
        }
        self.wait(now, &HeaderMap::new(), None, random)
    }
}

/// By hand: its URLs may hold secrets.
impl fmt::Debug for ExportJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::KickOff { .. } => "kick-off",
            Phase::Status => "status",
            Phase::Page { .. } => "manifest",
        };
        f.debug_struct("ExportJob")
            .field("phase", &phase)
            .field("requests", &self.requests)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

fn millis(time: SystemTime) -> u64 {
    let millis = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    u64::try_from(millis).unwrap_or(u64::MAX)
}
