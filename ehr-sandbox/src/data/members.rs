use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of an object in their order, their values as written: a
/// resource is changed in one place and stays the same in all others.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// `None` when the text is no JSON object.
    pub(crate) fn of(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The object again. `edit` gives the text of another value for a member,
    /// or `None` for the one it has.
    pub(crate) fn rewritten(&self, edit: impl Fn(&str, &RawValue) -> Option<String>) -> String {
        let mut text = String::from("{");
        for (name, value) in &self.0 {
            push(
                &mut text,
                name,
                &edit(name, value).unwrap_or_else(|| value.get().to_owned()),
            );
        }
        text.push('}');
        text
    }

    /// The object with other members: `None` takes one away, one that was not
    /// there goes to the end.
    pub(crate) fn with(&self, changes: &[(&'static str, Option<String>)]) -> String {
        let change = |name: &str| changes.iter().find(|(changed, _)| *changed == name);
        let mut text = String::from("{");
        for (name, value) in &self.0 {
            match change(name) {
                None => push(&mut text, name, value.get()),
                Some((_, Some(other))) => push(&mut text, name, other),
                Some((_, None)) => {}
            }
        }
        for (name, value) in changes {
            if let Some(value) = value
                && self.0.iter().all(|(own, _)| own != name)
            {
                push(&mut text, name, value);
            }
        }
        text.push('}');
        text
    }

    /// The object with another `meta`, which is added where there is none.
    pub(crate) fn with_meta(
        &self,
        edit: impl FnOnce(&mut serde_json::Map<String, Value>),
    ) -> String {
        let old = self.0.iter().find(|(name, _)| name == "meta");
        let mut meta = old
            .and_then(|(_, value)| serde_json::from_str(value.get()).ok())
            .unwrap_or_default();
        edit(&mut meta);
        let meta = Value::Object(meta).to_string();
        let mut text = self.rewritten(|name, _| (name == "meta").then(|| meta.clone()));
        if old.is_none() {
            text.pop();
            push(&mut text, "meta", &meta);
            text.push('}');
        }
        text
    }
}

fn push(text: &mut String, name: &str, value: &str) {
    if text.len() > 1 {
        text.push(',');
    }
    text.push_str(&Value::from(name).to_string());
    text.push(':');
    text.push_str(value);
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_edited_stays_as_written() {
        let json = r#"{"z":1.50,"a":"caf\u00e9 \/","meta":{"versionId":"1"},"n":[ 1 ]}"#;
        let members = Members::of(json).expect("an object");
        assert_eq!(members.rewritten(|_, _| None), json);
        let edited = members.with_meta(|meta| {
            meta.insert("versionId".into(), "2".into());
        });
        assert_eq!(edited, json.replace("\"1\"", "\"2\""));
        let bare = Members::of(r#"{"a":1.0}"#).expect("an object");
        assert_eq!(bare.with_meta(|_| ()), r#"{"a":1.0,"meta":{}}"#);
        assert_eq!(
            Members::of("{}").expect("an object").with_meta(|_| ()),
            r#"{"meta":{}}"#
        );
        assert!(Members::of("[1]").is_none());
        let changes = [
            ("a", None),
            ("z", Some("2".into())),
            ("b", Some("3".into())),
        ];
        assert_eq!(
            members.with(&changes),
            r#"{"z":2,"meta":{"versionId":"1"},"n":[ 1 ],"b":3}"#
        );
    }
}
