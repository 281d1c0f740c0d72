//! Properties over any input.

use fhir_http::testing::Replay;
use proptest::collection::vec;
use proptest::prelude::*;
use smart_auth::{Scope, ScopeSet, SmartConfiguration, Syntax};

use crate::support::{BASE, World};

/// Access to types.
fn accesses() -> impl Strategy<Value = String> {
    "(system|user|patient)/(\\*|Patient|[A-Z][a-z]{1,8})\\.(read|write|\\*|c?r?u?d?s)(\\?[a-z]=[a-z|:/]{0,8})?"
}

/// Scopes as they come, and as they might.
fn scopes() -> impl Strategy<Value = String> {
    prop_oneof![
        accesses(),
        "(system|user)/(\\*|[A-Z][a-z]{1,8})\\.\\$[a-z-]{1,12}",
        "[!#-\\[\\]-~]{1,24}",
    ]
}

proptest! {
    #[test]
    fn a_scope_comes_back_as_written(text in scopes()) {
        let scope: Scope = text.parse().unwrap();
        prop_assert_eq!(scope.to_string(), text.clone());
        prop_assert!(scope.covers(&scope));
        prop_assert!(text.starts_with(scope.name()));
    }

    #[test]
    fn any_text_is_a_scope_or_refused(text in ".{0,40}") {
        if let Ok(scope) = text.parse::<Scope>() {
            prop_assert_eq!(scope.to_string(), text);
        }
    }

    #[test]
    fn a_set_comes_back_as_written(texts in vec(scopes(), 0..8)) {
        let set: ScopeSet = texts.join(" ").parse().unwrap();
        prop_assert_eq!(&set.to_string().parse::<ScopeSet>().unwrap(), &set);
        prop_assert!(set.missing(&set).is_empty());
    }

    #[test]
    fn all_access_covers_any_access(text in accesses(), narrow in accesses()) {
        let scope: Scope = text.parse().unwrap();
        let everything: ScopeSet = "system/*.cruds user/*.* patient/*.cruds".parse().unwrap();
        prop_assert!(everything.covers(&scope));
        prop_assert!(!scope.is_write() || !Scope::system("*", Syntax::V2).unwrap().covers(&scope));
        // Covering goes through.
        let narrow: Scope = narrow.parse().unwrap();
        let read = Scope::system("Patient", Syntax::V1).unwrap();
        prop_assert!(!(scope.covers(&narrow) && narrow.covers(&read)) || scope.covers(&read));
    }

    #[test]
    fn a_wider_grant_covers_no_less(texts in vec(scopes(), 1..6), more in scopes()) {
        let set: ScopeSet = texts.join(" ").parse().unwrap();
        let wider: ScopeSet = format!("{set} {more}").parse().unwrap();
        for text in &texts {
            let scope: Scope = text.parse().unwrap();
            prop_assert!(wider.covers(&scope));
        }
    }

    #[test]
    fn any_configuration_is_read_or_refused(body in vec(any::<u8>(), 0..128), endpoint in ".{0,40}") {
        let _ = SmartConfiguration::parse(BASE, &body);
        let document = serde_json::json!({ "token_endpoint": endpoint }).to_string();
        if let Ok(found) = SmartConfiguration::parse(BASE, document.as_bytes()) {
            prop_assert_eq!(found.token_endpoint.scheme_str(), Some("https"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_answer_is_a_token_or_an_error(status in 200_u16..600, body in vec(any::<u8>(), 0..128)) {
        let replay = (0..12).fold(Replay::new(), |replay, _| {
            replay.answer(http::Response::builder().status(status).body(body.clone()).unwrap())
        });
        let world = World::new(replay);
        let result = world.backend().build().unwrap().token();
        prop_assert!(result.is_err(), "{:?}", result);
    }
}
