use std::time::Duration;

use http::header::{
    CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
    RETRY_AFTER,
};
use http::{HeaderMap, HeaderName, StatusCode};

use super::{Ehr, Visit, forbidden};
use crate::auth::Grant;
use crate::data::timestamp;
use crate::fhir::show;
use crate::reply::{Reply, empty, fhir, header, outcome};
use crate::route::Target;
use crate::store::{Bundle, Done, Failure, Interaction, Kind, Write, WriteSettings};

impl Ehr {
    /// Carries out a write request.
    pub(crate) fn write(
        &self,
        visit: &Visit<'_>,
        settings: &WriteSettings,
        target: &Target,
        grant: &Grant,
    ) -> Reply {
        if let Some(refused) = self.too_many(settings) {
            return refused;
        }
        let body = match body(visit, settings, target) {
            Ok(body) => body,
            Err(failure) => return failure.reply(),
        };
        let headers = visit.request.headers();
        let write = |interaction, resource_type: &str, id: Option<&str>, condition| Write {
            interaction,
            resource_type: resource_type.to_owned(),
            id: id.map(str::to_owned),
            condition,
            if_match: text(headers, &IF_MATCH),
            only_new: text(headers, &IF_NONE_MATCH).as_deref() == Some("*"),
            body: body.clone(),
        };
        let write = match target {
            Target::Base => return self.bundle(visit, settings, &body, grant),
            Target::Type(name) if visit.request.method() == http::Method::POST => {
                let condition = headers.get("if-none-exist");
                let condition = condition.and_then(|value| value.to_str().ok());
                write(
                    Interaction::Create,
                    name,
                    None,
                    condition.map(str::to_owned),
                )
            }
            Target::Type(name) => {
                let query = visit.request.uri().query().unwrap_or_default();
                write(Interaction::Update, name, None, Some(query.to_owned()))
            }
            Target::Resource(name, id) if visit.request.method() == http::Method::DELETE => {
                write(Interaction::Delete, name, Some(id), None)
            }
            Target::Resource(name, id) => write(Interaction::Update, name, Some(id), None),
        };
        if !may(grant, &write) {
            return forbidden();
        }
        let now = timestamp(self.clock.now());
        let done = self
            .state()
            .store
            .write(&write, settings, &self.base(), now);
        match done {
            Ok(done) => self.answer_to(&done, headers),
            Err(failure) => failure.reply(),
        }
    }

    fn bundle(
        &self,
        visit: &Visit<'_>,
        settings: &WriteSettings,
        body: &str,
        grant: &Grant,
    ) -> Reply {
        let bundle = match Bundle::parse(body, &self.base()) {
            Ok(bundle) => bundle,
            Err(failure) => return failure.reply(),
        };
        let is_supported = match bundle.kind {
            Kind::Transaction => settings.transactions,
            Kind::Batch => settings.batches,
        };
        if !is_supported {
            let problem = "this server does not carry out such Bundles";
            return Failure::of_setting(settings.unsupported, "not-supported", problem).reply();
        }
        let (now, base) = (timestamp(self.clock.now()), self.base());
        let mut state = self.state();
        let outcomes = match bundle.kind {
            Kind::Transaction => {
                let mut writes = bundle.entries.iter().flatten();
                if !writes.all(|entry| may(grant, &entry.write)) {
                    return forbidden();
                }
                let before = state.store.clone();
                match state
                    .store
                    .transaction(bundle.entries, settings, &base, now)
                {
                    Ok(done) => done.into_iter().map(Ok).collect::<Vec<_>>(),
                    Err(failure) => {
                        state.store = before;
                        return failure.reply();
                    }
                }
            }
            Kind::Batch => {
                let entries = bundle.entries.into_iter().map(|entry| {
                    let write = entry?.write;
                    if !may(grant, &write) {
                        let problem = "the scopes do not allow this";
                        let status = StatusCode::FORBIDDEN;
                        return Err(Failure::new(status, "forbidden", problem));
                    }
                    state.store.write(&write, settings, &base, now)
                });
                entries.collect()
            }
        };
        let with_resources = prefers(visit.request.headers(), "return=representation");
        fhir(Bundle::response(bundle.kind, &outcomes, with_resources))
    }

    /// One version of a resource, or all, the newest first.
    pub(crate) fn history(&self, resource_type: &str, id: &str, version: Option<&str>) -> Reply {
        let versions = self.state().store.versions(resource_type, id);
        if versions.is_empty() {
            return outcome(
                StatusCode::NOT_FOUND,
                "not-found",
                "there is no such resource",
            );
        }
        let Some(wanted) = version else {
            let (base, name) = (self.base(), format!("{resource_type}/{id}"));
            let entries = versions.iter().rev();
            let entries = entries.map(|version| version.entry(&base, &name));
            let entries: Vec<_> = entries.collect();
            return fhir(format!(
                r#"{{"resourceType":"Bundle","type":"history","total":{},"entry":[{}]}}"#,
                entries.len(),
                entries.join(",")
            ));
        };
        let found = versions.iter().find(|version| version.id == wanted);
        match found.map(|version| &version.resource) {
            Some(Some(resource)) => show(resource),
            Some(None) => gone(),
            None => outcome(
                StatusCode::NOT_FOUND,
                "not-found",
                "there is no such version",
            ),
        }
    }

    /// The answer to a request that wrote one resource.
    fn answer_to(&self, done: &Done, headers: &HeaderMap) -> Reply {
        let minimal = prefers(headers, "return=minimal");
        let mut reply = match done.resource.as_ref().filter(|_| !minimal) {
            Some(resource) => fhir(resource.json().to_owned()),
            None => empty(done.status),
        };
        *reply.status_mut() = done.status;
        let modified = done.at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let own = reply.headers_mut();
        own.insert(ETAG, header(&format!("W/\"{}\"", done.version)));
        own.insert(LAST_MODIFIED, header(&modified));
        if let Some(location) = &done.location {
            own.insert(LOCATION, header(&format!("{}/{location}", self.base())));
        }
        reply
    }

    /// Counts a write request, and refuses it when there are too many.
    fn too_many(&self, settings: &WriteSettings) -> Option<Reply> {
        let (most, period) = settings.rate?;
        let now = self.clock.now();
        let mut state = self.state();
        let is_recent =
            |at: &std::time::SystemTime| now.duration_since(*at).is_ok_and(|age| age < period);
        state.writes.retain(is_recent);
        if state.writes.len() < most {
            state.writes.push(now);
            return None;
        }
        let oldest = state
            .writes
            .first()
            .and_then(|at| now.duration_since(*at).ok());
        let wait = period.saturating_sub(oldest.unwrap_or_default());
        let seconds = (wait + Duration::from_millis(999)).as_secs();
        let mut reply = outcome(
            StatusCode::TOO_MANY_REQUESTS,
            "throttled",
            "there are too many requests",
        );
        reply
            .headers_mut()
            .insert(RETRY_AFTER, header(&seconds.to_string()));
        Some(reply)
    }
}

pub(crate) fn gone() -> Reply {
    outcome(StatusCode::GONE, "deleted", "the resource was deleted")
}

/// The body, after a look at what the headers say of it.
fn body(visit: &Visit<'_>, settings: &WriteSettings, target: &Target) -> Result<String, Failure> {
    let headers = visit.request.headers();
    if visit.request.body().len() > settings.longest_body {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return Err(Failure::new(status, "too-costly", "the body is too long"));
    }
    if visit.request.method() == http::Method::DELETE {
        return Ok(String::new());
    }
    let content_type = text(headers, &CONTENT_TYPE).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    let is_json = ["application/fhir+json", "application/json"].contains(&content_type);
    if !is_json || headers.contains_key(CONTENT_ENCODING) {
        let problem = "only application/fhir+json is taken, and not compressed";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Failure::new(status, "not-supported", problem));
    }
    if matches!(target, Target::Type(_))
        && visit.request.method() == http::Method::PUT
        && visit.request.uri().query().unwrap_or_default().is_empty()
    {
        return Err(Failure::invalid(
            "the URL has neither an id nor a condition",
        ));
    }
    String::from_utf8(visit.request.body().clone())
        .map_err(|_| Failure::invalid("the body is not UTF-8"))
}

fn may(grant: &Grant, write: &Write) -> bool {
    let letter = write.interaction.letter();
    grant.scopes.may(letter, &write.resource_type)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

fn prefers(headers: &HeaderMap, wish: &str) -> bool {
    let values = headers.get_all("prefer").iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .any(|own| own.trim() == wish)
}
