//! The REST side: CapabilityStatement, read and search.

mod metadata;
mod search;
mod settings;

use http::StatusCode;
use http::header::ETAG;

pub(crate) use metadata::{capability_statement, smart_configuration};
pub(crate) use search::{Search, matches, parameters};
use serde_json::json;
pub use settings::{IdentifierSearch, SearchSettings};

use crate::data::{Data, Resource};
use crate::reply::{Reply, fhir, header, outcome};
use crate::store::version_of;

/// Answers a read.
pub(crate) fn read(data: &Data, resource_type: &str, id: &str) -> Reply {
    if let Some(resource) = data.resource(resource_type, id) {
        return show(resource);
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

/// A resource with its version.
pub(crate) fn show(resource: &Resource) -> Reply {
    let tag = header(&format!("W/\"{}\"", version_of(resource)));
    let mut reply = fhir(resource.json().to_owned());
    reply.headers_mut().insert(ETAG, tag);
    reply
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
