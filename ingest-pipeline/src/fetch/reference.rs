//! What the text of a resource refers to.

use std::collections::BTreeSet;

use fhir_json::{Tape, Value};

/// Type and id at the source.
pub(super) type Key = (&'static str, String);

/// What is needed of a resource besides its bytes.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// `None` where there is no readable type or id.
    pub(super) key: Option<Key>,
    /// The Patient that it is about, by `subject` or `patient`.
    pub(super) patient: Option<String>,
}

/// Reads resources of a source; the buffers are used again.
#[derive(Debug, Default)]
pub(super) struct Reader {
    tape: Tape,
}

impl Reader {
    /// Reads a resource and adds what it refers to, of the types to follow.
    /// What is no resource refers to nothing, and is left to the normalizer to
    /// refuse.
    pub(super) fn read(
        &mut self,
        text: &str,
        bases: &[String],
        follow: &BTreeSet<&'static str>,
        found: &mut BTreeSet<Key>,
    ) -> Head {
        let Ok(document) = self.tape.parse(text.as_bytes()) else {
            return Head::default();
        };
        let root = document.root();
        for value in root.descendants_named(["reference"]) {
            let Some(reference) = value.as_str() else {
                continue;
            };
            if let Some((name, id)) = target(&reference, bases)
                && follow.contains(name)
            {
                found.insert((name, id.to_owned()));
            }
        }
        Head {
            key: key(root),
            patient: patient(root, bases),
        }
    }
}

fn key(root: Value<'_>) -> Option<Key> {
    let name = root.get("resourceType")?.as_str()?;
    let id = root.get("id")?;
    // Some servers write numbers; the normalizer takes them by their digits.
    let text = id.as_str().or_else(|| id.as_number().map(Into::into))?;
    Some((fhir_normalize::resource_type(&name)?, text.into_owned()))
}

fn patient(root: Value<'_>, bases: &[String]) -> Option<String> {
    ["/subject/reference", "/patient/reference"]
        .into_iter()
        .find_map(|place| {
            let reference = root.pointer(place)?.as_str()?;
            let (name, id) = target(&reference, bases)?;
            (name == "Patient").then(|| id.to_owned())
        })
}

/// Type and id that a reference names: `Type/id`, also with a version, and
/// also behind one of the source's bases.
pub(super) fn target<'a>(text: &'a str, bases: &[String]) -> Option<(&'static str, &'a str)> {
    let relative = bases
        .iter()
        .filter_map(|base| {
            let rest = text.strip_prefix(base.trim_end_matches('/'))?;
            rest.strip_prefix('/')
        })
        // One base may be the beginning of another.
        .min_by_key(|relative| relative.len())
        .unwrap_or(text);
    let (name, path) = relative.split_once('/')?;
    let id = path.find("/_history/").map_or(path, |end| &path[..end]);
    let name = fhir_normalize::resource_type(name)?;
    (!id.is_empty()).then_some((name, id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    use super::*;

    const FOLLOW: [&str; 3] = ["Practitioner", "Location", "Medication"];

    fn references(text: &str) -> BTreeSet<Key> {
        let mut found = BTreeSet::new();
        let bases = [
            "https://ehr.example/r4".to_owned(),
            "https://b.example/".to_owned(),
        ];
        let follow = FOLLOW.into_iter().collect();
        Reader::default().read(text, &bases, &follow, &mut found);
        found
    }

    #[test]
    fn targets() {
        let bases = [
            "https://ehr.example/r4".to_owned(),
            "https://ehr.example/".to_owned(),
        ];
        for (text, expected) in [
            ("Practitioner/1", Some(("Practitioner", "1"))),
            ("Practitioner/1/_history/2", Some(("Practitioner", "1"))),
            (
                "https://ehr.example/r4/Location/a.b",
                Some(("Location", "a.b")),
            ),
            (
                "https://ehr.example/Location/l/_history/9",
                Some(("Location", "l")),
            ),
            ("Practitioner/a b", Some(("Practitioner", "a b"))),
            ("https://other.example/r4/Location/1", None),
            ("#Practitioner/1", None),
            ("#p", None),
            ("Practitioner", None),
            ("Practitioner/", None),
            ("Practitioners/1", None),
            ("practitioner/1", None),
            ("Practitioner?identifier=a|b", None),
            ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", None),
            ("/Practitioner/1", None),
            ("", None),
        ] {
            assert_eq!(target(text, &bases), expected, "{text}");
        }
    }

    #[test]
    fn heads_are_read_and_texts_that_are_none_are_not() {
        let follow = BTreeSet::new();
        let head = |text: &str| Reader::default().read(text, &[], &follow, &mut BTreeSet::new());
        let observation =
            r#"{"resourceType":"Observation","id":7,"subject":{"reference":"Patient/p"}}"#;
        let read = head(observation);
        assert_eq!(read.key, Some(("Observation", "7".to_owned())));
        assert_eq!(read.patient.as_deref(), Some("p"));
        let group = head(r#"{"resourceType":"X","id":"1","subject":{"reference":"Group/p"}}"#);
        assert_eq!((group.key, group.patient), (None, None));
        for text in ["", "7", "[]", "{", r#"{"id":"a","id":"b"}"#] {
            assert!(head(text).key.is_none(), "{text}");
        }
    }

    /// Any JSON, with references at any depth, some of them followed.
    fn any_json() -> impl Strategy<Value = Json> {
        let reference = prop_oneof![
            3 => ("(Practitioner|Location|Medication|Patient|Encounter|X)", "[a-zA-Z0-9.\\-_ /]{0,8}")
                .prop_map(|(name, id)| format!("{name}/{id}")),
            1 => "https://(ehr|b|c)\\.example(/r4)?/(Location|Patient)/[a-z0-9]{1,4}",
            1 => ".{0,12}",
        ];
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            ".{0,8}".prop_map(Json::from),
            reference.prop_map(|text| json!({ "reference": text })),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            let name = prop_oneof![Just("reference".to_owned()), "[a-z]{1,6}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
                prop::collection::btree_map(name, inner, 0..6)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    /// What a walk over a tree of values finds.
    fn walked(value: &Json, found: &mut BTreeSet<Key>) {
        let bases = [
            "https://ehr.example/r4".to_owned(),
            "https://b.example/".to_owned(),
        ];
        match value {
            Json::Array(values) => values.iter().for_each(|value| walked(value, found)),
            Json::Object(members) => {
                for (name, value) in members {
                    if name == "reference"
                        && let Some(text) = value.as_str()
                        && let Some((name, id)) = target(text, &bases)
                        && FOLLOW.contains(&name)
                    {
                        found.insert((name, id.to_owned()));
                    }
                    walked(value, found);
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn all_references_are_found_wherever_they_are(value in any_json(), pretty in any::<bool>()) {
            let text = match pretty {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            };
            let mut expected = BTreeSet::new();
            walked(&value, &mut expected);
            prop_assert_eq!(references(&text), expected);
        }

        #[test]
        fn no_text_is_too_odd(text in ".{0,200}") {
            references(&text);
        }
    }
}
