//! The public halves of our keys, for EHRs to fetch.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ingest_pipeline::jwks::{self, Export, KeyStore, Publisher, Reload, Service, Tenant, TlsFiles};
use ingest_pipeline::{Clock as _, Error, Interrupt, SystemClock, keys};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::args::{self, JwksAction};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::{report, signals};

/// How often rings and certificates are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// For how long requests may finish at the end.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) fn run(context: &Context<'_>, args: &args::Jwks) -> Result<Exit, Failure> {
    let (publisher, rings) = published(context, args.tenant.as_deref())?;
    let publisher = Arc::new(publisher);
    match &args.action {
        JwksAction::Serve {
            listen,
            tls_cert,
            tls_key,
            connections,
            connections_per_address,
        } => {
            let limits = jwks::Limits {
                connections: *connections,
                connections_per_address: *connections_per_address,
                ..jwks::limits()
            };
            let tls = tls_cert.clone().zip(tls_key.clone());
            let tls = tls.map(|(chain, key)| TlsFiles { chain, key });
            let is_tls = tls.is_some();
            let tenants: Vec<_> = rings.iter().map(|(tenant, _)| tenant.clone()).collect();
            let reload = Reload::new(publisher.clone(), rings);
            let service =
                Service::start(*listen, limits, tls, publisher, reload).map_err(Error::from)?;
            tell(context, &service, is_tls, &tenants)?;
            serve(service)
        }
        JwksAction::Export { out } => {
            for (tenant, store) in rings {
                publisher.publish(tenant, store.load().map_err(Error::from)?);
            }
            export(context, &publisher, out.as_deref())
        }
    }
}

type Rings = Vec<(Tenant, Arc<dyn KeyStore>)>;

/// A publisher, and the rings of all tenants that have one.
fn published(context: &Context<'_>, default: Option<&str>) -> Result<(Publisher, Rings), Failure> {
    let tenants = &context.config()?.tenants;
    let mut rings = Rings::new();
    for (name, tenant) in tenants.iter().filter(|(_, tenant)| tenant.keys.is_some()) {
        let tenant_name = Tenant::parse(name).map_err(|error| {
            let message = format!("the tenant {name:?} can't be published: {error}");
            Failure::new(Exit::Configuration, message).hint("rename it in the configuration")
        })?;
        // What is public is read without a passphrase.
        let store = keys::public_ring(tenant)?;
        rings.push((tenant_name, Arc::new(store)));
    }
    if rings.is_empty() {
        return Err(Failure::new(
            Exit::Configuration,
            "no tenant of the configuration has a key ring",
        )
        .hint("ingest init writes a configuration that has one"));
    }
    let mut publisher = Publisher::new(|| SystemClock.now());
    let default = match default {
        Some(name) => {
            let found = rings.iter().find(|(tenant, _)| tenant.as_str() == name);
            Some(found.ok_or_else(|| {
                let message = format!("the configuration has no tenant {name} with a key ring");
                Failure::new(Exit::Configuration, message)
            })?)
        }
        None => rings.first().filter(|_| rings.len() == 1),
    };
    if let Some((tenant, _)) = default {
        publisher = publisher.default_set(tenant.clone());
    }
    Ok((publisher, rings))
}

fn tell(
    context: &Context<'_>,
    service: &Service,
    is_tls: bool,
    tenants: &[Tenant],
) -> Result<(), Failure> {
    let scheme = if is_tls { "https" } else { "http" };
    let address = service.local_addr();
    let urls = tenants
        .iter()
        .map(|tenant| format!("{scheme}://{address}/jwks/{tenant}.json"));
    if context.global.json {
        return report::json(&json!({
            "listen": address.to_string(),
            "key_sets": urls.collect::<Vec<_>>(),
        }));
    }
    report::lines(urls.chain(["stop it with Ctrl-C".to_owned()]))
}

fn serve(service: Service) -> Result<Exit, Failure> {
    let interrupt = Interrupt::new();
    signals::stop(&interrupt)?;
    while interrupt.sleep(&SystemClock, LOOK) {
        service.look();
    }
    let cut = service.stop(GRACE);
    if cut > 0 {
        tracing::warn!(connections = cut, "cut what did not end in time");
    }
    Ok(Exit::Ok)
}

fn export(
    context: &Context<'_>,
    publisher: &Publisher,
    out: Option<&Path>,
) -> Result<Exit, Failure> {
    let export = Export::of(publisher);
    let Some(folder) = out else {
        let Some(first) = export.files.first() else {
            return Err(Failure::new(
                Exit::Unexpected,
                "there is nothing to publish",
            ));
        };
        report::lines([&first.content])?;
        return Ok(Exit::Ok);
    };
    for file in &export.files {
        let path = folder.join(&file.path);
        replace(&path, &file.content).map_err(|source| {
            let path = path.clone();
            Error::Output { path, source }
        })?;
    }
    let valid_until = export
        .valid_until
        .and_then(|time| jiff::Timestamp::try_from(time).ok())
        .map(|time| format!("{time:.0}"));
    let paths: Vec<_> = export
        .files
        .iter()
        .map(|file| folder.join(&file.path).display().to_string())
        .collect();
    if context.global.json {
        report::json(&json!({ "files": paths, "valid_until": valid_until }))?;
        return Ok(Exit::Ok);
    }
    let again = valid_until.map(|until| format!("export again by {until}"));
    report::text(paths.into_iter().chain(again))?;
    Ok(Exit::Ok)
}

/// Whoever copies the folder meanwhile gets the old file or the new one.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    #[cfg(unix)]
    {
        // It is public, and another user's web server may have to read it.
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
    }
    file.persist(path)?;
    Ok(())
}
