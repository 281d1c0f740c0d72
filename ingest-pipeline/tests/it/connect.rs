//! How clients made from a configuration prove who they are.

use std::sync::Arc;
use std::time::Duration;

use ehr_sandbox::{Builder, RegisteredClient, Where};
use fhir_http::FhirClient;
use fhir_http::testing::{FakeClock, Replay};
use http::Response;
use ingest_pipeline::auth::{self, PrivateKey};
use ingest_pipeline::config::ConfigError;
use ingest_pipeline::connect::Connected;
use ingest_pipeline::{Error, ErrorKind, causes};

use crate::site::{BASE, CANARY, Files, RSA, Site, around, env, jwks, refused, rsa, start, works};

#[test]
fn an_open_server_gets_no_token() {
    let site = Site::new(Builder::open);
    let connected = site.connect("");
    assert!(connected.auth.is_none());
    let fhir = FhirClient::new(connected.fhir.clone(), &site.sandbox.base()).unwrap();
    assert!(!fhir.capabilities().unwrap().resources.is_empty());
    assert!(works(&site, &connected.fhir) && works(&site, &connected.bulk));
    assert!(site.sandbox.requests().iter().all(|seen| !seen.authorized));
}

#[test]
fn keys_sign_with_the_algorithm_that_is_configured_or_theirs() {
    let made = PrivateKey::generate_p384().unwrap();
    let es384 = || made.signing_key(auth::Algorithm::Es384).unwrap();
    for (file, own, lines, alg, kid) in [
        (RSA, rsa(), "", "RS384", None),
        (RSA, rsa(), ", alg = \"RS384\"", "RS384", None),
        (
            RSA,
            rsa(),
            ", alg = \"RS256\", kid = \"2026-01\"",
            "RS256",
            Some("2026-01"),
        ),
        (made.to_pem().expose(), es384(), "", "ES384", None),
        (
            made.to_pem().expose(),
            es384(),
            ", alg = \"ES384\"",
            "ES384",
            None,
        ),
    ] {
        let registered = match kid {
            Some(kid) => own.with_kid(kid),
            None => own,
        };
        let registered = match alg {
            "RS256" => registered.with_algorithm(auth::Algorithm::Rs256).unwrap(),
            _ => registered,
        };
        let client = RegisteredClient::new("app").jwks(jwks(&registered));
        let site = Site::new(|builder| builder.client(client));
        site.files.write("client.pem", file);
        let connected = site.connect(&format!(
            "client_id = \"app\"\nsigning_key = {{ file = \"client.pem\"{lines} }}"
        ));
        let token = connected.auth.as_ref().unwrap().token().expect(lines);
        assert_eq!(token.algorithm().map(auth::Algorithm::as_str), Some(alg));
        assert_eq!(token.kid(), Some(registered.public_jwk().kid()));
        assert!(works(&site, &connected.fhir) && works(&site, &connected.bulk));
        assert_eq!(
            site.sandbox.count(&Where::Token),
            1,
            "{lines}: one token for both"
        );
    }
}

#[test]
fn a_key_that_can_not_be_used_is_told_by_its_file() {
    let files = Files::new();
    let p256 = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n";
    files.write("none.pem", CANARY);
    files.write("other.pem", p256);
    files.write("rsa.pem", RSA);
    for (key, is_key) in [
        ("file = \"missing.pem\"", false),
        ("file = \"none.pem\"", true),
        ("file = \"other.pem\"", true),
        ("file = \"rsa.pem\", alg = \"ES384\"", true),
    ] {
        let error = refused(
            &files,
            &format!("client_id = \"c\"\nsigning_key = {{ {key} }}"),
        );
        assert_eq!(matches!(error, Error::SigningKey { .. }), is_key, "{key}");
        assert_eq!(matches!(error, Error::File { .. }), !is_key, "{key}");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains(".pem"), "{error}");
        assert!(!format!("{error:?}").contains("MIGH"), "{error:?}");
    }
}

#[test]
fn secrets_are_sent_as_configured() {
    let secret = env("SECRET").unwrap();
    for (place, method, basic) in [
        ("env = \"SECRET\"", "", true),
        ("file = \"s\"", "client_secret_method = \"basic\"", true),
        ("file = \"s\"", "client_secret_method = \"post\"", false),
    ] {
        let client = RegisteredClient::new("app").secret(secret.trim());
        let site = Site::new(|builder| builder.client(client));
        site.files.write("s", &secret);
        let connected = site.connect(&format!(
            "client_id = \"app\"\nclient_secret = {{ {place} }}\n{method}"
        ));
        assert!(works(&site, &connected.fhir), "{place} {method}");
        let requests = site.sandbox.requests();
        let token = requests
            .iter()
            .find(|seen| seen.place == Some(Where::Token));
        assert_eq!(token.unwrap().authorized, basic, "{method}");
        assert!(!format!("{requests:?}").contains(CANARY));
    }
    let site = Site::new(|builder| builder.client(RegisteredClient::new("app").secret("other")));
    let connected = site.connect("client_id = \"app\"\nclient_secret = { env = \"SECRET\" }");
    let error = Error::from(connected.auth.unwrap().token().unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Authentication);
    let shown = format!("{error:?} {} {:?}", causes(&error), error.hint());
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn a_secret_that_is_not_there_is_told_by_its_place() {
    let files = Files::new();
    files.write("empty", " \n");
    for (lines, place) in [
        (
            "client_secret = { env = \"NONE\" }",
            "the environment variable NONE",
        ),
        ("client_secret = { file = \"empty\" }", "empty"),
        ("client_secret = { file = \"missing\" }", "missing"),
        (
            "http.secret_headers = { X-Key = { env = \"NONE\" } }",
            "NONE",
        ),
        (
            "http = { proxy = \"http://proxy.example:3128\", proxy_credentials = { env = \"NONE\" } }",
            "NONE",
        ),
    ] {
        let key = "client_id = \"c\"\nsigning_key = { file = \"rsa.pem\" }\n";
        files.write("rsa.pem", RSA);
        let own = lines.starts_with("client");
        let lines = match own {
            true => format!("client_id = \"c\"\n{lines}"),
            false => format!("{key}{lines}"),
        };
        let error = refused(&files, &lines);
        assert!(
            matches!(error, Error::Config(ConfigError::NoSecret { .. })),
            "{lines}: {error:?}"
        );
        assert!(error.to_string().contains(place), "{error}");
    }
}

fn answer(status: u16, body: &str) -> Response<String> {
    Response::builder()
        .status(status)
        .body(body.to_owned())
        .unwrap()
}

#[test]
fn oddities_of_token_endpoints_reach_the_requests() {
    let files = Files::new();
    files.write("rsa.pem", RSA);
    let key = "client_id = \"c\"\nsigning_key = { file = \"rsa.pem\" }\n";
    let connect = |replay: Replay, lines: &str| {
        let clock = Arc::new(FakeClock::new(start()));
        let settings = files.settings(BASE, &format!("{key}{lines}"));
        Connected::new(&settings, &around(&clock, Some(Arc::new(replay))))
            .expect(lines)
            .auth
            .unwrap()
    };
    let named = "token_endpoint = \"https://ehr.example/token\"\n";
    let lifeless = || answer(200, "{\"access_token\":\"t\",\"token_type\":\"bearer\"}");

    for (lines, seconds) in [("", 240), ("token_lifetime = \"20s\"", 15)] {
        let auth = connect(Replay::new().answer(lifeless()), &format!("{named}{lines}"));
        let token = auth.token().unwrap();
        let renewed = token.renew_at().duration_since(start()).unwrap();
        assert_eq!(renewed, Duration::from_secs(seconds), "{lines}");
    }
    for (lines, again) in [
        ("", false),
        ("retry_bare_400 = true", true),
        ("vendor = \"epic\"", true),
        ("vendor = \"epic\"\nretry_bare_400 = false", false),
    ] {
        let replay = Replay::new()
            .answer(lifeless())
            .answer(answer(400, ""))
            .answer(lifeless());
        let auth = connect(replay, &format!("{named}{lines}"));
        auth.token().unwrap();
        assert_eq!(auth.request_token().is_ok(), again, "{lines}");
    }
    for (lines, found) in [
        ("", false),
        ("discovery_at_host_root = true", true),
        ("vendor = \"meditech\"", true),
        (
            "vendor = \"meditech\"\ndiscovery_at_host_root = false",
            false,
        ),
    ] {
        let replay = Replay::new().answer(answer(404, "")).answer(answer(
            200,
            "{\"token_endpoint\":\"https://ehr.example/token\"}",
        ));
        assert_eq!(
            connect(replay, lines).configuration().is_ok(),
            found,
            "{lines}"
        );
    }
}
