use std::io::{self, Read};
use std::sync::Arc;

use fhir_http::{Body, HttpClient, TransportError};
use http::{Method, Request, Response};

use crate::ehr::{Ehr, Side};
use crate::fault::{Dropped, into_reader};

/// A transport that ends in a sandbox and needs no sockets: see
/// [`Sandbox::transport`](crate::Sandbox::transport).
#[derive(Clone)]
pub struct InProcess {
    ehr: Arc<Ehr>,
}

impl InProcess {
    pub(crate) const fn new(ehr: Arc<Ehr>) -> Self {
        Self { ehr }
    }
}

impl HttpClient for InProcess {
    fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let uri = request.uri();
        let origin = format!(
            "{}://{}",
            uri.scheme_str().unwrap_or_default(),
            uri.authority().map_or("", |authority| authority.as_str())
        );
        let side = if origin == self.ehr.origins.main {
            Side::Main
        } else if origin == self.ehr.origins.other {
            Side::Other
        } else {
            return Err(TransportError::Connect(
                "this is no origin of the sandbox".into(),
            ));
        };
        let reply = self.ehr.handle(side, &request);
        if reply.extensions().get::<Dropped>().is_some() {
            return Err(TransportError::Connect("dropped as planned".into()));
        }
        let head = request.method() == Method::HEAD;
        Ok(reply.map(|body| {
            if head {
                return Body::empty();
            }
            let (reader, remaining) = into_reader(body);
            Body::new(Whole { reader, remaining })
        }))
    }
}

/// Fails where a body ends before its length, as a connection would.
struct Whole {
    reader: Box<dyn Read + Send>,
    remaining: Option<u64>,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Some(remaining) = &mut self.remaining {
            if count == 0 && *remaining > 0 && !buffer.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            *remaining = remaining.saturating_sub(count as u64);
        }
        Ok(count)
    }
}
