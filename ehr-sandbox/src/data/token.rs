use serde_json::Value;
use url::form_urlencoded;

use super::Resource;

/// A `_typeFilter`: a search on one type by token parameters.
#[derive(Clone, Debug)]
pub(crate) struct TypeFilter {
    resource_type: String,
    tokens: Vec<(String, String)>,
}

/// Search parameters that are tokens of the element of the same name.
pub(crate) const TOKENS: [&str; 6] = [
    "status",
    "code",
    "category",
    "gender",
    "intent",
    "identifier",
];

impl TypeFilter {
    /// Reads `Type?name=value&…`; the error names what is not supported.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (resource_type, query) = text.split_once('?').ok_or("it is no search")?;
        if !super::is_resource_type(resource_type) {
            return Err("it is of an unknown resource type".into());
        }
        let mut tokens = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if !TOKENS.contains(&name.as_ref()) {
                return Err(format!("its parameter is none of {}", TOKENS.join(", ")));
            }
            tokens.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self {
            resource_type: resource_type.to_owned(),
            tokens,
        })
    }

    pub(crate) fn applies_to(&self, resource_type: &str) -> bool {
        self.resource_type == resource_type
    }

    pub(crate) fn matches(&self, resource: &Resource) -> bool {
        let Ok(value) = serde_json::from_str::<Value>(resource.json()) else {
            return false;
        };
        self.tokens
            .iter()
            .all(|(name, wanted)| matches_token(&value, name, wanted))
    }
}

/// Whether an element holds one of the tokens in a comma-separated list
/// (<https://hl7.org/fhir/R4/search.html#token>).
pub(crate) fn matches_token(resource: &Value, name: &str, wanted: &str) -> bool {
    let element = resource.get(name);
    element.is_some_and(|element| wanted.split(',').any(|token| has_token(element, token)))
}

fn has_token(element: &Value, token: &str) -> bool {
    match element {
        Value::Array(values) => values.iter().any(|value| has_token(value, token)),
        Value::String(code) => token.rsplit('|').next() == Some(code),
        Value::Object(members) => match members.get("coding") {
            Some(coding) => has_token(coding, token),
            None => {
                let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or("");
                let value = if members.contains_key("value") {
                    "value"
                } else {
                    "code"
                };
                match token.split_once('|') {
                    Some((system, "")) => text("system") == system,
                    Some((system, code)) => text("system") == system && text(value) == code,
                    None => text(value) == token,
                }
            }
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_match_as_the_specification_says() {
        let resource = serde_json::json!({
            "status": "final",
            "category": [{"coding": [{"system": "s", "code": "vital"}]}, {"coding": [{"code": "x"}]}],
            "identifier": [{"system": "urn:mrn", "value": "1"}],
        });
        let cases = [
            ("status", "final", true),
            ("status", "amended,final", true),
            ("status", "amended", false),
            ("category", "vital", true),
            ("category", "s|vital", true),
            ("category", "t|vital", false),
            ("category", "s|", true),
            ("category", "|x", true),
            ("category", "|vital", false),
            ("identifier", "urn:mrn|1", true),
            ("identifier", "urn:mrn|2", false),
            ("identifier", "1", true),
            ("code", "1", false),
        ];
        for (name, wanted, expected) in cases {
            assert_eq!(
                matches_token(&resource, name, wanted),
                expected,
                "{name}={wanted}"
            );
        }
    }
}
