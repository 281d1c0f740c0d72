//! What a job makes of responses.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fhir_http::Random;
use http::header::{CONTENT_LOCATION, EXPIRES, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::reply::{self, Reply};
use super::{ExportJob, Phase, Progress, Step};
use crate::manifest::{Page, resolve};
use crate::{Error, ExportManifest, Result};

impl ExportJob {
    pub(super) fn on_kick_off(&mut self, reply: &Reply<'_>) -> Result<Step> {
        let status = reply.job_status();
        if status.is_success() {
            if let Some(location) = reply.headers.get(CONTENT_LOCATION) {
                self.status_url = Some(self.resolve(location)?);
            }
            if status == StatusCode::OK && reply.is_manifest() {
                return self.on_manifest(reply);
            }
            if self.status_url.is_none() {
                return Err(Error::Protocol(
                    "the export was accepted without Content-Location, so its status can't be asked for",
                ));
            }
            self.phase = Phase::Status;
            self.waits = 0;
            self.failures = 0;
            return self.wait(reply.now, reply.headers, Some(status), reply.random);
        }
        self.failures += 1;
        let again = reply.is_passing() && self.failures < self.limit();
        if again {
            return self.wait(reply.now, reply.headers, Some(status), reply.random);
        }
        let (status, outcome) = (status.as_u16(), reply.outcome());
        if matches!(status, 409 | 429) {
            let retry_after = self.policy.asked(reply.headers, reply.now);
            return Err(Error::AlreadyRunning {
                status,
                outcome,
                retry_after,
            });
        }
        Err(Error::Refused { status, outcome })
    }

    pub(super) fn on_status(&mut self, reply: &Reply<'_>) -> Result<Step> {
        let status = reply.job_status();
        match status.as_u16() {
            202 => {
                self.failures = 0;
                self.wait(reply.now, reply.headers, Some(status), reply.random)
            }
            200 if reply.is_manifest() => self.on_manifest(reply),
            // A login page or a gateway's, or a body that was cut.
            200 if !reply.is_json() => self.tolerate(reply, self.policy.failures),
            200 => Err(match reply.outcome() {
                Some(outcome) => Error::Failed {
                    status: 200,
                    outcome: Some(outcome),
                },
                None => Error::Manifest("it has no transactionTime"),
            }),
            404 | 410 => Err(Error::JobGone {
                status: status.as_u16(),
            }),
            // Says that we ask too often, not how the job is doing.
            429 => self.wait(reply.now, reply.headers, Some(status), reply.random),
            _ if reply.is_transient() => {
                self.wait(reply.now, reply.headers, Some(status), reply.random)
            }
            // By the specification the export has failed. There are servers
            // that answer so to passing troubles, hence a few more tries.
            _ if reply.is_passing() && reply.outcome().is_some() => {
                let limit = self.policy.soft_failures.min(self.policy.failures);
                self.tolerate(reply, limit)
            }
            _ if reply.is_passing() => self.tolerate(reply, self.policy.failures),
            _ if status.is_success() || status.is_redirection() => Err(Error::Protocol(
                "the status of the export is neither 200 nor 202",
            )),
            _ => Err(Error::Failed {
                status: status.as_u16(),
                outcome: reply.outcome(),
            }),
        }
    }

    pub(super) fn on_page(&mut self, reply: &Reply<'_>) -> Result<Step> {
        let status = reply.job_status();
        match status.as_u16() {
            200 if reply.is_json() => self.on_manifest(reply),
            200 => self.tolerate(reply, self.policy.soft_failures),
            202 | 429 => self.wait(reply.now, reply.headers, Some(status), reply.random),
            _ if reply.is_passing() => self.tolerate(reply, self.policy.failures),
            _ => {
                let page = match &self.phase {
                    Phase::Page { manifest, .. } => manifest.pages() + 1,
                    _ => 1,
                };
                Err(Error::IncompleteManifest {
                    page,
                    status: status.as_u16(),
                })
            }
        }
    }

    /// Takes a page, the first or a later one, and asks for the next.
    fn on_manifest(&mut self, reply: &Reply<'_>) -> Result<Step> {
        self.waits = 0;
        self.failures = 0;
        let expires = reply
            .headers
            .get(EXPIRES)
            .and_then(|value| value.to_str().ok());
        let asked = self.asked_url()?;
        let phase = std::mem::replace(&mut self.phase, Phase::Status);
        let (manifest, next, mut seen) = match phase {
            Phase::Page {
                seen,
                mut manifest,
                url,
            } => {
                let page = Page::parse(reply.body, &url)?;
                let next = manifest.append(page);
                (manifest, next, seen)
            }
            _ => {
                let page = Page::parse(reply.body, &asked)?;
                let (manifest, next) = ExportManifest::first(page, expires)?;
                (Box::new(manifest), next, HashSet::from([asked]))
            }
        };
        let Some(url) = next else {
            return Ok(Step::Complete(manifest));
        };
        if !seen.insert(url.clone()) {
            return Err(Error::Manifest("its pages link in a circle"));
        }
        self.phase = Phase::Page {
            url,
            seen,
            manifest,
        };
        self.request().map(Step::Send)
    }

    fn tolerate(&mut self, reply: &Reply<'_>, limit: u32) -> Result<Step> {
        self.failures += 1;
        if self.failures < limit {
            return self.wait(
                reply.now,
                reply.headers,
                Some(reply.job_status()),
                reply.random,
            );
        }
        let status = reply.job_status().as_u16();
        match reply.outcome() {
            Some(outcome) => Err(Error::Failed {
                status,
                outcome: Some(outcome),
            }),
            None => Err(Error::Unreachable {
                failures: self.failures,
                status: Some(status),
                source: None,
            }),
        }
    }

    pub(super) fn wait(
        &mut self,
        now: SystemTime,
        headers: &HeaderMap,
        status: Option<StatusCode>,
        random: &dyn Random,
    ) -> Result<Step> {
        let wait = match self.policy.asked(headers, now) {
            Some(asked) => asked,
            None => {
                self.waits = self.waits.saturating_add(1);
                self.policy.backoff(self.waits, random)
            }
        };
        let started = UNIX_EPOCH + Duration::from_millis(self.started.unwrap_or_default());
        let elapsed = now.duration_since(started).unwrap_or_default();
        if elapsed.saturating_add(wait) > self.policy.deadline {
            return Err(Error::Deadline { waited: elapsed });
        }
        let progress = Progress {
            message: reply::progress(headers),
            status: status.map(|status| status.as_u16()),
            requests: self.requests,
            failures: self.failures,
            elapsed,
            wait,
        };
        Ok(Step::Wait(wait, progress))
    }

    pub(super) const fn limit(&self) -> u32 {
        match self.phase {
            Phase::KickOff { .. } => self.policy.kick_off_attempts,
            _ => self.policy.failures,
        }
    }

    fn resolve(&self, location: &HeaderValue) -> Result<String> {
        let text = location.to_str().map_err(|error| Error::Url {
            what: "Content-Location",
            source: error.into(),
        })?;
        resolve(text, &self.asked_url()?, "Content-Location")
    }

    /// The URL of the last request.
    fn asked_url(&self) -> Result<String> {
        Ok(match &self.phase {
            Phase::KickOff { base, request } => request.to_http(base)?.uri().to_string(),
            Phase::Status => self.status_url.clone().unwrap_or_default(),
            Phase::Page { url, .. } => url.clone(),
        })
    }
}
