//! Values that have the right type but can't be used. No value is repeated
//! that may be a secret in the wrong place: URLs, headers, ids.

use std::collections::BTreeSet;

use http::{HeaderName, HeaderValue, Uri};

use super::{ConfigError, Connection, Http, Level, adt, parse, scope};
use crate::vendor::Profile;

/// Headers that hold credentials, or that requests have of their own.
const OWN_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "prefer",
    "proxy-authorization",
    "range",
    "te",
    "transfer-encoding",
    "user-agent",
];

/// What names of headers have that hold credentials.
const SECRET_WORDS: &[&str] = &["secret", "token", "password", "key", "auth"];

pub(super) fn connection(connection: &Connection) -> Result<(), ConfigError> {
    if let Err(ConfigError::UnknownVendor { known, .. }) = Profile::named(&connection.vendor) {
        let hint = parse::hint(&connection.vendor, known.iter().map(String::as_str));
        return fail("vendor", format!("no such profile{hint}"));
    }
    base("fhir_base", &connection.fhir_base)?;
    for alias in &connection.bases {
        alias_of("bases", alias)?;
    }
    if let Some(endpoint) = &connection.token_endpoint {
        url("token_endpoint", endpoint)?;
    }
    credentials(connection)?;
    scopes("scopes", connection.scopes.iter().flatten())?;
    scopes("extra_scopes", connection.extra_scopes.iter().flatten())?;
    export(connection)?;
    identity(connection)?;
    triggers(connection)?;
    http(connection)?;
    bulk(connection)?;
    adt::check(connection)
}

/// What is wrong with the name of a connection, which becomes part of URNs and
/// file names.
pub(super) fn name(name: &str) -> Result<(), ConfigError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let first = name.bytes().next();
    if name.len() <= 64
        && first.is_some_and(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().all(plain)
    {
        return Ok(());
    }
    fail(
        "",
        "a name has at most 64 letters, digits, `-`, `_` and `.`, and begins with one of the first two",
    )
}

fn credentials(connection: &Connection) -> Result<(), ConfigError> {
    let id = connection.client_id.as_deref();
    if id.is_some_and(|id| !is_plain(id)) {
        return fail(
            "client_id",
            "it is empty or has spaces or control characters",
        );
    }
    if connection.signing_key.is_some() && connection.client_secret.is_some() {
        return fail(
            "client_secret",
            "a connection has either `signing_key` or `client_secret`, not both",
        );
    }
    if connection.client_secret.is_none() && connection.client_secret_method.is_some() {
        return fail("client_secret_method", "there is no `client_secret`");
    }
    for (key, given) in [
        ("signing_key", connection.signing_key.is_some()),
        ("client_secret", connection.client_secret.is_some()),
    ] {
        if given && id.is_none() {
            return fail(key, "there is no `client_id` to go with it");
        }
    }
    if connection.algorithms.as_ref().is_some_and(Vec::is_empty) {
        return fail("algorithms", "name one, or leave it out");
    }
    Ok(())
}

fn scopes<'a>(key: &str, mut scopes: impl Iterator<Item = &'a String>) -> Result<(), ConfigError> {
    scopes.try_for_each(|scope| {
        if !is_plain(scope) {
            return fail(
                key,
                "a scope is empty or has spaces; write one scope an entry",
            );
        }
        if scope::writes(scope) {
            let problem = format!(
                "`{scope}` lets this client write; EHRs are only read, so ask for \
                 `.read` (SMART 1) or `.rs` (SMART 2)"
            );
            return fail(key, problem);
        }
        Ok(())
    })
}

fn export(connection: &Connection) -> Result<(), ConfigError> {
    if let Some(group) = &connection.group {
        if !is_plain(group) || group.contains(['/', '?', '#', '%', '\\']) {
            return fail(
                "group",
                "it is no id of a Group, but the id alone is needed",
            );
        }
        if let Some(level @ (Level::System | Level::Patient)) = connection.level {
            let problem = format!("it has no effect while `level` is `{level}`");
            return fail("group", problem);
        }
    }
    for (key, types) in [
        ("types", &connection.types),
        ("expected_types", &connection.expected_types),
    ] {
        for name in types {
            resource_type(key, name)?;
            if key != "types" && !connection.types.is_empty() && !connection.types.contains(name) {
                return fail(key, format!("`{name}` is not among `types`"));
            }
        }
    }
    for filter in &connection.type_filters {
        let Some((name, query)) = filter
            .split_once('?')
            .filter(|(_, query)| !query.is_empty())
        else {
            return fail(
                "type_filters",
                "a filter has the form `Type?parameter=value`",
            );
        };
        resource_type("type_filters", name)?;
        if !connection.types.is_empty() && !connection.types.iter().any(|kind| kind == name) {
            return fail("type_filters", format!("`{name}` is not among `types`"));
        }
        if query.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return fail("type_filters", "a filter has spaces; write them as %20");
        }
    }
    Ok(())
}

pub(super) fn resource_type(key: &str, name: &str) -> Result<(), ConfigError> {
    if fhir_normalize::resource_type(name).is_some() {
        return Ok(());
    }
    // Types are written as in FHIR, where the first letter is a capital.
    let mut capital: String = name.to_owned();
    if let Some(first) = capital.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    match fhir_normalize::resource_type(&capital) {
        Some(right) => fail(key, format!("no resource type; did you mean `{right}`?")),
        None => fail(key, format!("{name:?} is no FHIR R4 resource type")),
    }
}

fn identity(connection: &Connection) -> Result<(), ConfigError> {
    if let Some(system) = &connection.source_system {
        let scheme = system.split_once(':').map(|(scheme, _)| scheme);
        let is_uri = scheme.is_some_and(|scheme| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        });
        if !is_uri || !is_plain(system) {
            return fail(
                "source_system",
                "it is no URI, such as `urn:example:memorial`",
            );
        }
    }
    // Real systems are not always URIs, so no more is asked for.
    if connection
        .mrn_system
        .as_deref()
        .is_some_and(|system| !is_plain(system))
    {
        return fail("mrn_system", "it is empty or has spaces");
    }
    Ok(())
}

fn triggers(connection: &Connection) -> Result<(), ConfigError> {
    for trigger in connection.triggers.iter().flatten() {
        let event = trigger
            .split_once('^')
            .map_or(trigger.as_str(), |(kind, event)| {
                let is_kind = kind.len() == 3 && kind.bytes().all(|b| b.is_ascii_uppercase());
                if is_kind { event } else { "" }
            });
        let is_event = event.len() == 3
            && event.starts_with(|c: char| c.is_ascii_uppercase())
            && event.bytes().skip(1).all(|b| b.is_ascii_alphanumeric());
        if trigger != "*" && !is_event {
            return fail(
                "triggers",
                "a trigger is written as `A01`, `ORU^R01` or `*`",
            );
        }
    }
    Ok(())
}

fn http(connection: &Connection) -> Result<(), ConfigError> {
    let http = &connection.http;
    let fail = |key, problem: &str| fail_in("http", key, problem);
    if let Some(proxy) = &http.proxy {
        let uri: Option<Uri> = proxy.parse().ok();
        let authority = uri.as_ref().and_then(Uri::authority);
        if authority.is_some_and(|authority| authority.as_str().contains('@')) {
            return fail(
                "proxy",
                "it holds a user name or password; keep them in `proxy_credentials`",
            );
        }
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        if authority.is_none() || !matches!(scheme, Some("http" | "https" | "socks4" | "socks5")) {
            return fail(
                "proxy",
                "it is no URL of a proxy, such as `http://proxy.example:3128`",
            );
        }
    } else if http.proxy_credentials.is_some() {
        return fail("proxy_credentials", "there is no `proxy`");
    }
    headers(http)?;
    if http.retries.is_some_and(|retries| retries > 20) {
        return fail("retries", "it is 20 at most");
    }
    if http.requests_per_minute == Some(0) {
        return fail("requests_per_minute", "it is at least 1");
    }
    Ok(())
}

fn headers(http: &Http) -> Result<(), ConfigError> {
    let fail = |key, problem| fail_in("http", key, problem);
    let names = http.headers.keys().map(|name| ("headers", name));
    let secret = http
        .secret_headers
        .keys()
        .map(|name| ("secret_headers", name));
    let mut seen = BTreeSet::new();
    for (key, name) in names.chain(secret) {
        let lower = name.to_ascii_lowercase();
        if OWN_HEADERS.contains(&lower.as_str()) {
            return fail(key, "one of them is not for the configuration to set");
        }
        if HeaderName::try_from(name).is_err() {
            return fail(key, "one of them has no valid name of an HTTP header");
        }
        if key == "headers" && SECRET_WORDS.iter().any(|word| lower.contains(word)) {
            return fail(
                key,
                "one of them looks like a secret; say in `secret_headers` where it is kept",
            );
        }
        if !seen.insert(lower) {
            return fail(key, "one of them is there twice");
        }
    }
    if http
        .headers
        .values()
        .any(|value| HeaderValue::try_from(value).is_err())
    {
        return fail("headers", "one of them is no valid HTTP header");
    }
    Ok(())
}

fn bulk(connection: &Connection) -> Result<(), ConfigError> {
    let bulk = &connection.bulk;
    if let Some(url) = &bulk.base {
        base("base", url).map_err(|error| in_table("bulk", error))?;
    }
    if let (Some(min), Some(max)) = (bulk.poll_min, bulk.poll_max)
        && min > max
    {
        return fail_in("bulk", "poll_max", "it is shorter than `poll_min`");
    }
    if bulk
        .parallel_downloads
        .is_some_and(|files| !(1..=64).contains(&files))
    {
        return fail_in("bulk", "parallel_downloads", "it is from 1 to 64");
    }
    if bulk.max_line.is_some_and(|bytes| bytes < 1024) {
        return fail_in("bulk", "max_line", "it is a number of bytes, at least 1024");
    }
    Ok(())
}

fn base(key: &str, base: &str) -> Result<(), ConfigError> {
    url(key, base)?;
    without_query(key, base)
}

/// References are only compared with it, so plain `http` is fine.
fn alias_of(key: &str, alias: &str) -> Result<(), ConfigError> {
    let uri: Option<Uri> = alias.parse().ok();
    match uri.as_ref().and_then(Uri::scheme_str) {
        Some("https" | "http") => without_query(key, alias),
        _ => fail(key, "one of them is no absolute URL"),
    }
}

fn without_query(key: &str, url: &str) -> Result<(), ConfigError> {
    match url.contains(['?', '#']) {
        true => fail(key, "a base URL has neither query nor fragment"),
        false => Ok(()),
    }
}

fn url(key: &str, url: &str) -> Result<(), ConfigError> {
    let uri: Uri = match url.parse() {
        Ok(uri) => uri,
        Err(_) => return fail(key, "it is no URL"),
    };
    match fhir_http::Origin::of(&uri) {
        Ok(_) => Ok(()),
        Err(fhir_http::Error::Url { problem, .. }) => fail(key, problem),
        Err(_) => fail(key, "it is no URL that can be used"),
    }
}

/// Neither empty nor with spaces or control characters.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// An error of a value in a table of the connection's.
pub(super) fn in_table(table: &str, error: ConfigError) -> ConfigError {
    match error {
        ConfigError::Invalid { key, problem, .. } => ConfigError::Invalid {
            table: vec![table.to_owned()],
            key,
            problem,
        },
        other => other,
    }
}

fn fail(key: &str, problem: impl Into<String>) -> Result<(), ConfigError> {
    Err(ConfigError::Invalid {
        table: Vec::new(),
        key: key.to_owned(),
        problem: problem.into(),
    })
}

pub(super) fn fail_in(table: &str, key: &str, problem: &str) -> Result<(), ConfigError> {
    Err(ConfigError::Invalid {
        table: vec![table.to_owned()],
        key: key.to_owned(),
        problem: problem.to_owned(),
    })
}
