use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fhir_http::{Body, Clock, HttpClient, Interrupt, Origin, TransportError};
use http::{HeaderMap, Request, Response};

/// A transport as one server wants it: with headers of its own, and not more
/// requests a minute than it takes.
pub(crate) struct Paced<T> {
    inner: T,
    /// Headers, and the only origins that get them.
    headers: (Vec<Origin>, HeaderMap),
    pace: Option<Pace>,
}

struct Pace {
    clock: Arc<dyn Clock>,
    interrupt: Interrupt,
    limit: usize,
    /// When the requests of the last minute were sent.
    sent: Mutex<VecDeque<SystemTime>>,
}

impl<T> Paced<T> {
    /// `headers` are added to requests to `origins`.
    pub(crate) const fn new(inner: T, origins: Vec<Origin>, headers: HeaderMap) -> Self {
        Self {
            inner,
            headers: (origins, headers),
            pace: None,
        }
    }

    /// At most `limit` requests within any minute.
    pub(crate) fn per_minute(
        mut self,
        limit: u32,
        clock: Arc<dyn Clock>,
        interrupt: Interrupt,
    ) -> Self {
        self.pace = Some(Pace {
            clock,
            interrupt,
            limit: usize::try_from(limit).unwrap_or(usize::MAX).max(1),
            sent: Mutex::default(),
        });
        self
    }
}

impl<T: HttpClient> HttpClient for Paced<T> {
    fn send(&self, mut request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let (origins, headers) = &self.headers;
        if !headers.is_empty() && Origin::of(request.uri()).is_ok_and(|own| origins.contains(&own))
        {
            for (name, value) in headers {
                request.headers_mut().insert(name, value.clone());
            }
        }
        if let Some(pace) = &self.pace {
            pace.wait();
        }
        self.inner.send(request)
    }
}

impl Pace {
    /// Waits for a place, and takes it.
    fn wait(&self) {
        loop {
            let wait = {
                let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
                let now = self.clock.now();
                let age = |at: &SystemTime| now.duration_since(*at).unwrap_or_default();
                while sent.front().is_some_and(|at| age(at) >= MINUTE) {
                    sent.pop_front();
                }
                match sent.front() {
                    Some(first) if sent.len() >= self.limit => MINUTE - age(first),
                    _ => {
                        sent.push_back(now);
                        return;
                    }
                }
            };
            // Who was asked to stop finds out when the request is done.
            if !self.interrupt.sleep(&*self.clock, wait) {
                return;
            }
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderValue;

    use super::*;

    struct Clocked(Mutex<SystemTime>);

    impl Clock for Clocked {
        fn now(&self) -> SystemTime {
            *self.0.lock().unwrap()
        }
        fn sleep(&self, duration: Duration) {
            *self.0.lock().unwrap() += duration;
        }
    }

    /// Answers nothing and remembers when it was asked, and with what header.
    #[derive(Clone, Default)]
    struct Deaf(Arc<Mutex<Vec<Option<HeaderValue>>>>);

    impl HttpClient for Deaf {
        fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
            self.0
                .lock()
                .unwrap()
                .push(request.headers().get("epic-client-id").cloned());
            Ok(Response::new(Body::empty()))
        }
    }

    fn request(url: &str) -> Request<Vec<u8>> {
        Request::get(url).body(Vec::new()).unwrap()
    }

    #[test]
    fn a_minute_has_no_more_requests_than_allowed() {
        let clock = Arc::new(Clocked(Mutex::new(UNIX_EPOCH)));
        let origin = Origin::of(&"https://ehr.example/".parse().unwrap()).unwrap();
        let paced = Paced::new(Deaf::default(), vec![origin], HeaderMap::new()).per_minute(
            3,
            clock.clone(),
            Interrupt::new(),
        );
        let mut times = Vec::new();
        for _ in 0..7 {
            paced.send(request("https://ehr.example/x")).unwrap();
            times.push(clock.now().duration_since(UNIX_EPOCH).unwrap().as_secs());
        }
        assert_eq!(times, [0, 0, 0, 60, 60, 60, 120]);
    }

    #[test]
    fn headers_go_to_their_origins_only() {
        let deaf = Deaf::default();
        let origins = ["https://ehr.example/", "https://bulk.example/"]
            .map(|url| Origin::of(&url.parse().unwrap()).unwrap());
        let mut headers = HeaderMap::new();
        headers.insert("epic-client-id", HeaderValue::from_static("abc"));
        let paced = Paced::new(deaf.clone(), origins.to_vec(), headers);
        paced.send(request("https://ehr.example/x")).unwrap();
        paced.send(request("https://files.example/x")).unwrap();
        paced.send(request("https://ehr.example:8443/x")).unwrap();
        paced.send(request("https://bulk.example/x")).unwrap();
        let seen = deaf.0.lock().unwrap();
        let abc = Some(HeaderValue::from_static("abc"));
        assert_eq!(*seen, [abc.clone(), None, None, abc]);
    }
}
