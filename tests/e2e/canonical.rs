//! Resources in a form in which two can be compared.

use fhir_json::{Edits, Emitter, Value};

/// A resource with its members in order and the digits of its numbers.
/// `content`: without what a server writes into a resource by itself.
pub(crate) fn canonical(root: Value<'_>, content: bool) -> String {
    let mut edits = Edits::new();
    if let Some(meta) = root.get("meta").filter(|_| content) {
        let of_server = |member: &Value<'_>| {
            let name = member.name();
            name.is_some_and(|name| ["versionId", "lastUpdated"].contains(&&*name))
        };
        match meta.members().all(|member| of_server(&member)) {
            true => edits.remove(meta),
            false => meta
                .members()
                .filter(of_server)
                .for_each(|member| edits.remove(member)),
        }
    }
    let mut text = Vec::new();
    Emitter::new().canonical(root, &edits, &mut text);
    String::from_utf8(text).expect("UTF-8")
}

/// `Type/id` of a line, and the content of its resource in canonical form.
#[allow(dead_code, reason = "not of the campaign, which shares the other")]
pub(crate) fn keyed(line: &str) -> (String, String) {
    let mut tape = fhir_json::Tape::new();
    let document = tape.parse(line.as_bytes()).expect("JSON");
    let root = document.root();
    let member = |name| root.get(name).and_then(Value::as_str).expect("a text");
    let key = format!("{}/{}", member("resourceType"), member("id"));
    (key, canonical(root, true))
}
