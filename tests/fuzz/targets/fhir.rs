use fhir_http::{FhirClient, RetryPolicy, Search};

use http::header;

use super::exchange::{self, ANSWERS, BASE, Script};
use super::{CANARY, Entry, assert_silent};
use crate::engine::{Outcome, Target};
use crate::seeds::{Seeds, texts};

/// A FHIR server's answers: redirects and retries, pages of searches, reads,
/// transactions.
pub(super) const CLIENT: Entry = Entry {
    target: Target {
        name: "fhir-client",
        check,
        grammar: ANSWERS,
    },
    seeds: Seeds::written(|| {
        texts(&[
            concat!(
                "200\nContent-Type: application/fhir+json\n\n",
                r#"{"resourceType":"Bundle","type":"searchset","total":2,"link":[{"relation":"self","url":"https://ehr.example/r4/Patient?name=Kanarienvogel-7"},{"relation":"next","url":"?page=2"}],"entry":[{"fullUrl":"https://ehr.example/r4/Patient/Kanarienvogel-7","resource":{"resourceType":"Patient","id":"Kanarienvogel-7"},"search":{"mode":"match"}},{"resource":{"resourceType":"OperationOutcome","issue":[]},"search":{"mode":"outcome"}}]}"#,
                "\n===\n200\n\n",
                r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Practitioner"},"search":{"mode":"include"}}]}"#,
                "\n===\n404\n\n",
                r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","diagnostics":"Kanarienvogel-7"}]}"#,
                "\n===\n200\n\n",
                r#"{"resourceType":"Bundle","type":"transaction-response","entry":[{"response":{"status":"201 Created","location":"Patient/Kanarienvogel-7/_history/1","etag":"W/\"1\"","outcome":{"resourceType":"OperationOutcome"}}}]}"#,
            ),
            "307\nLocation: https://other.example/Kanarienvogel-7\n\n\n===\n200\n\n{\"resourceType\":\"Bundle\"}\n===\n503\nRetry-After: 5\n\n\n===\n200\n\n{\"resourceType\":\"Patient\",\"id\":\"p\"}",
            "302\nLocation: /elsewhere?x=Kanarienvogel-7\n\n\n===\n401\n\nKanarienvogel-7\n===\n200\nContent-Type: text/html\n\n<html>Kanarienvogel-7",
        ])
    }),
    smoke: 5_000,
};

fn check(input: &[u8]) -> Outcome {
    let script = Script::new(input);
    let mut policy = RetryPolicy::default();
    policy.attempts = 3;
    let server = FhirClient::new(script.client().retry(policy), BASE).expect("a client");
    let server = server.page_limit(4);
    let mut outcome = Outcome::new();
    // Errors name the path that refused, and behind a redirect the server has chosen that.
    let redirects = exchange::answers(input).iter().any(|answer| {
        let mut targets = answer.headers().get_all(header::LOCATION).iter();
        targets.any(|target| String::from_utf8_lossy(target.as_bytes()).contains(CANARY))
    });
    let told = |error: &fhir_http::Error| match redirects {
        true => error.to_string(),
        false => super::told(error),
    };

    let search = Search::new("Patient").param("name", "a");
    for page in server.search(&search).expect("a search") {
        outcome = match page {
            Ok(page) => {
                assert_silent(&format!("{page:?}"));
                for entry in page.entries.iter().take(16) {
                    assert!(contains(input, entry.resource.get()), "not as it came");
                }
                outcome
                    .size(page.entries.len())
                    .size(page.outcomes.len())
                    .with(page.total.is_some())
            }
            Err(error) => outcome.text(&told(&error)),
        };
    }
    outcome = match server.read("Patient", "p") {
        Ok(resource) => outcome.with(contains(input, resource.get())),
        Err(error) => outcome.text(&told(&error)),
    };
    let bundle = br#"{"resourceType":"Bundle","type":"transaction","entry":[]}"#;
    outcome = match server.transaction(bundle.to_vec()) {
        Ok(responses) => {
            assert_silent(&format!("{responses:?}"));
            let good = responses
                .iter()
                .filter(|response| response.status.is_success());
            outcome.size(responses.len()).size(good.count())
        }
        Err(error) => outcome.text(&told(&error)),
    };
    outcome = match server.capabilities() {
        Ok(capabilities) => outcome.size(capabilities.resources.len()),
        Err(error) => outcome.text(&told(&error)),
    };
    outcome.size(script.check())
}

fn contains(input: &[u8], part: &str) -> bool {
    // Bodies may have been packed.
    input
        .windows(4)
        .any(|part| part.eq_ignore_ascii_case(b"gzip"))
        || String::from_utf8_lossy(input).contains(part)
}
