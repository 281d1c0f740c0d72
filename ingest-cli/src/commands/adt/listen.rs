use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ingest_pipeline::hl7::listener::{Certificates, Clients, Limits, Listener};
use ingest_pipeline::store::RunState;
use ingest_pipeline::{Error, SystemClock, causes};
use serde_json::json;

use super::{Site, received, work};
use crate::args;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::report;

/// For how long messages that are under way may be finished.
const GRACE: Duration = Duration::from_secs(10);
/// How often it is looked whether to stop.
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn run(
    context: &Context<'_>,
    site: &Site<'_>,
    args: &args::Listen,
) -> Result<Exit, Failure> {
    let settings = site.connection(args.connection.as_deref())?;
    let receiver = Arc::new(site.receiver(&settings, &site.inbox(&settings)?)?);
    let limits = Limits {
        connections: args.connections,
        message_bytes: usize::try_from(settings.adt.message_bytes).unwrap_or(usize::MAX),
        ..Limits::default()
    };
    let mut bound = Listener::bind(args.listen, limits).map_err(|error| unusable(&error))?;
    let is_tls = args.tls_cert.is_some();
    if let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) {
        bound = bound.tls(certificates(chain, key, args.client_ca.as_deref())?);
    } else if !bound.local_addr().ip().is_loopback() {
        tracing::warn!("messages come in without encryption: use --tls-cert, or a VPN");
    }
    let listener = bound
        .serve(receiver.clone())
        .map_err(|error| unusable(&error))?;
    tell(context, &settings.name, &listener, is_tls)?;
    let interrupt = &site.around.interrupt;
    let worked = thread::scope(|scope| {
        let worker = (!args.no_work).then(|| {
            let settings = vec![settings.clone()];
            scope.spawn(move || work::work(site, settings, false))
        });
        while interrupt.sleep(&SystemClock, LOOK) {
            if worker.as_ref().is_some_and(|worker| worker.is_finished()) {
                break;
            }
        }
        // First those who send: what they are answered is safe then.
        let cut = listener.stop(GRACE);
        if cut > 0 {
            tracing::warn!(connections = cut, "cut what did not end in time");
        }
        worker.map(|worker| worker.join())
    });
    received(context, &receiver.summary())?;
    match worked {
        Some(Ok(Err(failure))) if !interrupt.is_interrupted() => Err(failure),
        Some(Err(_)) => Err(Failure::new(
            Exit::Unexpected,
            "the worker ended with a bug",
        )),
        Some(Ok(Ok(mut summary))) if !context.global.json => {
            // That it was stopped is how it ends.
            summary.state = RunState::Completed;
            report::lines(work::text(&summary))?;
            Ok(Exit::Ok)
        }
        _ => Ok(Exit::Ok),
    }
}

fn tell(
    context: &Context<'_>,
    connection: &str,
    listener: &Listener,
    is_tls: bool,
) -> Result<(), Failure> {
    let address = listener.local_addr();
    if context.global.json {
        // The one object on standard output is the summary at the end.
        let started = json!({ "listen": address.to_string(), "connection": connection });
        report::note(&started.to_string());
        return Ok(());
    }
    let tls = if is_tls { " with TLS" } else { "" };
    report::note(&format!(
        "receives messages for {connection} at {address}{tls}; stop it with Ctrl-C"
    ));
    Ok(())
}

fn certificates(
    chain: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Certificates, Failure> {
    let read = |path: &Path| {
        fs::read(path).map_err(|source| {
            Failure::from(Error::File {
                path: path.to_owned(),
                source,
            })
        })
    };
    let key = zeroize::Zeroizing::new(read(key)?);
    let authority = client_ca.map(read).transpose()?;
    let clients = match &authority {
        Some(authority) => Clients::Required(authority),
        None => Clients::Anonymous,
    };
    Certificates::from_pem(&read(chain)?, &key, clients).map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Configuration, causes(error))
}
