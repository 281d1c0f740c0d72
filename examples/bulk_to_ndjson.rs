//! Exports everything that the client may see into a folder of NDJSON files,
//! proved complete, and lets the server delete its own.
//!
//! `cargo run --example bulk_to_ndjson FHIR_BASE CLIENT_ID KEY FOLDER`
#![expect(clippy::print_stdout, reason = "that is what examples do")]

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use fhir_bulk::{BulkClient, ExportRequest, OutputFile, PollPolicy};
use fhir_http::{Client, Origin, SystemClock, UreqClient, UreqConfig};
use smart_auth::{BackendServices, ScopeSet, SigningKey, Syntax};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [base, client_id, key, folder] = &arguments[..] else {
        return Err("arguments: FHIR_BASE CLIENT_ID KEY FOLDER".into());
    };
    let transport = UreqClient::new(&UreqConfig::default())?;
    let client = Client::new(Arc::new(transport), Arc::new(SystemClock));
    let backend = BackendServices::builder(client.clone(), client_id)
        .fhir_base(base)
        .signer(Arc::new(SigningKey::parse(&fs::read(key)?)?))
        .scopes(ScopeSet::for_types(["*"], Syntax::V1)?)
        .build()?;
    let bulk = BulkClient::new(client.authorized(Origin::of(&base.parse()?)?, Arc::new(backend)));

    let (request, policy) = (ExportRequest::system(), PollPolicy::default());
    let (job, manifest) = bulk.export(&request, base, policy, &mut |_| Ok(()))?;
    fs::create_dir_all(folder)?;
    // Never by names that the server chose: they are paths to anywhere.
    let path = |file: &OutputFile| Path::new(folder).join(file.id().to_string());
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    bulk.downloads()
        .run(manifest.files(), path, |file, result| {
            match result {
                Ok(done) if done.faults.is_empty() => good.push(done),
                Ok(done) => bad.push(format!("{}: {}", file.id(), done.faults[0])),
                Err(error) => bad.push(error.to_string()),
            }
            ControlFlow::Continue(())
        });
    if !bad.is_empty() {
        return Err(bad.join("; ").into());
    }
    for done in good {
        // Files are kept as they were sent.
        let plain = done.bytes == done.decoded_bytes;
        let suffix = if plain { "ndjson" } else { "ndjson.gz" };
        fs::rename(&done.path, done.path.with_extension(suffix))?;
        println!("{}: {} lines", done.path.display(), done.lines);
    }
    bulk.delete(&job)?;
    println!("complete as of {}", manifest.transaction_time);
    Ok(())
}
