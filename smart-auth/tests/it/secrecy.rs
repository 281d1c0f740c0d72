//! Nothing secret in what is printed, told or logged.

use std::error::Error as _;
use std::io::Write;
use std::sync::{Arc, Mutex};

use fhir_http::testing::Replay;
use serde_json::json;
use smart_auth::{
    BackendServices, ClientAssertion, Error, Scope, Secret, SigningKey, SmartConfiguration,
    StaticToken,
};
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{BASE, Counter, TOKEN_URL, World, answer, form, now, p384, refusal};

const CANARY: &str = "kanarienvogel";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = format!("{error:?} {error:#?}");
    let mut next = Some(error);
    while let Some(error) = next {
        text.push_str(&format!(" {error}"));
        next = error.source();
    }
    text
}

#[test]
fn secret_types_show_nothing() {
    let scope = format!("system/*.rs?x={CANARY} {CANARY} system/O={CANARY}.rs system/*.{CANARY}");
    let world = World::new(Replay::new().answer(answer(
        200,
        json!({ "access_token": CANARY, "token_type": "bearer", "scope": scope }),
    )));
    let builder = || world.backend().client_secret_basic(Secret::new(CANARY));
    let backend = builder().build().unwrap();
    let token = backend.token().unwrap();
    let access = token.access_token();
    let fixed = StaticToken::new(&Secret::new(CANARY)).unwrap();
    assert_eq!(access.expose(), CANARY);
    let shown = format!(
        "{:?} {:#?} {backend:?} {token:?} {token:#?} {access:?} {access} {fixed:?} {:?}",
        builder(),
        builder(),
        world.replay.requests()[0].headers(),
    );
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("\"system/*.rs and 3 others\""), "{shown}");
    assert!(!shown.contains("Y2xpZW50LTE6a2FuYXJpZW52b2dlbA"), "{shown}");
}

#[test]
fn assertions_show_nothing() {
    let assertion = ClientAssertion::new("client-1", TOKEN_URL)
        .sign(&p384(), now(), &Counter::default())
        .unwrap();
    let shown = format!("{assertion:?} {assertion:#?}");
    for part in assertion.expose().split('.') {
        assert!(!shown.contains(part));
    }
}

#[test]
fn errors_show_nothing() {
    let mut errors: Vec<Box<dyn std::error::Error>> = vec![
        Error::from(SigningKey::parse(CANARY.as_bytes()).unwrap_err()).into(),
        StaticToken::new(&Secret::new(format!("{CANARY} {CANARY}")))
            .unwrap_err()
            .into(),
        format!("\"{CANARY}\"").parse::<Scope>().unwrap_err().into(),
        SmartConfiguration::parse(&format!("https://u:{CANARY}@h"), b"{}")
            .unwrap_err()
            .into(),
        SmartConfiguration::parse(BASE, CANARY.as_bytes())
            .unwrap_err()
            .into(),
    ];
    for (status, body) in [
        (
            400,
            json!({ "error": "invalid_client", "error_description": CANARY, "error_uri": CANARY }),
        ),
        (400, json!({ "error": format!("{CANARY} {CANARY}") })),
        (200, json!({ "access_token": [CANARY] })),
        (200, json!({ "access_token": format!("{CANARY}\n") })),
        (200, json!({ "access_token": CANARY, "token_type": CANARY })),
        (404, json!(CANARY)),
    ] {
        let world = World::new(Replay::new().answer(answer(status, body)));
        let backend = world
            .backend()
            .client_secret_post(Secret::new(CANARY))
            .build()
            .unwrap();
        let error = backend.token().unwrap_err();
        assert!(!error.hint().unwrap_or_default().contains(CANARY));
        errors.push(error.into());
    }
    for error in errors {
        let text = told(&*error);
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn logs_show_nothing() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let run = || {
        let world = World::new(
            Replay::new()
                .answer(answer(503, CANARY))
                .answer(answer(
                    200,
                    json!({ "access_token": CANARY, "token_type": "bearer", "scope": "openid" }),
                ))
                .answer(refusal(400, "invalid_client")),
        );
        let backend = BackendServices::builder(world.client.clone(), "client-1")
            .token_endpoint(format!("{TOKEN_URL}?key={CANARY}"))
            .signer(Arc::new(p384()))
            .scopes(format!("system/Patient.rs?name={CANARY}").parse().unwrap())
            .build()
            .unwrap();
        backend.token().unwrap();
        let error = backend.request_token().unwrap_err();
        assert!(error.source().is_none());
        assert!(!told(&error).contains(CANARY));
        assert!(!format!("{backend:?} {}", error.hint().unwrap()).contains(CANARY));
        world
    };
    // With one subscriber alone, an event that another thread meets first is
    // registered for good as of no interest to anybody.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    // Nor must that be under way in another thread when a subscriber comes.
    run();
    let world = tracing::subscriber::with_default(subscriber, run);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("did not grant every scope"), "{log}");
    assert!(log.contains("system/Patient.rs"), "{log}");
    assert!(!log.contains(CANARY), "{log}");
    for request in world.replay.requests() {
        for part in form(&request)["client_assertion"].split('.') {
            assert!(!log.contains(part), "{log}");
        }
    }
}
