//! What scopes grant, over both syntaxes.

use smart_auth::{Scope, ScopeError, ScopeSet, Syntax};

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

fn set(text: &str) -> ScopeSet {
    text.parse().unwrap()
}

#[test]
fn a_grant_covers_what_it_includes() {
    for (granted, requested, covers) in [
        ("system/Patient.read", "system/Patient.rs", true),
        ("system/Patient.rs", "system/Patient.read", true),
        ("system/Patient.r", "system/Patient.read", false),
        ("system/Patient.read", "system/Patient.r", true),
        ("system/*.read", "system/Patient.rs", true),
        ("system/*.rs", "system/*.read", true),
        ("system/Patient.rs", "system/*.rs", false),
        ("system/*.*", "system/Patient.read", true),
        ("system/Patient.cruds", "system/Patient.rs", true),
        ("system/Patient.write", "system/Patient.read", false),
        ("system/Patient.read", "system/Observation.read", false),
        ("user/Patient.read", "system/Patient.read", false),
        ("patient/Patient.rs", "system/Patient.rs", false),
        (
            "system/Observation.rs",
            "system/Observation.rs?category=laboratory",
            true,
        ),
        (
            "system/Observation.rs?category=laboratory",
            "system/Observation.rs",
            false,
        ),
        (
            "system/Observation.rs?category=laboratory",
            "system/Observation.read?category=laboratory",
            true,
        ),
        (
            "system/Observation.rs?category=laboratory",
            "system/Observation.rs?category=vital-signs",
            false,
        ),
        ("system/Patient.$export", "system/Patient.$export", true),
        ("system/*.$export", "system/Patient.$export", true),
        ("system/*.read", "system/Patient.$export", false),
        ("system/*.$export", "system/*.$bulkdata-status", false),
        ("openid", "openid", true),
        ("openid", "fhirUser", false),
        (
            "https://vendor.example/scope",
            "https://vendor.example/scope",
            true,
        ),
    ] {
        assert_eq!(
            scope(granted).covers(&scope(requested)),
            covers,
            "{granted} {requested}"
        );
    }
}

#[test]
fn grants_count_together() {
    let granted = set("system/Patient.r system/Patient.s system/Observation.r launch");
    assert!(granted.covers(&scope("system/Patient.read")));
    assert!(!granted.covers(&scope("system/Observation.read")));
    let requested = set("system/Patient.rs system/Observation.rs system/Group.read");
    assert_eq!(
        requested.missing(&granted).to_string(),
        "system/Observation.rs system/Group.read"
    );
    assert!(requested.missing(&requested).is_empty());
    assert_eq!(requested.missing(&ScopeSet::new()), requested);
}

#[test]
fn writing_is_told_however_it_is_written() {
    for (text, write) in [
        ("system/Patient.read", false),
        ("system/Patient.rs", false),
        ("system/*.rs", false),
        ("system/Patient.$export", false),
        ("system/*.$bulkdata-status", false),
        ("openid", false),
        ("launch/patient", false),
        ("system/Patient.write", true),
        ("system/Patient.*", true),
        ("system/*.*", true),
        ("system/Patient.c", true),
        ("system/Patient.cruds", true),
        ("system/Patient.rsd", true),
        ("system/Patient.Write", true),
        ("system/Patient.RSU", true),
        ("system/Patient.u?status=active", true),
        ("system/Patient.create", true),
        ("user/Patient.write", true),
        ("patient/*.write", true),
    ] {
        assert_eq!(scope(text).is_write(), write, "{text}");
        assert_eq!(set(text).require_read_only().is_err(), write, "{text}");
    }
    let error = set("system/Patient.rs system/Observation.u?patient=secret").require_read_only();
    let error = error.unwrap_err();
    assert_eq!(
        error,
        ScopeError::Write {
            name: "system/Observation.u".into()
        }
    );
}

#[test]
fn what_no_scope_may_hold_is_refused() {
    for text in [
        "",
        " ",
        "a b",
        "a\"b",
        "a\\b",
        "a\tb",
        "systém/Patient.read",
        "a\u{7f}",
    ] {
        assert_eq!(
            text.parse::<Scope>(),
            Err(ScopeError::Malformed),
            "{text:?}"
        );
    }
    assert_eq!(set("  ").len(), 0);
    assert!("system/Patient.rs sys\"tem".parse::<ScopeSet>().is_err());
    assert_eq!(
        ScopeSet::granted("system/Patient.rs sys\"tem").to_string(),
        "system/Patient.rs"
    );
}

#[test]
fn types_become_scopes_of_either_syntax() {
    let types = ["Patient", "Observation", "Patient"];
    for (syntax, text) in [
        (Syntax::V1, "system/Patient.read system/Observation.read"),
        (Syntax::V2, "system/Patient.rs system/Observation.rs"),
    ] {
        assert_eq!(
            ScopeSet::for_types(types, syntax).unwrap().to_string(),
            text
        );
    }
    for bad in [
        "",
        "Patient read",
        "Patient?x=y",
        "Pat/ient",
        "Patient.write",
    ] {
        assert!(Scope::system(bad, Syntax::V2).is_err(), "{bad}");
    }
    assert_eq!(scope("system/Patient.rs").resource_type(), Some("Patient"));
    assert_eq!(scope("system/*.rs").resource_type(), None);
}
