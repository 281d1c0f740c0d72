//! The vendor profiles that are compiled in.

use std::time::Duration;

use ingest_pipeline::config::{ConfigError, KickOff, TypeList};
use ingest_pipeline::vendor::Profile;

use crate::connections::{SECONDS, settings};

#[test]
fn every_vendor_has_a_profile() {
    let names: Vec<_> = Profile::names().collect();
    assert_eq!(
        names,
        [
            "athenahealth",
            "eclinicalworks",
            "epic",
            "generic",
            "meditech",
            "nextgen",
            "openemr",
            "oracle-health",
            "veradigm"
        ]
    );
}

#[test]
fn profiles_are_sane_and_say_where_they_have_it_from() {
    for name in Profile::names() {
        let profile = Profile::named(name).expect(name);
        assert!(!profile.display_name.is_empty(), "{name}");
        assert!(
            !profile.levels.is_empty() && !profile.algorithms.is_empty(),
            "{name}"
        );
        assert!((1..=16).contains(&profile.parallel_downloads), "{name}");
        assert!(
            profile
                .requests_per_minute
                .is_none_or(|limit| (10..=6000).contains(&limit)),
            "{name}"
        );
        assert!(profile.poll_min >= Duration::from_secs(1), "{name}");
        assert!(profile.poll_min <= profile.poll_max, "{name}");
        assert!(profile.poll_max <= Duration::from_secs(3600), "{name}");
        let days = profile.deadline.as_secs() / 86_400;
        assert!((1..=90).contains(&days), "{name}");
        let lifetime = profile.token_lifetime.expect("each has one");
        assert!((20..=3600).contains(&lifetime.as_secs()), "{name}");
        for scope in &profile.extra_scopes {
            assert!(
                scope.starts_with("system/") && scope.contains('.'),
                "{name}: {scope}"
            );
            let access = scope.rsplit('.').next().unwrap_or_default();
            assert!(
                access == "read" || access.starts_with('$'),
                "{name}: {scope}"
            );
        }
        assert!(name == "generic" || !profile.notes.is_empty(), "{name}");
        assert!(profile.sources.len() > 15, "{name}");
        for (key, source) in &profile.sources {
            assert!(
                source.len() >= 10 && !source.starts_with('/'),
                "{name}: {key}"
            );
        }
    }
}

#[test]
fn what_a_profile_has_can_be_overridden_or_is_listed_as_fixed() {
    let fixed = ["anonymous", "display_name", "notes"];
    let keys: Vec<_> = Profile::KEYS.iter().map(|(value, _)| *value).collect();
    for name in Profile::names() {
        let profile = Profile::named(name).expect(name);
        for value in profile.sources.keys() {
            let known = keys.contains(&value.as_str()) || fixed.contains(&value.as_str());
            assert!(known, "{name}: {value}");
        }
    }
}

#[test]
fn an_unknown_vendor_is_answered_with_the_nearest() {
    for (name, nearest) in [
        ("epik", "epic"),
        ("Cerner-oracle", "oracle-health"),
        ("athena", "athenahealth"),
        ("ecw", "eclinicalworks"),
        ("OpenEMR", "openemr"),
    ] {
        match Profile::named(name).expect_err(name) {
            ConfigError::UnknownVendor { known, .. } => {
                assert_eq!(known.len(), 9);
                assert!(
                    known[..3].contains(&nearest.to_owned()),
                    "{name}: {known:?}"
                );
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn vendors_habits_reach_the_settings() {
    let of = |vendor: &str| settings(&format!("vendor = \"{vendor}\"\nclient_id = \"c\""));
    assert_eq!(of("eclinicalworks").http.requests_per_minute, Some(240));
    assert_eq!(of("openemr").token_lifetime, Some(SECONDS(60)));
    assert_eq!(of("openemr").http.first_byte_timeout, SECONDS(900));
    assert_eq!(of("oracle-health").bulk.type_list, TypeList::Comma);
    assert_eq!(of("oracle-health").bulk.kick_off, KickOff::Get);
    // Where it is looked for credentials may go to another server of the host.
    for name in Profile::names() {
        let settings = of(name);
        assert_eq!(
            settings.discovery_at_host_root,
            name == "meditech",
            "{name}"
        );
        assert_eq!(settings.retry_bare_400, name == "epic", "{name}");
    }
}
