use serde_json::Value;

/// What a server says that it can do
/// ([CapabilityStatement](https://hl7.org/fhir/R4/capabilitystatement.html)).
/// Read leniently: what is missing or of another type is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapabilityStatement {
    /// Name of the server's software.
    pub software_name: Option<String>,
    /// Version of the server's software.
    pub software_version: Option<String>,
    /// Version of FHIR, such as `4.0.1`.
    pub fhir_version: Option<String>,
    /// What it can do with resource types.
    pub resources: Vec<ResourceCapability>,
    /// Operations on the whole system, such as `export`.
    pub operations: Vec<OperationDefinition>,
}

/// What a server can do with a resource type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResourceCapability {
    /// The type, such as `Patient`.
    pub resource_type: String,
    /// Interactions, such as `read` and `search-type`.
    pub interactions: Vec<String>,
    /// Names of search parameters.
    pub search_params: Vec<String>,
    /// Operations on the type and its resources.
    pub operations: Vec<OperationDefinition>,
}

/// An operation as a server lists it. Names differ between servers for the
/// same operation: the definition is the better key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationDefinition {
    /// Its name, without `$`.
    pub name: String,
    /// Canonical URL of its definition.
    pub definition: Option<String>,
}

impl CapabilityStatement {
    /// Reads one; `None` for what is none.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let json = json.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(json);
        let value: Value = serde_json::from_slice(json).ok()?;
        let kind = value["resourceType"].as_str();
        if !matches!(kind, Some("CapabilityStatement" | "Conformance")) {
            return None;
        }
        let rest = items(&value["rest"]).find(|rest| rest["mode"] != "client");
        let rest = rest.unwrap_or(&Value::Null);
        Some(Self {
            software_name: text(&value["software"]["name"]),
            software_version: text(&value["software"]["version"]),
            fhir_version: text(&value["fhirVersion"]),
            resources: items(&rest["resource"]).filter_map(resource).collect(),
            operations: operations(&rest["operation"]),
        })
    }

    /// What it can do with a resource type.
    #[must_use]
    pub fn resource(&self, resource_type: &str) -> Option<&ResourceCapability> {
        self.resources
            .iter()
            .find(|resource| resource.resource_type == resource_type)
    }
}

fn resource(value: &Value) -> Option<ResourceCapability> {
    Some(ResourceCapability {
        resource_type: text(&value["type"])?,
        interactions: items(&value["interaction"])
            .filter_map(|item| text(&item["code"]))
            .collect(),
        search_params: items(&value["searchParam"])
            .filter_map(|item| text(&item["name"]))
            .collect(),
        operations: operations(&value["operation"]),
    })
}

fn operations(value: &Value) -> Vec<OperationDefinition> {
    let operation = |item: &Value| {
        let name = text(&item["name"])?.trim_start_matches('$').to_owned();
        // An object with a reference before R4.
        let definition = text(&item["definition"]);
        Some(OperationDefinition {
            name,
            definition: definition.or_else(|| text(&item["definition"]["reference"])),
        })
    };
    items(value).filter_map(operation).collect()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
