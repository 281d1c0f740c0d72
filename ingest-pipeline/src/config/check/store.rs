//! The store.

use fhir_http::Origin;
use http::Uri;

use super::{base, credentials, fail, http, is_scope, url};
use crate::config::{ConfigError, Connection, Store, scope};

/// `connections` are those of the configuration, by name.
pub(in crate::config) fn store<'a>(
    store: &Store,
    connections: impl Iterator<Item = (&'a String, &'a Connection)>,
) -> Result<(), ConfigError> {
    let Some(server) = &store.fhir else {
        return match store.first_of_server() {
            Some(key) => fail(
                key,
                "it is for a store on a FHIR server, and `fhir` is not set",
            ),
            None => Ok(()),
        };
    };
    if store.sqlite.is_some() {
        return fail("fhir", "a store is either `sqlite` or `fhir`, not both");
    }
    base("fhir", server)?;
    is_no_ehr(server, connections)?;
    if let Some(endpoint) = &store.token_endpoint {
        url("token_endpoint", endpoint)?;
    }
    credentials(&store.credentials())?;
    scopes(store)?;
    http(&store.http)?;
    for (key, number) in [
        ("bundle_writes", store.bundle_writes),
        ("concurrency", store.concurrency),
    ] {
        if number.is_some_and(|number| !(1..=1000).contains(&number)) {
            return fail(key, "it is from 1 to 1000");
        }
    }
    if store.bundle_bytes.is_some_and(|bytes| bytes < 1024) {
        return fail("bundle_bytes", "it is a number of bytes, at least 1024");
    }
    Ok(())
}

/// EHRs are only read.
fn is_no_ehr<'a>(
    server: &str,
    connections: impl Iterator<Item = (&'a String, &'a Connection)>,
) -> Result<(), ConfigError> {
    let own = place(server);
    for (name, connection) in connections {
        let mut bases = connection.bulk.base.iter().chain([&connection.fhir_base]);
        if bases.any(|base| own.is_some() && place(base) == own) {
            let problem = format!("it is the EHR of connection `{name}`, and EHRs are only read");
            return fail("fhir", problem);
        }
    }
    Ok(())
}

/// Where a server is, in however many ways its address is written.
fn place(base: &str) -> Option<(Origin, String)> {
    let uri: Uri = base.parse().ok()?;
    let path = uri.path().trim_end_matches('/').to_ascii_lowercase();
    Some((Origin::of(&uri).ok()?, path))
}

fn scopes(store: &Store) -> Result<(), ConfigError> {
    let Some(scopes) = &store.scopes else {
        return Ok(());
    };
    scopes.iter().try_for_each(|own| is_scope("scopes", own))?;
    if !scopes.iter().any(|own| scope::writes(own)) {
        return fail(
            "scopes",
            "none of them lets this client write; ask for `system/*.cruds` (SMART 2), or \
             `system/*.read` and `system/*.write` (SMART 1)",
        );
    }
    Ok(())
}
