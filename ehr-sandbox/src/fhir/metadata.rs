use serde_json::{Value, json};

use crate::data::Data;

/// The discovery document (SMART App Launch 2.2, conformance).
pub(crate) fn smart_configuration(token_endpoint: &str) -> Value {
    json!({
        "token_endpoint": token_endpoint,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported":
            ["private_key_jwt", "client_secret_basic", "client_secret_post"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384", "RS256"],
        "scopes_supported": ["system/*.rs", "system/*.read"],
        "capabilities":
            ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    })
}

/// What the server can do.
pub(crate) fn capability_statement(data: &Data, base: &str) -> Value {
    const EXPORT: &str = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/";
    let operation = |name: &str| json!({"name": "export", "definition": format!("{EXPORT}{name}")});
    let parameter = |(name, kind): (&str, &str)| json!({"name": name, "type": kind});
    let resources = data.types().map(|resource_type| {
        let mut parameters = vec![
            ("_id", "token"),
            ("_lastUpdated", "date"),
            ("identifier", "token"),
        ];
        let mut resource = json!({
            "type": resource_type,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
        });
        match resource_type {
            "Patient" => resource["operation"] = json!([operation("patient-export")]),
            "Group" => resource["operation"] = json!([operation("group-export")]),
            _ => parameters.extend([("patient", "reference"), ("subject", "reference")]),
        }
        let parameters: Vec<_> = parameters.into_iter().map(parameter).collect();
        resource["searchParam"] = Value::Array(parameters);
        resource
    });
    json!({
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
    })
}
