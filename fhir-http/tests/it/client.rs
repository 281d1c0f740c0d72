use std::sync::Arc;
use std::time::Duration;

use fhir_http::testing::{FakeClock, FakeRandom, Replay};
use fhir_http::{
    Anonymous, Client, Error, HttpClient, Interrupt, NoRetry, RetryPolicy, Target, TransportError,
};
use http::{HeaderValue, Method, Request, Response};

use crate::util::{Tokens, answer, authorization, client, get, now, origin};

const URL: &str = "https://ehr.example/fhir/Patient";

fn fault() -> TransportError {
    TransportError::Connect("reset".into())
}

#[test]
fn statuses_that_may_pass_are_sent_again_and_no_others() {
    for status in 100..=599 {
        let again = [408, 425, 429, 500, 502, 503, 504].contains(&status);
        let is_redirect = [301, 302, 303, 307, 308].contains(&status);
        if is_redirect {
            continue;
        }
        let replay = Replay::new().answer(answer(status)).answer(answer(200));
        let replay = Arc::new(replay);
        let (client, _) = client(&replay);
        let response = client.send(get(URL)).unwrap();
        let expected = if again { (200, 2) } else { (status, 1) };
        assert_eq!(
            (response.status().as_u16(), replay.requests().len()),
            expected
        );
    }
}

#[test]
fn transport_faults_that_may_pass_are_sent_again() {
    let cases = [
        (TransportError::Resolve("none".into()), true),
        (fault(), true),
        (TransportError::Timeout("connecting"), true),
        (TransportError::Tls("unknown issuer".into()), false),
        (TransportError::Protocol("not HTTP".into()), false),
        (TransportError::Refused("plain http"), false),
    ];
    for (error, again) in cases {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let named = format!("{method} {error}");
            let error = match &error {
                TransportError::Resolve(_) => TransportError::Resolve("none".into()),
                TransportError::Connect(_) => fault(),
                TransportError::Timeout(what) => TransportError::Timeout(what),
                TransportError::Tls(_) => TransportError::Tls("unknown issuer".into()),
                TransportError::Protocol(_) => TransportError::Protocol("not HTTP".into()),
                _ => TransportError::Refused("plain http"),
            };
            let replay = Arc::new(Replay::new().fail(error).answer(answer(200)));
            let (client, _) = client(&replay);
            let request = Request::builder()
                .method(method)
                .uri(URL)
                .body(b"x".to_vec());
            let result = client.send(request.unwrap());
            assert_eq!(result.is_ok(), again, "{named}");
            assert_eq!(
                replay.requests().len(),
                if again { 2 } else { 1 },
                "{named}"
            );
        }
    }
}

#[test]
fn attempts_end_with_the_last_response_or_error() {
    let policy = RetryPolicy::default();
    let mut answers = Replay::new();
    for _ in 0..policy.attempts - 1 {
        answers = answers.answer(answer(503));
    }
    let replay = Arc::new(answers.answer(json503()));
    let (waiting, _) = client(&replay);
    let response = waiting.send(get(URL)).unwrap();
    assert_eq!(response.headers()["x-last"], "yes");

    let replay = Arc::new(Replay::new().fail(fault()).fail(fault()));
    let (client, _) = client(&replay);
    let mut policy = RetryPolicy::default();
    policy.attempts = 2;
    let error = client.retry(policy).send(get(URL)).unwrap_err();
    assert!(matches!(
        error,
        Error::Transport {
            source: TransportError::Connect(_),
            ..
        }
    ));
    assert_eq!(error.to_string(), "no response from ehr.example:443");
}

fn json503() -> Response<Vec<u8>> {
    Response::builder()
        .status(503)
        .header("x-last", "yes")
        .body(b"{}".to_vec())
        .unwrap()
}

#[test]
fn no_retry_is_one_attempt() {
    let mut request = get(URL);
    request.extensions_mut().insert(NoRetry);
    let replay = Arc::new(Replay::new().answer(answer(429)).fail(fault()));
    let (client, clock) = client(&replay);
    assert_eq!(client.send(request.clone()).unwrap().status(), 429);
    assert!(client.send(request).is_err());
    assert!(clock.slept().is_empty());
}

#[test]
fn waits_the_longer_of_what_was_asked_and_backoff() {
    let later = |value: &str| {
        Response::builder()
            .status(429)
            .header("retry-after", value)
            .body(Vec::new())
            .unwrap()
    };
    let cases = [
        ("7", 0, 7.0),
        ("0", 255, 1.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 37.0),
        ("18000", 0, 300.0),
        ("1788134400000", 0, 300.0),
        ("never", 255, 1.0),
    ];
    for (value, drawn, seconds) in cases {
        let replay = Arc::new(Replay::new().answer(later(value)).answer(answer(200)));
        let clock = Arc::new(FakeClock::new(now()));
        let client = Client::new(replay, clock.clone()).random(Arc::new(FakeRandom::new(drawn)));
        client.send(get(URL)).unwrap();
        let slept: Duration = clock.slept().iter().sum();
        assert!(
            (slept.as_secs_f64() - seconds).abs() < 1e-6,
            "{value}: {slept:?}"
        );
    }
}

#[test]
fn an_interrupt_ends_waiting_and_retrying() {
    let asked = Interrupt::new();
    let ask = asked.clone();
    let replay = Replay::new().answer_with(move |_| {
        ask.interrupt();
        Ok(Response::builder()
            .status(503)
            .body(fhir_http::Body::empty())
            .unwrap())
    });
    let replay = Arc::new(replay);
    let (client, _) = client(&replay);
    let client = client.interrupt(asked);
    assert!(matches!(client.send(get(URL)), Err(Error::Interrupted)));
    // Not even sent.
    assert!(matches!(client.send(get(URL)), Err(Error::Interrupted)));
    assert_eq!(replay.requests().len(), 1);
}

#[test]
fn one_401_leads_to_one_new_token() {
    // Statuses; whether there is a second token; result, requests sent, refusals.
    let cases: [(&[u16], bool, u16, usize, usize); 5] = [
        (&[401, 200], true, 200, 2, 1),
        (&[401, 401], true, 401, 2, 1),
        (&[401], false, 401, 1, 1),
        (&[401, 503, 401], true, 401, 3, 1),
        (&[403], true, 403, 1, 0),
    ];
    for (statuses, second, status, sent, refusals) in cases {
        let answers = statuses.iter().map(|status| answer(*status));
        let replay = Arc::new(answers.fold(Replay::new(), Replay::answer));
        let tokens = Arc::new(Tokens {
            only_one: !second,
            ..Tokens::default()
        });
        let (client, _) = client(&replay);
        let client = client.authorized(origin(URL), tokens.clone());
        let response = client.send(get(URL)).unwrap();
        assert_eq!(response.status(), status, "{statuses:?}");
        let requests = replay.requests();
        assert_eq!(requests.len(), sent, "{statuses:?}");
        assert_eq!(authorization(&requests[0]), "Bearer token-0");
        if sent > 1 {
            assert_eq!(authorization(&requests[1]), "Bearer token-1");
        }
        let refused = tokens.refused.lock().unwrap().clone();
        assert_eq!(refused, vec!["Bearer token-0"; refusals], "{statuses:?}");
    }
}

#[test]
fn a_401_to_an_anonymous_request_is_no_refusal() {
    let replay = Arc::new(Replay::new().answer(answer(401)));
    let tokens = Arc::new(Tokens::default());
    let (client, _) = client(&replay);
    let client = client.authorized(origin(URL), tokens.clone());
    let mut request = get(URL);
    request.extensions_mut().insert(Anonymous);
    assert_eq!(client.send(request).unwrap().status(), 401);
    assert!(tokens.refused.lock().unwrap().is_empty());
    assert_eq!(authorization(&replay.requests()[0]), "");
}

#[test]
fn credentials_that_can_not_be_had_are_an_error() {
    struct Nothing;
    impl fhir_http::Authorize for Nothing {
        fn authorize(&self, _: &mut http::request::Parts) -> Result<(), fhir_http::BoxError> {
            Err("the token endpoint refused".into())
        }
    }
    let replay = Arc::new(Replay::new());
    let (client, _) = client(&replay);
    let client = client.authorized(origin(URL), Arc::new(Nothing));
    let error = client.send(get(URL)).unwrap_err();
    assert_eq!(error.to_string(), "no credentials for ehr.example:443");
    assert!(replay.requests().is_empty());
}

#[test]
fn requests_say_who_sends_them() {
    let replay = Arc::new(
        Replay::new()
            .answer(answer(200))
            .answer(answer(200))
            .answer(answer(200)),
    );
    let (client, _) = client(&replay);
    client.send(get(URL)).unwrap();
    let named = client
        .clone()
        .user_agent(HeaderValue::from_static("site/2"));
    named.send(get(URL)).unwrap();
    let mut own = get(URL);
    own.headers_mut()
        .insert("user-agent", HeaderValue::from_static("own"));
    named.send(own).unwrap();
    let agents: Vec<_> = replay
        .requests()
        .iter()
        .map(|r| r.headers()["user-agent"].clone())
        .collect();
    assert_eq!(agents, [Client::USER_AGENT, "site/2", "own"]);
    assert!(Client::USER_AGENT.starts_with("ingest/"));
}

#[test]
fn responses_tell_what_they_answer() {
    let replay = Arc::new(
        Replay::new()
            .answer(crate::util::redirect(302, "/b?x=1"))
            .answer(answer(204)),
    );
    let (client, _) = client(&replay);
    let response = client.send(get("https://ehr.example/a")).unwrap();
    let target = response.extensions().get::<Target>().unwrap();
    assert_eq!(target.uri, "https://ehr.example/b?x=1");
    assert_eq!(target.method, Method::GET);
    // A transport behind an `Arc<dyn>` is one too.
    let shared: Arc<dyn HttpClient> = Arc::new(Replay::new().answer(answer(200)));
    assert!(Arc::new(shared).send(get(URL)).is_ok());
}
