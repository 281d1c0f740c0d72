//! Bundles and their answers, as text.

use ::http::{HeaderMap, header};
use fhir_http::{OperationOutcome, Severity};
use serde_json::Value;

use super::order::is_id;
use super::write::Step;
use crate::Refusal;

/// What one request in a Bundle, or outside of one, came to.
pub(super) type Answer = Result<Written, Failure>;

/// Where something was written, as far as the server says.
#[derive(Default)]
pub(super) struct Written {
    pub(super) version: Option<String>,
    pub(super) id: Option<String>,
}

/// Why something was not written.
pub(super) struct Failure {
    pub(super) refusal: Refusal,
    /// The entry of the Bundle that the server blames, from 0.
    pub(super) entry: Option<usize>,
    /// The server's words, to look for references in. They may be content, and go nowhere.
    text: String,
}

impl Failure {
    pub(super) fn new(status: u16, code: &str) -> Self {
        Self {
            refusal: Refusal {
                status,
                code: code.to_owned(),
                expression: String::new(),
            },
            entry: None,
            text: String::new(),
        }
    }

    /// Whether the server's words name a resource.
    pub(super) fn names(&self, resource_type: &str, id: &str) -> bool {
        self.text.contains(&format!("{resource_type}/{id}"))
    }

    /// What an answer says, without its texts.
    pub(super) fn of(status: u16, outcome: Option<&OperationOutcome>, resource_type: &str) -> Self {
        let mut failure = Self::new(status, "");
        let Some(outcome) = outcome else {
            return failure;
        };
        let is_error = |severity| matches!(severity, Severity::Error | Severity::Fatal);
        let mut issues = outcome.issues.iter();
        let issue = issues.find(|issue| is_error(issue.severity));
        let Some(issue) = issue.or(outcome.issues.first()) else {
            return failure;
        };
        let alone = OperationOutcome {
            issues: vec![issue.clone()],
        };
        if let Some(code) = alone.codes().first() {
            failure.refusal.code = (*code).to_owned();
        }
        failure.text = issue.diagnostics.clone().unwrap_or_default();
        let path = issue.expression.first().map_or("", String::as_str);
        let (entry, path) = within_entry(path);
        failure.entry = entry;
        failure.refusal.expression = match (entry, path) {
            (Some(_), "") => String::new(),
            (Some(_), path) => format!("{resource_type}{}", elements(path)),
            (None, path) => [resource_type, "Bundle"]
                .into_iter()
                .find_map(|root| Some(format!("{root}{}", elements(path.strip_prefix(root)?))))
                .unwrap_or_default(),
        };
        failure
    }
}

/// `Bundle.entry[3].resource.birthDate` is `.birthDate` of the fourth entry.
fn within_entry(path: &str) -> (Option<usize>, &str) {
    let split = path
        .strip_prefix("Bundle.entry[")
        .and_then(|rest| rest.split_once(']'))
        .and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
    match split {
        Some((number, rest)) => (Some(number), rest.strip_prefix(".resource").unwrap_or("")),
        None => (None, path),
    }
}

/// The path as far as it consists of names of elements and their places: a server may put anything there.
fn elements(path: &str) -> &str {
    const LONGEST: usize = 200;
    let mut end = 0;
    while let Some(part) = path[end..].strip_prefix('.') {
        let length = |text: &str, is_of: fn(&u8) -> bool| text.bytes().take_while(is_of).count();
        let name = length(part, u8::is_ascii_alphanumeric);
        let place = part[name..].strip_prefix('[').map_or(0, |rest| {
            let digits = length(rest, u8::is_ascii_digit);
            if rest[digits..].starts_with(']') {
                digits + 2
            } else {
                0
            }
        });
        let next = end + 1 + name + place;
        if !part.starts_with(|c: char| c.is_ascii_lowercase()) || next > LONGEST {
            break;
        }
        end = next;
    }
    &path[..end]
}

/// A Bundle that is written entry by entry.
pub(super) struct Bundle<'a> {
    base: &'a str,
    text: String,
    entries: usize,
    deletes: bool,
}

impl<'a> Bundle<'a> {
    pub(super) fn new(base: &'a str, kind: &str) -> Self {
        let text = format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":["#);
        Self {
            base,
            text,
            entries: 0,
            deletes: false,
        }
    }

    pub(super) fn add(&mut self, step: &Step<'_>) {
        if self.entries > 0 {
            self.text.push(',');
        }
        self.entries += 1;
        self.deletes |= step.body.is_none();
        self.text.push('{');
        if let Some(body) = &step.body {
            match &step.alias {
                Some(alias) => self.text.extend([r#""fullUrl":""#, alias, "\","]),
                None if step.method == "PUT" => {
                    let base = self.base;
                    self.text
                        .extend([r#""fullUrl":""#, base, "/", &step.url, "\","]);
                }
                None => {}
            }
            self.text.extend([r#""resource":"#, body, ","]);
        }
        self.text.extend([
            r#""request":{"method":""#,
            step.method,
            r#"","url":""#,
            &step.url,
            "\"",
        ]);
        if let Some(version) = step.replaces {
            let tag = Value::from(entity_tag(version)).to_string();
            self.text.extend([r#","ifMatch":"#, &tag]);
        }
        if let Some(search) = &step.unless {
            self.text.extend([r#","ifNoneExist":""#, search, "\""]);
        }
        self.text.push_str("}}");
    }

    pub(super) const fn entries(&self) -> usize {
        self.entries
    }

    /// Whether an entry is a delete.
    pub(super) const fn deletes(&self) -> bool {
        self.deletes
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.text.push_str("]}");
        self.text.into_bytes()
    }
}

/// What became of each entry of a Bundle; none where the text is no answer to as many entries.
pub(super) fn answers(json: &[u8], entries: usize, types: &[&str]) -> Option<Vec<Answer>> {
    let bundle: Value = serde_json::from_slice(json).ok()?;
    let kind = bundle["type"].as_str()?;
    if bundle["resourceType"] != "Bundle" || !kind.ends_with("-response") {
        return None;
    }
    let answers: Vec<_> = match bundle.get("entry").and_then(Value::as_array) {
        Some(all) => all.iter().zip(types).map(answer).collect::<Option<_>>()?,
        None => Vec::new(),
    };
    (answers.len() == entries).then_some(answers)
}

fn answer((entry, resource_type): (&Value, &&str)) -> Option<Answer> {
    let response = &entry["response"];
    // "201 Created": the words are the server's choice.
    let status = response["status"].as_str()?.split_whitespace().next()?;
    let status: u16 = status.parse().ok()?;
    if (200..300).contains(&status) {
        let tag = response["etag"].as_str();
        return Some(Ok(Written::at(response["location"].as_str(), tag)));
    }
    let outcome = serde_json::to_vec(&response["outcome"]).unwrap_or_default();
    let outcome = OperationOutcome::from_json(&outcome);
    Some(Err(Failure::of(status, outcome.as_ref(), resource_type)))
}

impl Written {
    /// From a location and an entity tag.
    pub(super) fn at(location: Option<&str>, tag: Option<&str>) -> Self {
        let version = tag.and_then(version_of_tag);
        Self {
            version: version.or_else(|| version_of_location(location?)),
            id: location.and_then(id_of_location),
        }
    }

    /// From the headers of an answer.
    pub(super) fn by(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self::at(text(header::LOCATION), text(header::ETAG))
    }
}

/// `3` of `W/"3"`.
fn version_of_tag(tag: &str) -> Option<String> {
    let version = tag.trim().trim_start_matches("W/").trim_matches('"');
    (!version.is_empty()).then(|| version.to_owned())
}

/// `3` of `Patient/1/_history/3`.
fn version_of_location(location: &str) -> Option<String> {
    let (_, version) = location.rsplit_once("/_history/")?;
    (!version.is_empty()).then(|| version.to_owned())
}

/// `1` of `https://server.example/Patient/1/_history/3`.
fn id_of_location(location: &str) -> Option<String> {
    let path = location.split("/_history/").next()?;
    let (_, id) = path.rsplit_once('/')?;
    is_id(id).then(|| id.to_owned())
}

/// The entity tag of a version ([FHIR](https://hl7.org/fhir/R4/http.html#versioning)).
pub(super) fn entity_tag(version: &str) -> String {
    format!("W/\"{version}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(expression: &str) -> Failure {
        let json = serde_json::json!({"resourceType": "OperationOutcome", "issue": [
            {"severity": "warning", "code": "informational"},
            {"severity": "error", "code": "invariant", "diagnostics": "Miller", "expression": [expression]},
        ]});
        let outcome = OperationOutcome::from_json(json.to_string().as_bytes());
        Failure::of(422, outcome.as_ref(), "Patient")
    }

    #[test]
    fn failures_say_where_and_hold_no_content() {
        let cases = [
            ("Patient.birthDate", None, "Patient.birthDate"),
            (
                "Bundle.entry[3].resource.birthDate",
                Some(3),
                "Patient.birthDate",
            ),
            ("Bundle.entry[3].resource", Some(3), ""),
            ("Bundle.entry[3]", Some(3), ""),
            ("Bundle.entry[x].resource", None, "Bundle.entry"),
            ("Patient.name[0] = 'Miller'", None, "Patient.name[0]"),
            ("Patient.name[0].given[1]", None, "Patient.name[0].given[1]"),
            (
                "Patient.name.where(family = 'x')",
                None,
                "Patient.name.where",
            ),
            ("Patient.Miller", None, "Patient"),
            (
                "Bundle.entry[3].resource.name[Miller]",
                Some(3),
                "Patient.name",
            ),
            ("Bundle.entry[3].resource Miller", Some(3), "Patient"),
            ("/f:Patient/f:birthDate", None, ""),
            ("Miller", None, ""),
            ("Müller", None, ""),
        ];
        for (given, entry, expression) in cases {
            let failure = failure(given);
            assert_eq!(failure.entry, entry, "{given}");
            assert_eq!(failure.refusal.expression, expression, "{given}");
            assert_eq!(failure.refusal.code, "invariant");
        }
        let shown = failure("Patient.birthDate").refusal.to_string();
        assert_eq!(
            shown,
            "the server answered 422, invariant at Patient.birthDate"
        );
    }

    #[test]
    fn answers_are_taken_only_whole() {
        let whole = r#"{"resourceType":"Bundle","type":"transaction-response","entry":[
            {"response":{"status":"201 Created","etag":"W/\"1\""}},
            {"response":{"status":"200","location":"Patient/1/_history/7"}},
            {"response":{"status":"204"}},
            {"response":{"status":"412 Precondition Failed"}}]}"#;
        let found = answers(whole.as_bytes(), 4, &["Patient"; 4]).expect("answers");
        let shown: Vec<_> = found
            .iter()
            .map(|answer| match answer {
                Ok(written) => written.version.clone().unwrap_or_default(),
                Err(failure) => failure.refusal.status.to_string(),
            })
            .collect();
        assert_eq!(shown, ["1", "7", "", "412"]);
        assert!(answers(whole.as_bytes(), 5, &["Patient"; 5]).is_none());
        for other in [
            "",
            "<html>",
            r#"{"resourceType":"Bundle","type":"searchset"}"#,
            r#"{"resourceType":"Bundle","type":"batch-response","entry":[{}]}"#,
        ] {
            assert!(
                answers(other.as_bytes(), 1, &["Patient"]).is_none(),
                "{other}"
            );
        }
    }
}
