use std::sync::Arc;

use fhir_http::{Authorize, BoxError, Clock};
use http::request::Parts;
use http::{HeaderName, Method, header};
use jiff::Timestamp;
use rusty_s3::Credentials;

/// Signs requests to a bucket in their query
/// ([Signature Version 4](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)).
///
/// The signed address is made for one attempt and known to the transport
/// alone: what errors, logs and redirects see is the address without it.
pub(super) struct Signer {
    pub(super) credentials: Credentials,
    pub(super) region: String,
    pub(super) clock: Arc<dyn Clock>,
}

/// Long enough for clocks that differ, too short to be of use to others.
const SECONDS: u64 = 300;

impl Authorize for Signer {
    fn authorize(&self, request: &mut Parts) -> Result<(), BoxError> {
        let method = match request.method {
            Method::GET => rusty_s3::Method::Get,
            Method::PUT => rusty_s3::Method::Put,
            _ => return Err("requests of this method are not signed".into()),
        };
        let mut headers = Vec::new();
        for (name, value) in &request.headers {
            if is_signed(name) {
                headers.push((name.as_str(), value.to_str()?));
            }
        }
        headers.sort_unstable();
        let signed = rusty_s3::signing::sign(
            &Timestamp::try_from(self.clock.now())?,
            method,
            request.uri.to_string().parse()?,
            self.credentials.key(),
            self.credentials.secret(),
            self.credentials.token(),
            &self.region,
            SECONDS,
            std::iter::empty(),
            headers.into_iter(),
        );
        request.uri = signed.as_str().parse()?;
        Ok(())
    }
}

/// The storage insists on its own headers. A header that proxies may change
/// can't be signed.
fn is_signed(name: &HeaderName) -> bool {
    name == header::CONTENT_TYPE || name.as_str().starts_with("x-amz-")
}
