use http::header::{CONTENT_LOCATION, EXPIRES, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use jiff::SignedDuration;
use url::form_urlencoded;

use super::{Ehr, Visit, forbidden};
use crate::auth::Grant;
use crate::data::{Level, timestamp};
use crate::export::{Invalid, Job, KickOff, Page, Section, manifest};
use crate::fault::{Spot, What, Where};
use crate::reply::{Reply, empty, header, json, outcome};

/// How long a manifest says that its files are there.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

impl Ehr {
    /// Starts an export.
    pub(crate) fn kick_off(&self, visit: &Visit<'_>, level: &Level, grant: &Grant) -> Reply {
        let data = self.data();
        if let Level::Group(id) = level
            && data.group(id).is_none()
        {
            return outcome(StatusCode::NOT_FOUND, "not-found", "there is no such group");
        }
        let mut kick_off = match KickOff::of(visit.request, level.clone(), self.export.manifest) {
            Ok(kick_off) => kick_off,
            Err(Invalid(status, code, diagnostics)) => return outcome(status, code, &diagnostics),
        };
        let may = |name: &str| grant.scopes.may_read(name) && grant.scopes.may_search(name);
        match &kick_off.selection.types {
            Some(types) if !types.iter().all(|name| may(name)) => return forbidden(),
            Some(_) => {}
            // Without `_type` the scopes decide.
            None => {
                let types = data.types().filter(|name| may(name)).map(str::to_owned);
                kick_off.selection.types = Some(types.collect());
            }
        }
        let client = grant.client.clone().unwrap_or_default();
        let mut state = self.state();
        let runs = |job: &Job| job.client == client && job.polls < self.export.polls;
        if self.export.one_job && state.jobs.values().any(runs) {
            let problem = "an export of this client is running";
            let mut reply = outcome(StatusCode::TOO_MANY_REQUESTS, "throttled", problem);
            self.set_retry_after(&mut reply);
            return reply;
        }
        let path = visit
            .request
            .uri()
            .path_and_query()
            .map_or("", |path| path.as_str());
        let job = Job {
            client,
            request: format!("{}{path}", self.origins.main),
            ..Job::new(&kick_off, &data, &self.export, timestamp(self.clock.now()))
        };
        let mut reply = empty(StatusCode::ACCEPTED);
        let location = self.status_url(&job.id, visit.relative_urls());
        let headers = reply.headers_mut();
        headers.insert(CONTENT_LOCATION, header(&location));
        if job.separate_status {
            let applied = HeaderValue::from_static("separate-export-status");
            headers.insert("preference-applied", applied);
        }
        state.jobs.insert(job.id.clone(), job);
        reply
    }

    /// Says how far an export is, and where its files are when it is done.
    pub(crate) fn status(&self, visit: &Visit<'_>, id: &str, grant: &Grant) -> Reply {
        let mut state = self.state();
        let Some(job) = state.jobs.get_mut(id).filter(|job| owns(grant, job)) else {
            return gone();
        };
        let separate = job.separate_status;
        let done = job.polls >= self.export.polls && !visit.active.has(&What::Stuck);
        if !done {
            job.polls += 1;
            let percent =
                100 * u64::from(job.polls - 1) / u64::from(self.export.polls.max(job.polls));
            let status = if separate {
                StatusCode::OK
            } else {
                StatusCode::ACCEPTED
            };
            let mut reply = empty(status);
            let headers = reply.headers_mut();
            headers.insert("x-progress", header(&format!("{percent}% complete")));
            if separate {
                headers.insert("x-export-status", HeaderValue::from_static("202"));
            }
            self.set_retry_after(&mut reply);
            return reply;
        }
        drop(state);
        let visit = Visit {
            active: visit.faults.hit(&Spot::at(Where::Manifest)),
            faults: visit.faults.clone(),
            ..*visit
        };
        visit.active.apply(&self.surroundings(&visit), || {
            self.manifest(&visit, id, separate)
        })
    }

    fn manifest(&self, visit: &Visit<'_>, id: &str, separate: bool) -> Reply {
        let query = visit.request.uri().query().unwrap_or_default();
        let page = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "page");
        let number = page.map(|(_, value)| value.parse::<usize>().unwrap_or(0));
        let mut state = self.state();
        let Some(job) = state.jobs.get_mut(id).filter(|_| number != Some(0)) else {
            return gone();
        };
        if visit.active.has(&What::OutcomeErrors) {
            job.add_errors();
        }
        let relative = visit.relative_urls();
        let page = Page {
            number,
            status_url: &self.status_url(id, relative),
            files: match (self.export.files_elsewhere, relative) {
                (true, _) => &self.origins.other,
                (false, true) => "",
                (false, false) => &self.origins.main,
            },
            requires_token: !self.export.files_elsewhere,
        };
        let mut reply = json(
            StatusCode::OK,
            &manifest(job, &page, &self.export, &visit.active),
        );
        let expires = timestamp(self.clock.now())
            .saturating_add(KEPT)
            .unwrap_or_default();
        let expires = expires.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        reply.headers_mut().insert(EXPIRES, header(&expires));
        if separate {
            reply
                .headers_mut()
                .insert("x-export-status", HeaderValue::from_static("200"));
        }
        reply
    }

    /// Forgets an export and its files.
    pub(crate) fn delete(&self, id: &str, grant: &Grant) -> Reply {
        let mut state = self.state();
        match state.jobs.get(id).is_some_and(|job| owns(grant, job)) {
            true => {
                state.jobs.remove(id);
                empty(StatusCode::ACCEPTED)
            }
            false => gone(),
        }
    }

    /// Serves a file.
    pub(crate) fn file(
        &self,
        visit: &Visit<'_>,
        id: &str,
        number: usize,
        resource_type: &str,
        grant: &Grant,
    ) -> Reply {
        let state = self.state();
        let job = state.jobs.get(id).filter(|job| owns(grant, job));
        let file = job
            .and_then(|job| job.files.get(number.checked_sub(1)?))
            .cloned();
        drop(state);
        let Some(file) = file.filter(|file| file.resource_type == resource_type) else {
            return outcome(StatusCode::NOT_FOUND, "not-found", "there is no such file");
        };
        if file.section == Section::Output && !grant.scopes.may_read(resource_type) {
            return forbidden();
        }
        file.serve(visit.request.headers(), self.export.gzip, &visit.active)
    }

    fn status_url(&self, id: &str, relative: bool) -> String {
        let path = format!("/fhir/$export-status/{id}");
        if relative {
            path
        } else {
            format!("{}{path}", self.origins.main)
        }
    }

    fn set_retry_after(&self, reply: &mut Reply) {
        if let Some(text) = &self.export.retry_after {
            reply.headers_mut().insert(RETRY_AFTER, header(text));
        }
    }
}

/// Whether an export may be seen: its client may, and a presigned URL.
fn owns(grant: &Grant, job: &Job) -> bool {
    grant
        .client
        .as_ref()
        .is_none_or(|client| *client == job.client)
}

fn gone() -> Reply {
    outcome(
        StatusCode::NOT_FOUND,
        "not-found",
        "there is no such export",
    )
}
