use std::fmt;

use http::{HeaderValue, Method, Request, Response, Uri, header};
use serde_json::value::RawValue;

use super::bundle::{self, ParsedPage};
use super::search::encode;
use super::{CapabilityStatement, EntryResponse, Pages, Search};
use crate::{Client, Error, Origin, Result, http_date, redirect};

/// A FHIR R4 server: reads, searches with all their pages, transactions.
///
/// Resources come out byte for byte as the server wrote them.
#[derive(Clone)]
pub struct FhirClient {
    client: Client,
    /// Without a slash at its end.
    base: String,
    pub(super) origin: Origin,
    limit: u64,
    pub(super) most_pages: usize,
}

const JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

impl FhirClient {
    /// A client for the server whose service base URL is `base`.
    ///
    /// # Errors
    /// [`Error::Url`], when `base` is not https (or http to loopback), or has
    /// a query.
    pub fn new(client: Client, base: &str) -> Result<Self> {
        const LIMIT: u64 = 256 * 1024 * 1024;
        const MOST_PAGES: usize = 10_000;
        let fail = |problem| Error::Url {
            what: "the FHIR base",
            problem,
        };
        let base = base.trim_end_matches('/');
        let uri: Uri = base.parse().map_err(|_| fail("it can't be read"))?;
        if base.contains(['?', '#']) {
            return Err(fail("it has a query or a fragment"));
        }
        let origin = Origin::of(&uri).map_err(|error| match error {
            Error::Url { problem, .. } => fail(problem),
            other => other,
        })?;
        Ok(Self {
            client,
            base: base.to_owned(),
            origin,
            limit: LIMIT,
            most_pages: MOST_PAGES,
        })
    }

    /// The same client, which takes documents of as many decoded bytes; 256
    /// MiB by default. A page of a search is one document, held in memory.
    #[must_use]
    pub const fn document_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// The same client, which takes as many pages of one search; 10 000 by
    /// default.
    #[must_use]
    pub const fn page_limit(mut self, pages: usize) -> Self {
        self.most_pages = pages;
        self
    }

    /// The service base URL, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What it sends requests with.
    #[must_use]
    pub const fn http(&self) -> &Client {
        &self.client
    }

    /// Reads the current version of a resource
    /// ([read](https://hl7.org/fhir/R4/http.html#read)).
    ///
    /// # Errors
    /// [`Error::Status`], with 404 for one that is not there and 410 for one
    /// that is deleted; [`Error::Unexpected`] for an answer that is no resource
    /// of that type; and as [`Client::fetch`].
    pub fn read(&self, resource_type: &str, id: &str) -> Result<Box<RawValue>> {
        if id.is_empty() || matches!(id, "." | "..") {
            return Err(Error::Request {
                problem: "the id of the resource to read is no id",
            });
        }
        let segment = encode(id).replace('/', "%2F");
        let uri = self.uri(&format!("{}/{segment}", type_segment(resource_type)?))?;
        let response = self.document(get(uri))?;
        let body = response.into_body();
        let json = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&body);
        let resource: Box<RawValue> = serde_json::from_slice(json).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            self.unexpected(format!(
                "no JSON that can be read: line {line}, column {column}"
            ))
        })?;
        match bundle::resource_type(&resource) {
            Some(found) if found == resource_type => Ok(resource),
            _ => Err(self.unexpected(format!("no {resource_type}"))),
        }
    }

    /// Searches. Pages are fetched as the iterator is asked for them.
    ///
    /// ```no_run
    /// # fn of(server: &fhir_http::FhirClient) -> fhir_http::Result<()> {
    /// use fhir_http::Search;
    ///
    /// for page in server.search(&Search::new("Encounter").param("patient", "77"))? {
    ///     for entry in page?.entries {
    ///         assert!(entry.resource.get().starts_with('{'));
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Here, when the search is none that can be sent; what happens on the way
    /// is an item of the iterator.
    pub fn search(&self, search: &Search) -> Result<Pages> {
        let resource_type = type_segment(&search.resource_type)?;
        let query = search.query();
        let request = if search.post {
            let mut request = get(self.uri(&format!("{resource_type}/_search"))?);
            *request.method_mut() = Method::POST;
            request.headers_mut().insert(header::CONTENT_TYPE, FORM);
            *request.body_mut() = query.into_bytes();
            request
        } else {
            let mark = if query.is_empty() { "" } else { "?" };
            get(self.uri(&format!("{resource_type}{mark}{query}"))?)
        };
        Ok(Pages::new(self.clone(), self.uri(resource_type)?, request))
    }

    /// What the server can do
    /// ([capabilities](https://hl7.org/fhir/R4/http.html#capabilities)).
    ///
    /// # Errors
    /// [`Error::Unexpected`] for an answer that is no CapabilityStatement, and
    /// as [`Client::fetch`].
    pub fn capabilities(&self) -> Result<CapabilityStatement> {
        let response = self.document(get(self.uri("metadata")?))?;
        CapabilityStatement::from_json(response.body())
            .ok_or_else(|| self.unexpected("no CapabilityStatement".to_owned()))
    }

    /// Sends a Bundle of type `transaction`: all of it is done or nothing. What
    /// became of the entries is in their order.
    ///
    /// It is sent again like any request (see [`Client`]), so that entries
    /// should be such that doing them twice does no harm: `PUT`, or
    /// `ifNoneExist`.
    ///
    /// # Errors
    /// [`Error::Request`] for another Bundle, [`Error::Status`] when nothing
    /// was done, and as [`Client::fetch`].
    pub fn transaction(&self, bundle: Vec<u8>) -> Result<Vec<EntryResponse>> {
        if bundle::bundle_kind(&bundle).as_deref() != Some("transaction") {
            return Err(Error::Request {
                problem: "it is no Bundle of type transaction",
            });
        }
        self.process(bundle, "transaction-response")
    }

    /// Sends a Bundle of type `batch`: each entry is done or not, by itself.
    /// What became of them is in their order.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    pub fn batch(&self, bundle: Vec<u8>) -> Result<Vec<EntryResponse>> {
        if bundle::bundle_kind(&bundle).as_deref() != Some("batch") {
            return Err(Error::Request {
                problem: "it is no Bundle of type batch",
            });
        }
        self.process(bundle, "batch-response")
    }

    fn process(&self, bundle: Vec<u8>, kind: &str) -> Result<Vec<EntryResponse>> {
        let uri = self.base.parse().map_err(|_| Error::Request {
            problem: UNREADABLE,
        })?;
        let mut request = get(uri);
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(header::CONTENT_TYPE, JSON);
        *request.body_mut() = bundle;
        let response = self.document(request)?;
        bundle::parse_responses(response.body(), kind).map_err(|what| self.unexpected(what))
    }

    /// Fetches one page and the address of the next.
    pub(super) fn page(
        &self,
        request: Request<Vec<u8>>,
        search: &Uri,
    ) -> Result<(super::Page, Option<Uri>)> {
        let response = self.document(request)?;
        let ParsedPage { mut page, next } =
            bundle::parse_page(response.body()).map_err(|what| self.unexpected(what))?;
        let date = response.headers().get(header::DATE);
        page.date = date
            .and_then(|date| date.to_str().ok())
            .and_then(|text| http_date::parse(text, self.client.clock().now()));
        let next = next.map(|link| self.next(&link, search)).transpose()?;
        Ok((page, next))
    }

    fn next(&self, link: &str, search: &Uri) -> Result<Uri> {
        let fail = |problem| Error::Paging {
            host: self.origin.to_string(),
            problem,
        };
        // Relative to the service base, unless it is a query alone.
        let resolved = if link.starts_with('?') {
            redirect::resolve(search, link.as_bytes())
        } else {
            let base = format!("{}/", self.base).parse().ok();
            base.and_then(|base| redirect::resolve(&base, link.as_bytes()))
        };
        let uri = resolved.ok_or_else(|| fail("the link to its next page can't be read"))?;
        match Origin::of(&uri) {
            Ok(origin) if origin == self.origin => Ok(uri),
            _ => Err(fail(
                "the link to its next page leads to another scheme, host or port, where the \
                 credentials may not go",
            )),
        }
    }

    /// The JSON that answers a request.
    fn document(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>> {
        let response = self.client.fetch(request, self.limit)?;
        self.client
            .expect_json(self.client.expect_success(response)?)
    }

    fn uri(&self, rest: &str) -> Result<Uri> {
        let uri = format!("{}/{rest}", self.base);
        uri.parse().map_err(|_| Error::Request {
            problem: UNREADABLE,
        })
    }

    fn unexpected(&self, what: String) -> Error {
        Error::Unexpected {
            host: self.origin.to_string(),
            what,
        }
    }
}

/// By hand, to keep it short.
impl fmt::Debug for FhirClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FhirClient")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

const UNREADABLE: &str = "its address would be too long, use POST";

pub(super) fn get(uri: Uri) -> Request<Vec<u8>> {
    let mut request = Request::new(Vec::new());
    *request.uri_mut() = uri;
    request.headers_mut().insert(header::ACCEPT, JSON);
    request
}

fn type_segment(resource_type: &str) -> Result<&str> {
    let plain = !resource_type.is_empty() && resource_type.bytes().all(|b| b.is_ascii_alphabetic());
    if !plain {
        return Err(Error::Request {
            problem: "its resource type is none",
        });
    }
    Ok(resource_type)
}
