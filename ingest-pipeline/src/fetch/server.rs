//! The server: requests at a time, and what it can do.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use fhir_http::{CapabilityStatement, Client, FhirClient, Origin, Page, Search};

use super::FetchError;
use crate::config::ConnectionSettings;

/// A server, for all fetches of a connection.
pub(super) struct Server {
    fhir: FhirClient,
    /// Host and port, for messages.
    pub(super) host: String,
    /// What references to its own resources may begin with.
    pub(super) bases: Vec<String>,
    gate: Gate,
    last_updated: Option<bool>,
    capabilities: Mutex<Option<Arc<CapabilityStatement>>>,
    /// Types that it does not find by a list of ids.
    ungrouped: Mutex<BTreeSet<&'static str>>,
}

impl Server {
    pub(super) fn new(client: Client, settings: &ConnectionSettings) -> crate::Result<Self> {
        let fhir = FhirClient::new(client, &settings.base)?;
        // It is a URL, or the client would have refused it.
        let host = settings.base.parse().ok();
        let host = host.and_then(|uri| Origin::of(&uri).ok());
        Ok(Self {
            host: host.map(|origin| origin.to_string()).unwrap_or_default(),
            fhir,
            bases: settings.bases.clone(),
            gate: Gate::new(settings.adt.concurrency),
            last_updated: settings.adt.last_updated,
            capabilities: Mutex::default(),
            ungrouped: Mutex::default(),
        })
    }

    /// Reads one resource.
    pub(super) fn read(&self, resource_type: &str, id: &str) -> fhir_http::Result<Box<str>> {
        let _place = self.gate.enter();
        self.fhir.read(resource_type, id).map(Into::into)
    }

    /// Searches, and hands over page by page until `take` wants no more.
    pub(super) fn search(
        &self,
        search: &Search,
        mut take: impl FnMut(Page) -> Result<bool, FetchError>,
    ) -> Result<(), FetchError> {
        let mut pages = self.fhir.search(search)?;
        loop {
            // Others may have their turn between two pages.
            let page = {
                let _place = self.gate.enter();
                pages.next()
            };
            match page {
                Some(page) => {
                    if !take(page?)? {
                        return Ok(());
                    }
                }
                None => return Ok(()),
            }
        }
    }

    /// Whether resources of a type can be searched for by `_lastUpdated`.
    pub(super) fn knows_last_updated(&self, resource_type: &str) -> bool {
        self.last_updated.unwrap_or_else(|| {
            let capabilities = self.capabilities();
            let of_type = capabilities
                .as_ref()
                .and_then(|capabilities| capabilities.resource(resource_type));
            of_type.is_some_and(|of_type| {
                let mut parameters = of_type.search_params.iter();
                parameters.any(|name| name == "_lastUpdated")
            })
        })
    }

    /// What it says that it can do, asked for once. Without it, everything is
    /// fetched that there is, which is slow and not wrong.
    fn capabilities(&self) -> Option<Arc<CapabilityStatement>> {
        let mut known = self
            .capabilities
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let _place = self.gate.enter();
            match self.fhir.capabilities() {
                Ok(capabilities) => *known = Some(Arc::new(capabilities)),
                Err(error) => tracing::debug!(%error, "no CapabilityStatement"),
            }
        }
        known.clone()
    }

    /// Whether resources of a type are found by a list of ids, as far as is
    /// known.
    pub(super) fn takes_lists(&self, resource_type: &str) -> bool {
        let ungrouped = self.ungrouped.lock();
        let ungrouped = ungrouped.unwrap_or_else(PoisonError::into_inner);
        !ungrouped.contains(resource_type)
    }

    pub(super) fn refuses_lists(&self, resource_type: &'static str) {
        let ungrouped = self.ungrouped.lock();
        let mut ungrouped = ungrouped.unwrap_or_else(PoisonError::into_inner);
        ungrouped.insert(resource_type);
    }

    /// Does jobs side by side, with results in the order of the jobs. After
    /// the first error no other is begun.
    pub(super) fn side_by_side<T: Sync, R: Send>(
        &self,
        jobs: &[T],
        work: impl Fn(&T) -> Result<R, FetchError> + Sync,
    ) -> Result<Vec<R>, FetchError> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let done = Mutex::new(Vec::with_capacity(jobs.len()));
        let run = || {
            while !failed.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(index) else { return };
                let result = work(job);
                failed.fetch_or(result.is_err(), Ordering::Relaxed);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((index, result));
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.gate.places.min(jobs.len()) {
                scope.spawn(run);
            }
            run();
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

/// What was not asked for, beyond which a server is taken to pass over what it
/// was asked for, whatever it says: some repeat every parameter.
pub(super) const MOST_OTHERS: usize = 100;

/// Whether a search was done by a parameter, as the link to it says.
pub(super) fn was_used(self_link: Option<&str>, parameter: &str) -> bool {
    let query = self_link.and_then(|link| link.split_once('?'));
    let mut names = query.into_iter().flat_map(|(_, query)| {
        let pairs = query.split('&');
        pairs.map(|pair| pair.split(['=', ':']).next().unwrap_or_default())
    });
    names.any(|name| name == parameter)
}

/// So many at a time.
struct Gate {
    places: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

impl Gate {
    fn new(places: u32) -> Self {
        let places = usize::try_from(places).unwrap_or(usize::MAX).max(1);
        Self {
            places,
            free: Mutex::new(places),
            freed: Condvar::new(),
        }
    }

    fn enter(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self
            .freed
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

/// A place behind the gate, given back when it is dropped.
struct Place<'a>(&'a Gate);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let free = self.0.free.lock();
        *free.unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_self_link_tells_which_parameters_were_used() {
        for (link, used) in [
            (Some("https://e/Encounter?patient=1&_count=2"), true),
            (Some("https://e/Encounter?_count=2&patient:Patient=1"), true),
            (Some("Encounter?_count=2"), false),
            (Some("Encounter?inpatient=2"), false),
            (Some("Encounter"), false),
            (None, false),
        ] {
            assert_eq!(was_used(link, "patient"), used, "{link:?}");
        }
    }

    #[test]
    fn no_more_are_behind_the_gate_than_it_has_places() {
        let gate = Gate::new(3);
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _place = gate.enter();
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert_eq!(*gate.free.lock().unwrap(), 3, "all places are free again");
    }
}
