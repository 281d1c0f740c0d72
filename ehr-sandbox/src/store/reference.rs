use serde_json::Value;

use crate::data::is_resource_type;

/// References within a resource with their places: (`Observation.subject`,
/// `Patient/1`).
pub(super) fn references(resource_type: &str, resource: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(resource_type, resource, &mut found);
    found
}

fn walk(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(reference) if name == "reference" => {
                        found.push((path.to_owned(), reference.to_owned()));
                    }
                    _ => walk(&format!("{path}.{name}"), value, found),
                }
            }
        }
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                walk(&format!("{path}[{number}]"), value, found);
            }
        }
        _ => {}
    }
}

/// `Type/id`, where a reference is to a resource of this server.
pub(super) fn local<'a>(reference: &'a str, base: &str) -> Option<&'a str> {
    let relative = match reference.strip_prefix(base) {
        Some(rest) => rest.strip_prefix('/')?,
        None => reference,
    };
    let relative = relative.split("/_history/").next().unwrap_or(relative);
    let (resource_type, id) = relative.split_once('/')?;
    (is_resource_type(resource_type) && !id.contains('/')).then_some(relative)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_are_paths() {
        let resource = json!({
            "subject": {"reference": "Patient/1"},
            "performer": [{"display": "x"}, {"reference": "Practitioner/2"}],
        });
        let mut found = references("Observation", &resource);
        found.sort();
        let expected = [
            ("Observation.performer[1]", "Practitioner/2"),
            ("Observation.subject", "Patient/1"),
        ];
        let expected = expected.map(|(path, to)| (path.to_owned(), to.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn local_references_are_known() {
        let cases = [
            ("Patient/1", Some("Patient/1")),
            ("Patient/1/_history/3", Some("Patient/1")),
            ("http://here/fhir/Patient/1", Some("Patient/1")),
            ("http://here/fhirs/Patient/1", None),
            ("http://there/fhir/Patient/1", None),
            ("urn:uuid:1", None),
            ("#contained", None),
            ("Nonsense/1", None),
        ];
        for (reference, expected) in cases {
            assert_eq!(
                local(reference, "http://here/fhir"),
                expected,
                "{reference}"
            );
        }
    }
}
