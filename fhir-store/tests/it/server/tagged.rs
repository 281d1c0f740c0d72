//! A sandbox that gives ids of its own and knows the search parameter `_tag`, which it does by its `identifier`.

use std::io::Read as _;

use ehr_sandbox::InProcess;
use fhir_http::{Body, HttpClient, TransportError};
use http::{HeaderValue, Request, Response, Uri};
use serde_json::{Value, json};

const SYSTEM: &str = "urn:ingest:id";

pub(super) struct Tagged(pub(super) InProcess);

impl HttpClient for Tagged {
    fn send(&self, mut request: Request<Vec<u8>>) -> Result<Response<Body>, TransportError> {
        let uri = request.uri().to_string().replace("?_tag=", "?identifier=");
        *request.uri_mut() = uri.parse::<Uri>().expect("URI");
        if let Some(condition) = request.headers_mut().get_mut("if-none-exist") {
            let text = condition.to_str().expect("text");
            *condition = HeaderValue::from_str(&renamed(text)).expect("text");
        }
        if let Ok(mut body) = serde_json::from_slice::<Value>(request.body()) {
            identify(&mut body);
            for entry in entries(&mut body) {
                entry.get_mut("resource").into_iter().for_each(identify);
                if let Some(condition) = entry["request"].get_mut("ifNoneExist") {
                    *condition = json!(renamed(condition.as_str().expect("text")));
                }
            }
            *request.body_mut() = body.to_string().into_bytes();
        }
        let (mut parts, mut body) = self.0.send(request)?.into_parts();
        parts.headers.remove("content-length");
        let mut text = Vec::new();
        if body.read_to_end(&mut text).is_err() {
            return Err(TransportError::Connect("broken off".into()));
        }
        if let Ok(mut json) = serde_json::from_slice::<Value>(&text) {
            conceal(&mut json);
            for entry in entries(&mut json) {
                entry.get_mut("resource").into_iter().for_each(conceal);
            }
            text = json.to_string().into_bytes();
        }
        Ok(Response::from_parts(parts, text.into()))
    }
}

fn entries(bundle: &mut Value) -> impl Iterator<Item = &mut Value> {
    let entries = bundle.get_mut("entry").and_then(Value::as_array_mut);
    entries.into_iter().flatten()
}

fn renamed(condition: &str) -> String {
    assert!(condition.starts_with("_tag="), "{condition}");
    condition.replacen("_tag=", "identifier=", 1)
}

/// Our name of a resource, by its tag.
pub(super) fn tag(resource: &Value) -> Option<&str> {
    let tags = resource["meta"]["tag"].as_array()?;
    let ours = tags.iter().find(|tag| tag["system"] == SYSTEM)?;
    ours["code"].as_str()
}

fn identify(resource: &mut Value) {
    if let Some(name) = tag(resource) {
        let identifier = json!([{"system": SYSTEM, "value": name}]);
        resource["identifier"] = identifier;
    }
}

fn conceal(resource: &mut Value) {
    if tag(resource).is_some() {
        resource
            .as_object_mut()
            .expect("object")
            .remove("identifier");
    }
}
