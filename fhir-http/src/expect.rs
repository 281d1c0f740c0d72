//! Checks of responses: their status, and that they are JSON.

use std::io::Read;

use http::{HeaderMap, Method, Response, header};

use crate::{Body, Client, Error, OperationOutcome, Origin, Result, Target, retry_after};

/// As much of an error's body is read.
const OUTCOME_LIMIT: u64 = 1024 * 1024;

impl Client {
    /// The response as it is, unless its status says that the server refused.
    /// Takes what [`send`](Self::send) and [`fetch`](Self::fetch) give.
    ///
    /// # Errors
    /// [`Error::Status`] for 4xx and 5xx, with the OperationOutcome where the
    /// body is one. A body that is HTML, empty or broken is passed over.
    pub fn expect_success<B: Into<Body>>(&self, response: Response<B>) -> Result<Response<B>> {
        let status = response.status();
        if !status.is_client_error() && !status.is_server_error() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let target = parts.extensions.get::<Target>();
        let mut text = Vec::new();
        let outcome = body
            .into()
            .decoded(&parts.headers, OUTCOME_LIMIT)
            .and_then(|mut body| body.read_to_end(&mut text))
            .ok()
            .and_then(|_| OperationOutcome::from_json(&text));
        let cap = self.policy().retry_after_cap;
        Err(Error::Status {
            host: host(target),
            method: target.map_or(Method::GET, |target| target.method.clone()),
            path: target.map_or_else(String::new, |target| target.uri.path().to_owned()),
            status,
            outcome,
            retry_after: retry_after(&parts.headers, self.clock().now(), cap),
        })
    }

    /// The response as it is, unless its body can't be a JSON object. Portals
    /// and proxies answer 200 with a login page.
    ///
    /// # Errors
    /// [`Error::Unexpected`], which says what the body looks like instead.
    pub fn expect_json(&self, response: Response<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        let body = response.body();
        let text = body
            .strip_prefix(b"\xEF\xBB\xBF")
            .unwrap_or(body)
            .trim_ascii_start();
        let what = match text.first() {
            Some(b'{') => return Ok(response),
            None => "empty, not JSON",
            _ if is_html(response.headers(), text) => "an HTML page, not JSON",
            Some(b'<') => "XML, not JSON",
            Some(_) => "no JSON object",
        };
        let host = host(response.extensions().get());
        Err(Error::Unexpected {
            host,
            what: what.to_owned(),
        })
    }
}

/// Whether a response is a page for people, as far as its headers and the
/// first bytes of its body tell. Bytes count for more: error pages come with
/// all sorts of types, and files with `text/html`.
#[must_use]
pub fn is_html(headers: &HeaderMap, start: &[u8]) -> bool {
    let start = start
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(start)
        .trim_ascii_start();
    let starts_with = |tag: &[u8]| {
        start
            .get(..tag.len())
            .is_some_and(|bytes| bytes.eq_ignore_ascii_case(tag))
    };
    if starts_with(b"<!doctype html") || starts_with(b"<html") || starts_with(b"<head") {
        return true;
    }
    let says_html = headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let media_type = value
            .as_bytes()
            .split(|b| *b == b';')
            .next()
            .unwrap_or_default();
        let media_type = media_type.trim_ascii();
        media_type.eq_ignore_ascii_case(b"text/html")
            || media_type.eq_ignore_ascii_case(b"application/xhtml+xml")
    });
    says_html && !start.starts_with(b"{") && !start.starts_with(b"[")
}

fn host(target: Option<&Target>) -> String {
    let origin = target.and_then(|target| Origin::of(&target.uri).ok());
    origin.map_or_else(|| "the server".to_owned(), |origin| origin.to_string())
}
