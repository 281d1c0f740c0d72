use std::fmt;

use fhir_http::{Authorize, BoxError};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::{AccessToken, Error, Result, Secret};

/// A token that somebody else made and renews, such as one for a test.
pub struct StaticToken(HeaderValue);

impl StaticToken {
    /// Sends `token` with every request.
    ///
    /// # Errors
    /// [`Error::Setup`] when it can't stand in a header.
    pub fn new(token: &Secret) -> Result<Self> {
        AccessToken::header(token).map(Self).ok_or(Error::Setup {
            problem: "the token is empty or holds white space",
        })
    }
}

impl Authorize for StaticToken {
    fn authorize(&self, request: &mut Parts) -> std::result::Result<(), BoxError> {
        request.headers.insert(AUTHORIZATION, self.0.clone());
        Ok(())
    }
}

/// By hand: whoever holds it has access.
impl fmt::Debug for StaticToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticToken(…)")
    }
}
