//! The token request and when it is sent again.

use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fhir_http::{Anonymous, NoRetry, RetryPolicy, retry_after};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use tracing::{debug, warn};
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use super::{BackendServices, Credentials};
use crate::oauth::Attempt;
use crate::{Error, OAuthError, Result, Secret, SignedAssertion, TokenResponse, body};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An attempt that gave no token.
struct Failure {
    error: Error,
    again: Again,
}

enum Again {
    No,
    /// After the backoff, and not before the server asks for it.
    After(Option<Duration>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            again: Again::No,
        }
    }
}

impl BackendServices {
    /// Asks for a token until there is one or it makes no sense any more. The
    /// loop is here and not in the client because an assertion is for one
    /// request only.
    pub(super) fn request(&self) -> Result<TokenResponse> {
        let policy = self.client.policy();
        let mut attempt = 1;
        loop {
            let Failure { error, again } = match self.attempt() {
                Ok(token) => return Ok(token),
                Err(failure) => failure,
            };
            let asked = match again {
                Again::After(asked) if attempt < policy.attempts => asked.unwrap_or_default(),
                _ => return Err(error),
            };
            let wait = policy
                .backoff(attempt, &**self.client.randomness())
                .max(asked);
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            debug!(attempt, wait_ms, "asks for a token again");
            if !self
                .client
                .interruption()
                .sleep(&**self.client.clock(), wait)
            {
                return Err(Error::Interrupted);
            }
            attempt += 1;
        }
    }

    fn attempt(&self) -> std::result::Result<TokenResponse, Failure> {
        let endpoint = self.token_endpoint()?;
        let assertion = self.assertion()?;
        let request = self.token_request(endpoint.clone(), assertion.as_ref())?;
        let requested_at = self.client.clock().now();
        let response = self
            .client
            .fetch(request, body::LIMIT)
            .map_err(|error| Failure {
                again: if error.is_transient() {
                    Again::After(None)
                } else {
                    Again::No
                },
                error: Error::http("token endpoint", error),
            })?;
        let (parts, body) = response.into_parts();
        let body = Zeroizing::new(body);
        let now = self.client.clock().now();

        let mut what = body::describe(&parts.headers, &body);
        if parts.status.is_success() {
            let read = TokenResponse::read(
                &body,
                &self.scopes,
                requested_at,
                self.assumed_lifetime,
                assertion.as_ref(),
            );
            match read {
                Ok(token) => {
                    self.granted(&token);
                    return Ok(token);
                }
                Err(instead) if body.trim_ascii_start().starts_with(b"{") => what = instead,
                Err(_) => {}
            }
        }
        let about = Attempt {
            status: parts.status,
            headers: &parts.headers,
            requested: &self.scopes,
            assertion: assertion.as_ref(),
            now,
        };
        let refusal = OAuthError::read(&body, &about);
        let may_pass = match &refusal {
            Some(refusal) => refusal.is_transient(),
            None => {
                RetryPolicy::is_transient(parts.status)
                    // Some servers do so now and then, with credentials that are good.
                    || self.retry_bare_400
                        && parts.status == StatusCode::BAD_REQUEST
                        && self.is_proven(assertion.as_ref())
            }
        };
        let again = if may_pass {
            let cap = self.client.policy().retry_after_cap;
            Again::After(retry_after(&parts.headers, now, cap))
        } else {
            Again::No
        };
        let error = match refusal {
            Some(refusal) => Error::Refused(refusal),
            None => {
                let host = endpoint
                    .authority()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                Error::Answer {
                    host,
                    status: parts.status,
                    what,
                }
            }
        };
        Err(Failure { error, again })
    }

    fn token_request(
        &self,
        endpoint: Uri,
        assertion: Option<&SignedAssertion>,
    ) -> Result<Request<Vec<u8>>> {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));

        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        form.append_pair("scope", &self.scopes.to_string());
        if let Some(assertion) = assertion {
            form.append_pair("client_assertion_type", ASSERTION_TYPE);
            form.append_pair("client_assertion", assertion.expose());
        }
        match &self.credentials {
            Credentials::Assertion(_) => {}
            Credentials::SecretBasic(secret) => {
                headers.insert(header::AUTHORIZATION, basic(&self.client_id, secret)?);
            }
            Credentials::SecretPost(secret) => {
                form.append_pair("client_id", &self.client_id);
                form.append_pair("client_secret", secret.expose());
            }
        }

        let mut request = Request::new(form.finish().into_bytes());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint;
        *request.headers_mut() = headers;
        request.extensions_mut().insert(Anonymous);
        request.extensions_mut().insert(NoRetry);
        Ok(request)
    }

    fn granted(&self, token: &TokenResponse) {
        let kid = token.kid();
        debug!(
            kid,
            expires_in = token.expires_in().map(|life| life.as_secs()),
            "has a token"
        );
        let lock = PoisonError::into_inner;
        *self.proven.lock().unwrap_or_else(lock) = Some(kid.map(str::to_owned));
        // Once, and not with every renewal.
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if *warned != *token.missing() {
            if !token.missing().is_empty() {
                warn!(scopes = %token.missing().names(), "the server did not grant every scope");
            }
            warned.clone_from(token.missing());
        }
    }

    /// Whether the same credentials worked before.
    fn is_proven(&self, assertion: Option<&SignedAssertion>) -> bool {
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven
            .as_ref()
            .is_some_and(|kid| kid.as_deref() == assertion.map(SignedAssertion::kid))
    }
}

/// [RFC 6749, 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1):
/// both halves are form encoded before they are put together.
fn basic(client_id: &str, secret: &Secret) -> Result<HeaderValue> {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encode(client_id), encode(secret.expose())));
    let mut value =
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(&*pair))).map_err(|_| {
            Error::Setup {
                problem: "the client secret can't stand in a header",
            }
        })?;
    value.set_sensitive(true);
    Ok(value)
}
