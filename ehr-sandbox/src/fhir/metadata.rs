use serde_json::{Value, json};

use super::SearchSettings;
use crate::data::{Data, resource_types};
use crate::store::WriteSettings;

/// The discovery document (SMART App Launch 2.2, conformance).
pub(crate) fn smart_configuration(token_endpoint: &str, writable: bool) -> Value {
    let scopes = match writable {
        true => json!([
            "system/*.rs",
            "system/*.read",
            "system/*.cruds",
            "system/*.*"
        ]),
        false => json!(["system/*.rs", "system/*.read"]),
    };
    json!({
        "token_endpoint": token_endpoint,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported":
            ["private_key_jwt", "client_secret_basic", "client_secret_post"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384", "RS256"],
        "scopes_supported": scopes,
        "capabilities":
            ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    })
}

/// What the server can do.
pub(crate) fn capability_statement(
    data: &Data,
    base: &str,
    search: &SearchSettings,
    writes: Option<&WriteSettings>,
) -> Value {
    const EXPORT: &str = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/";
    let operation = |name: &str| json!({"name": "export", "definition": format!("{EXPORT}{name}")});
    let parameter = |(name, kind): (&str, &str)| json!({"name": name, "type": kind});
    let types: Vec<&str> = match writes {
        Some(_) => resource_types().collect(),
        None => data.types().collect(),
    };
    let code = |code: &&str| json!({"code": code});
    let interactions: Vec<_> = READING
        .iter()
        .chain(writes.map_or(&[][..], |_| &WRITING))
        .map(code)
        .collect();
    let bundles: Vec<_> = writes
        .into_iter()
        .flat_map(|writes| {
            let transactions = writes.transactions.then_some("transaction");
            transactions
                .into_iter()
                .chain(writes.batches.then_some("batch"))
        })
        .map(|name| code(&name))
        .collect();
    let resources = types.into_iter().map(|resource_type| {
        let mut parameters = vec![("_id", "token"), ("identifier", "token")];
        if search.last_updated {
            parameters.push(("_lastUpdated", "date"));
        }
        let mut resource = json!({
            "type": resource_type,
            "interaction": interactions,
        });
        if let Some(writes) = writes {
            resource["versioning"] = json!("versioned-update");
            resource["conditionalCreate"] = json!(true);
            resource["conditionalUpdate"] = json!(true);
            resource["updateCreate"] = json!(writes.client_ids);
        }
        match resource_type {
            "Patient" => resource["operation"] = json!([operation("patient-export")]),
            "Group" => resource["operation"] = json!([operation("group-export")]),
            _ => parameters.extend([("patient", "reference"), ("subject", "reference")]),
        }
        let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
        resource["searchParam"] = Value::Array(parameters);
        resource
    });
    let mut statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": {"name": "ehr-sandbox", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {"description": "A sandbox with made-up data", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{
            "mode": "server",
            "resource": resources.collect::<Vec<_>>(),
            "operation": [operation("export")],
        }],
    });
    if !bundles.is_empty() {
        statement["rest"][0]["interaction"] = Value::Array(bundles);
    }
    statement
}

const READING: [&str; 2] = ["read", "search-type"];
const WRITING: [&str; 5] = ["create", "update", "delete", "vread", "history-instance"];
