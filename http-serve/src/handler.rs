use std::net::SocketAddr;

use http::{Request, Response};

use crate::Body;

/// Answers requests. It is called on a thread that may block, by many threads
/// at a time.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request, whose body has been read whole. The extensions of
    /// the request hold its [`Peer`].
    fn handle(&self, request: Request<Vec<u8>>) -> Response<Body>;
}

impl<F> Handler for F
where
    F: Fn(Request<Vec<u8>>) -> Response<Body> + Send + Sync + 'static,
{
    fn handle(&self, request: Request<Vec<u8>>) -> Response<Body> {
        self(request)
    }
}

/// Who sent a request: an extension of it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);
