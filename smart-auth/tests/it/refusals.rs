//! What is said about a refusal of the token endpoint.

use fhir_http::testing::Replay;
use serde_json::json;
use smart_auth::{BackendServices, Error, OAuthError, Secret};

use crate::support::{TOKEN_URL, World, answer, refusal};

fn refused(world: &World) -> OAuthError {
    match world.backend().build().unwrap().token() {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn hints_name_the_likely_cause() {
    for (code, says) in [
        (
            "invalid_client",
            ["JWKS URL is registered", "same environment", "stale JWKS"],
        ),
        (
            "invalid_scope",
            [
                "system/Patient.rs",
                "system/Observation.rs",
                "registered for",
            ],
        ),
        (
            "unauthorized_client",
            ["backend (system) app", "enabled", "system/Patient.rs"],
        ),
        ("invalid_grant", ["client id", "token endpoint", "clock"]),
        (
            "unsupported_grant_type",
            ["client credentials", "backend", "token endpoint"],
        ),
        (
            "invalid_request",
            ["misses something", "token endpoint", "registered"],
        ),
        ("use_dpop_nonce", ["documentation", "this code", ""]),
    ] {
        let world = World::new(Replay::new().answer(refusal(400, code)));
        let refusal = refused(&world);
        assert_eq!(refusal.code(), code);
        for says in says {
            assert!(refusal.hint().contains(says), "{code}: {}", refusal.hint());
        }
        assert!(
            !refusal.hint().contains("clock of this machine is 6"),
            "{}",
            refusal.hint()
        );
        let error = Error::from(refusal.clone());
        assert_eq!(error.hint(), Some(refusal.hint()));
        assert_eq!(
            error.to_string(),
            format!("the token endpoint refused: {code} (status 400)")
        );
    }
}

#[test]
fn the_hint_about_a_secret_is_about_the_secret() {
    let world = World::new(Replay::new().answer(refusal(401, "invalid_client")));
    let backend = BackendServices::builder(world.client.clone(), "client-1")
        .token_endpoint(TOKEN_URL)
        .client_secret_post(Secret::new("s"))
        .scopes("system/*.read".parse().unwrap())
        .build()
        .unwrap();
    let hint = backend.token().unwrap_err().hint().unwrap();
    assert!(
        hint.contains("its secret") && !hint.contains("JWKS"),
        "{hint}"
    );
}

#[test]
fn scopes_that_the_server_names_are_told() {
    let body = json!({
        "error": "invalid_scope",
        "error_description": "Not allowed: 'system/Observation.rs', for patient Jane Roe.",
        "error_uri": "https://auth.example/errors/1",
    });
    let world = World::new(Replay::new().answer(answer(400, body)));
    let refusal = refused(&world);
    assert!(
        refusal
            .hint()
            .contains("names the scopes system/Observation.rs;")
    );
    assert!(!refusal.hint().contains("system/Patient.rs"));
    assert!(refusal.description().unwrap().contains("Jane Roe"));
    assert_eq!(refusal.uri(), Some("https://auth.example/errors/1"));
    assert_eq!(refusal.requested().len(), 2);
    assert_eq!(refusal.status(), 400);
}

#[test]
fn a_clock_that_is_off_is_told() {
    // The clock of the tests shows 2026-01-02T03:04:05Z.
    for (date, says) in [
        ("Fri, 02 Jan 2026 03:04:05 GMT", None),
        ("Fri, 02 Jan 2026 03:03:05 GMT", None),
        ("Fri, 02 Jan 2026 03:05:05 GMT", None),
        (
            "Fri, 02 Jan 2026 03:03:04 GMT",
            Some("61 s ahead of the server's"),
        ),
        (
            "Fri, 02 Jan 2026 03:14:05 GMT",
            Some("600 s behind the server's"),
        ),
        // Without a time there is only this much to say.
        (
            "yesterday",
            Some("check too that the clock of this machine"),
        ),
    ] {
        let mut answer = refusal(400, "invalid_client");
        answer.headers_mut().insert("date", date.parse().unwrap());
        let hint = refused(&World::new(Replay::new().answer(answer))).hint();
        match says {
            Some(says) => assert!(hint.contains(says), "{date}: {hint}"),
            None => assert!(!hint.contains("clock"), "{date}: {hint}"),
        }
    }
}

#[test]
fn what_does_not_look_like_a_code_is_not_shown() {
    for code in [
        "Jane Roe",
        "eyJhbGciOiJ9",
        "a".repeat(41).as_str(),
        "<html>",
        "Invalid_Client",
    ] {
        let world = World::new(Replay::new().answer(refusal(400, code)));
        let refusal = refused(&world);
        assert_eq!(refusal.code(), "other");
        assert!(!format!("{refusal} {refusal:?} {}", refusal.hint()).contains(code));
    }
}

#[test]
fn a_description_of_another_shape_does_no_harm() {
    for other in [json!(null), json!(["x"]), json!({ "x": 1 }), json!(5)] {
        let body = json!({ "error": "invalid_client", "error_description": other, "error_uri": 1 });
        let refusal = refused(&World::new(Replay::new().answer(answer(401, body))));
        assert_eq!(refusal.code(), "invalid_client");
        assert_eq!((refusal.description(), refusal.uri()), (None, None));
    }
}
