use http::header::ACCEPT;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use url::form_urlencoded;

use super::ManifestStyle;
use crate::data::{Level, Selection, TypeFilter, is_resource_type, patient_id};

/// A kick-off request that can be answered.
#[derive(Debug)]
pub(crate) struct KickOff {
    pub(crate) selection: Selection,
    pub(crate) elements: Vec<String>,
    pub(crate) in_pages: bool,
    pub(crate) separate_status: bool,
    /// What was ignored because of `handling=lenient`.
    pub(crate) ignored: Vec<String>,
}

/// Why a kick-off is refused: status, issue code, diagnostics.
#[derive(Debug)]
pub(crate) struct Invalid(
    pub(crate) StatusCode,
    pub(crate) &'static str,
    pub(crate) String,
);

impl KickOff {
    /// Reads a kick-off by GET or POST.
    pub(crate) fn of(
        request: &Request<Vec<u8>>,
        level: Level,
        style: ManifestStyle,
    ) -> Result<Self, Invalid> {
        let preferences = preferences(request.headers());
        let prefers = |name: &str| preferences.iter().any(|preference| preference == name);
        if !prefers("respond-async") {
            return Err(refused("invalid", "`Prefer: respond-async` is missing"));
        }
        if !accepts_fhir(request.headers()) {
            let problem = "`Accept` has to allow application/fhir+json".to_owned();
            return Err(Invalid(
                StatusCode::NOT_ACCEPTABLE,
                "not-supported",
                problem,
            ));
        }
        let post = request.method() == Method::POST;
        let parameters = if post {
            body_parameters(request.body())?
        } else {
            query(request)
        };
        let mut reader = Reader {
            kick_off: Self {
                selection: Selection::new(level),
                elements: Vec::new(),
                in_pages: false,
                separate_status: prefers("separate-export-status"),
                ignored: Vec::new(),
            },
            lenient: prefers("handling=lenient"),
            post,
            commas: !(post && style == ManifestStyle::V4),
        };
        for (name, value) in parameters {
            reader.take(&name, &value)?;
        }
        Ok(reader.kick_off)
    }
}

struct Reader {
    kick_off: KickOff,
    lenient: bool,
    post: bool,
    commas: bool,
}

impl Reader {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Invalid> {
        match name {
            "_outputFormat" => {
                let known = ["application/fhir+ndjson", "application/ndjson", "ndjson"];
                if !known.contains(&value) {
                    return Err(refused("not-supported", "`_outputFormat` is no NDJSON"));
                }
            }
            "_since" => self.kick_off.selection.since = Some(instant(name, value)?),
            "_until" => self.kick_off.selection.until = Some(instant(name, value)?),
            "_type" => {
                for item in self.list(name, value)? {
                    if is_resource_type(&item) {
                        self.kick_off
                            .selection
                            .types
                            .get_or_insert_default()
                            .push(item);
                    } else {
                        self.ignore("`_type` names what is no R4 resource type")?;
                    }
                }
            }
            "_elements" => {
                let items = self.list(name, value)?;
                let names = items
                    .iter()
                    .map(|item| item.rsplit('.').next().unwrap_or(item).to_owned());
                self.kick_off.elements.extend(names);
            }
            "_typeFilter" => {
                for item in filters(value) {
                    match TypeFilter::parse(item) {
                        Ok(filter) => self.kick_off.selection.filters.push(filter),
                        Err(problem) => self.ignore(&format!("`_typeFilter`: {problem}"))?,
                    }
                }
            }
            "patient" => {
                if !self.post || self.kick_off.selection.level == Level::System {
                    let problem = "`patient` goes with POST, and not at system level";
                    return Err(refused("invalid", problem));
                }
                let id = patient_id(value).unwrap_or(value).to_owned();
                self.kick_off
                    .selection
                    .patients
                    .get_or_insert_default()
                    .push(id);
            }
            "includeAssociatedData" => {
                let known = ["LatestProvenanceResources", "RelevantProvenanceResources"];
                if self
                    .list(name, value)?
                    .iter()
                    .any(|item| !known.contains(&item.as_str()))
                {
                    self.ignore("`includeAssociatedData` has an unknown value")?;
                }
            }
            "allowPartialManifests" => self.kick_off.in_pages = value == "true",
            _ => self.ignore(&format!("`{name}` is not supported"))?,
        }
        Ok(())
    }

    fn list(&self, name: &str, value: &str) -> Result<Vec<String>, Invalid> {
        if !self.commas && value.contains(',') {
            let problem = format!("`{name}` is to be repeated, not joined by commas");
            return Err(refused("invalid", &problem));
        }
        Ok(value
            .split(',')
            .map(|item| item.trim().to_owned())
            .filter(|i| !i.is_empty())
            .collect())
    }

    /// What is not understood is an error, unless the client is lenient.
    fn ignore(&mut self, what: &str) -> Result<(), Invalid> {
        if !self.lenient {
            return Err(refused("not-supported", what));
        }
        self.kick_off.ignored.push(format!("ignored: {what}"));
        Ok(())
    }
}

fn refused(code: &'static str, diagnostics: &str) -> Invalid {
    Invalid(StatusCode::BAD_REQUEST, code, diagnostics.to_owned())
}

fn instant(name: &str, value: &str) -> Result<jiff::Timestamp, Invalid> {
    value
        .parse()
        .map_err(|_| refused("value", &format!("`{name}` is no instant")))
}

/// Filters are separated by commas, and may have commas inside: the next
/// filter begins with a type and a question mark.
fn filters(text: &str) -> Vec<&str> {
    let mut starts = vec![0];
    for (comma, _) in text.match_indices(',') {
        let next = &text[comma + 1..];
        let name = next.split('?').next().unwrap_or_default();
        if name.len() < next.len() && is_resource_type(name) {
            starts.push(comma + 1);
        }
    }
    let ends = starts
        .iter()
        .skip(1)
        .map(|start| start - 1)
        .chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| &text[*start..end])
        .collect()
}

fn query(request: &Request<Vec<u8>>) -> Vec<(String, String)> {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// The parameters of a `Parameters` resource.
fn body_parameters(body: &[u8]) -> Result<Vec<(String, String)>, Invalid> {
    let invalid = || refused("structure", "the body is no Parameters resource");
    let value: Value = serde_json::from_slice(body).map_err(|_| invalid())?;
    if value["resourceType"] != "Parameters" {
        return Err(invalid());
    }
    let Some(list) = value.get("parameter") else {
        return Ok(Vec::new());
    };
    let list = list.as_array().ok_or_else(invalid)?;
    let pair = |parameter: &Value| {
        let members = parameter.as_object()?;
        let name = members.get("name")?.as_str()?.to_owned();
        let (_, value) = members.iter().find(|(name, _)| name.starts_with("value"))?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            other => other.get("reference")?.as_str()?.to_owned(),
        };
        Some((name, text))
    };
    list.iter()
        .map(|parameter| pair(parameter).ok_or_else(invalid))
        .collect()
}

/// Preferences in lower case, without the white space around `=`.
pub(super) fn preferences(headers: &HeaderMap) -> Vec<String> {
    let lines = headers
        .get_all("prefer")
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let items = lines.flat_map(|line| line.split([',', ';']));
    items
        .map(|item| item.replace([' ', '\t'], "").to_ascii_lowercase())
        .collect()
}

fn accepts_fhir(headers: &HeaderMap) -> bool {
    let mut lines = headers
        .get_all(ACCEPT)
        .into_iter()
        .filter_map(|v| v.to_str().ok())
        .peekable();
    let known = [
        "application/fhir+json",
        "application/json",
        "application/*",
        "*/*",
    ];
    let allowed = |line: &str| {
        line.split(',')
            .any(|item| known.contains(&item.split(';').next().unwrap_or("").trim()))
    };
    lines.peek().is_none() || lines.any(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_may_have_commas_inside() {
        let cases = [
            ("Observation?status=final", vec!["Observation?status=final"]),
            (
                "Observation?status=final,amended",
                vec!["Observation?status=final,amended"],
            ),
            (
                "Observation?status=a,b,Condition?code=c",
                vec!["Observation?status=a,b", "Condition?code=c"],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(filters(text), expected);
        }
    }
}
