use fhir_http::RetryPolicy;
use smart_auth::{BackendServices, Error, Secret, SmartConfiguration, Syntax};

use super::exchange::{self, BASE, Script, TOKENS};
use super::{CANARY, Entry, assert_silent, told};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, texts};

/// A SMART configuration, and the answers of the token endpoint it names.
pub(super) const SMART: Entry = Entry {
    target: Target {
        name: "smart",
        check,
        grammar: Grammar {
            tokens: TOKENS,
            separators: b"{}[],:\"\n ",
            pairs: &[("[", "]"), ("{\"a\":", "}"), ("\"", "\"")],
        },
    },
    seeds: Seeds::written(|| {
        texts(&[
            concat!(
                "200\nContent-Type: application/json\n\n",
                r#"{"token_endpoint":"https://auth.example/token","authorization_endpoint":"/authorize","issuer":"https://ehr.example","token_endpoint_auth_methods_supported":["private_key_jwt"],"token_endpoint_auth_signing_alg_values_supported":"RS384 ES384","scopes_supported":["system/*.rs"],"capabilities":["permission-v2"],"grant_types_supported":["client_credentials"]}"#,
                "\n===\n200\n\n",
                r#"{"access_token":"Kanarienvogel-7","token_type":"bearer","expires_in":"300","scope":"system/Patient.rs system/Observation.rs?patient=Kanarienvogel-7"}"#,
            ),
            concat!(
                "200\n\n{\"token_endpoint\":\"https://auth.example/token\"}",
                "\n===\n400\nDate: Fri, 02 Jan 2026 04:05:05 GMT\n\n",
                r#"{"error":"invalid_client","error_description":"Kanarienvogel-7","error_uri":"https://auth.example/Kanarienvogel-7"}"#,
                "\n===\n503\nRetry-After: 5\n\n<html>Kanarienvogel-7",
            ),
            "404\n\n\n===\n200\n\n{\"token_endpoint\":\"http://127.0.0.1:8080/token\"}\n===\n200\n\n{\"access_token\":\"Kanarienvogel-7\",\"token_type\":\"Bearer\",\"expires_in\":1e3,\"scope\":[\"system/Patient.read\"]}",
        ])
    }),
    smoke: 8_000,
};

fn check(input: &[u8]) -> Outcome {
    let documents = exchange::answers(input);
    let document = documents.first().map(|answer| answer.body().as_slice());
    let mut outcome = configuration(document.unwrap_or_default());

    // Errors name the host, and a document may name any.
    let named = documents.iter().any(|answer| {
        let read = SmartConfiguration::parse(BASE, answer.body());
        read.is_ok_and(|read| {
            read.token_endpoint
                .host()
                .is_some_and(|host| host.contains(CANARY))
        })
    });
    let script = Script::new(input);
    let mut policy = RetryPolicy::default();
    policy.attempts = 3;
    let scopes = "system/Patient.rs system/Observation.rs"
        .parse()
        .expect("scopes");
    let backend = BackendServices::builder(script.plain_client().retry(policy), "client-1")
        .fhir_base(BASE)
        .discovery_at_host_root(true)
        .client_secret_basic(Secret::new("Kanarienvogel-7"))
        .scopes(scopes)
        .build()
        .expect("a client");
    outcome = match backend.token() {
        Ok(token) => {
            assert_silent(&format!(
                "{token:?} {:?} {}",
                token.access_token(),
                token.access_token()
            ));
            assert!(
                token
                    .access_token()
                    .expose()
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic())
            );
            assert!(token.renew_at() >= exchange::now());
            outcome
                .with(
                    token
                        .expires_in()
                        .map(|life| life.as_secs().leading_zeros()),
                )
                .size(token.granted().iter().count())
                .size(token.missing().iter().count())
        }
        Err(error) => {
            if let Error::Refused(refusal) = &error {
                assert!(refusal.code().len() <= 40);
                let _ = refusal.hint();
            }
            match named {
                true => outcome.text(&error.to_string()),
                false => outcome.text(&told(&error)),
            }
        }
    };
    outcome.size(script.requests())
}

fn configuration(document: &[u8]) -> Outcome {
    match SmartConfiguration::parse(BASE, document) {
        Err(error) => Outcome::new().text(&told(&error)),
        Ok(read) => {
            let uri = &read.token_endpoint;
            let loopback = ["127.0.0.1", "localhost", "[::1]"];
            let is_safe = uri.scheme_str() == Some("https")
                || uri
                    .host()
                    .is_some_and(|host| loopback.contains(&host) || host.starts_with("127."));
            assert!(is_safe, "credentials would go anywhere");
            Outcome::new()
                .with((read.takes(Syntax::V1), read.takes(Syntax::V2)))
                .with((read.authorization_endpoint.is_some(), read.issuer.is_some()))
                .size(read.token_endpoint_auth_methods_supported.len())
                .size(read.scopes_supported.len())
        }
    }
}
