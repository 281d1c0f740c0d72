//! Connection, tenant and profile into one.

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::Credentials;
use super::scope::Scopes;
use super::settings::{Auth, BulkSettings, ConnectionSettings, ExportLevel, HttpSettings};
use super::{AdtSettings, ConfigError, Connection, Http, Level, Since, Tenant, check};
use crate::vendor::Profile;

pub(super) fn resolve(
    name: &str,
    connection: &Connection,
    tenant: &Tenant,
) -> Result<ConnectionSettings, ConfigError> {
    check::name(name)?;
    connection.validate()?;
    let profile = Profile::named(&connection.vendor)?;
    let base = trimmed(&connection.fhir_base);
    let bulk = bulk(connection, profile, &base);
    let mut bases = vec![base.clone()];
    for other in connection
        .bases
        .iter()
        .map(|url| trimmed(url))
        .chain([bulk.base.clone()])
    {
        if !bases.contains(&other) {
            bases.push(other);
        }
    }
    let wanted = Scopes::new(connection, profile);
    Ok(ConnectionSettings {
        name: name.to_owned(),
        tenant: connection.tenant.clone(),
        organization: tenant
            .organization
            .clone()
            .unwrap_or_else(|| "ingest".to_owned()),
        site_name: connection.site_name.clone(),
        profile,
        base,
        token_endpoint: connection.token_endpoint.clone(),
        discovery_at_host_root: connection
            .discovery_at_host_root
            .unwrap_or(profile.discovery_at_host_root),
        auth: auth(&connection.credentials(), tenant, profile)?,
        scopes: wanted.of(&connection.types),
        wanted,
        token_lifetime: connection.token_lifetime.or(profile.token_lifetime),
        retry_bare_400: connection.retry_bare_400.unwrap_or(profile.retry_bare_400),
        level: level(connection, profile),
        types: connection.types.clone(),
        type_filters: connection.type_filters.clone(),
        expected_types: connection.expected_types.clone(),
        source_system: connection
            .source_system
            .clone()
            .unwrap_or_else(|| format!("urn:ingest:{name}")),
        id_mode: connection.id_mode,
        id_key: tenant.id_key.clone(),
        mrn_system: connection.mrn_system.clone(),
        bases,
        triggers: connection.triggers.clone(),
        ack_mode: connection.ack_mode,
        accept_server_errors: connection.accept_server_errors,
        http: http(&connection.http, connection.client_id.as_deref(), profile),
        bulk,
        adt: AdtSettings::new(connection, profile),
    })
}

/// How a client proves who it is. `tenant` has the key ring.
pub(super) fn auth(
    own: &Credentials<'_>,
    tenant: &Tenant,
    profile: &Profile,
) -> Result<Auth, ConfigError> {
    let invalid = |problem: String| ConfigError::Invalid {
        table: Vec::new(),
        key: "client_id".to_owned(),
        problem,
    };
    let Some(client_id) = own.client_id.map(str::to_owned) else {
        if profile.anonymous {
            return Ok(Auth::Anonymous);
        }
        let vendor = &profile.display_name;
        return Err(invalid(format!("{vendor} gives no data without one")));
    };
    if let Some(key) = own.signing_key {
        return Ok(Auth::Key {
            client_id,
            file: key.file.clone(),
            kid: key.kid.clone(),
            alg: key.alg,
        });
    }
    if let Some(place) = own.client_secret {
        return Ok(Auth::Secret {
            client_id,
            place: place.clone(),
            method: own.client_secret_method.unwrap_or_default(),
        });
    }
    let Some(folder) = tenant.keys.clone() else {
        let problem =
            "nothing proves it: set `keys` of the tenant, `signing_key` or `client_secret`";
        return Err(invalid(problem.to_owned()));
    };
    let algorithms = own.algorithms.unwrap_or(&profile.algorithms);
    Ok(Auth::Ring {
        client_id,
        folder,
        key_file: tenant.key_file.clone(),
        algorithms: algorithms.to_vec(),
    })
}

fn level(connection: &Connection, profile: &Profile) -> Option<ExportLevel> {
    let by_group = || connection.group.clone().map(ExportLevel::Group);
    match connection.level {
        Some(Level::System) => Some(ExportLevel::System),
        Some(Level::Patient) => Some(ExportLevel::Patient),
        Some(Level::Group) => by_group(),
        None => by_group().or_else(|| match profile.levels.first()? {
            Level::System => Some(ExportLevel::System),
            Level::Patient => Some(ExportLevel::Patient),
            Level::Group => None,
        }),
    }
}

pub(super) fn http(own: &Http, client_id: Option<&str>, profile: &Profile) -> HttpSettings {
    let client_id = client_id.unwrap_or_default();
    let secret_headers: BTreeMap<_, _> = own
        .secret_headers
        .iter()
        .map(|(name, place)| (name.to_ascii_lowercase(), place.clone()))
        .collect();
    // The profile's are of no use without a client id they could name.
    let usual = profile
        .headers
        .iter()
        .filter(|(_, value)| !client_id.is_empty() || !value.contains(CLIENT_ID));
    let headers = usual
        .chain(&own.headers)
        .map(|(name, value)| {
            (
                name.to_ascii_lowercase(),
                value.replace(CLIENT_ID, client_id),
            )
        })
        .filter(|(name, _)| !secret_headers.contains_key(name))
        .collect();
    HttpSettings {
        connect_timeout: own.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        first_byte_timeout: own
            .first_byte_timeout
            .or(profile.first_byte_timeout)
            .unwrap_or(FIRST_BYTE_TIMEOUT),
        read_timeout: own.read_timeout.unwrap_or(READ_TIMEOUT),
        retries: own.retries.unwrap_or(RETRIES),
        proxy: own.proxy.clone(),
        proxy_credentials: own.proxy_credentials.clone(),
        ca_file: own.ca_file.clone(),
        client_certificate: own.client_certificate.clone(),
        headers,
        secret_headers,
        requests_per_minute: own.requests_per_minute.or(profile.requests_per_minute),
    }
}

fn bulk(connection: &Connection, profile: &Profile, base: &str) -> BulkSettings {
    let own = &connection.bulk;
    let mut poll_min = own.poll_min.unwrap_or(profile.poll_min);
    let mut poll_max = own.poll_max.unwrap_or(profile.poll_max);
    // One of the two given alone moves the other's default out of its way.
    match own.poll_min {
        Some(_) => poll_max = poll_max.max(poll_min),
        None => poll_min = poll_min.min(poll_max),
    }
    BulkSettings {
        base: own.base.as_deref().map_or_else(|| base.to_owned(), trimmed),
        since: own.since.unwrap_or(Since::Auto),
        since_supported: own.since_supported.unwrap_or(profile.since),
        type_list: own.type_list.unwrap_or(profile.type_list),
        kick_off: own.kick_off.unwrap_or(profile.kick_off),
        poll_min,
        poll_max,
        deadline: own.deadline.unwrap_or(profile.deadline),
        parallel_downloads: own.parallel_downloads.unwrap_or(profile.parallel_downloads),
        max_line: own.max_line.unwrap_or(MAX_LINE),
        job_interval: own.job_interval.or(profile.job_interval),
    }
}

/// Without slashes at the end.
pub(super) fn trimmed(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Searches and kick-offs of large groups are slow to begin.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(120);
const READ_TIMEOUT: Duration = Duration::from_secs(120);
const RETRIES: u32 = 5;
const MAX_LINE: u64 = 64 * 1024 * 1024;
/// What a header's value has where the client id goes.
const CLIENT_ID: &str = "{client_id}";
