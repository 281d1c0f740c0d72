use std::time::Duration;

use ehr_sandbox::{Data, FaultPlan, RegisteredClient, Sandbox};
use ingest_pipeline::{Interrupt, SystemClock};
use serde_json::json;

use crate::args;
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::{report, signals};

const CLIENT: &str = "sandbox-client";
const SECRET: &str = "sandbox-secret";

pub(crate) fn run(context: &Context<'_>, args: &args::Sandbox) -> Result<Exit, Failure> {
    if !args.listen.ip().is_loopback() {
        let message = format!("{} is not an address of this machine alone", args.listen);
        return Err(Failure::new(Exit::Usage, message)
            .hint("the sandbox speaks plain HTTP: 127.0.0.1:PORT"));
    }
    let fail =
        |exit| move |error: ehr_sandbox::Error| Failure::new(exit, ingest_pipeline::causes(&error));
    let faults = FaultPlan::of(&args.fault).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("--fault: {}", ingest_pipeline::causes(&error)),
        )
    })?;
    let data = match &args.data {
        Some(folder) => Data::from_ndjson_folder(folder)
            .map_err(fail(Exit::Usage))
            .map_err(|failure| failure.hint("--data takes a folder of .ndjson or .jsonl files"))?,
        None => Data::synthetic(1, args.patients),
    };
    let client = match &args.jwks {
        Some(url) => RegisteredClient::new(CLIENT).jwks_url(url),
        None => RegisteredClient::new(CLIENT).secret(SECRET),
    };
    let sandbox = Sandbox::builder()
        .data(data)
        .client(client)
        .faults(faults)
        .listen(args.listen)
        .start()
        .map_err(fail(Exit::Configuration))
        .map_err(|failure| failure.hint("choose another address with --listen"))?;
    tell(context, args, &sandbox)?;
    let interrupt = Interrupt::new();
    signals::stop(&interrupt)?;
    while interrupt.sleep(&SystemClock, Duration::from_secs(1)) {}
    sandbox.stop();
    Ok(Exit::Ok)
}

fn tell(context: &Context<'_>, args: &args::Sandbox, sandbox: &Sandbox) -> Result<(), Failure> {
    if context.global.json {
        return report::json(&json!({
            "fhir_base": sandbox.base(),
            "token_endpoint": sandbox.token_url(),
            "client_id": CLIENT,
            "jwks_url": args.jwks,
        }));
    }
    let secret = match &args.jwks {
        Some(url) => format!("keys at {url}"),
        None => format!("secret {SECRET}"),
    };
    report::lines([
        format!("FHIR base       {}", sandbox.base()),
        format!("token endpoint  {}", sandbox.token_url()),
        format!("client          {CLIENT}, {secret}"),
        "stop it with Ctrl-C".to_owned(),
    ])
}
