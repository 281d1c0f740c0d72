//! A token by SMART Backend Services, and with it the first page of patients.
//!
//! `cargo run --example backend_services FHIR_BASE CLIENT_ID KEY`; the key is
//! a PEM or JWK file whose public half the server knows.
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;
use std::sync::Arc;

use fhir_http::{Client, FhirClient, Origin, Search, SystemClock, UreqClient, UreqConfig};
use smart_auth::{BackendServices, ScopeSet, SigningKey, Syntax};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [base, client_id, key] = &arguments[..] else {
        return Err("arguments: FHIR_BASE CLIENT_ID KEY".into());
    };
    let transport = UreqClient::new(&UreqConfig::default())?;
    let client = Client::new(Arc::new(transport), Arc::new(SystemClock));
    let key = SigningKey::parse(&std::fs::read(key)?)?;
    let backend = BackendServices::builder(client.clone(), client_id)
        .fhir_base(base)
        .signer(Arc::new(key))
        .scopes(ScopeSet::for_types(["Patient"], Syntax::V1)?)
        .build()?;

    // Requests get a token by themselves; this is to see what was granted.
    let token = backend.token().inspect_err(|error| {
        if let Some(hint) = error.hint() {
            println!("hint: {hint}");
        }
    })?;
    println!("granted {}", token.granted());

    let client = client.authorized(Origin::of(&base.parse()?)?, Arc::new(backend));
    let server = FhirClient::new(client, base)?;
    let mut pages = server.search(&Search::new("Patient").count(10))?;
    let page = pages.next().ok_or("no answer to the search")??;
    for entry in &page.entries {
        println!(
            "{}: {} bytes",
            entry.resource_type,
            entry.resource.get().len()
        );
    }
    println!("{} on this page", page.entries.len());
    Ok(())
}
