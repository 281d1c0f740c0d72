//! Redirects, followed by hand: what a request may carry to another origin is
//! decided here and nowhere else.

use http::{HeaderMap, HeaderName, Method, Request, Response, Uri, header};
use url::Url;

use crate::{Body, Error, Origin, Result};

/// How many redirects of one request are followed.
pub(crate) const MOST: usize = 10;

/// Headers that go along to another origin. All others stay behind, whatever
/// their name: any may be a credential.
const HARMLESS: [HeaderName; 10] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::RANGE,
    header::REFERER,
    header::USER_AGENT,
];

/// The request that follows `response`, where that is a redirect. `sent` has
/// no credentials other than those its caller put in.
pub(crate) fn follow(
    sent: &Request<Vec<u8>>,
    origin: &Origin,
    response: &Response<Body>,
) -> Result<Option<Request<Vec<u8>>>> {
    let status = response.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let fail = |problem| Error::Redirect {
        host: origin.to_string(),
        problem,
    };
    let location = response
        .headers()
        .get(header::LOCATION)
        .ok_or_else(|| fail("without saying where to"))?;
    let uri = resolve(sent.uri(), location.as_bytes())
        .ok_or_else(|| fail("to an address that can't be read"))?;
    if origin.is_https() && uri.scheme_str() == Some("http") {
        return Err(fail("from https to http, which is not followed"));
    }
    let to = Origin::of(&uri).map_err(|error| match error {
        Error::Url { problem, .. } => fail(problem),
        other => other,
    })?;
    if !matches!(*sent.method(), Method::GET | Method::HEAD) {
        if !matches!(status, 307 | 308) {
            return Err(fail(
                "a request that is not GET by a status that would make it GET",
            ));
        }
        if to != *origin {
            return Err(fail("a request that is not GET to another host"));
        }
    }
    let mut next = sent.clone();
    *next.uri_mut() = uri;
    if to != *origin {
        strip(next.headers_mut());
        next.body_mut().clear();
    }
    Ok(Some(next))
}

/// Resolves `reference` against `base`
/// ([RFC 3986, 5](https://www.rfc-editor.org/rfc/rfc3986#section-5)).
pub(crate) fn resolve(base: &Uri, reference: &[u8]) -> Option<Uri> {
    let reference = std::str::from_utf8(reference).ok()?.trim();
    // Byte for byte where possible: presigned addresses are signed as written.
    if let Ok(uri) = reference.parse::<Uri>()
        && uri.scheme().is_some()
        && uri.authority().is_some()
    {
        return Some(uri);
    }
    let mut url = Url::parse(&base.to_string()).ok()?.join(reference).ok()?;
    url.set_fragment(None);
    url.as_str().parse().ok()
}

fn strip(headers: &mut HeaderMap) {
    let kept = HARMLESS
        .iter()
        .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
    *headers = kept.collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved() {
        let base: Uri = "https://ehr.example/fhir/Patient/_search?name=x"
            .parse()
            .unwrap();
        let cases = [
            (
                "https://b.example/f?sig=a%2Fb%3D",
                "https://b.example/f?sig=a%2Fb%3D",
            ),
            ("https://b.example/f#part", "https://b.example/f"),
            ("/next?page=2", "https://ehr.example/next?page=2"),
            ("?page=2", "https://ehr.example/fhir/Patient/_search?page=2"),
            ("../Group", "https://ehr.example/fhir/Group"),
            ("//c.example/x", "https://c.example/x"),
            ("/a b/ü", "https://ehr.example/a%20b/%C3%BC"),
        ];
        for (reference, expected) in cases {
            let resolved = resolve(&base, reference.as_bytes()).unwrap();
            assert_eq!(resolved.to_string(), expected, "{reference}");
        }
        for broken in [
            "https://",
            "http://[::1",
            "\u{fffd}://x",
            "javascript:alert(1)",
        ] {
            let resolved = resolve(&base, broken.as_bytes());
            let usable = resolved.is_some_and(|uri| {
                Origin::of(&uri).is_ok_and(|origin| origin.to_string() != "ehr.example:443")
            });
            assert!(!usable, "{broken}");
        }
        assert_eq!(resolve(&base, b"\xff"), None);
    }
}
