//! The key set of a ring in a server that is not ours: axum. It answers until
//! its standard input ends.
//!
//! `cargo run --example jwks_axum`
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use fhir_http::{Clock as _, SystemClock};
use jwks_publisher::{
    Algorithm, KeyStore as _, MemoryStore, NewKey, PrivateKey, Publisher, Tenant,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A real one has a `DirectoryStore`, and a `Reload` that looks at it.
    let ring = MemoryStore::new();
    let key = NewKey::new(PrivateKey::generate_p384()?, Algorithm::Es384)?;
    ring.generate("example", SystemClock.now(), key)?;
    let acme = Tenant::parse("acme")?;
    let publisher = Publisher::new(|| SystemClock.now()).default_set(acme.clone());
    publisher.publish(acme, ring.load()?);

    let app = Router::new()
        .fallback(answer)
        .with_state(Arc::new(publisher));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}/.well-known/jwks.json", listener.local_addr()?);
    let stdin_ends = async {
        let end = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = tokio::task::spawn_blocking(end).await;
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(stdin_ends)
        .await?;
    println!("stopped");
    Ok(())
}

/// All of the integration: a function from request to response.
async fn answer(State(publisher): State<Arc<Publisher>>, request: Request) -> Response {
    publisher.respond(&request).map(Body::from)
}
