//! Our clock and the server's.

use std::sync::Arc;
use std::time::Duration;

use fhir_http::{Body, Clock as _, HttpClient, TransportError};
use http::{HeaderValue, Request, Response};
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::fetch::{FetchOptions, Fetcher};

use super::site::{Site, by_mrn};

/// A server whose answers say when they were sent.
struct Dated {
    server: Arc<dyn HttpClient>,
    date: Option<HeaderValue>,
}

impl HttpClient for Dated {
    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let mut response = self.server.send(request)?;
        if let Some(date) = &self.date {
            response.headers_mut().insert("date", date.clone());
        }
        Ok(response)
    }
}

#[test]
fn a_later_fetch_asks_from_the_earlier_of_both_clocks() {
    let site = Site::new("");
    let now = site.clock.now();
    let hours = |many: u64| Duration::from_secs(many * 3600);
    for (date, expected) in [
        (Some("Fri, 15 Jan 2027 06:00:00 GMT"), now - hours(2)),
        (Some("Fri, 15 Jan 2027 10:00:00 GMT"), now),
        (Some("no date"), now),
        (None, now),
    ] {
        let around = site.around();
        let server = around.transport.clone().expect("the sandbox");
        let date = date.map(HeaderValue::from_static);
        let around = Surroundings {
            transport: Some(Arc::new(Dated { server, date })),
            ..around
        };
        let options = FetchOptions::new(site.folder.path());
        let fetcher = Fetcher::new(&site.settings, &around, options).unwrap();
        let gathered = fetcher.gather(&by_mrn("MRN000002"), &()).unwrap();
        assert_eq!(
            (gathered.started(), gathered.since()),
            (now, Some(expected))
        );
    }
}
