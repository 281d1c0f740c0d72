//! What EHR vendors' servers are known to want, as data.
//!
//! A profile is a set of defaults for a [connection](crate::config::Connection).
//! Servers differ between sites and change without notice, so a connection can
//! override every value; [`Profile::KEYS`] says by which key. Where each value
//! was learnt is kept with it.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;

use crate::config::{
    Algorithm, ConfigError, KickOff, Level, ScopeSyntax, TypeList, by_likeness, time,
};

/// How a vendor's servers behave.
///
/// What is not known of a vendor is as in the profile `generic`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Profile {
    /// The vendor's name for humans.
    pub display_name: String,
    /// Export levels, the preferred one first.
    pub levels: Vec<Level>,
    /// Whether there are open servers of the kind, without client ids.
    pub anonymous: bool,
    /// Whether `_since` is understood.
    pub since: bool,
    /// How `_type` lists are written.
    pub type_list: TypeList,
    /// Method of the kick-off request.
    pub kick_off: KickOff,
    /// Algorithms of client assertions, the preferred one first.
    pub algorithms: Vec<Algorithm>,
    /// How scopes are written.
    pub scope_syntax: ScopeSyntax,
    /// Scopes that bulk exports need besides those of the resource types.
    pub extra_scopes: Vec<String>,
    /// Requests within a minute, all of them counted.
    pub requests_per_minute: Option<u32>,
    /// Shortest wait between two looks at a running export, and the first one
    /// where the server asks for none; it doubles from look to look.
    #[serde(deserialize_with = "time::required")]
    pub poll_min: Duration,
    /// Longest wait, also where the server asks for a longer one.
    #[serde(deserialize_with = "time::required")]
    pub poll_max: Duration,
    /// How long an export may take.
    #[serde(deserialize_with = "time::required")]
    pub deadline: Duration,
    /// Files downloaded at a time.
    pub parallel_downloads: u32,
    /// Time from a request to the first byte of the response.
    #[serde(default, deserialize_with = "time::optional")]
    pub first_byte_timeout: Option<Duration>,
    /// Lifetime of a token whose response doesn't say it.
    #[serde(default, deserialize_with = "time::optional")]
    pub token_lifetime: Option<Duration>,
    /// Whether the token endpoint answers 400 for passing reasons.
    pub retry_bare_400: bool,
    /// Whether the discovery document may be at the host's root.
    pub discovery_at_host_root: bool,
    /// How long to wait between two exports of the same thing.
    #[serde(default, deserialize_with = "time::optional")]
    pub job_interval: Option<Duration>,
    /// Headers of requests to the FHIR server; `{client_id}` is replaced.
    pub headers: BTreeMap<String, String>,
    /// What an operator should know.
    pub notes: Vec<String>,
    /// Where each value was learnt.
    #[serde(skip)]
    pub sources: BTreeMap<String, String>,
}

impl Profile {
    /// Values of a profile, and the keys of a connection that override them.
    pub const KEYS: &[(&str, &str)] = &[
        ("levels", "level"),
        ("since", "bulk.since_supported"),
        ("type_list", "bulk.type_list"),
        ("kick_off", "bulk.kick_off"),
        ("algorithms", "algorithms"),
        ("scope_syntax", "scope_syntax"),
        ("extra_scopes", "extra_scopes"),
        ("requests_per_minute", "http.requests_per_minute"),
        ("poll_min", "bulk.poll_min"),
        ("poll_max", "bulk.poll_max"),
        ("deadline", "bulk.deadline"),
        ("parallel_downloads", "bulk.parallel_downloads"),
        ("first_byte_timeout", "http.first_byte_timeout"),
        ("token_lifetime", "token_lifetime"),
        ("retry_bare_400", "retry_bare_400"),
        ("discovery_at_host_root", "discovery_at_host_root"),
        ("job_interval", "bulk.job_interval"),
        ("headers", "http.headers"),
    ];

    /// The profile of this name.
    ///
    /// # Errors
    /// When there is none; the error names those there are.
    pub fn named(name: &str) -> Result<&'static Self, ConfigError> {
        PROFILES
            .get(name)
            .ok_or_else(|| ConfigError::UnknownVendor {
                name: name.to_owned(),
                known: by_likeness(name, Self::names()),
            })
    }

    /// The profile of any server.
    pub(crate) fn generic() -> &'static Self {
        &PROFILES["generic"]
    }

    /// The names of all profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PROFILES.keys().copied()
    }
}

/// `NAME.toml` of each profile.
const FILES: &[(&str, &str)] = &[
    ("athenahealth", include_str!("profiles/athenahealth.toml")),
    (
        "eclinicalworks",
        include_str!("profiles/eclinicalworks.toml"),
    ),
    ("epic", include_str!("profiles/epic.toml")),
    ("generic", include_str!("profiles/generic.toml")),
    ("meditech", include_str!("profiles/meditech.toml")),
    ("nextgen", include_str!("profiles/nextgen.toml")),
    ("openemr", include_str!("profiles/openemr.toml")),
    ("oracle-health", include_str!("profiles/oracle-health.toml")),
    ("veradigm", include_str!("profiles/veradigm.toml")),
];

static PROFILES: LazyLock<BTreeMap<&'static str, Profile>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|&(name, text)| {
            // They are compiled in, and a test reads each.
            let profile = parse(text).unwrap_or_else(|error| panic!("profile {name}: {error}"));
            (name, profile)
        })
        .collect()
});

/// One value of a file and where it was learnt.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sourced {
    value: toml::Value,
    source: String,
}

/// Reads a file over the values of `generic`.
fn parse(text: &str) -> Result<Profile, toml::de::Error> {
    let mut values: BTreeMap<String, Sourced> = toml::from_str(GENERIC)?;
    values.extend(toml::from_str::<BTreeMap<String, Sourced>>(text)?);
    let mut table = toml::Table::new();
    let mut sources = BTreeMap::new();
    for (name, Sourced { value, source }) in values {
        table.insert(name.clone(), value);
        sources.insert(name, source);
    }
    let profile: Profile = table.try_into()?;
    Ok(Profile { sources, ..profile })
}

const GENERIC: &str = include_str!("profiles/generic.toml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_have_known_values_with_sources_and_no_others() {
        for (what, text) in [
            ("an unknown value", "pages = { value = 1, source = \"s\" }"),
            ("no source", "parallel_downloads = { value = 1 }"),
            ("a bare value", "parallel_downloads = 1"),
            (
                "another type",
                "parallel_downloads = { value = \"1\", source = \"s\" }",
            ),
            (
                "another word",
                "kick_off = { value = \"put\", source = \"s\" }",
            ),
        ] {
            assert!(parse(text).is_err(), "{what}");
        }
        let profile =
            parse("parallel_downloads = { value = 7, source = \"seen\" }").expect("a profile");
        assert_eq!(
            (
                profile.parallel_downloads,
                &*profile.sources["parallel_downloads"]
            ),
            (7, "seen")
        );
        assert_eq!(profile.display_name, "FHIR server");
    }

    #[test]
    fn vendor_files_say_only_what_is_theirs() {
        let values = |text| toml::from_str::<BTreeMap<String, Sourced>>(text).expect("TOML");
        let generic = values(GENERIC);
        for (name, text) in FILES.iter().filter(|(name, _)| *name != "generic") {
            let own = values(text);
            assert!(own.contains_key("display_name"), "{name}");
            for (key, Sourced { source, .. }) in &own {
                assert!(source.len() > 10 || key == "display_name", "{name}: {key}");
            }
            let silent = generic.keys().filter(|key| !own.contains_key(*key));
            assert!(silent.count() > 3, "{name} repeats generic");
        }
    }
}
