use std::time::{Duration, UNIX_EPOCH};

use fhir_http::{RetryPolicy, is_delimited, is_html, retry_after};
use http::{HeaderMap, HeaderValue, header};

use super::Entry;
use super::exchange::{answers, now};
use crate::engine::{Grammar, Outcome, Target};
use crate::seeds::{Seeds, texts};

/// Headers of answers: times, waits, lengths.
pub(super) const HEADERS: Entry = Entry {
    target: Target {
        name: "headers",
        check,
        grammar: Grammar {
            tokens: &[
                "Retry-After: ",
                "Transfer-Encoding: chunked\n",
                "Content-Length: 3\n",
                "GMT",
                "UTC",
                "Fri, 02 Jan 2026 03:05:05 GMT",
                "Friday, 02-Jan-26 03:05:05 GMT",
                "Fri Jan  2 03:05:05 2026",
                "2026-01-02T03:04:05Z",
                "+0100",
                "-",
                ".",
                " ",
                ",",
                ":",
                "0.5",
                "99999999999999999999",
                "31",
                "29 Feb",
                "23:59:60",
                "Content-Type: text/html",
                "<html>",
                "<!DOCTYPE html>",
            ],
            separators: b" ,:\n-",
            pairs: &[("\"", "\""), (" ", " ")],
        },
    },
    seeds: Seeds::written(|| {
        texts(&[
            "503\nRetry-After: 120\n\n",
            "503\nRetry-After: 1.5\nTransfer-Encoding: gzip, chunked\n\n",
            "429\nRetry-After: Fri, 02 Jan 2026 03:05:05 GMT\nContent-Length: 3\n\n<html>",
            "429\nRetry-After: Friday, 02-Jan-26 03:05:05 GMT\n\n",
            "429\nRetry-After: Fri Jan  2 03:05:05 2026\nContent-Type: text/html\n\n",
            "429\nRetry-After: -5\n\n",
        ])
    }),
    smoke: 50_000,
};

fn check(input: &[u8]) -> Outcome {
    let mut outcome = Outcome::new();
    for answer in answers(input).into_iter().take(2) {
        let headers = answer.headers();
        let mut waits = Vec::new();
        for cap in [Duration::MAX, Duration::from_secs(300), Duration::ZERO] {
            let wait = retry_after(headers, now(), cap);
            assert!(wait.is_none_or(|wait| wait <= cap));
            waits.push(wait);
        }
        assert!(
            waits
                .iter()
                .all(|wait| wait.is_some() == waits[0].is_some())
        );
        // What is asked for is what the one before the limit is, whatever the clock says.
        let _ = retry_after(headers, UNIX_EPOCH, Duration::MAX);
        if let Some(wait) = waits[0] {
            // What it comes to in seconds comes to the same again.
            let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let mut again = HeaderMap::new();
            let value = HeaderValue::try_from(whole.to_string()).expect("digits");
            again.insert(header::RETRY_AFTER, value);
            let read = retry_after(&again, now(), Duration::MAX);
            assert_eq!(read, Some(Duration::from_secs(whole)));
        }
        outcome = outcome
            .with(waits[0].map(|wait| wait.as_secs().leading_zeros()))
            .with(is_delimited(headers))
            .with(is_html(headers, answer.body()))
            .with(RetryPolicy::is_transient(answer.status()));
    }
    outcome
}
