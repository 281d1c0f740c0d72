use std::time::Duration;

use crate::config::{Auth, ConnectionSettings, HttpSettings};

/// Where a server is, and how we come to be let in.
pub(super) struct Access<'a> {
    pub(super) base: &'a str,
    pub(super) token_endpoint: Option<&'a str>,
    pub(super) discovery_at_host_root: bool,
    pub(super) auth: &'a Auth,
    pub(super) scopes: &'a [String],
    /// Whether the scopes may grant writing.
    pub(super) may_write: bool,
    pub(super) token_lifetime: Option<Duration>,
    pub(super) retry_bare_400: bool,
    pub(super) http: &'a HttpSettings,
}

impl<'a> Access<'a> {
    /// To an EHR, which is only read.
    pub(super) fn of_ehr(settings: &'a ConnectionSettings) -> Self {
        Self {
            base: &settings.base,
            token_endpoint: settings.token_endpoint.as_deref(),
            discovery_at_host_root: settings.discovery_at_host_root,
            auth: &settings.auth,
            scopes: &settings.scopes,
            may_write: false,
            token_lifetime: settings.token_lifetime,
            retry_bare_400: settings.retry_bare_400,
            http: &settings.http,
        }
    }

    /// To the store.
    #[cfg(feature = "server")]
    pub(super) fn of_store(settings: &'a crate::config::StoreServer) -> Self {
        Self {
            base: &settings.base,
            token_endpoint: settings.token_endpoint.as_deref(),
            discovery_at_host_root: false,
            auth: &settings.auth,
            scopes: &settings.scopes,
            may_write: true,
            token_lifetime: settings.token_lifetime,
            retry_bare_400: false,
            http: &settings.http,
        }
    }
}
