//! What log events hold: an allow-list.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use fhir_http::testing::Replay;
use http::Request;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::util::{Tokens, answer, client, origin, redirect};

/// Writes down every field of every event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut log = self.0.lock().unwrap();
        event.record(&mut Line(&mut log));
        log.pop();
        log.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

#[test]
fn events_hold_no_paths_queries_headers_or_bodies() {
    // With one subscriber alone, an event that another thread meets first is
    // registered for good as of no interest to anybody.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let log = Log::default();
    let send = || {
        let replay = Replay::new()
            .answer(redirect(302, "https://bucket.example/canary?sig=canary"))
            .answer(answer(503))
            .fail(fhir_http::TransportError::Timeout("connecting"))
            .answer(answer(200));
        let (client, _) = client(&Arc::new(replay));
        let client = client.authorized(origin("https://ehr.example"), Arc::new(Tokens::default()));
        let request = Request::get("https://ehr.example/Patient/canary?name=canary")
            .header("x-canary", "canary")
            .body(b"canary".to_vec())
            .unwrap();
        client.send(request).unwrap();
    };
    tracing::subscriber::with_default(log.clone(), send);
    let log = log.0.lock().unwrap();
    let expected = "\
message=response method=GET origin=ehr.example:443 status=302
message=response method=GET origin=bucket.example:443 status=503
message=sends again method=GET origin=ehr.example:443 attempt=1 wait_ms=0
message=no response method=GET origin=ehr.example:443
message=sends again method=GET origin=ehr.example:443 attempt=2 wait_ms=0
message=response method=GET origin=ehr.example:443 status=200
";
    assert_eq!(*log, expected);
}
