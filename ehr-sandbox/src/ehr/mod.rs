mod export;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fhir_http::Clock;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Request, StatusCode};

use crate::auth::{Authority, Grant, Refusal, Scopes};
use crate::data::Data;
use crate::export::{ExportSettings, Job};
use crate::fault::{Active, FaultPlan, Faults, Surroundings};
use crate::fhir::{
    Search, SearchSettings, capability_statement, parameters, read, smart_configuration,
};
use crate::log::Recorded;
use crate::reply::{Reply, fhir, json, outcome};
use crate::route::Route;
use crate::store::{Store, WriteSettings};
use write::gone;

/// Where the sandbox is: the origin for all, and another one.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    pub(crate) main: String,
    pub(crate) other: String,
}

/// The origin that a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Main,
    Other,
}

/// The EHR itself: answers requests, and has no sockets.
pub(crate) struct Ehr {
    pub(crate) origins: Origins,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) authority: Authority,
    pub(crate) export: ExportSettings,
    pub(crate) search: SearchSettings,
    /// `None` where nothing can be written.
    pub(crate) writes: Option<WriteSettings>,
    pub(crate) page_size: usize,
    pub(crate) relative_links: bool,
    pub(crate) state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) store: Store,
    /// When the recent write requests were, where they are counted.
    pub(crate) writes: Vec<SystemTime>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) jobs: BTreeMap<String, Job>,
    pub(crate) log: Vec<Recorded>,
}

/// A request on its way, with what is known about it.
pub(crate) struct Visit<'a> {
    pub(crate) side: Side,
    pub(crate) request: &'a Request<Vec<u8>>,
    pub(crate) active: Active,
    pub(crate) faults: Arc<Faults>,
}

impl Ehr {
    pub(crate) fn base(&self) -> String {
        format!("{}/fhir", self.origins.main)
    }

    pub(crate) fn token_url(&self) -> String {
        format!("{}/auth/token", self.origins.main)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn data(&self) -> Arc<Data> {
        Arc::clone(&self.state().store.data)
    }

    pub(crate) fn set_faults(&self, plan: FaultPlan) {
        self.state().faults = Arc::new(Faults::new(plan));
    }

    /// Answers a request that came to one of the origins.
    pub(crate) fn handle(&self, side: Side, request: &Request<Vec<u8>>) -> Reply {
        let route = Route::of(request.method(), request.uri().path());
        let route = match self.writes {
            Some(_) => route,
            None => route.reading(),
        };
        let faults = Arc::clone(&self.state().faults);
        let spot = route.spot();
        // What was redirected must not be redirected for ever.
        let is_file = matches!(route, Route::File { .. });
        let home = if is_file && self.export.files_elsewhere {
            Side::Other
        } else {
            Side::Main
        };
        let active = match &spot {
            Some(spot) if side == home => faults.hit(spot),
            _ => Active::default(),
        };
        let visit = Visit {
            side,
            request,
            active,
            faults,
        };
        let reply = visit
            .active
            .apply(&self.surroundings(&visit), || self.answer(&route, &visit));
        let place = spot.map(|spot| spot.place);
        let recorded = Recorded::of(request, side == Side::Other, place, reply.status());
        tracing::debug!(
            method = %recorded.method,
            status = recorded.status.as_u16(),
            "request answered"
        );
        self.state().log.push(recorded);
        reply
    }

    pub(crate) fn surroundings(&self, visit: &Visit<'_>) -> Surroundings<'_> {
        let origin = match visit.side {
            Side::Main => &self.origins.other,
            Side::Other => &self.origins.main,
        };
        let uri = visit.request.uri();
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Surroundings {
            clock: &*self.clock,
            authority: &self.authority,
            elsewhere: format!("{origin}{path}"),
        }
    }

    fn answer(&self, route: &Route, visit: &Visit<'_>) -> Reply {
        match route {
            Route::Discovery => {
                let relative = visit.relative_urls();
                let token = if relative {
                    "/auth/token".to_owned()
                } else {
                    self.token_url()
                };
                return json(
                    StatusCode::OK,
                    &smart_configuration(&token, self.writes.is_some()),
                );
            }
            Route::Token => {
                return self
                    .authority
                    .token(visit.request, &self.token_url(), self.clock.now());
            }
            Route::Metadata => {
                let (data, writes) = (self.data(), self.writes.as_ref());
                let statement = capability_statement(&data, &self.base(), &self.search, writes);
                return fhir(statement.to_string());
            }
            Route::Unknown => {
                return outcome(StatusCode::NOT_FOUND, "not-found", "there is nothing here");
            }
            Route::WrongMethod => {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                return outcome(status, "not-supported", "this method is not for this URL");
            }
            _ => {}
        }
        let grant = match self.grant(visit) {
            Ok(grant) => grant,
            Err(reply) => return *reply,
        };
        match route {
            Route::KickOff(level) => self.kick_off(visit, level, &grant),
            Route::Status(job) => self.status(visit, job, &grant),
            Route::Delete(job) => self.delete(job, &grant),
            Route::File {
                job,
                number,
                resource_type,
            } => self.file(visit, job, *number, resource_type, &grant),
            Route::Read(resource_type, id) if grant.scopes.may_read(resource_type) => {
                if self.state().store.is_deleted(resource_type, id) {
                    return gone();
                }
                read(&self.data(), resource_type, id)
            }
            Route::History(resource_type, id, version) if grant.scopes.may_read(resource_type) => {
                self.history(resource_type, id, version.as_deref())
            }
            Route::Write(target) => match &self.writes {
                Some(settings) => self.write(visit, settings, target, &grant),
                None => forbidden(),
            },
            Route::Search(resource_type) if grant.scopes.may_search(resource_type) => {
                self.search(visit, resource_type)
            }
            _ => forbidden(),
        }
    }

    /// The other origin is like a store of presigned URLs: no token is wanted,
    /// and one that comes along is an error.
    fn grant(&self, visit: &Visit<'_>) -> Result<Grant, Box<Reply>> {
        let headers = visit.request.headers();
        if visit.side == Side::Other {
            if headers.contains_key(http::header::AUTHORIZATION) {
                let problem = "there is more than one way of authorization";
                return Err(Box::new(outcome(
                    StatusCode::BAD_REQUEST,
                    "security",
                    problem,
                )));
            }
            return Ok(Grant {
                client: None,
                scopes: Scopes::parse("system/*.rs"),
            });
        }
        self.authority
            .check(headers, self.clock.now())
            .map_err(|refusal| {
                let (code, challenge) = match refusal {
                    Refusal::NoToken => ("login", "Bearer"),
                    Refusal::BadToken => ("expired", "Bearer error=\"invalid_token\""),
                };
                let mut reply = outcome(
                    StatusCode::UNAUTHORIZED,
                    code,
                    "a valid access token is wanted",
                );
                reply
                    .headers_mut()
                    .insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                Box::new(reply)
            })
    }

    fn search(&self, visit: &Visit<'_>, resource_type: &str) -> Reply {
        let prefer = visit.request.headers().get("prefer");
        let search = Search {
            base: &self.base(),
            resource_type,
            parameters: &parameters(visit.request),
            settings: &self.search,
            page_size: self.page_size,
            relative_links: self.relative_links || visit.relative_urls(),
            strict: prefer.is_some_and(|value| value == "handling=strict"),
        };
        match search.run(&self.data()) {
            Ok(bundle) => fhir(bundle),
            Err(problem) => outcome(StatusCode::BAD_REQUEST, "invalid", &problem),
        }
    }
}

impl Visit<'_> {
    pub(crate) fn relative_urls(&self) -> bool {
        self.active.has(&crate::fault::What::RelativeUrls)
    }
}

pub(crate) fn forbidden() -> Reply {
    let mut reply = outcome(
        StatusCode::FORBIDDEN,
        "forbidden",
        "the scopes do not allow this",
    );
    let challenge = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");
    reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    reply
}
