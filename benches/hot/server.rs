//! Resources and their Provenance in Bundles, to a server that takes everything.

use std::sync::Arc;

use fhir_http::{Body, Client, FhirClient, HttpClient, TransportError};
use fhir_normalize::{Normalizer, Record, Settings};
use fhir_store::{
    Put, PutOutcome, ResourceStore as _, ServerSettings, ServerStore, Sha256Ids, WriteContext,
};
use http::{Request, Response};
use memchr::memmem;

use crate::support::Input;
use crate::{Result, SOURCE, Standing};

const BASE: &str = "https://fhir.example";

pub(crate) fn bundles(rounds: usize) -> Result<()> {
    let context = WriteContext {
        source_system: SOURCE,
        organization: "",
        run: None,
        recorded: 1_700_000_000_000,
        ids: &Sha256Ids,
    };
    let resources = resources();
    let puts: Vec<_> = resources.iter().map(Resource::put).collect();
    let folder = tempfile::tempdir()?;
    for round in 0..rounds {
        let client = Client::new(Arc::new(Server), Arc::new(Standing));
        let server = FhirClient::new(client, BASE)?;
        let settings = ServerSettings::default().concurrency(1);
        let mut store = ServerStore::open(folder.path().join(round.to_string()), server, settings)?;
        let mut outcomes = Vec::new();
        store.put(&context, &puts, &mut outcomes)?;
        store.flush()?;
        let created = |outcome: &PutOutcome| *outcome == PutOutcome::Created;
        assert!(outcomes.len() == puts.len() && outcomes.iter().all(created));
    }
    Ok(())
}

struct Resource {
    resource_type: &'static str,
    id: String,
    content_hash: [u8; 32],
    body: String,
}

impl Resource {
    fn put(&self) -> Put<'_> {
        Put {
            resource_type: self.resource_type,
            id: &self.id,
            source_id: &self.id,
            content_hash: self.content_hash,
            body: &self.body,
            identifiers: &[],
            remediations: &[],
            message: None,
            revert: false,
            line: None,
        }
    }
}

fn resources() -> Vec<Resource> {
    let (input, mut all) = (Input::load(), Vec::new());
    let mut normalizer = Normalizer::new(Settings::new(SOURCE));
    for line in input.lines() {
        normalizer.records(line, &mut |_, record| {
            if let Ok(Record::Resource(resource)) = record {
                all.push(Resource {
                    resource_type: resource.resource_type,
                    id: resource.id.to_owned(),
                    content_hash: resource.content_hash,
                    body: resource.body.to_owned(),
                });
            }
        });
    }
    all
}

/// Creates what is in a Bundle, and looks no further than how much that is.
struct Server;

impl HttpClient for Server {
    fn send(
        &self,
        request: Request<Vec<u8>>,
    ) -> std::result::Result<Response<Body>, TransportError> {
        let entry = r#"{"response":{"status":"201 Created","etag":"W/\"1\""}}"#;
        let count = memmem::find_iter(request.body(), br#""request":{"method":"#).count();
        let entries = vec![entry; count].join(",");
        let bundle = format!(
            r#"{{"resourceType":"Bundle","type":"transaction-response","entry":[{entries}]}}"#
        );
        let mut response = Response::new(Body::from(bundle.into_bytes()));
        let json = http::HeaderValue::from_static("application/fhir+json");
        response
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, json);
        Ok(response)
    }
}
