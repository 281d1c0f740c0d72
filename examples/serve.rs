//! A small HTTP server: it greets until its standard input ends, and lets
//! requests finish then.
//!
//! `cargo run --example serve`
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_serve::{Body, Limits, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let bound = Server::bind("127.0.0.1:0".parse()?, Limits::default())?;
    let address = bound.local_addr();
    let server = bound.serve(Arc::new(answer))?;
    println!("http://{address}/hello");

    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    server.stop(Duration::from_secs(10));
    println!("stopped");
    Ok(())
}

/// A handler may take its time: every request has a thread.
fn answer(request: Request<Vec<u8>>) -> Response<Body> {
    let status = |status| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response
    };
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/hello") => Response::new("hello\n".to_owned().into()),
        (_, "/hello") => status(StatusCode::METHOD_NOT_ALLOWED),
        _ => status(StatusCode::NOT_FOUND),
    }
}
