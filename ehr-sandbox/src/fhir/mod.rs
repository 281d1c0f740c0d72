//! The REST side: CapabilityStatement, read and search.

mod metadata;
mod search;

use http::StatusCode;
use http::header::{ETAG, HeaderValue};

pub(crate) use metadata::{capability_statement, smart_configuration};
pub(crate) use search::{Search, parameters};
use serde_json::{Value, json};

use crate::data::Data;
use crate::reply::{Reply, fhir, header, outcome};

/// Answers a read.
pub(crate) fn read(data: &Data, resource_type: &str, id: &str) -> Reply {
    if let Some(resource) = data.resource(resource_type, id) {
        let version = serde_json::from_str::<Value>(resource.json()).ok();
        let version = version
            .as_ref()
            .and_then(|v| v.pointer("/meta/versionId")?.as_str());
        let tag = version.map(|version| header(&format!("W/\"{version}\"")));
        let mut reply = fhir(resource.json().to_owned());
        reply
            .headers_mut()
            .insert(ETAG, tag.unwrap_or(HeaderValue::from_static("W/\"1\"")));
        return reply;
    }
    match data.group(id).filter(|_| resource_type == "Group") {
        Some(members) => fhir(group(id, members)),
        None => outcome(
            StatusCode::NOT_FOUND,
            "not-found",
            "there is no such resource",
        ),
    }
}

/// A group that is not among the resources.
fn group(id: &str, members: &[String]) -> String {
    let members = members
        .iter()
        .map(|id| json!({"entity": {"reference": format!("Patient/{id}")}}));
    json!({
        "resourceType": "Group",
        "id": id,
        "type": "person",
        "actual": true,
        "quantity": members.len(),
        "member": members.collect::<Vec<_>>(),
    })
    .to_string()
}
