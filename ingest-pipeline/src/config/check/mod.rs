//! Values that have the right type but can't be used. No value is repeated
//! that may be a secret in the wrong place: URLs, headers, ids.

mod server;
mod store;

use http::Uri;

use super::{ConfigError, Connection, Level, adt, parse, scope};
use crate::vendor::Profile;
pub(super) use server::Credentials;
use server::{base, credentials, http, url};
pub(super) use store::store;

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
    credentials(&connection.credentials())?;
    scopes_to_read("scopes", connection.scopes.iter().flatten())?;
    scopes_to_read("extra_scopes", connection.extra_scopes.iter().flatten())?;
    export(connection)?;
    identity(connection)?;
    triggers(connection)?;
    http(&connection.http)?;
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

fn scopes_to_read<'a>(
    key: &str,
    mut scopes: impl Iterator<Item = &'a String>,
) -> Result<(), ConfigError> {
    scopes.try_for_each(|scope| {
        is_scope(key, scope)?;
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

fn is_scope(key: &str, scope: &str) -> Result<(), ConfigError> {
    match is_plain(scope) {
        true => Ok(()),
        false => fail(
            key,
            "a scope is empty or has spaces; write one scope an entry",
        ),
    }
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
