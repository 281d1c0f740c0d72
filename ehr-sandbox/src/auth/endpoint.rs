use std::collections::HashMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, StatusCode};
use serde_json::json;
use url::form_urlencoded;

use super::{Authority, RegisteredClient, Scopes, assertion};
use crate::reply::{Reply, json};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An error of [RFC 6749, 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
struct Refused {
    code: &'static str,
    description: &'static str,
    /// The client came with HTTP Basic, so that the status has to be 401.
    basic: bool,
}

impl Authority {
    /// Answers a request to the token endpoint, whose URL is `token_url`.
    pub(crate) fn token(
        &self,
        request: &Request<Vec<u8>>,
        token_url: &str,
        now: SystemTime,
    ) -> Reply {
        if request.method() != Method::POST {
            let mut reply = json(
                StatusCode::METHOD_NOT_ALLOWED,
                &json!({"error": "invalid_request"}),
            );
            reply
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("POST"));
            return reply;
        }
        let mut reply = match self.grant(request, token_url, now) {
            Ok((client, scopes)) => {
                let scope = scopes.text();
                let token = self.issue(&client.id, scopes, now);
                let document = json!({
                    "access_token": token,
                    "token_type": "bearer",
                    "expires_in": self.lifetime.as_secs(),
                    "scope": scope,
                });
                json(StatusCode::OK, &document)
            }
            Err(refused) => refused.reply(),
        };
        let headers = reply.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        reply
    }

    fn grant(
        &self,
        request: &Request<Vec<u8>>,
        token_url: &str,
        now: SystemTime,
    ) -> Result<(&RegisteredClient, Scopes), Refused> {
        let form = form(request)?;
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {}
            Some(_) => {
                return Err(refused(
                    "unsupported_grant_type",
                    "only client_credentials is known",
                ));
            }
            None => return Err(refused("invalid_request", "grant_type is missing")),
        }
        let client = self.authenticate(request, &form, token_url, now)?;
        let scope = form.get("scope").filter(|scope| !scope.is_empty());
        let scope = scope.ok_or(refused("invalid_scope", "scope is missing"))?;
        let scopes = Scopes::granted(scope, &client.allowed);
        if scopes.is_empty() {
            return Err(refused(
                "invalid_scope",
                "the client may have none of these scopes",
            ));
        }
        Ok((client, scopes))
    }

    fn authenticate(
        &self,
        request: &Request<Vec<u8>>,
        form: &HashMap<String, String>,
        token_url: &str,
        now: SystemTime,
    ) -> Result<&RegisteredClient, Refused> {
        let basic = request.headers().get(AUTHORIZATION);
        let (assertion, secret) = (form.get("client_assertion"), form.get("client_secret"));
        let methods = [basic.is_some(), assertion.is_some(), secret.is_some()];
        if methods.iter().filter(|used| **used).count() > 1 {
            return Err(refused(
                "invalid_request",
                "more than one way to authenticate",
            ));
        }
        if let Some(value) = basic {
            let refused = Refused {
                basic: true,
                ..refused("invalid_client", "wrong credentials")
            };
            let pair = value.to_str().ok().and_then(credentials);
            let (id, secret) = pair.ok_or(Refused { ..refused })?;
            return self.by_secret(&id, &secret).ok_or(refused);
        }
        if let Some(secret) = secret {
            let id = form
                .get("client_id")
                .ok_or(refused("invalid_request", "client_id is missing"))?;
            return self
                .by_secret(id, secret)
                .ok_or(refused("invalid_client", "wrong credentials"));
        }
        let assertion = assertion.ok_or(refused("invalid_client", "no client authentication"))?;
        match form.get("client_assertion_type").map(String::as_str) {
            Some(ASSERTION_TYPE) => {}
            Some(_) => {
                return Err(refused(
                    "invalid_client",
                    "client_assertion_type is unknown",
                ));
            }
            None => {
                return Err(refused(
                    "invalid_request",
                    "client_assertion_type is missing",
                ));
            }
        }
        let verified = assertion::verify(assertion, &self.clients, &self.keys, token_url, now)
            .map_err(|rule| refused("invalid_client", rule))?;
        if form
            .get("client_id")
            .is_some_and(|id| *id != verified.client.id)
        {
            return Err(refused("invalid_client", "client_id is not iss"));
        }
        if !self.first_use(&verified.client.id, verified.jti, verified.expires, now) {
            return Err(refused("invalid_client", "jti was used before"));
        }
        Ok(verified.client)
    }

    fn by_secret(&self, id: &str, secret: &str) -> Option<&RegisteredClient> {
        let client = self.clients.iter().find(|client| client.id == id)?;
        client
            .secret
            .as_deref()
            .is_some_and(|own| own == secret)
            .then_some(client)
    }
}

impl Refused {
    fn reply(&self) -> Reply {
        let status = if self.basic {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::BAD_REQUEST
        };
        let document = json!({"error": self.code, "error_description": self.description});
        let mut reply = json(status, &document);
        if self.basic {
            let challenge = HeaderValue::from_static("Basic realm=\"sandbox\"");
            reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        reply
    }
}

const fn refused(code: &'static str, description: &'static str) -> Refused {
    Refused {
        code,
        description,
        basic: false,
    }
}

fn form(request: &Request<Vec<u8>>) -> Result<HashMap<String, String>, Refused> {
    let content_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = content_type
        .and_then(|value| value.split(';').next())
        .map(str::trim);
    if !media_type.is_some_and(|t| t.eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        return Err(refused(
            "invalid_request",
            "the body is not application/x-www-form-urlencoded",
        ));
    }
    let mut form = HashMap::new();
    for (name, value) in form_urlencoded::parse(request.body()) {
        if form.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(refused("invalid_request", "a parameter is there twice"));
        }
    }
    Ok(form)
}

/// Id and secret of HTTP Basic, each form-encoded
/// ([RFC 6749, 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
fn credentials(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((decoded(id), decoded(secret)))
}

fn decoded(text: &str) -> String {
    // Names without a value are decoded like values, and hold no `=` or `&` here.
    let escaped = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes())
        .map(|(name, _)| name)
        .collect()
}
