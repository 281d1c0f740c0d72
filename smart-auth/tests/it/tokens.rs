//! What is made of tokens: their life, their scopes, and who shares them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fhir_http::testing::Replay;
use fhir_http::{Authorize, Origin};
use http::Request;
use serde_json::json;
use smart_auth::{Error, Secret, StaticToken};

use crate::support::{BASE, TOKEN_URL, World, answer, now, refusal, token};

#[test]
fn a_token_is_renewed_in_time() {
    let never = json!(null);
    for (expires_in, kept, renewed) in [
        (json!(20), 14, 15),
        (json!(60), 44, 45),
        (json!(300), 239, 240),
        (json!("300"), 239, 240),
        (json!(300.0), 239, 240),
        (json!(3600), 3539, 3540),
        (never, 239, 240),
        (json!(0), 239, 240),
        (json!(-1), 239, 240),
        (json!("soon"), 239, 240),
        (json!("NaN"), 239, 240),
        (json!("inf"), 24 * 3600 - 61, 24 * 3600 - 60),
        (json!(1e300), 24 * 3600 - 61, 24 * 3600 - 60),
        (json!(u64::MAX), 24 * 3600 - 61, 24 * 3600 - 60),
    ] {
        let first = json!({
            "access_token": "t1", "token_type": "Bearer", "expires_in": expires_in,
        });
        let world = World::new(Replay::new().answer(answer(200, first)).answer(token("t2")));
        let backend = world.backend().build().unwrap();
        let bearer = || backend.token().unwrap().access_token().expose().to_owned();
        assert_eq!(bearer(), "t1");
        world.clock.advance(Duration::from_secs(kept));
        assert_eq!(bearer(), "t1", "{expires_in}");
        world.clock.advance(Duration::from_secs(renewed - kept));
        assert_eq!(bearer(), "t2", "{expires_in}");
    }
}

#[test]
fn a_token_without_a_life_has_the_one_that_is_assumed() {
    for (expires_in, renewed) in [(json!(null), 9), (json!(20), 15)] {
        let first = json!({
            "access_token": "t1", "token_type": "Bearer", "expires_in": expires_in,
        });
        let world = World::new(Replay::new().answer(answer(200, first)));
        let assumed = Duration::from_secs(12);
        let backend = world.backend().assumed_lifetime(assumed).build().unwrap();
        let token = backend.token().unwrap();
        assert_eq!(token.renew_at(), now() + Duration::from_secs(renewed));
        assert_eq!(token.expires_in().is_some(), !expires_in.is_null());
    }
}

#[test]
fn threads_share_one_request() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let all = arrived.clone();
    let replay = Replay::new().answer_with(move |_| {
        while all.load(Ordering::SeqCst) < 8 {
            std::thread::yield_now();
        }
        Ok(token("t1").map(|body| body.into_bytes().into()))
    });
    let world = World::new(replay);
    let backend = world.backend().build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                arrived.fetch_add(1, Ordering::SeqCst);
                assert_eq!(backend.token().unwrap().access_token().expose(), "t1");
            });
        }
    });
    assert_eq!(world.replay.requests().len(), 1);
}

#[test]
fn a_refused_token_is_replaced_once() {
    let replay = Replay::new()
        .answer(token("t1"))
        .answer(answer(401, ""))
        .answer(token("t2"))
        .answer(answer(200, "{}"))
        .answer(answer(200, "{}"));
    let world = World::new(replay);
    let backend = Arc::new(world.backend().build().unwrap());
    let origin = Origin::of(&BASE.parse().unwrap()).unwrap();
    let fhir = world.client.clone().authorized(origin, backend.clone());
    let get = || {
        let request = Request::get(format!("{BASE}/Patient/1"))
            .body(Vec::new())
            .unwrap();
        fhir.send(request).unwrap().status()
    };
    assert_eq!(get(), 200);
    assert_eq!(get(), 200);
    let sent = |index: usize| world.replay.requests()[index].headers()["authorization"].clone();
    assert_eq!(sent(1), "Bearer t1");
    assert_eq!(sent(3), "Bearer t2");
    assert_eq!(sent(4), "Bearer t2");
    assert!(sent(4).is_sensitive());

    // A request that went out with the first token comes back late.
    let mut late = Request::new(()).into_parts().0;
    assert!(!backend.refused(&late), "it had no credentials");
    late.headers
        .insert("authorization", "Bearer t1".parse().unwrap());
    assert!(backend.refused(&late));
    assert_eq!(backend.token().unwrap().access_token().expose(), "t2");
}

#[test]
fn granted_scopes_are_compared() {
    for (scope, missing) in [
        (json!(null), ""),
        (json!(""), ""),
        (json!("system/Patient.read system/Observation.read"), ""),
        (json!("system/*.rs"), ""),
        (json!(["system/Patient.rs", "system/Observation.rs"]), ""),
        (json!("system/Patient.rs"), "system/Observation.rs"),
        (
            json!("system/Patient.r  system/Observation.rs"),
            "system/Patient.rs",
        ),
        (json!("openid"), "system/Patient.rs system/Observation.rs"),
    ] {
        let body = json!({ "access_token": "t", "token_type": "BEARER", "scope": scope });
        let world = World::new(Replay::new().answer(answer(200, body)));
        let token = world.backend().build().unwrap().token().unwrap();
        assert_eq!(token.missing().to_string(), missing, "{scope}");
    }
}

#[test]
fn reports_what_a_connection_test_shows() {
    let body = json!({
        "access_token": "t", "token_type": "bearer", "expires_in": 60, "scope": "system/*.rs",
    });
    let world = World::new(Replay::new().answer(answer(200, body)));
    let backend = world.backend().build().unwrap();
    assert!(backend.configuration().unwrap().is_none());
    assert_eq!(backend.token_endpoint().unwrap(), TOKEN_URL);
    let assertion = backend.assertion().unwrap().unwrap();
    assert_eq!(assertion.algorithm().as_str(), "ES384");
    let token = backend.request_token().unwrap();
    assert_eq!(token.expires_in(), Some(Duration::from_secs(60)));
    assert_eq!(token.renew_at(), now() + Duration::from_secs(45));
    assert_eq!(token.granted().to_string(), "system/*.rs");
    assert_eq!(token.algorithm(), Some(assertion.algorithm()));
    assert_eq!(token.kid(), Some(assertion.kid()));
    assert_eq!(
        backend.token().unwrap().access_token().expose(),
        "t",
        "it is kept"
    );
}

#[test]
fn an_answer_that_is_no_token_is_told_apart() {
    for (status, body, says) in [
        (200, "<html>".to_owned(), "200 OK with an HTML page"),
        (200, String::new(), "an empty body"),
        (200, "nonsense".to_owned(), "can't be understood"),
        (200, "{}".to_owned(), "no access token"),
        (
            200,
            json!({ "access_token": 1 }).to_string(),
            "no access token",
        ),
        (
            200,
            json!({ "access_token": "" }).to_string(),
            "can't stand in a header",
        ),
        (
            200,
            json!({ "access_token": "a\r\nX: y" }).to_string(),
            "can't stand in a header",
        ),
        (
            200,
            json!({ "access_token": "a", "token_type": "mac" }).to_string(),
            "type bearer",
        ),
        (401, String::new(), "401 Unauthorized with an empty body"),
        (404, "<html>".to_owned(), "404 Not Found with an HTML page"),
    ] {
        let world = World::new(Replay::new().answer(answer(status, &body)));
        let error = world.backend().build().unwrap().token().unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{body}: {error:?}");
        assert!(error.to_string().contains(says), "{body}: {error}");
        assert!(error.to_string().contains("auth.example"), "{error}");
        assert_eq!(error.hint().is_some(), status >= 400);
    }
    let world = World::new(Replay::new().answer(refusal(200, "invalid_client")));
    let error = world.backend().build().unwrap().token().unwrap_err();
    assert!(
        matches!(error, Error::Refused(_)),
        "some servers refuse with 200"
    );
}

#[test]
fn a_token_from_elsewhere_is_sent_as_it_is() {
    let mut parts = Request::new(()).into_parts().0;
    let fixed = StaticToken::new(&Secret::new("t0")).unwrap();
    fixed.authorize(&mut parts).unwrap();
    assert_eq!(parts.headers["authorization"], "Bearer t0");
    assert!(!fixed.refused(&parts), "there is no other one");
    assert!(StaticToken::new(&Secret::new("")).is_err());
    assert!(StaticToken::new(&Secret::new("a b")).is_err());
}
