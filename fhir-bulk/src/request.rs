use std::fmt;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Error, Instant, Result};

/// What to export
/// ([kick-off request](https://hl7.org/fhir/uv/bulkdata/export.html#bulk-data-kick-off-request)).
///
/// ```
/// use fhir_bulk::ExportRequest;
///
/// let mut request = ExportRequest::group("diabetics");
/// request.types = vec!["Patient".into(), "Condition".into()];
/// let http = request.to_http("https://ehr.example/fhir")?;
/// assert_eq!(http.uri().path(), "/fhir/Group/diabetics/$export");
/// # Ok::<(), fhir_bulk::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportRequest {
    /// Whose resources.
    pub level: ExportLevel,
    /// How the request is sent.
    pub method: KickOffMethod,
    /// How lists are written in a query; a POST repeats its parameters.
    pub list_syntax: ListSyntax,
    /// `_type`: resource types; empty means all that the server gives.
    pub types: Vec<String>,
    /// `_since`: only what changed after it. Use the `transactionTime` of the
    /// export before, as it came.
    pub since: Option<Instant>,
    /// `_until`: only what changed before it.
    pub until: Option<Instant>,
    /// `_elements`: elements to keep, such as `Patient.id`. What comes is
    /// tagged `SUBSETTED` and must not overwrite complete resources.
    pub elements: Vec<String>,
    /// `_typeFilter`: search queries, such as `Condition?category=problem-list-item`.
    pub type_filters: Vec<String>,
    /// `patient`: references such as `Patient/1`. By POST only, and not at
    /// system level.
    pub patients: Vec<String>,
    /// `includeAssociatedData`, such as `LatestProvenanceResources`.
    pub include_associated_data: Vec<String>,
    /// `organizeOutputBy`: a resource type such as `Patient`.
    pub organize_output_by: Option<String>,
    /// `allowPartialManifests`: the manifest may come in pages.
    pub allow_partial_manifests: bool,
    /// `_outputFormat`; NDJSON where it is left out.
    pub output_format: Option<String>,
    /// `Prefer: handling=lenient`: the server may ignore parameters that it
    /// does not know, instead of refusing the request.
    pub lenient: bool,
    /// `Prefer: separate-export-status`: the job's status comes in
    /// `X-Export-Status`. It is understood whether asked for or not.
    pub separate_status: bool,
}

/// Whose resources to export.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ExportLevel {
    /// Everything: `[base]/$export`.
    System,
    /// All patients: `[base]/Patient/$export`.
    Patient,
    /// The members of a group: `[base]/Group/[id]/$export`.
    Group(String),
}

/// How the kick-off request is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum KickOffMethod {
    /// With a query, which every server of versions 1 to 3 takes.
    #[default]
    Get,
    /// With a `Parameters` resource, which few servers take before version 4.
    Post,
}

/// How a list is written in the query of a GET. By the specification both mean
/// the same; there are servers that take only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ListSyntax {
    /// `_type=A,B`.
    #[default]
    Comma,
    /// `_type=A&_type=B`.
    Repeated,
}

impl ExportRequest {
    /// Everything the server has.
    #[must_use]
    pub const fn system() -> Self {
        Self::new(ExportLevel::System)
    }

    /// The data of all patients.
    #[must_use]
    pub const fn patient() -> Self {
        Self::new(ExportLevel::Patient)
    }

    /// The data of the members of the group with this id.
    #[must_use]
    pub fn group(id: impl Into<String>) -> Self {
        Self::new(ExportLevel::Group(id.into()))
    }

    const fn new(level: ExportLevel) -> Self {
        Self {
            level,
            method: KickOffMethod::Get,
            list_syntax: ListSyntax::Comma,
            types: Vec::new(),
            since: None,
            until: None,
            elements: Vec::new(),
            type_filters: Vec::new(),
            patients: Vec::new(),
            include_associated_data: Vec::new(),
            organize_output_by: None,
            allow_partial_manifests: false,
            output_format: None,
            lenient: false,
            separate_status: false,
        }
    }

    /// The request to send to the server at `base`, its FHIR base URL.
    ///
    /// # Errors
    /// [`Error::Request`] for patients in a GET or at system level and for
    /// empty values, [`Error::Url`] when `base` is no absolute URL.
    pub fn to_http(&self, base: &str) -> Result<http::Request<Vec<u8>>> {
        self.check()?;
        let mut url = format!("{}{}", base.trim_end_matches('/'), self.path());
        let (method, body) = match self.method {
            KickOffMethod::Get => {
                let query = self.query();
                if !query.is_empty() {
                    url.push('?');
                    url.push_str(&query);
                }
                (http::Method::GET, Vec::new())
            }
            KickOffMethod::Post => (
                http::Method::POST,
                self.parameters().to_string().into_bytes(),
            ),
        };
        let uri = parse_uri(&url, "the FHIR base")?;
        let mut request = http::Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/fhir+json"));
        headers.insert(PREFER, HeaderValue::from_static(self.prefer()));
        if self.method == KickOffMethod::Post {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/fhir+json"),
            );
        }
        Ok(request)
    }

    fn check(&self) -> Result<()> {
        if !self.patients.is_empty() {
            if self.level == ExportLevel::System {
                return Err(Error::Request(
                    "`patient` is not for exports at system level",
                ));
            }
            if self.method == KickOffMethod::Get {
                return Err(Error::Request("`patient` can only be sent by POST"));
            }
        }
        if matches!(&self.level, ExportLevel::Group(id) if id.is_empty()) {
            return Err(Error::Request("the id of the group is empty"));
        }
        let lists = [
            &self.types,
            &self.elements,
            &self.type_filters,
            &self.patients,
            &self.include_associated_data,
        ];
        if lists
            .into_iter()
            .flatten()
            .any(|value| value.trim().is_empty())
        {
            return Err(Error::Request("a value in one of its lists is empty"));
        }
        if self
            .types
            .iter()
            .any(|name| !name.bytes().all(|b| b.is_ascii_alphanumeric()))
        {
            return Err(Error::Request("a resource type is not made of letters"));
        }
        Ok(())
    }

    fn path(&self) -> String {
        match &self.level {
            ExportLevel::System => "/$export".to_owned(),
            ExportLevel::Patient => "/Patient/$export".to_owned(),
            ExportLevel::Group(id) => format!("/Group/{}/$export", encode(id)),
        }
    }

    const fn prefer(&self) -> &'static str {
        match (self.lenient, self.separate_status) {
            (false, false) => "respond-async",
            (true, false) => "respond-async, handling=lenient",
            (false, true) => "respond-async, separate-export-status",
            (true, true) => "respond-async, handling=lenient, separate-export-status",
        }
    }

    fn query(&self) -> String {
        let mut pairs = Vec::new();
        for (name, values, _) in self.values() {
            // A comma inside a filter would split it. Quoted once more it is
            // understood by Epic, HAPI and others; the guide is silent.
            let values = values.iter().map(|value| match name {
                "_typeFilter" => encode(&value.replace(',', "%2C")),
                _ => encode(value),
            });
            match self.list_syntax {
                ListSyntax::Comma => {
                    let values: Vec<_> = values.collect();
                    pairs.push(format!("{name}={}", values.join(",")));
                }
                ListSyntax::Repeated => {
                    pairs.extend(values.map(|value| format!("{name}={value}")));
                }
            }
        }
        pairs.join("&")
    }

    fn parameters(&self) -> Value {
        let mut parameters = Vec::new();
        for (name, values, kind) in self.values() {
            for value in values {
                let value = match kind {
                    "valueReference" => json!({ "reference": value }),
                    "valueBoolean" => Value::Bool(true),
                    _ => Value::String(value),
                };
                parameters.push(json!({ "name": name, kind: value }));
            }
        }
        json!({ "resourceType": "Parameters", "parameter": parameters })
    }

    /// Name, values, and type in a `Parameters` resource, of what is set.
    fn values(&self) -> Vec<(&'static str, Vec<String>, &'static str)> {
        let one = |value: Option<&str>| value.map(str::to_owned).into_iter().collect();
        let partial = self.allow_partial_manifests.then_some("true");
        [
            (
                "_outputFormat",
                one(self.output_format.as_deref()),
                "valueString",
            ),
            (
                "_since",
                one(self.since.as_ref().map(Instant::as_str)),
                "valueInstant",
            ),
            (
                "_until",
                one(self.until.as_ref().map(Instant::as_str)),
                "valueInstant",
            ),
            ("_type", self.types.clone(), "valueString"),
            ("_elements", self.elements.clone(), "valueString"),
            ("patient", self.patients.clone(), "valueReference"),
            (
                "includeAssociatedData",
                self.include_associated_data.clone(),
                "valueCode",
            ),
            ("_typeFilter", self.type_filters.clone(), "valueString"),
            (
                "organizeOutputBy",
                one(self.organize_output_by.as_deref()),
                "valueCode",
            ),
            ("allowPartialManifests", one(partial), "valueBoolean"),
        ]
        .into_iter()
        .filter(|(_, values, _): &(_, Vec<String>, _)| !values.is_empty())
        .collect()
    }
}

/// By hand: ids of groups and patients stay out of logs.
impl fmt::Debug for ExportRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportRequest")
            .field("level", &self.level)
            .field("method", &self.method)
            .field("types", &self.types)
            .field("since", &self.since)
            .field("patients", &self.patients.len())
            .finish_non_exhaustive()
    }
}

/// By hand, as above.
impl fmt::Debug for ExportLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Patient => "Patient",
            Self::Group(_) => "Group(…)",
        })
    }
}

pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");

/// An absolute URL that may be sent to, as `http` has it.
pub(crate) fn parse_uri(url: &str, what: &'static str) -> Result<http::Uri> {
    // Fragments are not sent, and `http` does not take them.
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let uri: http::Uri = url
        .parse()
        .map_err(|error: http::uri::InvalidUri| Error::Url {
            what,
            source: error.into(),
        })?;
    fhir_http::Origin::of(&uri).map_err(|error| Error::Url {
        what,
        source: error.into(),
    })?;
    Ok(uri)
}

/// Percent-encodes all but the unreserved characters.
fn encode(text: &str) -> String {
    fhir_http::percent_encode(text, fhir_http::UNRESERVED)
}
