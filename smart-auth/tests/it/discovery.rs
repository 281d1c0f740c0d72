//! Where the SMART configuration is looked for, and what is made of those that
//! vendors serve.

use fhir_http::testing::Replay;
use fhir_http::{Client, TransportError};
use serde_json::{Value, json};
use smart_auth::{Algorithm, Error, SmartConfiguration, Syntax};

use crate::support::{BASE, World, answer};

const AT_BASE: &str = "https://ehr.example/api/FHIR/R4/.well-known/smart-configuration";
const AT_ROOT: &str = "https://ehr.example/.well-known/smart-configuration";

fn document() -> Value {
    json!({ "token_endpoint": "https://auth.example/token" })
}

fn login_page() -> http::Response<String> {
    let mut page = answer(200, "<!doctype html><title>Sign in</title>");
    page.headers_mut()
        .insert("content-type", "text/html".parse().unwrap());
    page
}

type Fetch = fn(&Client, &str) -> Result<SmartConfiguration, Error>;

fn fetch_by(fetch: Fetch, replay: Replay) -> (Result<SmartConfiguration, Error>, Vec<String>) {
    let world = World::new(replay);
    let result = fetch(&world.client, BASE);
    let requests = world.replay.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.headers()["accept"] == "application/json")
    );
    (
        result,
        requests
            .iter()
            .map(|request| request.uri().to_string())
            .collect(),
    )
}

fn fetch(replay: Replay) -> (Result<SmartConfiguration, Error>, Vec<String>) {
    fetch_by(SmartConfiguration::fetch_or_at_host_root, replay)
}

#[test]
fn is_looked_for_below_the_base() {
    let (result, urls) = fetch(Replay::new().answer(answer(200, document())));
    assert_eq!(result.unwrap().token_endpoint, "https://auth.example/token");
    assert_eq!(urls, [AT_BASE]);
}

#[test]
fn a_slash_at_the_end_of_the_base_changes_nothing() {
    let world = World::new(Replay::new().answer(answer(200, document())));
    SmartConfiguration::fetch(&world.client, &format!("{BASE}/")).unwrap();
    assert_eq!(world.replay.requests()[0].uri(), AT_BASE);
}

#[test]
fn the_root_is_another_place() {
    for first in [answer(404, ""), answer(503, ""), login_page()] {
        let replay = (0..6).fold(Replay::new(), |replay, _| replay.answer(first.clone()));
        let (result, urls) = fetch_by(SmartConfiguration::fetch, replay);
        assert!(matches!(result, Err(Error::Discovery { .. })), "{result:?}");
        assert!(urls.iter().all(|url| url == AT_BASE), "{urls:?}");
    }
}

#[test]
fn is_looked_for_below_the_root_next_where_that_is_allowed() {
    let large = format!("[{}1]", "1,".repeat(1 << 20));
    for first in [
        answer(404, ""),
        answer(401, "{}"),
        answer(400, "<html>"),
        login_page(),
        answer(200, "\n <html>"),
        answer(200, ""),
        answer(200, "[]"),
        answer(200, "{}"),
        answer(200, large),
        answer(
            200,
            json!({ "token_endpoint": "http://auth.example/token" }),
        ),
    ] {
        let (result, urls) = fetch(Replay::new().answer(first).answer(answer(200, document())));
        assert_eq!(result.unwrap().token_endpoint, "https://auth.example/token");
        assert_eq!(urls, [AT_BASE, AT_ROOT]);
    }
}

#[test]
fn what_is_wrong_at_the_base_is_what_is_told() {
    for (first, says) in [
        (answer(404, ""), "404 Not Found"),
        (login_page(), "an HTML page"),
        (answer(200, ""), "an empty body"),
        (answer(200, "{}"), "names no token_endpoint"),
        (
            answer(200, json!({ "token_endpoint": "ftp://auth.example" })),
            "no https URL",
        ),
        (
            answer(200, "[".repeat(1 << 21)),
            "longer than 1048576 bytes",
        ),
    ] {
        let (result, _) = fetch(Replay::new().answer(first).answer(answer(404, "")));
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Discovery { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(
            error.to_string().contains("ehr.example/api/FHIR/R4/"),
            "{error}"
        );
    }
}

#[test]
fn without_a_response_there_is_no_second_place() {
    let error = TransportError::Tls("untrusted".into());
    let (result, urls) = fetch(Replay::new().fail(error));
    assert!(matches!(
        result,
        Err(Error::Http {
            from: "SMART configuration",
            ..
        })
    ));
    assert_eq!(urls, [AT_BASE]);
}

#[test]
fn at_the_root_already_there_is_no_second_place() {
    let world = World::new(Replay::new().answer(answer(404, "")));
    let fetch = SmartConfiguration::fetch_or_at_host_root;
    let error = fetch(&world.client, "https://ehr.example").unwrap_err();
    assert!(matches!(error, Error::Discovery { .. }));
    assert_eq!(world.replay.requests()[0].uri(), AT_ROOT);
}

#[test]
fn a_base_that_is_no_https_url_is_refused() {
    for base in [
        "",
        "ehr.example",
        "ftp://ehr.example",
        "http://ehr.example/r4",
        "https://u:p@h/",
    ] {
        let error = SmartConfiguration::parse(base, document().to_string().as_bytes());
        assert!(matches!(error, Err(Error::Url { .. })), "{base}");
    }
    let here = SmartConfiguration::parse("http://127.0.0.1:8080/r4", br#"{"token_endpoint":"t"}"#);
    assert_eq!(here.unwrap().token_endpoint, "http://127.0.0.1:8080/r4/t");
}

#[test]
fn endpoints_are_absolute_or_below_the_base() {
    for (endpoint, resolved) in [
        (
            "https://auth.example/oauth2/token",
            "https://auth.example/oauth2/token",
        ),
        (" https://auth.example/t ", "https://auth.example/t"),
        // As written, since it is the audience.
        (
            "https://Auth.example/a/../t%2f",
            "https://Auth.example/a/../t%2f",
        ),
        ("token", "https://ehr.example/api/FHIR/R4/token"),
        ("/oauth2/token", "https://ehr.example/oauth2/token"),
        (
            "../oauth2/token",
            "https://ehr.example/api/FHIR/oauth2/token",
        ),
        ("//auth.example/token", "https://auth.example/token"),
    ] {
        let document = json!({ "token_endpoint": endpoint, "authorization_endpoint": endpoint });
        let parsed = SmartConfiguration::parse(BASE, document.to_string().as_bytes()).unwrap();
        assert_eq!(parsed.token_endpoint.to_string(), resolved);
        assert_eq!(parsed.authorization_endpoint.unwrap().to_string(), resolved);
    }
    for endpoint in [
        "",
        " ",
        "http://auth.example/token",
        "mailto:a@b",
        "https://u@h/",
        "//",
    ] {
        let document = json!({ "token_endpoint": endpoint });
        let error = SmartConfiguration::parse(BASE, document.to_string().as_bytes());
        assert!(
            matches!(error, Err(Error::Discovery { .. })),
            "{endpoint:?}"
        );
    }
}

#[test]
fn lists_may_be_missing_misnamed_or_of_another_shape() {
    struct Case {
        vendor: &'static str,
        document: Value,
        methods: &'static [&'static str],
        rs384: Option<bool>,
    }
    let token_endpoint = "https://auth.example/token";
    for Case {
        vendor,
        document,
        methods,
        rs384,
    } in [
        Case {
            vendor: "only what is needed",
            document: json!({ "token_endpoint": token_endpoint }),
            methods: &[],
            rs384: None,
        },
        Case {
            vendor: "as the specification has it",
            document: json!({
                "token_endpoint": token_endpoint,
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
            }),
            methods: &["private_key_jwt"],
            rs384: Some(true),
        },
        Case {
            vendor: "misnamed",
            document: json!({
                "token_endpoint": token_endpoint,
                "token_endpoint_auth_methods": ["client_secret_basic"],
            }),
            methods: &["client_secret_basic"],
            rs384: None,
        },
        Case {
            vendor: "both names",
            document: json!({
                "token_endpoint": token_endpoint,
                "token_endpoint_auth_methods": ["client_secret_jwt", "private_key_jwt"],
                "token_endpoint_auth_methods_supported": ["private_key_jwt", "none"],
            }),
            methods: &["private_key_jwt", "none", "client_secret_jwt"],
            rs384: None,
        },
        Case {
            vendor: "null, a text, numbers",
            document: json!({
                "token_endpoint": token_endpoint,
                "token_endpoint_auth_methods_supported": "private_key_jwt none",
                "token_endpoint_auth_signing_alg_values_supported": ["ES384", 384],
                "scopes_supported": null,
                "grant_types_supported": 1,
                "issuer": ["x"],
            }),
            methods: &["private_key_jwt", "none"],
            rs384: Some(false),
        },
    ] {
        let parsed = SmartConfiguration::parse(BASE, document.to_string().as_bytes()).unwrap();
        assert_eq!(
            parsed.token_endpoint_auth_methods_supported, methods,
            "{vendor}"
        );
        assert_eq!(parsed.verifies(Algorithm::Rs384), rs384, "{vendor}");
    }
}

#[test]
fn capabilities_tell_the_syntax_of_scopes() {
    let document = json!({
        "token_endpoint": "https://auth.example/token",
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
    });
    let parsed = SmartConfiguration::parse(BASE, document.to_string().as_bytes()).unwrap();
    assert!(parsed.takes(Syntax::V2));
    assert!(!parsed.takes(Syntax::V1));
    assert!(parsed.has_capability("client-confidential-asymmetric"));
}
