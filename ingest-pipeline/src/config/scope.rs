//! SMART scopes: which ones are asked for, and which ones may not be.

use super::{Connection, ScopeSyntax};
use crate::vendor::Profile;

/// Scopes as listed, or how they are made.
#[derive(Clone, Debug)]
pub(super) struct Scopes {
    listed: Option<Vec<String>>,
    syntax: ScopeSyntax,
    extra: Vec<String>,
}

impl Scopes {
    pub(super) fn new(connection: &Connection, profile: &Profile) -> Self {
        let extra = connection.extra_scopes.as_ref();
        Self {
            listed: connection.scopes.clone(),
            syntax: connection.scope_syntax.unwrap_or(profile.scope_syntax),
            extra: extra.unwrap_or(&profile.extra_scopes).clone(),
        }
    }

    /// Those for an export of these types.
    pub(super) fn of(&self, types: &[String]) -> Vec<String> {
        let mut scopes = self.to_read(types);
        if self.listed.is_none() {
            for extra in &self.extra {
                if !scopes.contains(extra) {
                    scopes.push(extra.clone());
                }
            }
        }
        scopes
    }

    /// Those to read resources of these types; of all where there are none.
    pub(super) fn to_read(&self, types: &[String]) -> Vec<String> {
        if let Some(scopes) = &self.listed {
            return scopes.clone();
        }
        let access = match self.syntax {
            ScopeSyntax::V1 => "read",
            ScopeSyntax::V2 => "rs",
        };
        let any = ["*".to_owned()];
        let types = if types.is_empty() { &any } else { types };
        types
            .iter()
            .map(|name| format!("system/{name}.{access}"))
            .collect()
    }
}

/// Whether a SMART scope lets its owner change anything: `.write` and `.*` of
/// version 1, `c`, `u` and `d` of version 2.
///
/// `smart_auth` has the last word on it before a scope is sent. It comes with
/// cryptography, which a build without the feature `bulk` does without, while
/// a configuration is checked in every build and with lines.
pub(super) fn writes(scope: &str) -> bool {
    let Some((_, resource)) = scope.split_once('/') else {
        return false;
    };
    let resource = resource.split('?').next().unwrap_or_default();
    let Some((_, access)) = resource.rsplit_once('.') else {
        return false;
    };
    let access = access.to_ascii_lowercase();
    let letters = access.bytes().all(|byte| b"cruds".contains(&byte));
    access == "write" || access == "*" || letters && access.contains(['c', 'u', 'd'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_that_write_are_told() {
        for (scope, expected) in [
            ("system/Patient.read", false),
            ("system/*.read", false),
            ("system/Patient.rs", false),
            ("system/Patient.r", false),
            ("system/*.rs?category=laboratory", false),
            ("system/Observation.rs?code=a.write", false),
            ("system/Patient.$export", false),
            ("system/*.$bulkdata-status", false),
            ("openid", false),
            ("launch/patient", false),
            ("system/Patient.write", true),
            ("system/Patient.WRITE", true),
            ("system/Patient.*", true),
            ("system/*.*", true),
            ("system/Patient.cruds", true),
            ("system/Patient.rus", true),
            ("system/Patient.c", true),
            ("system/Patient.d?x=y", true),
            ("user/Patient.write", true),
            ("patient/*.*", true),
        ] {
            assert_eq!(writes(scope), expected, "{scope}");
            #[cfg(feature = "bulk")]
            {
                let parsed: smart_auth::Scope = scope.parse().expect(scope);
                assert_eq!(parsed.is_write(), expected, "{scope}");
            }
        }
    }
}
