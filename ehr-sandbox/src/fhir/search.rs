use std::sync::Arc;

use http::{HeaderMap, Method, Request};
use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::Value;
use url::form_urlencoded;

use super::{IdentifierSearch, SearchSettings, group};
use crate::data::{Data, Resource, TOKENS, matches_token, patient_id};

/// The most resources on one page.
const LARGEST_PAGE: usize = 1000;

/// Where a search comes from and how it is answered.
pub(crate) struct Search<'a> {
    pub(crate) base: &'a str,
    pub(crate) resource_type: &'a str,
    pub(crate) parameters: &'a [(String, String)],
    pub(crate) settings: &'a SearchSettings,
    pub(crate) page_size: usize,
    pub(crate) relative_links: bool,
    /// `Prefer: handling=strict`.
    pub(crate) strict: bool,
}

/// The parameters of a search by GET or POST.
pub(crate) fn parameters(request: &Request<Vec<u8>>) -> Vec<(String, String)> {
    let query = request.uri().query().unwrap_or_default();
    let mut parameters = pairs(query.as_bytes());
    if request.method() == Method::POST && is_form(request.headers()) {
        parameters.extend(pairs(request.body()));
    }
    parameters
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"))
}

/// Ids of what a condition matches, which has to be a search that this server
/// knows.
pub(crate) fn matches(
    data: &Data,
    resource_type: &str,
    query: &str,
) -> Result<Vec<String>, String> {
    const SHAPE: [&str; 4] = ["_count", "_offset", "_format", "_pretty"];
    let parameters = pairs(query.as_bytes());
    if parameters
        .iter()
        .all(|(name, _)| SHAPE.contains(&name.as_str()))
    {
        return Err("the condition selects nothing".into());
    }
    let search = Search {
        base: "",
        resource_type,
        parameters: &parameters,
        settings: &SearchSettings::default(),
        page_size: 1,
        relative_links: false,
        strict: true,
    };
    let (found, _) = search.find(data)?;
    Ok(found.into_iter().map(|found| found.id).collect())
}

#[derive(Clone, Copy)]
struct Page {
    size: usize,
    offset: usize,
}

impl Search<'_> {
    /// The Bundle, or what is wrong with the search.
    pub(crate) fn run(&self, data: &Data) -> Result<String, String> {
        let (found, page) = self.find(data)?;
        Ok(self.bundle(&found, page))
    }

    fn find(&self, data: &Data) -> Result<(Vec<Found>, Page), String> {
        let mut found: Vec<Found> = data
            .of_type(self.resource_type)
            .iter()
            .map(Found::of)
            .collect();
        if self.resource_type == "Group" {
            found.extend(self.groups(data));
        }
        let mut page = Page {
            size: self.page_size,
            offset: 0,
        };
        for (name, value) in self.parameters {
            match name.as_str() {
                _ if !self.knows(name) && !self.strict => {}
                _ if !self.knows(name) => {
                    return Err(format!("`{name}` is no search parameter here"));
                }
                "_count" => page.size = number(name, value)?.clamp(1, LARGEST_PAGE),
                "_offset" => page.offset = number(name, value)?,
                "_id" if value.contains(',') && !self.settings.id_lists => {
                    return Err("`_id` may have one value only".into());
                }
                "_id" => found.retain(|f| value.split(',').any(|id| id == f.id)),
                "patient" | "subject" => {
                    let wanted = patient_id(value).unwrap_or(value);
                    found.retain(|f| f.patient.as_deref() == Some(wanted));
                }
                "_lastUpdated" => {
                    let range = Range::parse(value)?;
                    found.retain(|f| f.last_updated.is_some_and(|at| range.holds(at)));
                }
                "identifier" => self.identify(&mut found, value),
                token if TOKENS.contains(&token) => found.retain(|f| f.has(name, value)),
                _ => {}
            }
        }
        Ok((found, page))
    }

    fn knows(&self, name: &str) -> bool {
        match name {
            "_lastUpdated" => self.settings.last_updated,
            "identifier" => self.settings.identifier != IdentifierSearch::Everybody,
            "_count" | "_offset" | "_format" | "_pretty" | "_id" | "patient" | "subject" => true,
            _ => TOKENS.contains(&name),
        }
    }

    fn identify(&self, found: &mut Vec<Found>, value: &str) {
        let mut one_more = self.settings.identifier == IdentifierSearch::Twice;
        found.retain(|f| match f.has("identifier", value) {
            true => self.settings.identifier != IdentifierSearch::Nobody,
            false => std::mem::take(&mut one_more),
        });
    }

    fn bundle(&self, found: &[Found], Page { size, offset }: Page) -> String {
        let page: Vec<_> = found.iter().skip(offset).take(size).collect();
        let mut links = vec![("self", self.link(offset))];
        if offset + page.len() < found.len() {
            links.push(("next", self.link(offset + page.len())));
        }
        let links: Vec<_> = links
            .into_iter()
            .map(|(relation, url)| {
                format!(r#"{{"relation":"{relation}","url":{}}}"#, Value::from(url))
            })
            .collect();
        let entries: Vec<_> = page
            .into_iter()
            .map(|found| {
                let url = Value::from(format!("{}/{}/{}", self.base, self.resource_type, found.id));
                format!(
                    r#"{{"fullUrl":{url},"resource":{},"search":{{"mode":"match"}}}}"#,
                    found.json
                )
            })
            .collect();
        // FHIR has no empty arrays.
        let entries = match entries.is_empty() {
            true => String::new(),
            false => format!(r#","entry":[{}]"#, entries.join(",")),
        };
        format!(
            r#"{{"resourceType":"Bundle","type":"searchset","total":{},"link":[{}]{entries}}}"#,
            found.len(),
            links.join(",")
        )
    }

    fn link(&self, offset: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let used = self.parameters.iter().filter(|(name, _)| self.knows(name));
        query.extend_pairs(used.filter(|(name, _)| name != "_offset"));
        if offset > 0 {
            query.append_pair("_offset", &offset.to_string());
        }
        let relative = format!("{}?{}", self.resource_type, query.finish());
        if self.relative_links {
            relative
        } else {
            format!("{}/{relative}", self.base)
        }
    }

    fn groups(&self, data: &Data) -> Vec<Found> {
        let groups = data
            .groups()
            .filter(|(id, _)| data.resource("Group", id).is_none());
        groups
            .map(|(id, members)| Found {
                id: id.to_owned(),
                json: group(id, members),
                patient: None,
                last_updated: None,
            })
            .collect()
    }
}

struct Found {
    id: String,
    json: String,
    patient: Option<String>,
    last_updated: Option<Timestamp>,
}

impl Found {
    fn of(resource: &Arc<Resource>) -> Self {
        Self {
            id: resource.id().to_owned(),
            json: resource.json().to_owned(),
            patient: resource.patient.clone(),
            last_updated: resource.last_updated,
        }
    }

    fn has(&self, element: &str, token: &str) -> bool {
        let value = serde_json::from_str::<Value>(&self.json);
        value.is_ok_and(|json| matches_token(&json, element, token))
    }
}

/// A date with its prefix (<https://hl7.org/fhir/R4/search.html#date>).
struct Range {
    prefix: String,
    at: Timestamp,
}

impl Range {
    fn parse(text: &str) -> Result<Self, String> {
        let digits = text
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(text.len());
        let (prefix, date) = text.split_at(digits);
        let at = date.parse::<Timestamp>().ok().or_else(|| {
            let day: civil::Date = date.parse().ok()?;
            Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
        });
        match (prefix, at) {
            ("" | "eq" | "gt" | "ge" | "lt" | "le" | "sa" | "eb", Some(at)) => Ok(Self {
                prefix: prefix.to_owned(),
                at,
            }),
            _ => Err("`_lastUpdated` is neither a date nor an instant".into()),
        }
    }

    fn holds(&self, at: Timestamp) -> bool {
        match self.prefix.as_str() {
            "gt" | "sa" => at > self.at,
            "ge" => at >= self.at,
            "lt" | "eb" => at < self.at,
            "le" => at <= self.at,
            _ => at == self.at,
        }
    }
}

fn number(name: &str, value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("`{name}` is no number"))
}
