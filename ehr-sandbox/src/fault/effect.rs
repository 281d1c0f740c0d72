use std::io::{self, Read};
use std::time::Duration;

use fhir_http::Clock;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use http_serve::Body;

use super::{ErrorBody, What};
use crate::auth::Authority;
use crate::reply::{Reply, empty, header, outcome, reply};

const LOGIN: &str = "<!DOCTYPE html>\n<html><body><h1>Please log in</h1></body></html>\n";
const GATEWAY: &str = "<html><body><h1>Bad gateway</h1></body></html>\n";

/// The faults that hit one request, with the number of the hit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Active(Vec<(What, u32)>);

/// What the effects of faults reach.
pub(crate) struct Surroundings<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) authority: &'a Authority,
    /// The same resource on the other origin.
    pub(crate) elsewhere: String,
}

/// Extension of an answer that is not to arrive at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropped;

impl Active {
    pub(crate) const fn new(hits: Vec<(What, u32)>) -> Self {
        Self(hits)
    }

    pub(crate) fn has(&self, what: &What) -> bool {
        self.find(|own| (own == what).then_some(())).is_some()
    }

    pub(crate) fn find<T>(&self, choose: impl Fn(&What) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|(what, _)| choose(what))
    }

    /// Something that differs from hit to hit, where the ETag has to.
    pub(crate) fn etag_salt(&self) -> Option<u32> {
        self.0
            .iter()
            .find_map(|(what, hit)| (*what == What::ChangedEtag).then_some(*hit))
    }

    /// Answers a request with these faults. `route` is what would answer it
    /// without them.
    pub(crate) fn apply(&self, around: &Surroundings<'_>, route: impl FnOnce() -> Reply) -> Reply {
        for (what, _) in &self.0 {
            match what {
                What::Delay(milliseconds) => sleep(around, *milliseconds),
                What::ExpireToken => around.authority.revoke(),
                _ => {}
            }
        }
        let before = self.find(|what| instead(what, around));
        let reply = before.unwrap_or_else(|| {
            let reply = route();
            let after = self.find(|what| match what {
                What::After(what) => late(what, around),
                _ => None,
            });
            after.unwrap_or(reply)
        });
        self.0
            .iter()
            .fold(reply, |reply, (what, _)| spoil(reply, what))
    }
}

/// A fault that comes when the request was carried out.
fn late(what: &What, around: &Surroundings<'_>) -> Option<Reply> {
    if let What::Delay(milliseconds) = what {
        sleep(around, *milliseconds);
    }
    instead(what, around)
}

fn sleep(around: &Surroundings<'_>, milliseconds: u64) {
    around.clock.sleep(Duration::from_millis(milliseconds));
}

/// Faults that leave nothing of the answer.
fn instead(what: &What, around: &Surroundings<'_>) -> Option<Reply> {
    let status =
        |code: u16| StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Some(match what {
        What::Status {
            code,
            body,
            retry_after,
        } => {
            let mut answer = match body {
                ErrorBody::Empty => empty(status(*code)),
                ErrorBody::Html => html(status(*code), GATEWAY),
                ErrorBody::Outcome(issue) => outcome(status(*code), issue, "as planned"),
            };
            if let Some(text) = retry_after {
                answer.headers_mut().insert(RETRY_AFTER, header(text));
            }
            answer
        }
        What::Html => html(StatusCode::OK, LOGIN),
        What::Redirect => {
            let mut answer = empty(StatusCode::TEMPORARY_REDIRECT);
            answer
                .headers_mut()
                .insert(LOCATION, header(&around.elsewhere));
            answer
        }
        What::Drop => {
            let mut answer = reply(
                StatusCode::OK,
                HeaderValue::from_static("text/plain"),
                "lost".to_owned(),
            );
            answer.extensions_mut().insert(Dropped);
            cut(answer, 0, false)
        }
        What::Transient => outcome(
            StatusCode::INTERNAL_SERVER_ERROR,
            "transient",
            "try again, it may pass",
        ),
        What::Expired(code) => outcome(status(*code), "not-found", "it is no longer here"),
        _ => return None,
    })
}

/// Faults of an answer that is otherwise as it should be.
fn spoil(mut reply: Reply, what: &What) -> Reply {
    match what {
        What::Cut { after, chunked } => return cut(reply, *after, *chunked),
        What::ContentType(text) => {
            reply.headers_mut().insert(CONTENT_TYPE, header(text));
        }
        What::RetryAfter(text) => {
            reply.headers_mut().insert(RETRY_AFTER, header(text));
        }
        _ => {}
    }
    reply
}

fn html(status: StatusCode, page: &str) -> Reply {
    reply(
        status,
        HeaderValue::from_static("text/html; charset=utf-8"),
        page.to_owned(),
    )
}

/// The connection breaks after some of the bytes.
fn cut(reply: Reply, after: u64, chunked: bool) -> Reply {
    let (mut parts, body) = reply.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    let (reader, length) = into_reader(body);
    let after = length.map_or(after, |length| after.min(length.saturating_sub(1)));
    let reader = Box::new(reader.take(after).chain(Broken));
    let length = length.filter(|_| !chunked);
    Reply::from_parts(parts, Body::Stream { reader, length })
}

/// The bytes of a body and how many there are, where that is known.
pub(crate) fn into_reader(body: Body) -> (Box<dyn Read + Send>, Option<u64>) {
    match body {
        Body::Bytes(bytes) => {
            let length = bytes.len() as u64;
            (Box::new(io::Cursor::new(bytes)), Some(length))
        }
        Body::Stream { reader, length } => (reader, length),
        _ => (Box::new(io::empty()), Some(0)),
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection is cut as planned",
        ))
    }
}
