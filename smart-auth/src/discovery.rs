use fhir_http::{Anonymous, Client, Origin};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use url::Url;

use crate::{Algorithm, Error, Result, Syntax, body};

/// What a server says about its authorization
/// ([`.well-known/smart-configuration`][spec]).
///
/// Only the token endpoint can be relied on. Servers leave the lists out, name
/// them wrongly, and list what does not work, so an empty list says nothing.
///
/// [spec]: https://hl7.org/fhir/smart-app-launch/conformance.html#using-well-known
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SmartConfiguration {
    /// Where tokens are to be had.
    pub token_endpoint: Uri,
    /// Where users log in.
    pub authorization_endpoint: Option<Uri>,
    /// Who issues the tokens.
    pub issuer: Option<String>,
    /// How clients may prove who they are, such as `private_key_jwt`.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// How assertions may be signed, such as `RS384`.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// Grants on offer, such as `client_credentials`.
    pub grant_types_supported: Vec<String>,
    /// Scopes on offer.
    pub scopes_supported: Vec<String>,
    /// SMART capabilities, such as `permission-v2`.
    pub capabilities: Vec<String>,
}

const WELL_KNOWN: &str = "/.well-known/smart-configuration";

impl SmartConfiguration {
    /// Fetches the document of the server at `fhir_base`: below the base, as
    /// the specification has it.
    ///
    /// # Errors
    /// [`Error::Discovery`] when there is none, [`Error::Http`] when there is
    /// no response at all, [`Error::Url`] when the base is no URL.
    pub fn fetch(client: &Client, fhir_base: &str) -> Result<Self> {
        let base = parse_base(fhir_base)?;
        Self::fetch_from(client, &base, &base)
    }

    /// As [`fetch`](Self::fetch), and where there is none, below the root of
    /// the host, where some servers have theirs.
    ///
    /// Hosts that serve many FHIR bases may name there the token endpoint of
    /// another one, which would be sent the client's credentials. It is for
    /// servers that are known to have it there.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch). What is wrong at the base is what is told
    /// when neither place has a document.
    pub fn fetch_or_at_host_root(client: &Client, fhir_base: &str) -> Result<Self> {
        let base = parse_base(fhir_base)?;
        let error = match Self::fetch_from(client, &base, &base) {
            Err(error @ Error::Discovery { .. }) => error,
            result => return result,
        };
        let mut root = base.clone();
        root.set_path("/");
        if root == base {
            return Err(error);
        }
        // What is wrong at the base is what its owner can mend.
        match Self::fetch_from(client, &base, &root) {
            Err(Error::Discovery { .. }) => Err(error),
            result => result,
        }
    }

    /// Reads the document that the server at `fhir_base` has given.
    ///
    /// # Errors
    /// [`Error::Discovery`] when it is no such document or names no token
    /// endpoint that can be used, [`Error::Url`] when the base is no URL.
    pub fn parse(fhir_base: &str, document: &[u8]) -> Result<Self> {
        let base = parse_base(fhir_base)?;
        Self::read(&base, document).map_err(|problem| Error::Discovery {
            place: place(&base),
            problem: problem.to_owned(),
        })
    }

    /// Whether it lists a capability.
    #[must_use]
    pub fn has_capability(&self, name: &str) -> bool {
        self.capabilities
            .iter()
            .any(|capability| capability == name)
    }

    /// Whether it says that it takes scopes of `syntax`.
    #[must_use]
    pub fn takes(&self, syntax: Syntax) -> bool {
        self.has_capability(match syntax {
            Syntax::V1 => "permission-v1",
            Syntax::V2 => "permission-v2",
        })
    }

    /// Whether it says that assertions may be signed with `algorithm`; `None`
    /// where it lists no algorithms.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm) -> Option<bool> {
        let listed = &self.token_endpoint_auth_signing_alg_values_supported;
        (!listed.is_empty()).then(|| listed.iter().any(|name| name == algorithm.as_str()))
    }

    fn fetch_from(client: &Client, base: &Url, parent: &Url) -> Result<Self> {
        let url = format!("{}{WELL_KNOWN}", parent.as_str().trim_end_matches('/'));
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = url.parse().map_err(|_| BAD_BASE)?;
        request
            .headers_mut()
            .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        request.extensions_mut().insert(Anonymous);

        let fail = |problem: String| Error::Discovery {
            place: place(base),
            problem,
        };
        let response = client
            .fetch(request, body::LIMIT)
            .map_err(|error| match error {
                fhir_http::Error::TooLong { limit, .. } => {
                    fail(format!("the answer is longer than {limit} bytes"))
                }
                fhir_http::Error::Redirect { .. } => {
                    fail("the server redirects to where it can't be followed".to_owned())
                }
                error => Error::http(DOCUMENT, error),
            })?;
        let (parts, body) = response.into_parts();
        if parts.status != StatusCode::OK {
            return Err(fail(format!("the server answered {}", parts.status)));
        }
        Self::read(base, &body).map_err(|problem| {
            fail(match serde_json::from_slice::<IgnoredAny>(&body) {
                Ok(_) => problem.to_owned(),
                Err(_) => format!("the answer is {}", body::describe(&parts.headers, &body)),
            })
        })
    }

    fn read(base: &Url, document: &[u8]) -> std::result::Result<Self, &'static str> {
        let document: Map<String, Value> =
            serde_json::from_slice(document).map_err(|_| "the answer is no JSON object")?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::trim);
        let uri = |name| text(name).and_then(|reference| resolve(base, reference));
        let token_endpoint = match text("token_endpoint") {
            None | Some("") => return Err("it names no token_endpoint"),
            Some(reference) => {
                resolve(base, reference).ok_or("its token_endpoint is no https URL")?
            }
        };
        let mut methods = list(&document, "token_endpoint_auth_methods_supported");
        for method in list(&document, "token_endpoint_auth_methods") {
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        Ok(Self {
            token_endpoint,
            authorization_endpoint: uri("authorization_endpoint"),
            issuer: text("issuer").map(str::to_owned),
            token_endpoint_auth_methods_supported: methods,
            token_endpoint_auth_signing_alg_values_supported: list(
                &document,
                "token_endpoint_auth_signing_alg_values_supported",
            ),
            grant_types_supported: list(&document, "grant_types_supported"),
            scopes_supported: list(&document, "scopes_supported"),
            capabilities: list(&document, "capabilities"),
        })
    }
}

const DOCUMENT: &str = "SMART configuration";
const BAD_BASE: Error = Error::Url {
    what: "the FHIR base",
    problem: "it is not absolute, or not https",
};

/// A URL to send credentials to: `https`, or `http` to this machine.
pub(crate) fn endpoint(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    Origin::of(&uri).ok()?;
    Some(uri)
}

fn parse_base(base: &str) -> Result<Url> {
    let base = base.trim();
    endpoint(base).ok_or(BAD_BASE)?;
    let mut url = Url::parse(base).map_err(|_| BAD_BASE)?;
    url.set_query(None);
    url.set_fragment(None);
    // With the slash, so that relative references go below the base.
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// Endpoints have to be absolute. Those that are not are meant below the base.
/// An absolute one stays as it is written: it is the audience of assertions,
/// and servers compare it as text.
fn resolve(base: &Url, reference: &str) -> Option<Uri> {
    if Url::parse(reference).is_ok() {
        return endpoint(reference);
    }
    endpoint(base.join(reference).ok()?.as_str())
}

/// A list of texts; servers also write one text instead.
fn list(document: &Map<String, Value>, name: &str) -> Vec<String> {
    match document.get(name) {
        Some(Value::Array(values)) => values
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Host and path, for messages.
fn place(base: &Url) -> String {
    format!("{}{}", base.host_str().unwrap_or_default(), base.path())
}
