//! What a connection can say about a server's habits. Each is a default of
//! the [vendor profile](crate::vendor::Profile) first.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::{Secret, time};

/// `[connections.NAME.http]`: every request of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Time for a connection to be there, TLS included.
    #[serde(default, deserialize_with = "time::optional")]
    pub connect_timeout: Option<Duration>,
    /// Time from the request to the first byte of the response.
    #[serde(default, deserialize_with = "time::optional")]
    pub first_byte_timeout: Option<Duration>,
    /// Time between bytes of a body. There is no limit for the whole of it.
    #[serde(default, deserialize_with = "time::optional")]
    pub read_timeout: Option<Duration>,
    /// How often a request is repeated when it fails for a passing reason.
    pub retries: Option<u32>,
    /// URL of a proxy, without user name and password.
    pub proxy: Option<String>,
    /// `user:password` for the proxy.
    pub proxy_credentials: Option<Secret>,
    /// PEM file of certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Certificate shown to the server (mutual TLS).
    pub client_certificate: Option<ClientCertificate>,
    /// Headers added to requests to the FHIR server, none of them secret.
    /// `{client_id}` in a value is replaced.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Further headers, by name, and where their values are, such as the key
    /// of a gateway.
    #[serde(default)]
    pub secret_headers: BTreeMap<String, Secret>,
    /// Requests within a minute, all of them counted.
    pub requests_per_minute: Option<u32>,
}

impl Http {
    pub(super) fn paths(&mut self, change: &mut dyn FnMut(&mut PathBuf)) {
        let headers = self.secret_headers.values_mut();
        for secret in self.proxy_credentials.iter_mut().chain(headers) {
            secret.path(change);
        }
        if let Some(file) = &mut self.ca_file {
            change(file);
        }
        if let Some(certificate) = &mut self.client_certificate {
            change(&mut certificate.cert_file);
            change(&mut certificate.key_file);
        }
    }
}

/// A certificate for mutual TLS, both files in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// The certificate and what its issuer's chain needs, the own one first.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

/// `[connections.NAME.bulk]`: Bulk Data exports of a connection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// Where exports are asked for, where that is not the FHIR base.
    pub base: Option<String>,
    /// Shortest wait between two looks at a running export, and the first one
    /// where the server asks for none; it doubles from look to look.
    #[serde(default, deserialize_with = "time::optional")]
    pub poll_min: Option<Duration>,
    /// Longest wait, also where the server asks for a longer one.
    #[serde(default, deserialize_with = "time::optional")]
    pub poll_max: Option<Duration>,
    /// How long an export may take before it is given up.
    #[serde(default, deserialize_with = "time::optional")]
    pub deadline: Option<Duration>,
    /// Files downloaded at a time.
    pub parallel_downloads: Option<u32>,
    /// Longest line in bytes; a longer one goes to the quarantine.
    pub max_line: Option<u64>,
    /// What an export starts from where the command doesn't say.
    pub since: Option<Since>,
    /// Whether the server understands `_since`. Where not, every export is
    /// a full one.
    pub since_supported: Option<bool>,
    /// How `_type` lists are written in a query.
    pub type_list: Option<TypeList>,
    /// Method of the kick-off request.
    pub kick_off: Option<KickOff>,
    /// How long the server makes wait between two exports of the same thing.
    #[serde(default, deserialize_with = "time::optional")]
    pub job_interval: Option<Duration>,
}

macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)+
        }

        /// The word that stands in the configuration.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)+
                })
            }
        }
    )+};
}

words! {
    /// Algorithm of a client assertion (RFC 7518).
    Algorithm {
        /// RSA PKCS #1 v1.5 with SHA-256.
        Rs256 = "RS256",
        /// RSA PKCS #1 v1.5 with SHA-384.
        Rs384 = "RS384",
        /// ECDSA on P-384 with SHA-384.
        Es384 = "ES384",
    }

    /// Whose data an export is.
    Level {
        /// All that the server has.
        System = "system",
        /// All patients.
        Patient = "patient",
        /// The patients of a group.
        Group = "group",
    }

    /// How SMART scopes are written.
    ScopeSyntax {
        /// `system/Patient.read` (SMART App Launch 1).
        V1 = "v1",
        /// `system/Patient.rs` (SMART App Launch 2).
        V2 = "v2",
    }

    /// How lists are written in a query.
    TypeList {
        /// `_type=Patient,Encounter`
        Comma = "comma",
        /// `_type=Patient&_type=Encounter`
        Repeat = "repeat",
    }

    /// Method of the kick-off request.
    KickOff {
        /// GET with a query.
        Get = "get",
        /// POST with a Parameters resource.
        Post = "post",
    }

    /// What an export starts from.
    Since {
        /// From where the last complete one ended.
        Auto = "auto",
        /// From the beginning.
        Full = "full",
    }
}
