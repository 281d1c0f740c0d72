//! Scopes that grant writing, and who may ask for them.

use fhir_http::testing::Replay;
use smart_auth::{Error, ScopeSet};

use crate::support::{World, form, token};

const WRITING: [&str; 5] = [
    "system/*.cruds",
    "system/*.read system/*.write",
    "system/*.*",
    "system/Patient.rs system/Provenance.c",
    "system/Patient.d?active=false",
];

fn scopes(text: &str) -> ScopeSet {
    text.parse().unwrap()
}

#[test]
fn they_are_refused_before_anything_is_sent() {
    for text in WRITING {
        let world = World::new(Replay::new());
        let error = world.backend().scopes(scopes(text)).build().unwrap_err();
        assert!(matches!(error, Error::Scope(_)), "{text}: {error:?}");
        assert_eq!(world.replay.requests().len(), 0);
    }
}

#[test]
fn a_client_for_writing_asks_for_them_as_they_are() {
    for text in WRITING {
        let world = World::new(Replay::new().answer(token("t1")));
        // The order in which it is set up does not matter.
        let builder = world.backend().for_writing().scopes(scopes(text));
        builder.build().unwrap().token().unwrap();
        let requests = world.replay.requests();
        assert_eq!(form(&requests[0])["scope"], text);
    }
}

/// What else a client needs is asked for all the same.
#[test]
fn a_client_for_writing_may_only_read_as_well() {
    let world = World::new(Replay::new().answer(token("t1")));
    world
        .backend()
        .for_writing()
        .build()
        .unwrap()
        .token()
        .unwrap();
    let scope = &form(&world.replay.requests()[0])["scope"];
    assert_eq!(scope, "system/Patient.rs system/Observation.rs");
    let none = world.backend().for_writing().scopes(ScopeSet::new());
    assert!(matches!(none.build(), Err(Error::Setup { .. })));
}
