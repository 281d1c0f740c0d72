//! What to ask for: everything, or what changed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::state::Watermark;

/// From when on resources are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// What changed since the last completed run, everything where there is
    /// none.
    #[default]
    Auto,
    /// Everything.
    Full,
    /// What changed since an instant, as text of a FHIR instant.
    Instant(String),
}

/// What is exported. A watermark tells about its scope only: of a type that
/// was not asked for before, everything is missing, not only what is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) base: String,
    pub(crate) level: String,
    /// Empty: whatever the server gives.
    pub(crate) types: BTreeSet<String>,
    pub(crate) type_filters: BTreeSet<String>,
    pub(crate) source_system: String,
    pub(crate) id_mode: String,
}

impl Scope {
    /// The same text for the same scope.
    pub(crate) fn text(&self) -> String {
        // Strings and sets of strings always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Why an export of scope `earlier` was not also one of this scope; `None`
    /// where it was.
    fn beyond(&self, earlier: &str) -> Option<String> {
        let Ok(earlier) = serde_json::from_str::<Self>(earlier) else {
            return Some("what the last run exported is not known".to_owned());
        };
        if earlier.base != self.base || earlier.level != self.level {
            return Some("the last run exported from elsewhere".to_owned());
        }
        if earlier.source_system != self.source_system || earlier.id_mode != self.id_mode {
            return Some("resources get other ids than in the last run".to_owned());
        }
        if earlier.type_filters != self.type_filters {
            return Some("the type filters are not those of the last run".to_owned());
        }
        let new: Vec<_> = self
            .types
            .difference(&earlier.types)
            .map(String::as_str)
            .collect();
        if !earlier.types.is_empty() && (self.types.is_empty() || !new.is_empty()) {
            let new = if new.is_empty() {
                "all types".to_owned()
            } else {
                new.join(", ")
            };
            return Some(format!("not in the last run: {new}"));
        }
        None
    }
}

/// What a run asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The `_since` to send.
    pub(crate) since: Option<String>,
    /// Why everything is asked for although there was a run before.
    pub(crate) why_full: Option<String>,
}

impl Plan {
    /// `watermarks` are the newest first; `supported` is whether the server
    /// takes `_since` at its word.
    pub(crate) fn new(
        since: &Since,
        scope: &Scope,
        watermarks: &[Watermark],
        supported: bool,
    ) -> Self {
        let full = |why_full| Self {
            since: None,
            why_full,
        };
        let newest = match (since, watermarks.first()) {
            (Since::Full, _) | (Since::Auto, None) => return full(None),
            (Since::Instant(instant), _) => {
                return Self {
                    since: Some(instant.clone()),
                    why_full: None,
                };
            }
            (Since::Auto, Some(newest)) => newest,
        };
        if !supported {
            return full(Some("this server's _since can't be relied on".to_owned()));
        }
        match covering(scope, watermarks) {
            Some(watermark) => Self {
                since: Some(watermark.instant.clone()),
                why_full: None,
            },
            None => full(scope.beyond(&newest.scope)),
        }
    }
}

/// Whether the watermark may move to the time of an export of changes since
/// `since`: not when that is later than where the last one ended, which would
/// leave out what is between.
pub(crate) fn closes(since: Option<&str>, scope: &Scope, watermarks: &[Watermark]) -> bool {
    let Some(since) = since else { return true };
    let instant = |text: &str| text.parse::<jiff::Timestamp>().ok();
    covering(scope, watermarks).is_some_and(|watermark| {
        watermark.instant == since
            || instant(since)
                .zip(instant(&watermark.instant))
                .is_some_and(|(since, watermark)| since <= watermark)
    })
}

/// The newest watermark that tells about all of a scope.
fn covering<'w>(scope: &Scope, watermarks: &'w [Watermark]) -> Option<&'w Watermark> {
    watermarks
        .iter()
        .find(|watermark| scope.beyond(&watermark.scope).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(types: &[&str], level: &str) -> Scope {
        Scope {
            base: "https://ehr.example/fhir".to_owned(),
            level: level.to_owned(),
            types: types.iter().map(|&name| name.to_owned()).collect(),
            type_filters: BTreeSet::new(),
            source_system: "urn:s".to_owned(),
            id_mode: "preserve".to_owned(),
        }
    }

    #[test]
    fn a_watermark_tells_about_its_scope_only() {
        let instant = "2026-11-01T00:00:00.000Z";
        for (earlier, now, incremental) in [
            (
                scope(&["Patient"], "system"),
                scope(&["Patient"], "system"),
                true,
            ),
            (
                scope(&["Patient", "Encounter"], "system"),
                scope(&["Patient"], "system"),
                true,
            ),
            (scope(&[], "system"), scope(&["Patient"], "system"), true),
            (
                scope(&["Patient"], "system"),
                scope(&["Patient", "Encounter"], "system"),
                false,
            ),
            (scope(&["Patient"], "system"), scope(&[], "system"), false),
            (
                scope(&["Patient"], "group:1"),
                scope(&["Patient"], "group:2"),
                false,
            ),
            (
                scope(&["Patient"], "group:1"),
                scope(&["Patient"], "system"),
                false,
            ),
        ] {
            let watermark = Watermark {
                run: "r".to_owned(),
                scope: earlier.text(),
                instant: instant.to_owned(),
            };
            let plan = Plan::new(&Since::Auto, &now, std::slice::from_ref(&watermark), true);
            assert_eq!(
                plan.since.as_deref(),
                incremental.then_some(instant),
                "{now:?}"
            );
            assert_eq!(plan.why_full.is_none(), incremental);
            let full = Plan::new(&Since::Full, &now, std::slice::from_ref(&watermark), true);
            assert_eq!((full.since, full.why_full), (None, None));
            let unsupported =
                Plan::new(&Since::Auto, &now, std::slice::from_ref(&watermark), false);
            assert!(unsupported.since.is_none() && unsupported.why_full.is_some());
        }
    }

    #[test]
    fn an_instant_is_asked_for_as_it_was_given() {
        let since = Since::Instant("2026-11-01T00:00:00+01:00".to_owned());
        let plan = Plan::new(&since, &scope(&[], "system"), &[], false);
        assert_eq!(plan.since.as_deref(), Some("2026-11-01T00:00:00+01:00"));
    }

    #[test]
    fn a_narrower_run_does_not_hide_the_watermark_of_a_wider_one() {
        let watermark = |types: &[&str], instant: &str| Watermark {
            run: instant.to_owned(),
            scope: scope(types, "system").text(),
            instant: instant.to_owned(),
        };
        let watermarks = [
            watermark(&["Patient"], "2026-11-20T00:00:00Z"),
            watermark(&["Patient", "Encounter"], "2026-11-10T00:00:00Z"),
        ];
        let wide = scope(&["Patient", "Encounter"], "system");
        let plan = Plan::new(&Since::Auto, &wide, &watermarks, true);
        assert_eq!(plan.since.as_deref(), Some("2026-11-10T00:00:00Z"));
        for (since, may_move) in [
            (None, true),
            (Some("2026-11-10T00:00:00Z"), true),
            (Some("2026-11-10T01:00:00+01:00"), true),
            (Some("2026-11-01T00:00:00Z"), true),
            (Some("2026-11-10T00:00:01Z"), false),
        ] {
            assert_eq!(closes(since, &wide, &watermarks), may_move, "{since:?}");
        }
        assert!(
            !closes(Some("2026-11-01T00:00:00Z"), &wide, &[]),
            "nothing before it"
        );
    }
}
