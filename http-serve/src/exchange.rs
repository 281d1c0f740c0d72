use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, request};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{self, Instant};

use crate::connection::Connection;
use crate::observe::Record;
use crate::outgoing::{Blocking, Content, Outgoing, Source};
use crate::{Body, Peer};

/// Answers one request.
///
/// The record begins before the future is polled, which hyper doesn't do when
/// the client is gone by then.
pub(crate) fn answer(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Outgoing>, Infallible>> {
    let began = connection.watch.busy();
    connection.count_request();
    let (head, body) = request.into_parts();
    let record = Record {
        observer: connection.shared.observer.clone(),
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        status: None,
        began,
        peer: connection.peer.ip(),
        sent: 0,
        complete: false,
    };
    async move { Ok(respond(&connection, head, body, record).await) }
}

async fn respond(
    connection: &Connection,
    head: request::Parts,
    body: Incoming,
    mut record: Record,
) -> Response<Outgoing> {
    let version = head.version;
    let (mut response, is_refused) = match read(connection, &head, body, record.began).await {
        Ok(body) => (handle(connection, head, body).await, false),
        Err(status) => {
            connection.watch.leaves_unread();
            (bare(status), true)
        }
    };
    if response.status().is_informational() {
        tracing::error!("a handler answered with an interim status");
        response = bare(StatusCode::INTERNAL_SERVER_ERROR);
    }
    record.status = Some(response.status());
    let (mut head, body) = response.into_parts();
    head.version = Version::HTTP_11;
    if is_refused || connection.ends() {
        let close = HeaderValue::from_static("close");
        head.headers.insert(CONNECTION, close);
    }
    let content = frame(&record.method, head.status, &mut head.headers, body);
    let is_open = matches!(
        content,
        Content::Stream {
            remaining: None,
            ..
        }
    );
    let mut body = Outgoing::new(content, record, Arc::clone(&connection.watch));
    if is_open && version == Version::HTTP_10 {
        body = body.ends_with_connection();
    }
    Response::from_parts(head, body)
}

/// Reads the body within the limits, or tells the status of the refusal.
async fn read(
    connection: &Connection,
    head: &request::Parts,
    body: Incoming,
    began: Instant,
) -> Result<Vec<u8>, StatusCode> {
    if head.method == Method::CONNECT {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    // RFC 9112 section 3.2.
    let hosts = head.headers.get_all(HOST).iter().count();
    if hosts > 1 || hosts == 0 && head.version == Version::HTTP_11 {
        return Err(StatusCode::BAD_REQUEST);
    }
    let limits = &connection.shared.limits;
    let reading = collect(body, limits.body_bytes);
    match began.checked_add(limits.request) {
        Some(deadline) => time::timeout_at(deadline, reading)
            .await
            .unwrap_or(Err(StatusCode::REQUEST_TIMEOUT)),
        None => reading.await,
    }
}

async fn collect(mut body: Incoming, limit: usize) -> Result<Vec<u8>, StatusCode> {
    // Before anything is read, so that `Expect: 100-continue` spares the sending.
    if http_body::Body::size_hint(&body).lower() > limit as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        // Trailers are dropped, which RFC 9110 section 6.5.1 allows.
        if let Ok(data) = frame.into_data() {
            if data.len() > limit - bytes.len() {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            bytes.extend_from_slice(data.chunk());
        }
    }
    Ok(bytes)
}

async fn handle(connection: &Connection, head: request::Parts, body: Vec<u8>) -> Response<Body> {
    let mut request = Request::from_parts(head, body);
    // hyper's own are not part of what this crate promises.
    request.extensions_mut().clear();
    request.extensions_mut().insert(Peer(connection.peer));
    let handler = Arc::clone(&connection.shared.handler);
    let handled = Blocking::spawn(move || handler.handle(request)).await;
    handled.unwrap_or_else(|_| {
        // Without the payload of the panic, which may be content.
        tracing::error!("a handler panicked");
        bare(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

/// Makes the headers that tell where the body ends agree with the body
/// (RFC 9110 sections 6.4.1 and 8.6).
fn frame(method: &Method, status: StatusCode, headers: &mut HeaderMap, body: Body) -> Content {
    headers.remove(TRANSFER_ENCODING);
    let length = match &body {
        Body::Bytes(bytes) => Some(bytes.len() as u64),
        Body::Stream { length, .. } => *length,
    };
    if method == Method::HEAD || status == StatusCode::NOT_MODIFIED {
        // What the same GET would have: the handler's word, unless a body says more.
        if let Some(length) = length.filter(|length| *length > 0) {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        return Content::Empty;
    }
    headers.remove(CONTENT_LENGTH);
    match body {
        _ if status == StatusCode::NO_CONTENT || length == Some(0) => Content::Empty,
        Body::Bytes(bytes) => Content::Bytes(Bytes::from(bytes)),
        Body::Stream { reader, length } => Content::Stream {
            source: Source::Waiting(reader),
            remaining: length,
        },
    }
}

fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
