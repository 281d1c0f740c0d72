//! Resources on a server that gives ids of its own.
//!
//! Each has a tag there that holds our `Type/id`: by it, a create whose answer was lost finds what it made.

use fhir_http::{UNRESERVED, percent_encode};
use fhir_json::{Edits, Kind, Tape, Value};

use super::order::{Reference, local};

/// System of the tag.
const SYSTEM: &str = "urn:ingest:id";

/// The search that finds what has our tag, for conditional creates.
pub(super) fn condition(path: &str) -> String {
    let token = percent_encode(&format!("{SYSTEM}|{path}"), UNRESERVED);
    format!("_tag={token}")
}

/// A resource as the server gets it: with its tag and with the id there, or none where it is new, and with other references where `rename` knows them.
pub(super) fn outgoing(
    body: &str,
    path: &str,
    id: Option<&str>,
    rename: impl Fn(&Reference) -> Option<String>,
) -> String {
    edited(body, |root, edits| {
        if let Some(member) = root.get("id") {
            match id {
                Some(id) => edits.replace_with_str(member, id),
                None => edits.remove(member),
            }
        }
        // Neither holds a character that JSON escapes.
        let tag = format!(r#"{{"code":"{path}","system":"{SYSTEM}"}}"#);
        let meta = root.get("meta").filter(|meta| meta.kind() == Kind::Object);
        match (meta, meta.and_then(|meta| meta.get("tag"))) {
            (None, _) => edits.insert(root, "meta", format!(r#"{{"tag":[{tag}]}}"#).as_bytes()),
            (Some(meta), None) => edits.insert(meta, "tag", format!("[{tag}]").as_bytes()),
            (Some(_), Some(tags)) => {
                let mut all: Vec<&str> = tags.elements().map(Value::raw).collect();
                all.push(&tag);
                edits.replace(tags, format!("[{}]", all.join(",")).as_bytes());
            }
        }
        rename_references(root, edits, rename);
    })
}

/// A resource of the server as it was before [`outgoing`].
pub(super) fn incoming(
    body: &str,
    id: &str,
    rename: impl Fn(&Reference) -> Option<String>,
) -> String {
    edited(body, |root, edits| {
        if let Some(member) = root.get("id") {
            edits.replace_with_str(member, id);
        }
        let is_ours = |tag: &Value<'_>| tag.get("system").is_some_and(|own| own.is_str(SYSTEM));
        if let Some(meta) = root.get("meta")
            && let Some(tags) = meta.get("tag")
        {
            let of_server =
                |member: Value<'_>| member.is_named("versionId") || member.is_named("lastUpdated");
            if !tags.elements().all(|tag| is_ours(&tag)) {
                tags.elements()
                    .filter(is_ours)
                    .for_each(|tag| edits.remove(tag));
            } else if meta
                .members()
                .all(|own| own.is_named("tag") || of_server(own))
            {
                edits.remove(meta);
            } else {
                edits.remove(tags);
            }
        }
        rename_references(root, edits, rename);
    })
}

fn rename_references(
    root: Value<'_>,
    edits: &mut Edits,
    rename: impl Fn(&Reference) -> Option<String>,
) {
    for value in root
        .descendants()
        .filter(|value| value.is_named("reference"))
    {
        let Some(text) = value.as_str() else { continue };
        if let Some(name) = local("", &text).and_then(|own| rename(&own)) {
            edits.replace_with_str(value, &name);
        }
    }
}

fn edited(body: &str, edit: impl FnOnce(Value<'_>, &mut Edits)) -> String {
    let mut tape = Tape::new();
    let Ok(document) = tape.parse(body.as_bytes()) else {
        return body.to_owned();
    };
    let mut edits = Edits::new();
    edit(document.root(), &mut edits);
    let mut text = Vec::new();
    edits.apply(document, &mut text);
    String::from_utf8(text).unwrap_or_else(|_| body.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_out_comes_back_as_it_was() {
        let rename = |from: &'static str, to: &'static str| {
            move |own: &Reference| (own.id == from).then(|| format!("Patient/{to}"))
        };
        let subject = r#""subject":{"reference":"Patient/p"},"x":1.10}"#;
        for meta in [
            "",
            r#""meta":{"profile":["a"]},"#,
            r#""meta":{"tag":[{"system":"urn:a","code":"b"}]},"#,
        ] {
            let ours = format!(r#"{{"id":"o",{meta}{subject}"#);
            let sent = outgoing(&ours, "Observation/o", None, rename("p", "new-1"));
            assert!(!sent.contains(r#""id""#), "{sent}");
            assert!(sent.contains(r#""reference":"Patient/new-1""#), "{sent}");
            assert!(sent.contains(r#"{"code":"Observation/o","system":"urn:ingest:id"}"#));
            let sent = outgoing(&ours, "Observation/o", Some("new-7"), rename("p", "new-1"));
            assert!(sent.contains(r#""id":"new-7""#), "{sent}");
            let back = incoming(&sent, "o", rename("new-1", "p"));
            let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(parsed(&back), parsed(&ours));
            assert!(back.contains("1.10"));
        }
        assert_eq!(
            condition("Patient/p.1"),
            "_tag=urn%3Aingest%3Aid%7CPatient%2Fp.1"
        );
    }
}
