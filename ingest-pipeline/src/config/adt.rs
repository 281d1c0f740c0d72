//! ADT messages and the fetches they lead to: what a connection says, and what
//! that comes to.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::check::{self, is_plain};
use super::{ConfigError, Connection};
use crate::vendor::Profile;

/// `[connections.NAME.adt]`: patients in ADT messages, and what is fetched of
/// them. `ingest fetch` fetches the same.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adt {
    /// Resource types that are searched for by patient. The Patient itself is
    /// always read.
    pub types: Option<Vec<String>>,
    /// Resource types that are read where what was found refers to them.
    pub follow: Option<Vec<String>>,
    /// How many references away from what was found they may be; 0 for none.
    pub depth: Option<u32>,
    /// Resources on a page of a search (`_count`).
    pub page_size: Option<u32>,
    /// Requests of a fetch at a time.
    pub concurrency: Option<u32>,
    /// Whether the server can search by `_lastUpdated`, so that a later fetch
    /// of a patient takes what has changed. Where it is not said, the vendor
    /// profile decides, and then the server's CapabilityStatement.
    pub last_updated: Option<bool>,
    /// Types of the identifiers in PID-3 that may be the patient's (PID-3.5,
    /// HL7 table 0203), the preferred one first.
    pub identifier_types: Option<Vec<String>>,
    /// Assigning authority (PID-3.4) that the identifier has to be of, by its
    /// namespace or its universal id. Without one, any will do.
    pub assigning_authority: Option<String>,
    /// Assigning authorities, by namespace or universal id, and the
    /// `identifier.system` of each.
    #[serde(default)]
    pub authority_systems: BTreeMap<String, String>,
    /// Whether PID-2 serves where PID-3 has no usable identifier.
    pub fallback_pid2: Option<bool>,
    /// Whether PID-4 serves where PID-3 has no usable identifier.
    pub fallback_pid4: Option<bool>,
    /// Longest message in bytes.
    pub message_bytes: Option<u64>,
}

/// Patients in ADT messages, and what is fetched of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AdtSettings {
    /// Resource types that are searched for by patient, besides the Patient.
    pub types: Vec<String>,
    /// Resource types that are read where what was found refers to them.
    pub follow: Vec<String>,
    /// How many references away from what was found they may be.
    pub depth: u32,
    /// Resources on a page of a search.
    pub page_size: u32,
    /// Requests of a fetch at a time.
    pub concurrency: u32,
    /// Whether the server can search by `_lastUpdated`; `None` where its
    /// CapabilityStatement has to tell.
    pub last_updated: Option<bool>,
    /// Types of identifiers in PID-3, the preferred one first.
    pub identifier_types: Vec<String>,
    /// Assigning authority that the identifier has to be of.
    pub assigning_authority: Option<String>,
    /// Assigning authorities and the `identifier.system` of each.
    pub authority_systems: BTreeMap<String, String>,
    /// Whether PID-2 serves where PID-3 has no usable identifier.
    pub fallback_pid2: bool,
    /// Whether PID-4 serves where PID-3 has no usable identifier.
    pub fallback_pid4: bool,
    /// Longest message in bytes.
    pub message_bytes: u64,
    /// `identifier.system` of medical record numbers.
    mrn_system: Option<String>,
}

impl AdtSettings {
    pub(super) fn new(connection: &Connection, profile: &Profile) -> Self {
        let own = &connection.adt;
        let list = |own: &Option<Vec<String>>, usual: &[&str]| {
            let usual = || usual.iter().map(|&name| name.to_owned()).collect();
            own.clone().unwrap_or_else(usual)
        };
        // The Patient is read in any case, and not searched for.
        let mut types = list(&own.types, TYPES);
        types.retain(|name| name != "Patient");
        Self {
            types,
            follow: list(&own.follow, FOLLOW),
            depth: own.depth.unwrap_or(2),
            page_size: own.page_size.unwrap_or(100),
            concurrency: own.concurrency.unwrap_or(4),
            // A server that does not know `_since` has no such index.
            last_updated: own.last_updated.or((!profile.since).then_some(false)),
            identifier_types: list(&own.identifier_types, &["MR"]),
            assigning_authority: own.assigning_authority.clone(),
            authority_systems: own.authority_systems.clone(),
            fallback_pid2: own.fallback_pid2.unwrap_or(false),
            fallback_pid4: own.fallback_pid4.unwrap_or(false),
            message_bytes: own.message_bytes.unwrap_or(16 << 20),
            mrn_system: connection.mrn_system.clone(),
        }
    }

    /// The `identifier.system` of identifiers of an assigning authority, given
    /// as the parts of a HD (HL7 v2.9.1, 2A.3.36), each of them maybe empty:
    /// as the configuration says, else `mrn_system`, else what a universal id
    /// of type `ISO`, `UUID`, `URI` or `URL` comes to.
    #[must_use]
    pub fn identifier_system(
        &self,
        namespace: &str,
        universal_id: &str,
        universal_id_type: &str,
    ) -> Option<String> {
        let configured = [universal_id, namespace]
            .into_iter()
            .filter(|name| !name.is_empty())
            .find_map(|name| self.authority_systems.get(name));
        if let Some(system) = configured.or(self.mrn_system.as_ref()) {
            return Some(system.clone());
        }
        if universal_id.is_empty() {
            return None;
        }
        match universal_id_type.to_ascii_uppercase().as_str() {
            "ISO" => Some(format!("urn:oid:{universal_id}")),
            "UUID" => Some(format!("urn:uuid:{}", universal_id.to_ascii_lowercase())),
            "URI" | "URL" => Some(universal_id.to_owned()),
            _ => None,
        }
    }

    /// All types that a fetch reads.
    pub(super) fn all_types(&self) -> Vec<String> {
        let mut all = vec!["Patient".to_owned()];
        for name in self.types.iter().chain(&self.follow) {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
        all
    }
}

const TYPES: &[&str] = &["Encounter", "Observation", "Condition", "MedicationRequest"];
const FOLLOW: &[&str] = &[
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "Medication",
    "DocumentReference",
];

/// What can't be used, as the checks of a connection's other values.
pub(super) fn check(connection: &Connection) -> Result<(), ConfigError> {
    let own = &connection.adt;
    for (key, types) in [("types", &own.types), ("follow", &own.follow)] {
        for name in types.iter().flatten() {
            check::resource_type(key, name).map_err(|error| check::in_table("adt", error))?;
        }
    }
    let fail = |key, problem: &str| check::fail_in("adt", key, problem);
    if own.follow.iter().flatten().any(|name| name == "Patient") {
        return fail(
            "follow",
            "records of other patients are not read: leave `Patient` out",
        );
    }
    for (key, value, most) in [
        ("page_size", own.page_size, 10_000),
        ("concurrency", own.concurrency, 32),
    ] {
        if value.is_some_and(|value| !(1..=most).contains(&value)) {
            return fail(key, &format!("it is from 1 to {most}"));
        }
    }
    if own.depth.is_some_and(|depth| depth > 5) {
        return fail("depth", "it is 5 at most");
    }
    let types = own.identifier_types.as_ref();
    if types.is_some_and(|types| types.is_empty() || types.iter().any(|name| !is_plain(name))) {
        return fail(
            "identifier_types",
            "name at least one, such as `MR`, without spaces",
        );
    }
    let names = own.authority_systems.keys().chain(&own.assigning_authority);
    for name in names {
        if name.trim() != name || name.is_empty() || name.contains(char::is_control) {
            let key = match own.authority_systems.contains_key(name) {
                true => "authority_systems",
                false => "assigning_authority",
            };
            return fail(
                key,
                "an assigning authority is a namespace or a universal id, without spaces around it",
            );
        }
    }
    if own
        .authority_systems
        .values()
        .any(|system| !is_plain(system))
    {
        return fail(
            "authority_systems",
            "the system of one is empty or has spaces",
        );
    }
    if own
        .message_bytes
        .is_some_and(|bytes| !(1024..=1 << 30).contains(&bytes))
    {
        return fail(
            "message_bytes",
            "it is a number of bytes, from 1024 to 1073741824",
        );
    }
    Ok(())
}
